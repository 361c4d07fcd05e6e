//! The data, train and models commands as a user meets them: messages, exit codes, and a prediction
//! worked by hand.

use std::path::Path;

use crate::hand_model::store_hand;
use crate::program::{Ended, ktrdr_in};

/// Hourly closes that rise by 10 % and then halve, so that the rate of change is 10, then −50.
pub(crate) const BARS: &str = "timestamp,open,high,low,close,volume\n\
    2024-01-02T10:00:00Z,100,100,100,100,5\n\
    2024-01-02T11:00:00Z,110,110,110,110,5\n\
    2024-01-02T12:00:00Z,55,55,55,55,5\n";

/// One raw input, the rate of change over one bar in percent, and a linear model of it.
pub(crate) const STRATEGY: &str = "name: hand\nversion: \"1.0\"\n\
    training_data:\n  symbols: {mode: single, symbol: EURUSD}\n  timeframes: {mode: single, timeframe: \"1h\"}\n\
    indicators:\n  roc_1: {type: roc, period: 1}\n\
    fuzzy_sets: {}\n\
    nn_inputs:\n  - {raw_indicator: roc_1, timeframes: all}\n\
    model:\n  type: mlp\n  architecture: {hidden_layers: [1], activation: relu, dropout: 0.0}\n\
    decisions:\n  output_format: regression\n  cost_model: {round_trip_cost: 0.0001, min_edge_multiplier: 1.5}\n\
    training:\n  labels: {source: forward_return, horizon: 1}\n  data_split: {train: 0.7, validation: 0.15, test: 0.15}\n";

/// A folder of its own, without a server, and what commands in it say.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.path().join(name), text).unwrap();
        self
    }

    /// Output and exit code of `ktrdr` with these arguments, the folder written as `<here>`.
    pub(crate) fn screen_of(&self, arguments: &[&str]) -> String {
        let output = ktrdr_in(self.path(), arguments)
            .env("KTRDR_NATS_URL", "nats://127.0.0.1:1")
            .output()
            .unwrap();
        let ended = Ended::from(output);

        let text = format!("{}{}", ended.out, ended.err);
        let text = text.replace(&self.path().display().to_string(), "<here>");
        format!("{text}exit {}", ended.exit.unwrap())
    }
}

