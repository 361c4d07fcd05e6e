//! `ktrdr strategies` and `ktrdr indicators` as a user meets them: without server and store,
//! against the golden tables.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Rows after which an exponential average has forgotten how it was seeded.
const SEED_FORGOTTEN: usize = 500;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../strategies/engine/tests/data")
        .join(name)
}

/// Exit code, standard output and standard error of the program in a folder.
fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_ktrdr"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("LANG", "C.UTF-8")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes)
            .unwrap()
            .replace(&folder.display().to_string(), "HERE")
    };
    (
        ran.status.code().unwrap(),
        text(ran.stdout),
        text(ran.stderr),
    )
}

/// Everything a run shows, for snapshots.
fn shown(folder: &Path, arguments: &[&str]) -> String {
    let (exit, out, err) = run(folder, arguments);
    format!("$ ktrdr {}\n{out}{err}exit {exit}\n", arguments.join(" "))
}

/// Columns of a CSV file by name; an empty cell is NaN.
fn columns(path: &Path) -> Vec<(String, Vec<f64>)> {
    let file = std::fs::File::open(path).unwrap();
    let reader: Box<dyn std::io::Read> =
        if path.extension().is_some_and(|extension| extension == "gz") {
            Box::new(flate2::read::GzDecoder::new(file))
        } else {
            Box::new(file)
        };
    let mut reader = csv::Reader::from_reader(reader);
    let names: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let cell = |text: &str| {
        if text.is_empty() {
            f64::NAN
        } else {
            text.parse().unwrap_or(f64::NAN)
        }
    };
    let column = |index: usize| rows.iter().map(|row| cell(&row[index])).collect();
    names
        .into_iter()
        .enumerate()
        .map(|(index, name)| (name, column(index)))
        .collect()
}

/// The comparison rule that the golden files are published with.
fn assert_meets(name: &str, actual: &[f64], expected: &[f64], from: usize) {
    let largest = expected
        .iter()
        .filter(|value| value.is_finite())
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    for (row, (a, b)) in actual.iter().zip(expected).enumerate().skip(from) {
        let meets = if b.is_nan() {
            a.is_nan()
        } else {
            (a - b).abs() <= 1e-9 * b.abs() + 5e-9 * largest
        };
        assert!(meets, "{name}: row {row} is {a}, expected {b}");
    }
}

#[test]
fn indicators_over_a_file_meet_the_standard_values() {
    let folder = tempfile::tempdir().unwrap();
    let bars = golden("aapl_1d.csv.gz");
    let arguments = ["indicators", "compute", "--bars", bars.to_str().unwrap()];
    let wanted = [
        "-i",
        "rsi",
        "-i",
        "sma(period=20)",
        "-i",
        "macd",
        "-i",
        "bbands",
        "--out",
        "x.csv",
    ];
    let (exit, out, err) = run(folder.path(), &[&arguments[..], &wanted[..]].concat());
    assert_eq!(
        (exit, out.as_str(), err.as_str()),
        (0, "2500 rows of 8 columns written to x.csv\n", "")
    );
    let ours = columns(&folder.path().join("x.csv"));
    let names: Vec<&str> = ours.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names[..6],
        [
            "timestamp",
            "rsi",
            "sma",
            "macd.line",
            "macd.signal",
            "macd.histogram"
        ]
    );
    assert_eq!(
        names[6..],
        ["upper", "middle", "lower"].map(|output| format!("bollingerbands.{output}"))
    );
    let talib = columns(&golden("talib_aapl_1d.csv.gz"));
    let pairs = [
        ("rsi", "rsi_14"),
        ("sma", "sma_20"),
        ("macd.line", "macd_12_26_9.line"),
        ("bollingerbands.upper", "bbands_20_2.upper"),
    ];
    for (own, theirs) in pairs {
        let find = |all: &[(String, Vec<f64>)], name: &str| {
            all.iter().find(|(each, _)| each == name).unwrap().1.clone()
        };
        assert_meets(own, &find(&ours, own), &find(&talib, theirs), 0);
    }
}

