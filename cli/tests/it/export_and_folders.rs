//! Bars in and out in bulk: several files or a folder at once, and exports of several symbols.

use std::path::PathBuf;

use serde_json::Value;

use crate::program::{Ended, run_in};

/// Two hours of a currency that trades at all times.
const BARS: &str = "timestamp,open,high,low,close,volume\n\
                    2024-05-04T02:00:00Z,1.5,2.0,1.0,1.75,5.0\n\
                    2024-05-04T03:00:00Z,1.75,2.5,1.5,2.0,6.0\n";

struct Place(tempfile::TempDir);

impl Place {
    /// With a folder `bars` of two good files, a broken one and a note.
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(place.path("bars")).unwrap();
        place.write("bars/crypto-aaa-usd_1h.csv", BARS);
        place.write("bars/crypto-bbb-usd_1h.csv", &BARS.replace("2.5", "2.75"));
        place.write("bars/crypto-ccc-usd_1h.csv", &BARS.replace("1.5,", "x,"));
        place.write("bars/.hidden.csv", "x");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn run(&self, arguments: &str) -> Ended {
        let words: Vec<&str> = arguments.split(' ').collect();
        run_in(self.0.path(), &words)
    }
}

fn lines(ended: &Ended) -> Vec<Value> {
    let lines = ended.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_folder_is_imported_but_for_its_bad_files() {
    let place = Place::new();

    let ended = place.run("data import bars --yes");

    assert_eq!(ended.exit, Some(1), "{}", ended.err);
    assert!(
        ended.out.contains("stored 4 bars of 2 files; 1 refused\n"),
        "{}",
        ended.out
    );
    assert!(
        ended.out.contains("refused: bars/crypto-ccc-usd_1h.csv: "),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("  hint: "), "{}", ended.out);
    assert!(!ended.out.contains("hidden"), "{}", ended.out);

    let listed = lines(&place.run("data list --json"));
    assert_eq!(listed.len(), 2);
}

#[test]
fn several_files_without_yes_change_nothing() {
    let place = Place::new();
    let files = "bars/crypto-aaa-usd_1h.csv bars/crypto-bbb-usd_1h.csv";

    let ended = place.run(&format!("data import {files} --json"));

    assert_eq!(ended.exit, Some(0), "{}", ended.out);
    let reports = lines(&ended);
    assert_eq!(reports.len(), 3);
    assert_eq!(reports[0]["file"], "bars/crypto-aaa-usd_1h.csv");
    assert_eq!(reports[0]["written"], false);
    assert_eq!(reports[2]["type"], "imports");
    assert_eq!(reports[2]["bars"], 4);
    assert!(lines(&place.run("data list --json")).is_empty());
}

#[test]
fn an_export_of_one_symbol_is_imported_again_as_it_was() {
    let place = Place::new();
    place.run("data import bars --yes");

    for ending in ["csv", "csv.gz", "parquet", "arrow", "feather"] {
        let file = format!("crypto-aaa-usd_1h.{ending}");
        let export = format!("data export crypto:AAA/USD -t 1h --out {file}");
        assert_eq!(place.run(&export).exit, Some(0), "{ending}");

        let again = place.run(&format!("data import {file} --yes --json"));
        assert_eq!(lines(&again)[0]["new"], 0, "{ending}");
        assert_eq!(lines(&again)[0]["changed"], 0, "{ending}");
    }
    let csv = place.run("data export crypto:AAA/USD -t 1h --out -");
    assert_eq!(csv.out, BARS);
}

#[test]
fn an_export_of_several_symbols_is_a_table_or_a_folder() {
    let place = Place::new();
    place.run("data import bars --yes");
    let both = "data export crypto:AAA/USD crypto:BBB/USD -t 1h";

    let table = place.run(&format!("{both} --start 2024-05-04T03:00:00Z --out x.csv"));
    assert_eq!(table.out, "2 bars written to x.csv\n");
    let rows: Vec<String> = place.read("x.csv").lines().map(str::to_owned).collect();
    assert_eq!(rows.len(), 3);
    assert!(rows[0].starts_with("symbol,timestamp,open"), "{rows:?}");
    assert!(
        rows[2].ends_with(",2024-05-04T03:00:00Z,1.75,2.75,1.5,2.0,6.0"),
        "{rows:?}"
    );

    std::fs::create_dir(place.path("out")).unwrap();
    place.run(&format!("{both} --out out --format csv"));
    assert_eq!(place.read("out/crypto-aaa-usd_1h.csv"), BARS);
    assert!(place.path("out/crypto-bbb-usd_1h.csv").exists());
}

#[test]
fn a_symbol_that_is_missing_leaves_no_half_of_an_export() {
    let place = Place::new();
    place.run("data import bars --yes");

    let ended = place.run("data export crypto:AAA/USD crypto:ZZZ/USD -t 1h --out x.csv");

    assert_eq!(ended.exit, Some(4), "{}", ended.err);
    assert!(!place.path("x.csv").exists());
}

#[test]
fn a_list_is_narrowed_by_symbol_timeframe_and_provider() {
    let place = Place::new();
    place.run("data import bars --yes");

    for (arguments, count) in [
        ("crypto:AAA/USD", 1),
        ("--timeframe 1h,1d", 2),
        ("--provider file", 2),
    ] {
        let ended = place.run(&format!("data list {arguments} --json"));
        assert_eq!(lines(&ended).len(), count, "{arguments}");
    }
    let nothing = place.run("data list crypto:AAA/USD --timeframe 1d");
    assert_eq!(nothing.exit, Some(4), "{}", nothing.out);
}