#[test]
fn a_missing_strategy_is_reported_with_every_place_tried() {
    insta::assert_snapshot!(Place::new().screen_of(&["train", "nothing"]), @"
    error: there is no strategy `nothing`
      cause: tried <here>/nothing
      cause: tried <here>/nothing.yaml
    hint: give the path of a .yaml file, or a name that `ktrdr strategies list` shows
    exit 4
    ");
}

/// The list of indicator types grows, and other tests check it.
fn without_indicator_types(screen: &str) -> String {
    let start = screen.find(" [allowed: adline").unwrap();
    let length = screen[start..].find('\n').unwrap();
    screen.replace(&screen[start..start + length], "")
}

#[test]
fn every_mistake_of_a_strategy_is_reported_at_once() {
    let text = STRATEGY
        .replace(
            "roc_1: {type: roc, period: 1}",
            "roc_1: {type: roc, perod: 1}\n  x: {type: rssi, period: 3}",
        )
        .replace("dropout: 0.0", "dropout: 0.0, hiden: 3")
        .replace(
            "fuzzy_sets: {}",
            "fuzzy_sets:\n  moves:\n    indicator: roc_1\n    up: [3, 2, 1]",
        );
    let place = Place::new();
    place.file("wrong.yaml", &text);

    let screen = place.screen_of(&["train", "wrong.yaml"]);

    insta::assert_snapshot!(without_indicator_types(&screen), @r#"
    error: <here>/wrong.yaml: the strategy has 4 error(s) and 2 warning(s)
      error[indicator.parameter] line 7, indicators.roc_1.perod: roc has no parameter "perod" (did you mean `period`?) [allowed: period, source]
      warning[indicator.unused] line 8, indicators.x: nothing uses this indicator
      error[indicator.unknown] line 8, indicators.x.type: `rssi` is not an indicator type (did you mean `rsi`?)
      warning[fuzzy_set.unused] line 10, fuzzy_sets.moves: no input uses this fuzzy set
      error[membership.invalid] line 12, fuzzy_sets.moves.up: triangular parameters must not descend: a, b, c = [3.0, 2.0, 1.0], where 3.0 is followed by 2.0; write the points from left to right
      error[key.unknown] line 17, model.architecture.hiden: unknown key (did you mean `hidden_layers`?) [allowed: activation, dropout, hidden_layers]
    hint: correct the places listed; `ktrdr strategies validate <file>` checks them again without starting anything
    exit 2
    "#);
}

#[test]
fn a_symbol_that_is_none_is_named_with_its_line() {
    let place = Place::new();
    place.file("wrong.yaml", &STRATEGY.replace("EURUSD", "EUR USD!"));
    insta::assert_snapshot!(place.screen_of(&["train", "wrong.yaml"]), @"
    error: <here>/wrong.yaml: the strategy has 1 error(s) and 0 warning(s)
      error[symbol.unknown] line 4, training_data.symbols.symbol: symbol `EUR USD!` contains ' ': symbols are up to 20 letters, digits, `.`, `-`, `_`, `&` or `/`
    hint: correct the places listed; `ktrdr strategies validate <file>` checks them again without starting anything
    exit 2
    ");
}

#[test]
fn a_training_without_a_server_shows_its_parameters() {
    let place = Place::new();
    place.file("hand.yaml", STRATEGY);

    let arguments = "train hand.yaml --epochs 3 --seed 7 --end 2024-01-31";
    let words: Vec<&str> = arguments.split(' ').collect();
    let screen = place.screen_of(&words);

    insta::assert_snapshot!(screen, @"
    Strategy hand (<here>/hand.yaml)
      symbols     EURUSD
      timeframes  1h
      bars        from the first to before 2024-02-01T00:00:00Z, as stored
      parts       70 % train, 15 % validation, 15 % test
      features    1 column of 1 indicator
      training    3 epochs, 32 rows per batch, seed 7
      optimizer   adam, learning rate 0.001, weight decay 0, gradient norm up to 1
      schedule    none, the learning rate stays as it is
      loss        huber with delta 0.01
      stopping    none, all epochs are trained
      engine      auto, libtorch on a GPU unless it is a tsk, else native; 1 thread
      model       hand
    error: cannot connect to the NATS server at nats://127.0.0.1:1
      cause: IO error: Connection refused (os error 111)
    hint: start a local system with `ktrdr up`, or name the server with --server or KTRDR_NATS_URL
    exit 3
    ");
}

/// The line of the head that says how `hand.yaml` is trained.
fn training_line_of(place: &Place, arguments: &str) -> String {
    let words: Vec<&str> = arguments.split(' ').collect();
    let screen = place.screen_of(&words);
    let line = screen.lines().find(|line| line.starts_with("  training "));
    line.unwrap_or_else(|| panic!("{screen}")).trim().to_owned()
}

#[test]
fn a_default_number_of_epochs_is_named_as_such() {
    let place = Place::new();
    assert!(!STRATEGY.contains("epochs"));
    place.file("hand.yaml", STRATEGY);

    let by_default = training_line_of(&place, "train hand.yaml");
    let start = "training    100 epochs (the default: the strategy names none), 32 rows per batch";
    assert!(by_default.starts_with(start), "{by_default}");
    let by_flag = training_line_of(&place, "train hand.yaml --epochs 3");
    assert!(by_flag.starts_with("training    3 epochs, 32"), "{by_flag}");

    // The count of the file is the one that is sent.
    let with_epochs = STRATEGY.replace("training:\n", "training:\n  epochs: 10\n");
    place.file("hand.yaml", &with_epochs);
    let by_file = training_line_of(&place, "train hand.yaml");
    assert!(
        by_file.starts_with("training    10 epochs, 32"),
        "{by_file}"
    );
}

#[test]
fn a_training_in_an_unknown_timeframe_is_refused() {
    let place = Place::new();
    place.file("hand.yaml", STRATEGY);

    let screen = place.screen_of(&["train", "hand.yaml", "--timeframes", "2x"]);

    insta::assert_snapshot!(screen, @"
    error: invalid value '2x' for '--timeframes <TIMEFRAMES>': `2x` is not a timeframe; write a count and a unit, as in 1m, 90m, 4h, 1d, 2w or 1mo

    For more information, try '--help'.
    exit 2
    ");
}

#[test]
fn a_strategy_larger_than_a_command_may_be_is_refused() {
    let place = Place::new();
    let text = format!("{STRATEGY}# {}\n", "x".repeat(33_000));
    place.file("large.yaml", &text);

    let screen = place.screen_of(&["train", "large.yaml"]);

    insta::assert_snapshot!(screen, @"
    error: <here>/large.yaml: the strategy has 1 error(s) and 0 warning(s)
      error[file.size] (file): the file has 33553 bytes; at most 32768 are allowed
    hint: correct the places listed; `ktrdr strategies validate <file>` checks them again without starting anything
    exit 2
    ");
}

#[test]
fn mistakes_in_a_file_of_bars_are_reported_with_their_line() {
    let place = Place::new();
    place
        .file(
            "bad_EURUSD_1h.csv",
            &BARS.replace("110,110,110,110", "110,x,110,110"),
        )
        .file("naive_EURUSD_1h.csv", &BARS.replace('Z', ""))
        .file("EURUSD_4h.csv", BARS);
    let files = [
        "missing.csv",
        "bad_EURUSD_1h.csv",
        "naive_EURUSD_1h.csv",
        "EURUSD_4h.csv",
    ];

    let screens = files.map(|file| place.screen_of(&["data", "check", file, "--symbol", "EURUSD"]));

    insta::assert_snapshot!(screens.join("\n\n"), @"
    error: cannot read `<here>/missing.csv`
      cause: No such file or directory (os error 2)
    hint: check the path, and that this user may read it
    exit 4

    error: `<here>/bad_EURUSD_1h.csv` line 3: high `x` is not a number
    hint: write a plain number, leave an unknown cell empty, or name the sign before the fraction, for example --decimal ,
    exit 2

    error: `<here>/naive_EURUSD_1h.csv` line 2: the time `2024-01-02T10:00:00` has no zone
    hint: name the zone of the times, for example --zone America/New_York or --zone UTC
    exit 2

    error: `<here>/EURUSD_4h.csv` holds bars of 1h, not 4h
    hint: ask for the timeframe of the file, or choose another file
    exit 2
    ");
}

#[test]
fn a_critical_finding_ends_a_check_with_exit_code_1() {
    let place = Place::new();
    let negative = BARS.replace("55,55,55,55", "-55,-55,-55,-55");
    place.file("EURUSD_1h.csv", &negative);

    let screen = place.screen_of(&["data", "check", "EURUSD_1h.csv"]);

    insta::assert_snapshot!(screen, @"
      format    csv, cells between `,`
      columns   timestamp, open, high, low, close, volume
      times     instants with their zone
      series    bars/file/fx-eur-usd/bid-regular-raw-utc_midnight/1h
    EURUSD 1h: 3 bars, 2024-01-02T10:00:00Z to 2024-01-02T12:00:00Z
    score 70.0 of 100 (look at the findings); 0 of 3 expected bars missing in 0 gaps
      critical  1 bar with a price of zero or less (line 4)
      medium    1 bar closing over 10 % away from the bar before (line 3)
    exit 1
    ");
}

#[test]
fn an_import_shows_its_findings_and_writes_only_with_yes() {
    let place = Place::new();
    place.file("prices.csv", &BARS.replace("close", "px").replace(',', ";"));
    let import = "data import prices.csv --symbol EURUSD --column close=px";
    let import: Vec<&str> = import.split(' ').collect();
    let import_with_yes = [&import[..], &["--yes"]].concat();

    let screens = [
        place.screen_of(&import),
        place.screen_of(&["data", "list"]),
        place.screen_of(&import_with_yes),
        place.screen_of(&["data", "range", "EURUSD", "-t", "1h"]),
    ];

    insta::assert_snapshot!(screens.join("\n\n"), @"
      format    csv, cells between `;`
      columns   timestamp, open, high, low, px (close), volume
      times     instants with their zone
      series    bars/file/fx-eur-usd/bid-regular-raw-utc_midnight/1h
    EURUSD 1h: 3 bars, 2024-01-02T10:00:00Z to 2024-01-02T12:00:00Z
    score 80.0 of 100 (healthy); 0 of 3 expected bars missing in 0 gaps
      high      1 bar closing over 20 % away from the bar before (line 4)
      medium    1 bar closing over 10 % away from the bar before (line 3)
    would store 3 bars as bars/file/fx-eur-usd/bid-regular-raw-utc_midnight/1h
    nothing was written; add --yes to write
    exit 0

    nothing is stored in file://<here>/.ktrdr/objects
    hint: `ktrdr data import FILE --yes` or `ktrdr data load SYMBOL` stores bars
    exit 0

      format    csv, cells between `;`
      columns   timestamp, open, high, low, px (close), volume
      times     instants with their zone
      series    bars/file/fx-eur-usd/bid-regular-raw-utc_midnight/1h
    EURUSD 1h: 3 bars, 2024-01-02T10:00:00Z to 2024-01-02T12:00:00Z
    score 80.0 of 100 (healthy); 0 of 3 expected bars missing in 0 gaps
      high      1 bar closing over 20 % away from the bar before (line 4)
      medium    1 bar closing over 10 % away from the bar before (line 3)
    EURUSD 1h: 3 bars, 3 new, 0 changed, revision 1
    exit 0

    EURUSD 1h: 3 bars, 2024-01-02T10:00:00Z to 2024-01-02T12:00:00Z
    exit 0
    ");
}

#[test]
fn an_unknown_model_is_not_found_with_and_without_a_version() {
    let place = Place::new();

    let screens = [
        place.screen_of(&["models", "show", "trend@3"]),
        place.screen_of(&["models", "predict", "trend"]),
        place.screen_of(&["models", "list"]),
    ];

    insta::assert_snapshot!(screens.join("\n\n"), @"
    error: there is no model `trend@3`
    hint: this store has no model: `ktrdr train STRATEGY` makes one, `ktrdr doctor` shows which store is used, --set store.url=URL names another one
    exit 4

    error: there is no model `trend`
    hint: this store has no model: `ktrdr train STRATEGY` makes one, `ktrdr doctor` shows which store is used, --set store.url=URL names another one
    exit 4

    no registry answers; read from file://<here>/.ktrdr/objects
    there is no model yet
    hint: `ktrdr train STRATEGY` makes one
    exit 0
    ");
}

/// Predicts with `hand` on a file of bars.
fn predict_screen(place: &Place, model: &str, out: &str) -> String {
    let predict = ["models", "predict", model, "--bars", "EURUSD:1h=mine.csv"];
    place.screen_of(&[&predict[..], &["--out", out]].concat())
}

#[tokio::test]
async fn a_prediction_worked_by_hand_comes_out_of_a_file_of_bars() {
    let place = Place::new();
    store_hand(&place).await;
    place.file("mine.csv", BARS);

    let screen = predict_screen(&place, "hand@1", "out.csv");

    insta::assert_snapshot!(screen, @"
    2 predictions of hand@1 on EURUSD; left out: 1 bars of warm-up, 0 with undefined features; written to out.csv
    exit 0
    ");
    let csv = std::fs::read_to_string(place.path().join("out.csv")).unwrap();
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(
        rows[0],
        [
            "symbol",
            "timestamp",
            "known_at",
            "forward_return",
            "signal",
            "part"
        ]
    );
    assert_eq!(
        rows[1][..3],
        ["fx:EUR.USD", "2024-01-02T11:00:00Z", "2024-01-02T12:00:00Z"]
    );

    // The first bar has no rate of change. Then 0.001 · 10 − 0.0001 = 0.0099 and 0.001 · max(0,
    // −50) − 0.0001 = −0.0001; only the first is beyond 1.5 × the cost of 0.0001.
    assert!((rows[1][3].parse::<f64>().unwrap() - 0.0099).abs() < 1e-6);
    assert!((rows[2][3].parse::<f64>().unwrap() + 0.0001).abs() < 1e-6);
    assert_eq!(rows[1][4], "BUY");
    assert_eq!(rows[2][4], "HOLD");
}

#[tokio::test]
async fn predictions_on_standard_output_are_those_of_a_file() {
    let place = Place::new();
    store_hand(&place).await;
    place.file("mine.csv", BARS);
    predict_screen(&place, "hand", "out.csv");

    let screen = predict_screen(&place, "hand", "-");

    let csv = std::fs::read_to_string(place.path().join("out.csv")).unwrap();
    assert!(screen.starts_with(&csv), "{screen}");
}

#[tokio::test]
async fn without_a_registry_models_are_listed_from_the_store() {
    let place = Place::new();
    store_hand(&place).await;

    let screen = place.screen_of(&["models", "list"]);

    insta::assert_snapshot!(screen, @"
    MODEL   TRAINED ON  CREATED            VALIDATION       TEST
    hand@1  EURUSD 1h   2024-01-03T00:00Z  4.00e-3/5.00e-3  2.00e-3/3.00e-3
    no registry answers; read from file://<here>/.ktrdr/objects
    VALIDATION and TEST: plain loss, or mean error of returns / what the simplest rival reaches
    exit 0
    ");
}

#[tokio::test]
async fn bars_that_cannot_be_predicted_on_are_refused() {
    let place = Place::new();
    store_hand(&place).await;
    place
        .file("hole.csv", &BARS.replace("110,110,110,110", "110,110,110,"))
        .file("mine.csv", BARS);
    let daily = "timestamp,open,high,low,close\n2024-01-02,1,1,1,1\n2024-01-03,1,1,1,1\n";
    place.file("daily.csv", daily);
    let predict = ["models", "predict", "hand"];
    let predict_on = ["models", "predict", "hand", "--bars"];

    let screens = [
        place.screen_of(&[&predict_on[..], &["EURUSD:1h=hole.csv"]].concat()),
        place.screen_of(&[&predict_on[..], &["EURUSD:1d=daily.csv"]].concat()),
        place.screen_of(
            &[
                &predict_on[..],
                &["EURUSD:1h=mine.csv", "GBPUSD:1h=mine.csv"],
            ]
            .concat(),
        ),
        place.screen_of(&predict),
    ];

    insta::assert_snapshot!(screens.join("\n\n"), @"
    error: `hole.csv` line 3: a price is missing
    hint: complete or remove the row; `ktrdr data check FILE` names all of them
    exit 2

    error: the model needs 1h bars and no file holds them
    hint: add --bars EURUSD:1h=FILE
    exit 2

    error: mine.csv holds bars of GBPUSD, the first file bars of EURUSD
    hint: predict one symbol at a time
    exit 2

    error: no bars of EURUSD (1h) are stored
    hint: `ktrdr data load EURUSD --timeframe 1h --mode full` fetches them
    exit 4
    ");
}
