//! `ktrdr data gaps` and `ktrdr data plan` as a user meets them: without a server.

use std::path::Path;

use serde_json::Value;

use crate::program::{Ended, ktrdr_in, root};

/// A folder of its own with a folder of bar files.
struct Place(tempfile::TempDir);

impl Place {
    /// Hours of AAPL from Monday 2024-01-08 to Friday the 12th; three of Wednesday are missing.
    fn with_a_week_of_hours() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let mut text = "timestamp,open,high,low,close,volume\n".to_owned();
        for day in 8..=12 {
            for hour in 14..=20 {
                if day != 10 || !(15..18).contains(&hour) {
                    text += &format!("2024-01-{day:02}T{hour}:00:00Z,100,101,99,100,5\n");
                }
            }
        }

        std::fs::create_dir(place.path().join("bars")).unwrap();
        std::fs::write(place.path().join("bars/AAPL_1h.csv"), text).unwrap();
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &str) -> Ended {
        let words: Vec<&str> = arguments.split(' ').collect();
        let mut command = ktrdr_in(self.path(), &words);
        command.env("KTRDR_FETCHER_FILES", "bars");
        command.output().unwrap().into()
    }

    /// Everything that a run shows.
    fn screen_of(&self, arguments: &str) -> String {
        let Ended { exit, out, err } = self.run(arguments);
        format!("$ ktrdr {arguments}\n{out}{err}exit {}\n", exit.unwrap())
    }

    fn import(&self, file: &Path) {
        let ended = self.run(&format!("data import {} --yes", file.display()));
        assert_eq!(ended.exit, Some(0), "{}", ended.err);
    }
}

#[test]
fn every_stretch_without_bars_is_explained() {
    let place = Place::with_a_week_of_hours();
    place.import(&place.path().join("bars/AAPL_1h.csv"));

    let screens = [
        "data gaps AAPL -t 1h",
        "data gaps AAPL -t 1h --start 2024-01-08 --end 2024-01-16 --explain",
        "data gaps MSFT -t 1h",
    ]
    .map(|arguments| place.screen_of(arguments));
    insta::assert_snapshot!(screens.join("\n"));
}

#[test]
fn a_plan_shows_the_requests_and_makes_none() {
    let place = Place::with_a_week_of_hours();
    let nothing_stored = place.screen_of("data plan AAPL -t 1h --mode full");
    let is_stored = place
        .run("data list --json")
        .out
        .contains("\"type\":\"series\"");
    assert!(!is_stored);

    // The three hours that the file does not have are asked for until the provider said so.
    place.import(&place.path().join("bars/AAPL_1h.csv"));
    let stored = place.screen_of("data plan AAPL -t 1h --mode full");
    let no_provider = place.screen_of("data plan AAPL -t 1h --provider ibkr");
    let no_file = place.screen_of("data plan MSFT -t 1h");

    let screens = [nothing_stored, stored, no_provider, no_file].join("\n");
    let here = place.path().display().to_string();
    insta::assert_snapshot!(screens.replace(&here, "HERE"));
}

#[test]
fn the_page_on_gaps_shows_what_the_commands_print() {
    let place = Place::with_a_week_of_hours();
    place.import(&place.path().join("bars/AAPL_1h.csv"));
    let page = std::fs::read_to_string(root().join("docs/gaps.md")).unwrap();

    for arguments in [
        "data gaps AAPL --timeframe 1h",
        "data plan AAPL --timeframe 1h --mode full",
    ] {
        let screen = format!("$ ktrdr {arguments}\n{}", place.run(arguments).out);
        assert!(page.contains(&screen), "{screen}");
    }
}

/// Bars of each class among the gaps of a sample series.
fn bars_by_class(place: &Place, symbol: &str, timeframe: &str) -> String {
    let file = format!("tests/bars/{symbol}_{timeframe}.csv.gz");
    place.import(&root().join(file));

    let ended = place.run(&format!(
        "data gaps {symbol} -t {timeframe} --explain --json"
    ));
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    let classes = report["classes"].as_object().unwrap().iter();
    let counts: Vec<String> = classes
        .map(|(class, count)| format!("{class} {}/{}", count["stretches"], count["bars"]))
        .collect();

    let stretches = report["stretches"].as_array().unwrap().iter();
    let lost = stretches
        .filter(|stretch| stretch["bars"].as_u64() > Some(0))
        .map(|stretch| {
            format!(
                "\n  {} {}",
                stretch["bars"],
                stretch["reason"].as_str().unwrap()
            )
        });
    format!(
        "{symbol} {timeframe}: {} of {}; {}{}",
        report["present"],
        report["expected"],
        counts.join(", "),
        lost.collect::<String>()
    )
}

#[test]
fn the_gaps_of_the_sample_series_are_all_explained() {
    let place = Place::with_a_week_of_hours();
    let series = [
        ("AAPL", "1d"),
        ("IBM", "1d"),
        ("SPY", "1d"),
        ("EURUSD", "1d"),
        ("EURUSD", "1h"),
    ];

    let reports = series.map(|(symbol, timeframe)| bars_by_class(&place, symbol, timeframe));
    insta::assert_snapshot!(reports.join("\n"));
}
