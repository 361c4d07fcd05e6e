//! `ktrdr strategies` and `ktrdr indicators` as a user meets them: without server and store,
//! compared with the golden tables.

use std::path::PathBuf;

use serde_json::Value;

use crate::golden::{CsvColumns, assert_meets, golden};
use crate::program::{Ended, run_in};

/// Rows after which an exponential average has forgotten how it was seeded.
const SEED_FORGOTTEN: usize = 500;

/// A folder of its own, written as `HERE` in everything that a command prints.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A place with the strategy that `strategies new` writes.
    fn with_new_strategy() -> Self {
        let place = Self::new();
        assert_eq!(place.run("strategies new mine").exit, Some(0));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn copy_golden(&self, name: &str, to: &str) {
        std::fs::copy(golden(name), self.path(to)).unwrap();
    }

    fn run(&self, arguments: &str) -> Ended {
        let words: Vec<&str> = arguments.split(' ').collect();
        self.run_words(&words)
    }

    fn run_words(&self, words: &[&str]) -> Ended {
        let ended = run_in(self.0.path(), words);
        let here = self.0.path().display().to_string();
        Ended {
            exit: ended.exit,
            out: ended.out.replace(&here, "HERE"),
            err: ended.err.replace(&here, "HERE"),
        }
    }

    /// Everything that a run shows, for snapshots.
    fn screen_of(&self, arguments: &str) -> String {
        let words: Vec<&str> = arguments.split(' ').collect();
        self.screen_of_words(&words)
    }

    fn screen_of_words(&self, words: &[&str]) -> String {
        let Ended { exit, out, err } = self.run_words(words);
        let exit = exit.unwrap();
        format!("$ ktrdr {}\n{out}{err}exit {exit}\n", words.join(" "))
    }

    fn screens_of(&self, commands: &[&str]) -> String {
        commands
            .iter()
            .map(|command| self.screen_of(command))
            .collect()
    }
}

/// One value per line.
fn parse_lines(out: &str) -> Vec<Value> {
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn indicators_over_a_file_meet_the_standard_values() {
    let place = Place::new();
    let bars = golden("aapl_1d.csv.gz");

    let ended = place.run(&format!(
        "indicators compute --bars {} -i rsi -i sma(period=20) -i macd -i bbands --out x.csv",
        bars.display()
    ));

    assert_eq!(ended.exit, Some(0));
    assert_eq!(ended.out, "2500 rows of 8 columns written to x.csv\n");
    assert_eq!(ended.err, "");
    let ours = CsvColumns::read(&place.path("x.csv"));
    assert_eq!(
        ours.names.join(" "),
        "timestamp rsi sma macd.line macd.signal macd.histogram bollingerbands.upper \
         bollingerbands.middle bollingerbands.lower"
    );

    let theirs = CsvColumns::read(&golden("talib_aapl_1d.csv.gz"));
    let pairs = [
        ("rsi", "rsi_14"),
        ("sma", "sma_20"),
        ("macd.line", "macd_12_26_9.line"),
        ("bollingerbands.upper", "bbands_20_2.upper"),
    ];
    for (our_name, their_name) in pairs {
        let actual = &ours.values[our_name];
        assert_meets(our_name, actual, &theirs.values[their_name], 0);
    }
}

/// Two averages over 120 bars.
fn two_averages(bars: &str) -> [&str; 8] {
    [
        "indicators",
        "compute",
        "--bars",
        bars,
        "-i",
        "sma(period=2)",
        "-i",
        "sma( period = 3 )",
    ]
}

#[test]
fn columns_of_one_type_twice_are_named_by_parameters() {
    let bars = golden("edge_flat.csv.gz");

    let ended = Place::new().run_words(&two_averages(bars.to_str().unwrap()));

    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(ended.exit, Some(0));
    assert_eq!(lines.len(), 121);
    assert_eq!(lines[0], "timestamp,sma(period=2),sma(period=3)");

    // A value appears once its window is full.
    assert!(lines[1].ends_with(",,"), "{lines:?}");
    assert!(lines[2].ends_with(','), "{lines:?}");
    assert!(!lines[3].ends_with(','), "{lines:?}");
}

#[test]
fn indicators_are_written_to_parquet() {
    let place = Place::new();
    let bars = golden("edge_flat.csv.gz");
    let compute = two_averages(bars.to_str().unwrap());

    let ended = place.run_words(&[&compute[..], &["--out", "x.parquet", "--json"]].concat());

    assert_eq!(ended.exit, Some(0));
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["rows"], 120);
    assert_eq!(report["columns"], 2);
    let bytes = std::fs::read(place.path("x.parquet")).unwrap();
    assert_eq!(bytes[..4], *b"PAR1");
}