#[test]
fn columns_of_one_type_twice_are_named_by_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let bars = golden("edge_flat.csv.gz");
    let bars = bars.to_str().unwrap();
    let base = [
        "indicators",
        "compute",
        "--bars",
        bars,
        "-i",
        "sma(period=2)",
        "-i",
        "sma( period = 3 )",
    ];
    let (exit, out, _) = run(folder.path(), &base);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(
        (exit, lines.len(), lines[0]),
        (0, 121, "timestamp,sma(period=2),sma(period=3)")
    );
    assert!(
        lines[1].ends_with(",,") && lines[2].ends_with(',') && !lines[3].ends_with(','),
        "{lines:?}"
    );
    let (exit, out, _) = run(
        folder.path(),
        &[&base[..], &["--out", "x.parquet", "--json"]].concat(),
    );
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (exit, report["rows"].as_u64(), report["columns"].as_u64()),
        (0, Some(120), Some(2))
    );
    assert_eq!(
        std::fs::read(folder.path().join("x.parquet")).unwrap()[..4],
        *b"PAR1"
    );
}

#[test]
fn every_indicator_type_is_listed_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let (exit, out, _) = run(folder.path(), &["indicators", "list", "--json"]);
    let listed: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let labels: Vec<&Value> = listed
        .iter()
        .filter(|each| each.get("label_only").is_some())
        .collect();
    assert_eq!(
        (exit, labels.len(), &labels[0]["name"]),
        (0, 1, &Value::from("zigzag"))
    );
    let legal = serde_json::json!({
        "type": "number", "min": 0.0, "min_exclusive": true, "max": 1.0, "max_exclusive": true, "default": 0.02,
    });
    assert_eq!(labels[0]["parameters"][0]["legal"], legal);
    // The first smoothed gain needs 14 changes, so that row 14 is the first.
    let rsi = listed.iter().find(|each| each["name"] == "rsi").unwrap();
    assert_eq!(rsi["warm_up"], 14);
    for each in &listed {
        let name = each["name"].as_str().unwrap();
        let (exit, out, _) = run(folder.path(), &["indicators", "describe", name, "--json"]);
        assert_eq!(
            (exit, serde_json::from_str::<Value>(&out).unwrap()),
            (0, each.clone()),
            "{name}"
        );
    }
    let (_, table, _) = run(folder.path(), &["indicators", "list"]);
    let last = table.lines().last().unwrap();
    assert!(
        last.starts_with("zigzag") && last.ends_with("labels only"),
        "{last}"
    );
}

#[test]
fn features_over_files_meet_the_golden_matrices() {
    let folder = tempfile::tempdir().unwrap();
    // The golden strategy a carries a key without effect, which the grammar refuses.
    let text = std::fs::read_to_string(golden("strategy_a.yaml"))
        .unwrap()
        .replace(", label_lookahead: 20", "");
    std::fs::write(folder.path().join("a.yaml"), text).unwrap();
    let series = |timeframe: &str| {
        format!(
            "EURUSD:{timeframe}={}",
            golden(&format!("eurusd_{timeframe}.csv.gz")).display()
        )
    };
    let (hourly, four, daily) = (series("1h"), series("4h"), series("1d"));
    let c = golden("strategy_c.yaml");
    let cases: [(&str, Vec<&str>, &str); 2] = [
        ("a.yaml", vec!["--bars", &hourly], "features_a.csv.gz"),
        (
            c.to_str().unwrap(),
            vec!["--bars", &hourly, "--bars", &four, "--bars", &daily],
            "features_c_causal.csv.gz",
        ),
    ];
    for (strategy, bars, expected) in cases {
        let arguments = [
            &["strategies", "features", strategy][..],
            &bars,
            &["--out", "x.csv"],
        ]
        .concat();
        let (exit, _, err) = run(folder.path(), &arguments);
        assert_eq!(exit, 0, "{err}");
        let (ours, theirs) = (
            columns(&folder.path().join("x.csv")),
            columns(&golden(expected)),
        );
        assert_eq!(ours.len(), theirs.len());
        assert_eq!(ours[0].1.len(), 5_000, "a row for every base bar");
        for ((name, actual), (wanted, expected)) in ours.iter().zip(&theirs).skip(1) {
            assert_eq!(name, wanted, "the order of the columns is the contract");
            // A few weeks of daily bars do not forget how a directional movement was seeded.
            if !name.starts_with("1d_power") {
                assert_meets(name, actual, expected, SEED_FORGOTTEN);
            }
        }
    }
}

