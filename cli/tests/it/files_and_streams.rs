//! What the command line does with files and streams that go wrong: names and variables that are
//! not UTF-8, full disks, outputs over inputs, rows out of order, and bars that are not over yet.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::program::{Ended, files_under, ktrdr_in, run_in};

const HEADER: &str = "timestamp,open,high,low,close,volume\n";
const COMPUTE: [&str; 6] = [
    "indicators",
    "compute",
    "-i",
    "sma(period=2)",
    "--bars",
    "bars.csv",
];

/// A folder of its own.
struct Place(tempfile::TempDir);

impl Place {
    /// With three hours of a currency that trades at all times, in `bars.csv`.
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("bars.csv", &hourly(&["02", "03", "04"]));
        place
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: impl AsRef<Path>, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        run_in(self.0.path(), arguments)
    }

    fn run_os(&self, arguments: &[&OsStr]) -> Ended {
        let mut command = ktrdr_in(self.0.path(), &[]);
        command.args(arguments).output().unwrap().into()
    }

    /// `indicators compute` over `bars.csv` with further arguments.
    fn compute(&self, more: &[&str]) -> Ended {
        self.run(&[&COMPUTE[..], more].concat())
    }

    /// Imports a file of a currency that trades at all times.
    fn import(&self, file: &str, timeframe: &str, more: &[&str]) -> Ended {
        let import = [
            "data",
            "import",
            file,
            "--symbol",
            "crypto:NNN/USD",
            "--timeframe",
        ];
        self.run(&[&import[..], &[timeframe, "--yes"], more].concat())
    }
}

/// Hourly bars of 2024-05-04 at these hours; each price is ten times the hour.
fn hourly(hours: &[&str]) -> String {
    let rows = hours
        .iter()
        .map(|hour| format!("2024-05-04T{hour}:00:00Z,{hour}0,{hour}0,{hour}0,{hour}0,5\n"));
    std::iter::once(HEADER.to_owned()).chain(rows).collect()
}

/// A row of a bar that opens this many hours from now.
fn row_from_now(hours: i64) -> String {
    let now = Timestamp::now().as_second();
    let hour = now - now.rem_euclid(3_600);
    let open = Timestamp::from_second(hour).unwrap() + SignedDuration::from_hours(hours);
    format!("{open},1,2,1,2,5\n")
}

fn json(ended: &Ended) -> Value {
    let line = ended.out.lines().last().unwrap();
    serde_json::from_str(line).unwrap()
}

/// A name in which `?` is an `ö` of Latin-1, which is not UTF-8.
fn latin1(name: &str) -> OsString {
    let bytes = name
        .bytes()
        .map(|byte| if byte == b'?' { 0xf6 } else { byte });
    OsString::from_vec(bytes.collect())
}

#[test]
fn an_end_without_a_zone_keeps_its_time_of_day() {
    let place = Place::new();
    place.import("bars.csv", "1h", &[]);
    let show = [
        "data",
        "show",
        "crypto:NNN/USD",
        "-t",
        "1h",
        "--json",
        "--end",
    ];

    for end in [
        "2024-05-04 04:00",
        "2024-05-04T04:00",
        "2024-05-04T04:00:00Z",
    ] {
        let ended = place.run(&[&show[..], &[end]].concat());
        assert_eq!(json(&ended)["timestamp"], "2024-05-04T03:00:00Z", "{end}");
    }

    let ended = place.run(&[&show[..], &["2024-05-04 4 Uhr"]].concat());
    assert_eq!(ended.exit, Some(2));
    assert!(
        ended.err.contains("UTC if it names no zone"),
        "{}",
        ended.err
    );
}

#[test]
fn a_range_without_bars_is_answered_with_what_is_stored() {
    let place = Place::new();
    place.import("bars.csv", "1h", &[]);

    let ended = place.run(&[
        "data",
        "show",
        "crypto:NNN/USD",
        "-t",
        "1h",
        "--start",
        "2024-06-01",
    ]);

    assert_eq!(ended.exit, Some(0));
    let note = "no bars in this range; stored are 2024-05-04T02:00:00Z to 2024-05-04T04:00:00Z\n";
    assert_eq!(ended.err, note);
}