#[test]
fn every_indicator_type_is_described_as_it_is_listed() {
    let place = Place::new();

    let list = parse_lines(&place.run("indicators list --json").out);

    for spec in list {
        let name = spec["name"].as_str().unwrap();
        let ended = place.run(&format!("indicators describe {name} --json"));
        assert_eq!(ended.exit, Some(0), "{name}");
        assert_eq!(
            parse_lines(&ended.out),
            std::slice::from_ref(&spec),
            "{name}"
        );
    }
}

#[test]
fn a_type_that_only_labels_is_listed_last() {
    let place = Place::new();

    let list = parse_lines(&place.run("indicators list --json").out);

    let labels: Vec<&Value> = list
        .iter()
        .filter(|spec| spec.get("label_only").is_some())
        .collect();
    assert_eq!(labels.len(), 1);
    assert_eq!(labels[0]["name"], "zigzag");
    let legal = serde_json::json!({
        "type": "number",
        "min": 0.0,
        "min_exclusive": true,
        "max": 1.0,
        "max_exclusive": true,
        "default": 0.02,
    });
    assert_eq!(labels[0]["parameters"][0]["legal"], legal);

    let table = place.run("indicators list").out;
    let last = table.lines().last().unwrap();
    assert!(last.starts_with("zigzag"), "{last}");
    assert!(last.ends_with("labels only"), "{last}");
}

#[test]
fn the_warm_up_of_a_type_is_listed() {
    let list = parse_lines(&Place::new().run("indicators list --json").out);

    // The first smoothed gain needs 14 changes, so that row 14 is the first.
    let rsi = list.iter().find(|spec| spec["name"] == "rsi").unwrap();
    assert_eq!(rsi["warm_up"], 14);
}

/// `--bars` of the golden bars of EURUSD.
fn golden_bars(timeframe: &str) -> String {
    let file = golden(&format!("eurusd_{timeframe}.csv.gz"));
    format!("--bars EURUSD:{timeframe}={}", file.display())
}

/// Computes the features of a strategy and compares them with a golden matrix.
fn assert_features(place: &Place, strategy: &str, timeframes: &[&str], expected: &str) {
    let bars: Vec<String> = timeframes.iter().map(|each| golden_bars(each)).collect();
    let ended = place.run(&format!(
        "strategies features {strategy} {} --out x.csv",
        bars.join(" ")
    ));
    assert_eq!(ended.exit, Some(0), "{}", ended.err);

    let ours = CsvColumns::read(&place.path("x.csv"));
    let theirs = CsvColumns::read(&golden(expected));
    assert_eq!(
        ours.names[1..],
        theirs.names[1..],
        "the order of the columns is the contract"
    );
    for name in &ours.names[1..] {
        let actual = &ours.values[name];
        assert_eq!(actual.len(), 5_000, "one row for every base bar");
        // A few weeks of daily bars do not forget how a directional movement was seeded.
        if !name.starts_with("1d_power") {
            assert_meets(name, actual, &theirs.values[name], SEED_FORGOTTEN);
        }
    }
}

#[test]
fn features_over_one_file_meet_the_golden_matrix() {
    let place = Place::new();
    // The golden strategy a has a key without effect, which the grammar refuses.
    let text = std::fs::read_to_string(golden("strategy_a.yaml")).unwrap();
    place.write("a.yaml", &text.replace(", label_lookahead: 20", ""));

    assert_features(&place, "a.yaml", &["1h"], "features_a.csv.gz");
}

#[test]
fn features_over_three_files_meet_the_golden_matrix() {
    let strategy = golden("strategy_c.yaml").display().to_string();

    assert_features(
        &Place::new(),
        &strategy,
        &["1h", "4h", "1d"],
        "features_c_causal.csv.gz",
    );
}