#[test]
fn a_new_strategy_is_valid_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let mut log = shown(here, &["strategies", "list"]);
    log += &shown(here, &["strategies", "new", "Bad Name"]);
    log += &shown(here, &["strategies", "new", "mine"]);
    log += &shown(here, &["strategies", "new", "mine"]);
    log += &shown(here, &["strategies", "validate", "mine.yaml"]);
    log += &shown(here, &["strategies", "show", "mine.yaml"]);
    let text = std::fs::read_to_string(here.join("mine.yaml"))
        .unwrap()
        .replace("rsi, period", "rsi, perod");
    std::fs::write(
        here.join("broken.yaml"),
        text.replace("source: triple_barrier", "source: triple_barier"),
    )
    .unwrap();
    log += &shown(
        here,
        &["strategies", "validate", "broken.yaml", "mine.yaml"],
    );
    log += &shown(
        here,
        &[
            "strategies",
            "validate",
            "broken.yaml",
            "mine.yaml",
            "--json",
        ],
    );
    log += &shown(
        here,
        &["strategies", "validate", "nowhere.yaml", "mine.yaml"],
    );
    log += &shown(here, &["strategies", "features", "broken.yaml"]);
    insta::assert_snapshot!(log);
}

#[test]
fn refused_computations_come_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for name in ["eurusd_1h.csv.gz", "strategy_c.yaml"] {
        std::fs::copy(golden(name), here.join(name)).unwrap();
    }
    let compute = |expression: &str| {
        shown(
            here,
            &[
                "indicators",
                "compute",
                "--bars",
                "eurusd_1h.csv.gz",
                "-i",
                expression,
            ],
        )
    };
    let mut log =
        compute("rsi(perod=14)") + &compute("rsi(period=14") + &compute("rssi") + &compute("obv");
    log += &shown(
        here,
        &["indicators", "compute", "--bars", "none.csv", "-i", "rsi"],
    );
    log += &shown(
        here,
        &[
            "indicators",
            "compute",
            "--bars",
            "eurusd_1h.csv.gz",
            "-i",
            "rsi",
            "-i",
            "rsi(period=14)",
        ],
    );
    log += &shown(here, &["indicators", "describe", "macdd"]);
    log += &shown(here, &["indicators", "describe", "macd"]);
    log += &shown(here, &["indicators", "describe", "zigzag"]);
    log += &compute("zigzag(threshold=0.02)");
    let hourly = "EURUSD:1h=eurusd_1h.csv.gz";
    log += &shown(
        here,
        &[
            "strategies",
            "features",
            "strategy_c.yaml",
            "--bars",
            hourly,
        ],
    );
    log += &shown(
        here,
        &[
            "strategies",
            "features",
            "strategy_c.yaml",
            "--bars",
            hourly,
            "--bars",
            hourly,
        ],
    );
    log += &shown(
        here,
        &[
            "strategies",
            "features",
            "strategy_c.yaml",
            "--bars",
            "EURUSD=x",
        ],
    );
    insta::assert_snapshot!(log);
}

#[test]
fn the_grammar_is_printed_as_a_schema_and_as_rules() {
    let folder = tempfile::tempdir().unwrap();
    let (exit, out, _) = run(folder.path(), &["strategies", "schema"]);
    let schema: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((exit, &schema["title"]), (0, &Value::from("Strategy")));
    let (exit, out, _) = run(folder.path(), &["strategies", "rules", "--json"]);
    let rules: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        exit == 0 && rules.iter().any(|rule| rule["id"] == "key.unknown"),
        "{out}"
    );
}

