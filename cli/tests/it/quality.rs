//! `ktrdr data quality`, `data repair` and the scale of an import, as a user meets them.

use std::path::PathBuf;

use serde_json::Value;

use crate::program::{Ended, root, run_in};

/// Four days of a share; the dividend of the third is in cents and its prices are in dollars.
const BARS: &str = "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits\n\
                    2020-08-24,514,515,495,503,498,86484400,0,0\n\
                    2020-08-25,498,500,492,499,494,52873900,0,0\n\
                    2020-08-26,496,499,493,498,498,40755600,500,0\n\
                    2020-08-27,499,509,495,,500,38888100,0,0\n";

/// A folder of its own.
struct Place(tempfile::TempDir);

impl Place {
    fn with(files: &[(&str, &str)]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            std::fs::write(place.path(name), text).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn run(&self, arguments: &str) -> Ended {
        let words: Vec<&str> = arguments.split(' ').collect();
        run_in(self.0.path(), &words)
    }

    /// Everything that runs show, for snapshots.
    fn screens_of(&self, commands: &[&str]) -> String {
        let mut screens = String::new();
        for command in commands {
            let Ended { exit, out, err } = self.run(command);
            let err = err.replace(&self.0.path().display().to_string(), "HERE");
            let exit = exit.unwrap();
            screens.push_str(&format!("$ ktrdr {command}\n{out}{err}exit {exit}\n\n"));
        }
        screens
    }

    /// The JSON lines of a run with this type.
    fn json_of(&self, arguments: &str, line_type: &str) -> Vec<Value> {
        let ended = self.run(&format!("--json {arguments}"));
        let lines = ended
            .out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        lines
            .filter(|line: &Value| line["type"] == line_type)
            .collect()
    }
}

#[test]
fn quality_shows_score_findings_and_what_to_do() {
    let place = Place::with(&[("ACME_1d.csv", BARS)]);
    let series = root().join("strategies/quality/tests/data/labelled");
    let split = series.join("CNE-L-1d-bad-stock-split.csv");
    std::fs::copy(split, place.path("split.csv")).unwrap();

    insta::assert_snapshot!(place.screens_of(&[
        "data quality ACME_1d.csv",
        "data quality split.csv --symbol stk:CNE -t 1d --zone Europe/London",
        "data quality NOTHING -t 1d",
        "data quality nothing.csv",
    ]));
}

#[test]
fn the_same_bars_have_one_score_whichever_command_asks() {
    let place = Place::with(&[("ACME_1d.csv", &BARS.replace(",,500", ",505,505"))]);
    let bars = BARS.lines().count() - 1;
    let checked = &place.json_of("data check ACME_1d.csv", "check")[0]["report"];
    let of_file = &place.json_of("data quality ACME_1d.csv", "quality")[0]["report"];
    assert_eq!(place.run("data import ACME_1d.csv --yes").exit, Some(0));
    let stored = &place.json_of("data quality ACME", "quality")[0]["report"];

    for report in [checked, of_file, stored] {
        assert_eq!(report["bars"], bars);
        assert_eq!(report["score"]["completeness"], 1.0);
        assert_eq!(report["score"]["plausibility"], 1.0);
    }
    // Without the columns of dividends nothing is known of them.
    assert_eq!(checked["score"]["total"], 100.0);
    assert_eq!(stored["score"], checked["score"]);
    assert_eq!(of_file["findings"][0]["check"], "dividend_unit");
}

#[test]
fn rules_come_from_a_file_and_unknown_ones_are_refused() {
    let rules = "allow_negative_prices = true\n";
    let negative = BARS.replace("495,503", "-495,503");
    let place = Place::with(&[
        ("ACME_1d.csv", &negative),
        ("rules.toml", rules),
        ("wrong.toml", "outlier = 3\n"),
    ]);

    assert_eq!(place.run("data quality ACME_1d.csv").exit, Some(1));
    let allowed = place.run("data quality ACME_1d.csv --rules rules.toml");
    assert_eq!(allowed.exit, Some(0), "{}", allowed.out);
    let wrong = place.run("data quality ACME_1d.csv --rules wrong.toml");
    assert_eq!(wrong.exit, Some(2));
    assert!(
        wrong.err.contains("unknown field `outlier`"),
        "{}",
        wrong.err
    );
}

#[test]
fn a_repair_lists_its_changes_and_leaves_the_file() {
    let place = Place::with(&[("ACME_1d.csv", BARS)]);
    insta::assert_snapshot!(place.screens_of(&[
        "data repair ACME_1d.csv --method rescale --dry-run",
        "data repair ACME_1d.csv --method drop --out repaired.csv",
        "data repair ACME_1d.csv --method drop --out ACME_1d.csv",
        "data repair ACME_1d.csv --method bfill --training --dry-run",
    ]));
    assert_eq!(place.read("ACME_1d.csv"), BARS);
    insta::assert_snapshot!(place.read("repaired.csv"));
}

#[test]
fn bars_made_from_later_ones_are_not_imported() {
    let bars = BARS.replace("496,499,493,498,498", "496,499,493,,498");
    let place = Place::with(&[("ACME_1d.csv", &bars.replace(",,500", ",505,505"))]);
    let repair = "data repair ACME_1d.csv --method interpolate --out made_1d.csv";
    assert_eq!(place.run(repair).exit, Some(0));

    let import = place.run("data import made_1d.csv --symbol ACME --yes");
    assert_eq!(import.exit, Some(1));
    assert!(import.err.contains("later bars"), "{}", import.err);
}

#[test]
fn two_scales_are_not_joined_without_a_word() {
    let head = "Date,Open,High,Low,Close,Volume\n";
    let old = format!(
        "{head}2020-08-25,498,500,492,499,52873900\n2020-08-26,504,507,500,506,40755600\n\
         2020-08-27,508,509,495,500,38888100\n"
    );
    let new = format!(
        "{head}2020-08-27,127,127.25,123.75,125,155552400\n\
         2020-08-28,126,126.25,124.5,124.75,187630000\n\
         2020-08-31,127.5,131,126,129,225702700\n"
    );
    let place = Place::with(&[("old.csv", &old), ("new.csv", &new)]);
    let import = |file: &str| format!("data import {file} --symbol AAPL --timeframe 1d --yes");

    assert_eq!(place.run(&import("old.csv")).exit, Some(0));
    let refused = place.run(&import("new.csv"));
    assert_eq!(refused.exit, Some(1));
    insta::assert_snapshot!(refused.err);
    // The way out that the hint names: another provider.
    let apart = format!("{} --provider adjusted", import("new.csv"));
    assert_eq!(place.run(&apart).exit, Some(0));
    let joined = place.run(&format!("{} --force", import("new.csv")));
    assert_eq!(joined.exit, Some(0));
    assert!(joined.err.contains("joined all the same"), "{}", joined.err);
}

/// Score, missing bars and findings of a file of the store's table of cases.
fn judged_case(name: &str, series: &str) -> (f64, u64, u64, Vec<String>) {
    let file = root().join("services/store/tests/it/cases").join(name);
    let place = Place::with(&[]);
    let arguments = format!("data check {}/x.csv {series}", file.display());
    let report = place.json_of(&arguments, "check")[0]["report"].clone();
    let findings = report["findings"].as_array().unwrap().iter();
    let checks = findings.map(|finding| finding["check"].as_str().unwrap().to_owned());
    (
        report["score"]["total"].as_f64().unwrap(),
        report["expected"].as_u64().unwrap(),
        report["missing"].as_u64().unwrap(),
        checks.collect(),
    )
}

#[test]
fn bars_of_four_hours_from_the_open_are_all_there() {
    // Two bars a session, one on 3 July, which ends at 13:00, and none on 4 July.
    let judged = judged_case("sessions_of_4h", "--symbol AAPL -t 4h");
    assert_eq!(judged, (100.0, 7, 0, vec![]));
}

#[test]
fn bars_of_four_hours_of_a_new_york_day_are_all_there() {
    // Six bars of a day from 17:00 in New York on, which is 22:00Z in winter and 21:00Z from
    // 10 March on, when the next week begins.
    let judged = judged_case("new_york_days_of_4h", "--symbol EURUSD -t 4h");
    assert_eq!(judged, (100.0, 8, 0, vec![]));
}

#[test]
fn a_week_given_again_from_its_middle_is_the_last_one() {
    let judged = judged_case("weekly_partial_week", "--symbol AAPL -t 1w");
    let repeated = vec!["duplicate_differing".to_owned()];
    assert_eq!(judged, (100.0, 2, 0, repeated));
}