#[test]
fn a_new_strategy_is_valid_and_never_overwritten() {
    let place = Place::new();
    let mut log = place.screen_of("strategies list");
    log += &place.screen_of_words(&["strategies", "new", "Bad Name"]);
    log += &place.screens_of(&[
        "strategies new mine",
        "strategies new mine",
        "strategies validate mine.yaml",
        "strategies show mine.yaml",
    ]);

    let broken = place
        .read("mine.yaml")
        .replace("rsi, period", "rsi, perod")
        .replace("source: triple_barrier", "source: triple_barier");
    place.write("broken.yaml", &broken);
    log += &place.screens_of(&[
        "strategies validate broken.yaml mine.yaml",
        "strategies validate broken.yaml mine.yaml --json",
        "strategies validate nowhere.yaml mine.yaml",
        "strategies features broken.yaml",
    ]);

    insta::assert_snapshot!(log);
}

#[test]
fn refused_computations_come_with_a_hint() {
    let place = Place::new();
    place.copy_golden("eurusd_1h.csv.gz", "eurusd_1h.csv.gz");
    place.copy_golden("strategy_c.yaml", "strategy_c.yaml");
    let compute = "indicators compute --bars eurusd_1h.csv.gz -i";
    let features = "strategies features strategy_c.yaml --bars";
    let hourly = "EURUSD:1h=eurusd_1h.csv.gz";

    let log = place.screens_of(&[
        &format!("{compute} rsi(perod=14)"),
        &format!("{compute} rsi(period=14"),
        &format!("{compute} rssi"),
        &format!("{compute} obv"),
        "indicators compute --bars none.csv -i rsi",
        &format!("{compute} rsi -i rsi(period=14)"),
        "indicators describe macdd",
        "indicators describe macd",
        "indicators describe zigzag",
        &format!("{compute} zigzag(threshold=0.02)"),
        &format!("{features} {hourly}"),
        &format!("{features} {hourly} --bars {hourly}"),
        &format!("{features} EURUSD=x"),
    ]);

    insta::assert_snapshot!(log);
}

#[test]
fn the_grammar_is_printed_as_a_schema_and_as_rules() {
    let place = Place::new();

    let schema = place.run("strategies schema");
    assert_eq!(schema.exit, Some(0));
    let schema: Value = serde_json::from_str(&schema.out).unwrap();
    assert_eq!(schema["title"], "Strategy");

    let rules = place.run("strategies rules --json");
    assert_eq!(rules.exit, Some(0));
    let rules = parse_lines(&rules.out);
    assert!(rules.iter().any(|rule| rule["id"] == "key.unknown"));
}

/// The starter with a hole between the members of `rsi_zone`.
fn with_hole(starter: &str) -> String {
    starter
        .replace("middle: [40, 50, 60]", "middle: [48, 50, 52]")
        .replace("low: [25, 40, 50]", "low: [25, 35, 45]")
}

#[test]
fn features_warn_of_holes_and_list_lags_as_columns() {
    let place = Place::with_new_strategy();
    let text = with_hole(&place.read("mine.yaml")).replace(
        "fuzzy_set: trend, timeframes: all",
        "fuzzy_set: trend, timeframes: all, lags: [2]",
    );
    place.write("mine.yaml", &text);

    let ended = place.run(&format!(
        "strategies features mine.yaml {}",
        golden_bars("1h")
    ));

    assert_eq!(ended.exit, Some(0));
    assert_eq!(ended.out.lines().count(), 5_001);
    let warning = "warning[fuzzy_set.hole] line 24, fuzzy_sets.rsi_zone: ";
    assert!(ended.err.contains(warning), "{}", ended.err);
    let head = ended.out.lines().next().unwrap();
    let lags = "1h_trend_absent,1h_trend_present,1h_trend_absent_lag_2,1h_trend_present_lag_2";
    assert!(head.ends_with(lags), "{head}");
}

#[test]
fn a_name_without_yaml_is_looked_up_in_the_folder_too() {
    let place = Place::with_new_strategy();

    assert_eq!(place.run("strategies features other").exit, Some(4));
    assert_eq!(place.run("strategies features mine").exit, Some(0));
    assert_eq!(place.run("strategies features mine.yaml").exit, Some(0));
}

#[test]
fn features_of_two_symbols_are_stacked() {
    let place = Place::with_new_strategy();
    let euro = golden_bars("1h");
    let pound = euro.replace("EURUSD:", "GBPUSD:");

    let ended = place.run(&format!("strategies features mine.yaml {euro} {pound} -q"));

    assert_eq!(ended.exit, Some(0));
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines.len(), 10_001);
    assert!(lines[1].starts_with("EURUSD,"));
    assert!(lines[5_001].starts_with("GBPUSD,"));
    // The bars are the same: each symbol runs alone.
    assert_eq!(lines[700].replace("EURUSD", "GBPUSD"), lines[5_700]);
}