#[test]
fn features_warn_of_holes_and_list_lags_as_columns() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    assert_eq!(run(here, &["strategies", "new", "mine"]).0, 0);
    let text = std::fs::read_to_string(here.join("mine.yaml")).unwrap();
    let text = text
        .replace("middle: [40, 50, 60]", "middle: [48, 50, 52]")
        .replace("low: [25, 40, 50]", "low: [25, 35, 45]");
    let text = text.replace(
        "fuzzy_set: trend, timeframes: all",
        "fuzzy_set: trend, timeframes: all, lags: [2]",
    );
    std::fs::write(here.join("mine.yaml"), text).unwrap();
    let bars = format!("EURUSD:1h={}", golden("eurusd_1h.csv.gz").display());
    let (exit, out, err) = run(here, &["strategies", "features", "mine", "--bars", &bars]);
    assert_eq!(
        exit, 4,
        "a name without .yaml is looked up in the catalogue: {out}{err}"
    );
    let (exit, out, err) = run(
        here,
        &["strategies", "features", "mine.yaml", "--bars", &bars],
    );
    assert_eq!((exit, out.lines().count()), (0, 5_001));
    assert!(
        err.contains("warning[fuzzy_set.hole] line 24, fuzzy_sets.rsi_zone: "),
        "{err}"
    );
    let head = out.lines().next().unwrap();
    assert!(
        head.ends_with(
            "1h_trend_absent,1h_trend_present,1h_trend_absent_lag_2,1h_trend_present_lag_2"
        ),
        "{head}"
    );
    // Two symbols are stacked, with their names before the times.
    let again = bars.replace("EURUSD:", "GBPUSD:");
    let (exit, out, _) = run(
        here,
        &[
            "strategies",
            "features",
            "mine.yaml",
            "--bars",
            &bars,
            "--bars",
            &again,
            "-q",
        ],
    );
    assert_eq!((exit, out.lines().count()), (0, 10_001));
    let row = |line: usize| out.lines().nth(line).unwrap().split_once(',').unwrap();
    assert_eq!((row(1).0, row(5_001).0), ("EURUSD", "GBPUSD"));
    assert_eq!(row(700).1, row(5_700).1, "each symbol runs alone");
}

#[test]
fn validate_reports_holes_over_bars_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    assert_eq!(run(here, &["strategies", "new", "mine"]).0, 0);
    let text = std::fs::read_to_string(here.join("mine.yaml")).unwrap();
    let narrow = text
        .replace("middle: [40, 50, 60]", "middle: [48, 50, 52]")
        .replace("low: [25, 40, 50]", "low: [25, 35, 45]");
    // A warning of the file comes after the hole, because it is about a later line.
    let narrow = narrow.replace("  - {fuzzy_set: trend, timeframes: all}\n", "");
    std::fs::write(here.join("narrow.yaml"), &narrow).unwrap();
    std::fs::write(
        here.join("broken.yaml"),
        narrow.replace("source: triple_barrier", "source: triple_barier"),
    )
    .unwrap();
    std::fs::copy(golden("strategy_c.yaml"), here.join("c.yaml")).unwrap();
    for name in ["EURUSD_1h.csv.gz", "GBPUSD_1h.csv.gz"] {
        std::fs::copy(golden("eurusd_1h.csv.gz"), here.join(name)).unwrap();
    }
    let validate = |rest: &[&str]| shown(here, &[&["strategies", "validate"][..], rest].concat());
    let (euro, pound) = ("EURUSD:1h=EURUSD_1h.csv.gz", "GBPUSD_1h.csv.gz");
    let mut log = validate(&["mine.yaml", "narrow.yaml", "--bars", euro]);
    log += &validate(&["narrow.yaml", "--bars", euro, "--bars", pound]);
    log += &validate(&["narrow.yaml", "--bars", euro, "--json"]);
    // What cannot be resolved is told as ever; nothing is computed.
    log += &validate(&["broken.yaml", "--bars", euro]);
    log += &validate(&["c.yaml", "mine.yaml", "--bars", euro]);
    log += &validate(&["mine.yaml", "--bars", euro, "--bars", "EURUSD_1h.csv.gz"]);
    log += &validate(&["mine.yaml", "--bars", "EURUSD:1h=none.csv"]);
    // Not the digits that the same sums in another order change.
    insta::with_settings!({ filters => [(r"(\.\d{6})\d+", "$1")] }, { insta::assert_snapshot!(log) });
}