#[test]
fn a_bar_that_is_not_over_is_computed_by_nobody() {
    let place = Place::new();
    // One bar is running at any time of the test, the last one has not begun.
    let rows: String = [-3, -2, -1, 0, 1].map(row_from_now).concat();
    place.write("bars.csv", &format!("{HEADER}{rows}"));
    let strategy = place.run(&["strategies", "new", "mine"]);
    assert_eq!(strategy.exit, Some(0), "{}", strategy.err);

    let symbol = ["--symbol", "crypto:NNN/USD"];
    let computed = place.compute(&symbol);
    let unnamed = place.compute(&[]);

    for ended in [&computed, &unnamed] {
        assert_eq!(ended.exit, Some(0), "{}", ended.err);
        assert!(
            ended
                .err
                .contains("left out: 2 bars that end in the future (line 5, line 6)")
        );
        assert_eq!(ended.out.lines().count(), 4, "{}", ended.out);
    }
}

#[test]
fn the_features_of_a_strategy_end_with_the_last_whole_bar() {
    let place = Place::new();
    let rows: String = (-300..=1).map(row_from_now).collect();
    place.write("bars.csv", &format!("{HEADER}{rows}"));
    place.run(&["strategies", "new", "mine"]);

    let features = [
        "strategies",
        "features",
        "mine.yaml",
        "--bars",
        "crypto:NNN/USD:1h=bars.csv",
    ];
    let ended = place.run(&[&features[..], &["--closes", "length", "--out", "x.csv"]].concat());

    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    let last = place.read("x.csv").lines().last().unwrap().to_owned();
    let open: Timestamp = last.split(',').next().unwrap().parse().unwrap();
    assert!(
        open + SignedDuration::from_hours(1) <= Timestamp::now(),
        "{last}"
    );
    assert!(
        ended.err.contains("that end in the future"),
        "{}",
        ended.err
    );
}

#[test]
fn an_import_says_what_it_leaves_out_by_reason_and_line() {
    let place = Place::new();
    let hole = "2024-05-04T05:00:00Z,,,,,\n";
    let twice = "2024-05-04T04:00:00Z,040,040,040,040,5\n";
    let rows = hourly(&["02", "03", "04"]) + hole + twice + &row_from_now(1);
    place.write("bars.csv", &rows);

    let text = place.import("bars.csv", "1h", &[]);
    let lines = place.import("bars.csv", "1h", &["--json"]);

    let left_out = "left out: 1 bar that ends in the future (line 7), 1 bar without a price \
                    (line 5), 1 bar repeated further down (line 4)";
    assert!(text.out.contains(left_out), "{}", text.out);
    let report = json(&lines);
    assert_eq!(report["bars"], 3);
    assert_eq!(report["left_out"], 3);
    assert_eq!(report["left_out_lines"]["without_price"][0], 5);
}

#[test]
fn a_day_that_ends_after_that_of_utc_is_refused() {
    let place = Place::new();
    let rows = format!(
        "{HEADER}2024-01-02 00:00:00-05:00,42000,43000,41000,42500,10\n\
         2024-01-03 00:00:00-05:00,42000,43000,41000,42500,10\n"
    );
    place.write("days.csv", &rows);

    let west = place.import("days.csv", "1d", &["--zone", "America/New_York"]);
    assert_eq!(west.exit, Some(2), "{}", west.out);
    assert!(west.err.contains("before it is over"), "{}", west.err);
    assert!(
        west.err.contains("import the intraday bars"),
        "{}",
        west.err
    );

    // A day that ends earlier than that of UTC is known late, and never early.
    let local = format!("{HEADER}2024-01-02 00:00,1,2,1,2,5\n2024-01-03 00:00,1,2,1,2,5\n");
    place.write("days.csv", &local);
    for zone in ["UTC", "Asia/Tokyo"] {
        let ended = place.import("days.csv", "1d", &["--zone", zone]);
        assert_eq!(ended.exit, Some(0), "{zone}: {}", ended.err);
    }
}