#[test]
fn validate_reports_holes_over_bars_with_their_lines() {
    let place = Place::with_new_strategy();
    // A warning of the file comes after the hole, because it is about a later line.
    let narrow = with_hole(&place.read("mine.yaml"))
        .replace("  - {fuzzy_set: trend, timeframes: all}\n", "");
    place.write("narrow.yaml", &narrow);
    let broken = narrow.replace("source: triple_barrier", "source: triple_barier");
    place.write("broken.yaml", &broken);
    place.copy_golden("strategy_c.yaml", "c.yaml");
    for name in ["EURUSD_1h.csv.gz", "GBPUSD_1h.csv.gz"] {
        place.copy_golden("eurusd_1h.csv.gz", name);
    }
    let euro = "--bars EURUSD:1h=EURUSD_1h.csv.gz";

    // Nothing is computed for a strategy that cannot be resolved.
    let log = place.screens_of(&[
        &format!("strategies validate mine.yaml narrow.yaml {euro}"),
        &format!("strategies validate narrow.yaml {euro} --bars GBPUSD_1h.csv.gz"),
        &format!("strategies validate narrow.yaml {euro} --json"),
        &format!("strategies validate broken.yaml {euro}"),
        &format!("strategies validate c.yaml mine.yaml {euro}"),
        &format!("strategies validate mine.yaml {euro} --bars EURUSD_1h.csv.gz"),
        "strategies validate mine.yaml --bars EURUSD:1h=none.csv",
    ]);

    // Not the digits that the same sums in another order change.
    insta::with_settings!({ filters => [(r"(\.\d{6})\d+", "$1")] }, { insta::assert_snapshot!(log) });
}

/// The defined degrees of each member of a reported set, from the columns of its features.
fn degrees_of(report: &Value, columns: &CsvColumns) -> Vec<Vec<f64>> {
    let set = report["set"].as_str().unwrap();
    let mut degrees = Vec::new();
    for member in report["members"].as_array().unwrap() {
        let name = format!("1h_{set}_{}", member["name"].as_str().unwrap());
        let defined = columns.values[&name].iter().copied();
        degrees.push(defined.filter(|value| !value.is_nan()).collect());
    }
    degrees
}

/// The member with the highest degree in a row; none where no member has any.
fn strongest_member(degrees: &[Vec<f64>], row: usize) -> Option<usize> {
    let highest = degrees.iter().map(|of| of[row]).fold(0.0, f64::max);
    degrees
        .iter()
        .position(|of| highest > 0.0 && of[row] == highest)
}

/// Means and winners of a set must be those of its columns.
fn assert_coverage(report: &Value, columns: &CsvColumns) {
    let degrees = degrees_of(report, columns);
    let rows = degrees[0].len();
    assert_eq!(report["values"], rows, "{report}");

    let mut strongest = vec![0; degrees.len()];
    let mut uncovered = 0;
    for row in 0..rows {
        match strongest_member(&degrees, row) {
            Some(member) => strongest[member] += 1,
            None => uncovered += 1,
        }
    }
    assert_eq!(report["uncovered"], uncovered, "{report}");

    let members = report["members"].as_array().unwrap();
    for (index, member) in members.iter().enumerate() {
        let mean = degrees[index].iter().sum::<f64>() / rows as f64;
        let reported = member["mean_degree"].as_f64().unwrap();
        assert!((reported - mean).abs() < 1e-12, "{member} {mean}");
        assert_eq!(member["strongest"], strongest[index], "{member}");
    }
}

#[test]
fn the_coverage_of_a_set_is_that_of_its_columns() {
    let place = Place::with_new_strategy();
    let bars = golden_bars("1h");
    let features = place.run(&format!("strategies features mine.yaml {bars} --out x.csv"));
    assert_eq!(features.exit, Some(0));

    let ended = place.run(&format!("strategies validate mine.yaml {bars} --json"));

    assert_eq!(ended.exit, Some(0));
    let lines = parse_lines(&ended.out);
    let reports: Vec<&Value> = lines
        .iter()
        .filter(|line| line["type"] == "coverage")
        .collect();
    assert_eq!(reports.len(), 4, "the starter has four fuzzy sets");
    let columns = CsvColumns::read(&place.path("x.csv"));
    for report in reports {
        assert_coverage(report, &columns);
    }
}