/// The report and the columns are two ways to the same degrees: means and winners must be those of
/// the columns.
#[test]
fn the_coverage_of_a_set_is_that_of_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    assert_eq!(run(here, &["strategies", "new", "mine"]).0, 0);
    let bars = format!("EURUSD:1h={}", golden("eurusd_1h.csv.gz").display());
    assert_eq!(
        run(
            here,
            &[
                "strategies",
                "features",
                "mine.yaml",
                "--bars",
                &bars,
                "--out",
                "x.csv"
            ]
        )
        .0,
        0
    );
    let columns = columns(&here.join("x.csv"));
    let (exit, out, _) = run(
        here,
        &[
            "strategies",
            "validate",
            "mine.yaml",
            "--bars",
            &bars,
            "--json",
        ],
    );
    let lines = out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let reports: Vec<Value> = lines.filter(|line| line["type"] == "coverage").collect();
    assert_eq!(
        (exit, reports.len()),
        (0, 4),
        "the starter has four fuzzy sets: {out}"
    );
    for report in reports {
        let set = report["set"].as_str().unwrap();
        let members = report["members"].as_array().unwrap();
        let degrees = |member: &Value| {
            let name = format!("1h_{set}_{}", member["name"].as_str().unwrap());
            let (_, values) = columns.iter().find(|(column, _)| *column == name).unwrap();
            values
                .iter()
                .copied()
                .filter(|value| !value.is_nan())
                .collect::<Vec<f64>>()
        };
        let degrees: Vec<Vec<f64>> = members.iter().map(degrees).collect();
        let values = degrees[0].len();
        assert_eq!(report["values"], values, "{set}");
        let mut strongest = vec![0; members.len()];
        let mut uncovered = 0;
        for row in 0..values {
            let most = degrees.iter().map(|of| of[row]).fold(0.0, f64::max);
            match degrees.iter().position(|of| of[row] == most) {
                Some(winner) if most > 0.0 => strongest[winner] += 1,
                _ => uncovered += 1,
            }
        }
        assert_eq!(report["uncovered"], uncovered, "{set}");
        for ((member, of), strongest) in members.iter().zip(&degrees).zip(strongest) {
            let mean = of.iter().sum::<f64>() / values as f64;
            assert!(
                (member["mean_degree"].as_f64().unwrap() - mean).abs() < 1e-12,
                "{set}: {member} {mean}"
            );
            assert_eq!(member["strongest"], strongest, "{set}: {member}");
        }
    }
}

#[test]
fn folds_are_dates_for_people_and_programs() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    assert_eq!(run(here, &["strategies", "new", "mine"]).0, 0);
    let text = std::fs::read_to_string(here.join("mine.yaml")).unwrap();
    let endless = text
        .lines()
        .filter(|line| !line.trim_start().contains("_date:"))
        .collect::<Vec<_>>();
    std::fs::write(here.join("endless.yaml"), endless.join("\n")).unwrap();
    std::fs::copy(golden("eurusd_1h.csv.gz"), here.join("EURUSD_1h.csv.gz")).unwrap();
    let rows = "timestamp,open,high,low,close\n2015-01-05T10:00:00Z,1,2,1,2\n2015-01-05T11:00:00Z,1,2,1,2\n";
    std::fs::write(here.join("EURUSD_1h.csv"), rows).unwrap();
    let folds = |rest: &str| {
        let words = "strategies folds".split(' ').chain(rest.split(' '));
        shown(here, &words.collect::<Vec<_>>())
    };
    let mut log = folds("mine.yaml");
    log += &folds(
        "mine.yaml --start 2016-01-01 --end 2016-12-31 --folds 2 --train 0.6 --growth sliding",
    );
    log += &folds("endless.yaml --bars EURUSD_1h.csv.gz --folds 3");
    log += &folds("endless.yaml --bars EURUSD_1h.csv.gz --folds 2 --growth sliding --json");
    log += &folds("endless.yaml --bars EURUSD_1h.csv");
    // These bars are of a time before that of the strategy.
    log += &folds("mine.yaml --bars EURUSD_1h.csv.gz");
    log += &folds("mine.yaml --start 2016-01-01 --end 2016-01-03");
    log += &folds("mine.yaml --start 2017-01-01 --end 2016-12-30");
    log += &folds("endless.yaml --start 2017-01-01");
    log += &folds("mine.yaml --bars EURUSD_1h.csv.gz --start 2017-01-01");
    log += &folds("mine.yaml --train 0.9 --validation 0.1");
    insta::assert_snapshot!(log);
    // What programs read are the dates of a fold and nothing else that a training takes.
    let (_, out, _) = run(
        here,
        &[
            "strategies",
            "folds",
            "endless.yaml",
            "--bars",
            "EURUSD_1h.csv.gz",
            "--json",
        ],
    );
    let folds: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for pair in folds.windows(2) {
        assert_eq!(
            pair[0]["end"], pair[1]["test_start"],
            "tests follow each other without a gap"
        );
    }
    let bars = |fold: &Value, part: &str| fold["bars"][part].as_u64().unwrap();
    let last = folds.last().unwrap();
    let all: u64 = ["train", "validation", "test"]
        .iter()
        .map(|part| bars(last, part))
        .sum();
    assert_eq!(
        (folds.len(), all),
        (5, 5_000),
        "the last expanding fold uses every bar"
    );
}