#[test]
fn a_variable_that_is_not_utf_8_is_ignored() {
    let place = Place::new();
    let value = latin1("K?ln");

    let ended: Ended = ktrdr_in(place.0.path(), &["data", "list"])
        .env("ORT", &value)
        .env(&value, "x")
        .output()
        .unwrap()
        .into();

    assert_eq!(ended.exit, Some(0), "{}", ended.err);
}

#[test]
fn a_file_whose_name_is_not_utf_8_is_read_and_written() {
    let place = Place::new();
    let name = latin1("B?rse.csv");
    let out = latin1("?.csv");
    place.write(&name, &hourly(&["02", "03", "04"]));
    let words = |text: &'static str| text.split(' ').map(OsStr::new);

    let check: Vec<&OsStr> = words("data check --json --symbol crypto:NNN/USD --timeframe 1h")
        .chain([name.as_os_str()])
        .collect();
    let checked = place.run_os(&check);
    assert_eq!(checked.exit, Some(0), "{}", checked.err);
    assert_eq!(json(&checked)["file"], "B\u{fffd}rse.csv");

    let compute: Vec<&OsStr> = words("indicators compute --json -i sma(period=2) --bars")
        .chain([name.as_os_str(), OsStr::new("--out"), out.as_os_str()])
        .collect();
    let computed = place.run_os(&compute);
    assert_eq!(computed.exit, Some(0), "{}", computed.err);
    assert_eq!(place.read(&out).lines().count(), 4);

    place.import("bars.csv", "1h", &[]);
    let show: Vec<&OsStr> = words("data show crypto:NNN/USD -t 1h --json --out")
        .chain([out.as_os_str()])
        .collect();
    let shown_file = place.run_os(&show);
    assert_eq!(shown_file.exit, Some(0), "{}", shown_file.err);
    assert_eq!(json(&shown_file)["bars"], 3);
}

#[test]
fn a_folder_whose_name_is_not_utf_8_has_a_store_of_its_own() {
    let outer = Place::new();
    let inner = outer.path(latin1("B?rse"));
    std::fs::create_dir(&inner).unwrap();
    std::fs::copy(outer.path("bars.csv"), inner.join("bars.csv")).unwrap();
    let import = "data import bars.csv --symbol crypto:NNN/USD --timeframe 1h --yes";

    let ended = run_in(&inner, &import.split(' ').collect::<Vec<_>>());

    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    assert!(inner.join(".ktrdr/objects").is_dir());
    // A path with replaced bytes would have led to another folder.
    assert!(
        files_under(outer.0.path()).iter().all(
            |path| path.starts_with(&inner) || path.file_name() == Some(OsStr::new("bars.csv"))
        )
    );

    let up = run_in(&inner, &["up", "--services", "dummy"]);
    assert_eq!(up.exit, Some(1), "{}", up.out);
    assert!(up.err.contains("is not UTF-8"), "{}", up.err);
}

/// Runs with standard output on a disk that is always full.
fn run_on_full_disk(place: &Place, arguments: &[&str]) -> Ended {
    let full = File::options().write(true).open("/dev/full").unwrap();
    ktrdr_in(place.0.path(), arguments)
        .stdout(Stdio::from(full))
        .output()
        .unwrap()
        .into()
}