/// A place with the starter, the starter without dates, and bars.
fn place_for_folds() -> Place {
    let place = Place::with_new_strategy();
    let starter = place.read("mine.yaml");
    let endless: Vec<&str> = starter
        .lines()
        .filter(|line| !line.trim_start().contains("_date:"))
        .collect();
    place.write("endless.yaml", &endless.join("\n"));
    place.copy_golden("eurusd_1h.csv.gz", "EURUSD_1h.csv.gz");

    let two_bars = "timestamp,open,high,low,close\n2015-01-05T10:00:00Z,1,2,1,2\n\
                    2015-01-05T11:00:00Z,1,2,1,2\n";
    place.write("EURUSD_1h.csv", two_bars);
    place
}

#[test]
fn folds_are_dates_for_people_and_programs() {
    let place = place_for_folds();

    // The bars are of a time before that of the strategy `mine`.
    let folds = [
        "mine.yaml",
        "mine.yaml --start 2016-01-01 --end 2016-12-31 --folds 2 --train 0.6 --growth sliding",
        "endless.yaml --bars EURUSD_1h.csv.gz --folds 3",
        "endless.yaml --bars EURUSD_1h.csv.gz --folds 2 --growth sliding --json",
        "endless.yaml --bars EURUSD_1h.csv",
        "mine.yaml --bars EURUSD_1h.csv.gz",
        "mine.yaml --start 2016-01-01 --end 2016-01-03",
        "mine.yaml --start 2017-01-01 --end 2016-12-30",
        "endless.yaml --start 2017-01-01",
        "mine.yaml --bars EURUSD_1h.csv.gz --start 2017-01-01",
        "mine.yaml --train 0.9 --validation 0.1",
    ];
    let log: String = folds
        .iter()
        .map(|arguments| place.screen_of(&format!("strategies folds {arguments}")))
        .collect();

    insta::assert_snapshot!(log);
}

#[test]
fn folds_of_other_symbols_are_trained_on_these_symbols() {
    let place = place_for_folds();

    let ended = place.run("strategies folds endless.yaml --bars GBPUSD:1h=EURUSD_1h.csv.gz");

    let train = "`ktrdr train endless.yaml --symbols fx:GBP.USD --start ";
    assert!(ended.err.contains(train), "{}", ended.err);
}

#[test]
fn expanding_folds_test_every_bar_after_the_first_part() {
    let place = place_for_folds();

    let ended = place.run("strategies folds endless.yaml --bars EURUSD_1h.csv.gz --json");

    let folds = parse_lines(&ended.out);
    assert_eq!(folds.len(), 5);
    for pair in folds.windows(2) {
        assert_eq!(pair[0]["end"], pair[1]["test_start"], "without a gap");
    }

    // The last expanding fold uses every bar.
    let bars = &folds[4]["bars"];
    let parts = ["train", "validation", "test"].map(|part| bars[part].as_u64().unwrap());
    assert_eq!(parts.iter().sum::<u64>(), 5_000);
}

/// Bars of four hours each, day and night, of four days.
fn bars_round_the_clock() -> String {
    let mut text = "open_time,open,high,low,close,volume\n".to_owned();
    for day in 1..=4 {
        for hour in [0, 4, 8, 12, 16, 20] {
            text += &format!("2024-07-0{day}T{hour:02}:00:00Z,60000,60010,59990,60005,20\n");
        }
    }
    text
}

#[test]
fn bars_that_trade_all_night_are_no_share() {
    let place = Place::new();
    place.write("BTCUSDT_4h.csv", &bars_round_the_clock());
    place.write("BTCUSD_4h.csv", &bars_round_the_clock());

    // Without a class the name says what it is, or the user is asked.
    let check = place.run("data check BTCUSDT_4h.csv --json");
    assert_eq!(check.exit, Some(0));
    assert!(check.out.contains("crypto-btc-usdt"), "{}", check.out);

    insta::assert_snapshot!(place.screens_of(&[
        "data check BTCUSD_4h.csv",
        "data check BTCUSDT_4h.csv --symbol stk:BTCUSDT",
        "data symbols BTCUSDT BTCUSD ES VOD.L",
    ]));
}