#[test]
fn a_full_disk_behind_standard_output_is_a_failure() {
    let place = Place::new();
    let check = "--json data check bars.csv --symbol crypto:NNN/USD --timeframe 1h";
    let commands = [
        COMPUTE.to_vec(),
        check.split(' ').collect(),
        vec!["indicators", "list"],
        vec!["--json", "data", "check", "nothing.csv"],
        vec!["--help"],
    ];

    for arguments in commands {
        let ended = run_on_full_disk(&place, &arguments);
        assert_ne!(ended.exit, Some(0), "{arguments:?}");
        assert!(
            ended.err.contains("error: cannot write to standard output"),
            "{arguments:?}: {}",
            ended.err
        );
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let place = Place::new();
    let rows: Vec<String> = (0..20_000)
        .map(|minute| {
            let open = Timestamp::from_second(1_700_000_040 + minute * 60).unwrap();
            format!("{open},1,2,1,2,5\n")
        })
        .collect();
    place.write("bars.csv", &format!("{HEADER}{}", rows.concat()));

    let mut child = ktrdr_in(place.0.path(), &COMPUTE).spawn().unwrap();
    drop(child.stdout.take());
    let ended: Ended = child.wait_with_output().unwrap().into();

    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    assert_eq!(ended.err, "");
}

#[test]
fn an_output_never_replaces_its_input() {
    let place = Place::new();
    let bars = place.read("bars.csv");
    std::fs::hard_link(place.path("bars.csv"), place.path("hard.csv")).unwrap();
    std::os::unix::fs::symlink("bars.csv", place.path("soft.csv")).unwrap();

    for out in ["bars.csv", "./bars.csv", "hard.csv", "soft.csv"] {
        let ended = place.compute(&["--out", out]);
        assert_eq!(ended.exit, Some(2), "{out}");
        assert!(
            ended.err.contains("would replace the bars in bars.csv"),
            "{}",
            ended.err
        );
        assert_eq!(place.read("bars.csv"), bars, "{out}");
    }
}

#[test]
fn an_ending_without_a_format_is_refused_with_the_list() {
    let place = Place::new();
    place.import("bars.csv", "1h", &[]);

    for name in ["x.json", "x.xlsx", "x.txt", "x"] {
        let computed = place.compute(&["--out", name]);
        let export = ["data", "show", "crypto:NNN/USD", "-t", "1h", "--out", name];
        for ended in [computed, place.run(&export)] {
            assert_eq!(ended.exit, Some(2), "{name}");
            assert!(
                ended.err.contains(".csv, .csv.gz, .parquet"),
                "{}",
                ended.err
            );
        }
        assert!(!place.path(name).exists(), "{name}");
    }
}

#[test]
fn half_of_a_file_that_cannot_be_written_is_removed() {
    let place = Place::new();
    std::fs::create_dir(place.path("x.csv")).unwrap();

    let ended = place.compute(&["--out", "x.csv"]);

    assert_eq!(ended.exit, Some(1), "{}", ended.err);
    assert!(!place.path("x.csv.partial").exists());
}

#[test]
fn rows_newest_first_or_twice_give_the_same_values() {
    let place = Place::new();
    let ascending = place.compute(&[]);

    place.write("bars.csv", &hourly(&["04", "03", "02"]));
    let descending = place.compute(&[]);
    place.write("bars.csv", &hourly(&["02", "03", "03", "04"]));
    let repeated = place.compute(&[]);

    assert_eq!(descending.out, ascending.out);
    assert_eq!(descending.err, "");
    assert_eq!(repeated.out, ascending.out);
    let note = "bars.csv: left out: 1 bar repeated further down (line 3)\n";
    assert_eq!(repeated.err, note);
}

#[test]
fn rows_of_one_time_with_other_values_are_refused() {
    let place = Place::new();
    let other = "2024-05-04T04:00:00Z,9,9,9,9,5\n";
    place.write("bars.csv", &(hourly(&["02", "03", "04"]) + other));

    let ended = place.compute(&[]);

    assert_eq!(ended.exit, Some(2));
    assert!(ended.err.contains("lines 4 and 5"), "{}", ended.err);
}

#[test]
fn numbers_in_csv_always_have_a_point() {
    let place = Place::new();

    let ended = place.compute(&[]);

    let values: Vec<&str> = ended
        .out
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().unwrap())
        .collect();
    assert_eq!(values, ["", "25.0", "35.0"]);
}
