//! What people ask of a trained model, answered from the store: `models list`, `models show` with
//! its details, and the parts of `models predict`.

use crate::data_train_models::{Place, STRATEGY};
use crate::hand_model::{
    hand_network, hand_weights, history_of, store_artifact, store_data_set, store_hand,
};
use crate::program::run_in_system;

/// Hourly closes whose rates of change are 10, −50, 20 and 50, decided from 12:00 to 15:00.
const BARS: &str = "timestamp,open,high,low,close,volume\n\
    2024-01-02T10:00:00Z,100,100,100,100,5\n\
    2024-01-02T11:00:00Z,110,110,110,110,5\n\
    2024-01-02T12:00:00Z,55,55,55,55,5\n\
    2024-01-02T13:00:00Z,66,66,66,66,5\n\
    2024-01-02T14:00:00Z,99,99,99,99,5\n";

/// `metrics.json` of two classes; the figures are made up.
pub(crate) const METRICS: &str = r#"{
    "v": 1, "headline": {}, "warnings": [], "epochs": 2, "best_epoch": 2,
    "stopped_early": false, "seed": 42, "parameters": 4, "device": "cpu", "class_weights": {},
    "parts": {"test": {
        "rows": 10, "criterion": 0.7, "loss": 0.7, "accuracy": 0.6, "majority_accuracy": 0.7,
        "macro_precision": 0.5, "macro_recall": 0.5, "macro_f1": 0.5,
        "classes": [
            {"name": "BUY", "support": 3, "predicted_share": 0.3, "precision": 0.3333333,
             "recall": 0.3333333, "f1": 0.3333333},
            {"name": "SELL", "support": 7, "predicted_share": 0.7, "precision": 0.7142857,
             "recall": 0.7142857, "f1": 0.7142857}
        ],
        "confusion": [[1, 2], [2, 5]],
        "skill": {
            "balanced_accuracy": 0.52, "mcc": 0.05, "brier": 0.61, "prior_loss": 0.61,
            "prior_brier": 0.42, "calibration": {"ece": 0.1, "bins": [
                {"low": 0.5, "high": 0.6, "rows": 4, "confidence": 0.55, "accuracy": 0.5},
                {"low": 0.6, "high": 0.7, "rows": 0, "confidence": 0.0, "accuracy": 0.0}
            ]}
        }
    }},
    "importance": {"rows": 10, "repeats": 5, "seed": 42, "criterion": 0.69, "features": [
        {"name": "1h_roc_1_raw", "rise": 0.02, "deviation": 0.001}
    ]},
    "decisions": {
        "threshold": {"key": "confidence_threshold", "value": 0.6},
        "parts": {"validation": {"buy": 1, "hold": 8, "sell": 1, "precision": 0.5}},
        "alternatives": [
            {"threshold": 0.55, "validation": {"buy": 2, "hold": 6, "sell": 2, "precision": 0.75}},
            {"threshold": 0.7, "validation": {"buy": 1, "hold": 9, "sell": 0}}
        ]
    }
}"#;

pub(crate) async fn place_with_metrics() -> Place {
    let place = Place::new();
    let files = [
        ("model.safetensors", hand_weights()),
        ("metrics.json", METRICS.as_bytes().to_vec()),
        ("history.parquet", history_of(&[1.0, 0.5], &[0.9, 0.8])),
    ];
    store_artifact(&place, STRATEGY, hand_network(), &files).await;
    place
}

fn show(place: &Place, detail: &str) -> String {
    let screen = place.screen_of(&["models", "show", "hand", detail]);
    format!("{detail}\n{screen}\n\n")
}

#[tokio::test]
async fn each_side_of_a_model_has_a_table_of_its_own() {
    let place = place_with_metrics().await;
    let details = [
        "--thresholds",
        "--confusion",
        "--importance",
        "--calibration",
        "--history",
    ];

    let screens = details.map(|detail| show(&place, detail));

    insta::assert_snapshot!(screens.concat(), @"
    --thresholds
    CONFIDENCE_THRESHOLD  BUY  HOLD  SELL  RIGHT
    0.55                  2    6     2     75.0 %
    0.6                   1    8     1     50.0 %  in use
    0.7                   1    9     0
    decisions of the validation part; RIGHT is the share of BUY and SELL
    exit 0

    --confusion
    TRUE  AS BUY  AS SELL  PRECISION  RECALL  F1
    BUY   1       2        33.3 %     33.3 %  0.3333
    SELL  2       5        71.4 %     71.4 %  0.7143
    exit 0

    --importance
    FEATURE       RISE      DEVIATION
    1h_roc_1_raw  0.020000  0.001000
    by how much the criterion of 10 rows of the validation part, 0.690000, rises when the feature is that of other rows; mean and deviation of 5 orders
    exit 0

    --calibration
    PROBABILITY  ROWS  SURE    RIGHT
    0.5 to 0.6   4     55.0 %  50.0 %
    answers of the test part by their probability; calibration error 0.1000
    exit 0

    --history
    EPOCH  TRAIN LOSS  VALIDATION LOSS  SECONDS  WEIGHTS
    1      1.000000    0.900000         0.2500
    2      0.500000    0.800000         0.2500   stored
    exit 0
    ");
}

#[tokio::test]
async fn the_settings_say_what_the_request_has_changed() {
    let place = place_with_metrics().await;
    insta::assert_snapshot!(show(&place, "--settings"), @"
    --settings
    SETTING    VALUE  CHANGED BY
    epochs     2      request
    optimizer  adam
    exit 0
    ");
}

#[tokio::test]
async fn the_strategy_comes_out_byte_by_byte() {
    let place = place_with_metrics().await;
    let screen = place.screen_of(&["models", "show", "hand", "--strategy"]);
    assert_eq!(screen, format!("{STRATEGY}exit 0"));
}

#[tokio::test]
async fn what_a_model_has_not_is_refused_by_name() {
    let place = Place::new();
    store_hand(&place).await;
    let details = ["--thresholds", "--confusion", "--history", "--importance"];

    let screens = details.map(|detail| show(&place, detail));

    insta::assert_snapshot!(screens.concat(), @"
    --thresholds
    error: hand@1 has no metrics
    hint: `ktrdr models show hand@1` shows what it has; models of returns have no classes, and older programs measured less
    exit 4

    --confusion
    error: hand@1 has no metrics
    hint: `ktrdr models show hand@1` shows what it has; models of returns have no classes, and older programs measured less
    exit 4

    --history
    error: hand@1 has no history
    hint: `ktrdr models show hand@1` shows what it has; models of returns have no classes, and older programs measured less
    exit 4

    --importance
    error: hand@1 has no metrics
    hint: `ktrdr models show hand@1` shows what it has; models of returns have no classes, and older programs measured less
    exit 4
    ");
}

#[tokio::test]
async fn an_overview_names_the_days_of_each_part_and_the_origin() {
    let place = place_with_metrics().await;
    store_data_set(&place).await;

    insta::assert_snapshot!(place.screen_of(&["models", "show", "hand"]), @r#"
      model          hand@1
      registered     2024-01-03T00:00:00Z by op_train_20240103_000000_00000001
      trained on     EURUSD [1h]
      rows           train: 1 from 2024-01-02 to 2024-01-02
      rows           validation: 1 from 2024-01-02 to 2024-01-02
      rows           test: 1 from 2024-01-02 to 2024-01-02
      left out       1 warm_up
      test part      10 rows
      accuracy       60.0 %, always the most frequent class 70.0 %
      gain           -10.0 points
      balanced       accuracy 52.0 %, macro F1 0.5000, MCC 0.0500
      log loss       0.7000, class shares of the training part 0.6100
      probabilities  calibration error 0.1000, Brier score 0.6100
      importance     1h_roc_1_raw 0.0200
      decisions      by confidence_threshold 0.6
      decisions      validation: BUY 1 (10.0 %), HOLD 8 (80.0 %), SELL 1 (10.0 %); 50.0 % of BUY and SELL right
      edge           not measured: its data set has no forward returns, since an earlier version made it; `ktrdr train` makes another one
      network        1 → 1 → 1
      features       1h_roc_1_raw
      epochs         2 trained, lowest val_loss in epoch 2
      losses         train 1.0000 █▁ 0.5000, validation 0.9000 █▁ 0.8000
      seed           42
      series         bars/file/fx:EUR.USD/1h revision 7, 5 bars, content cccccccccccc
      data set       datasets/dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
      trained by     op_train_20240103_000000_00000001
      strategy       text ssssssssssss
      overrides      {"training":{"epochs":2}}
      artifact       artifacts/f9ba799eb907bdbbfc033cd5aef29bfb2422bbfa9614befd372d7eba50459feb
    exit 0
    "#);
}

#[tokio::test]
async fn a_list_can_be_filtered_sorted_and_widened() {
    let place = Place::new();
    store_hand(&place).await;
    let lists: [&[&str]; 6] = [
        &["hand", "--sort", "validation.mae"],
        &["--sort", "test.mae", "--columns", "seed,validation.mae"],
        &["--symbol", "GBPUSD"],
        &["--dataset", "dddd", "--timeframe", "60m"],
        &["--sort", "validation.mcc"],
        &["--columns", "colour"],
    ];

    let screens = lists.map(|list| {
        let screen = place.screen_of(&[&["models", "list", "--quiet"], list].concat());
        format!("{}\n{screen}\n\n", list.join(" "))
    });

    insta::assert_snapshot!(screens.concat(), @"
    hand --sort validation.mae
    MODEL   TRAINED ON  CREATED            VALIDATION       TEST
    hand@1  EURUSD 1h   2024-01-03T00:00Z  4.00e-3/5.00e-3  2.00e-3/3.00e-3
    exit 0

    --sort test.mae --columns seed,validation.mae
    MODEL   TRAINED ON  CREATED            VALIDATION       TEST             SEED  VALIDATION.MAE
    hand@1  EURUSD 1h   2024-01-03T00:00Z  4.00e-3/5.00e-3  2.00e-3/3.00e-3  42    0.0040
    exit 0

    --symbol GBPUSD
    exit 0

    --dataset dddd --timeframe 60m
    MODEL   TRAINED ON  CREATED            VALIDATION       TEST
    hand@1  EURUSD 1h   2024-01-03T00:00Z  4.00e-3/5.00e-3  2.00e-3/3.00e-3
    exit 0

    --sort validation.mcc
    error: there is no order `validation.mcc`
    hint: write one of created, name, test.baseline_mae, test.mae, validation.baseline_mae, validation.mae
    exit 2

    --columns colour
    error: there is no column `colour`
    hint: write one of seed, lr, dates, labels, tags, note, former_names, overrides, dataset, artifact, operation, training.KEY, test.baseline_mae, test.mae, validation.baseline_mae, validation.mae
    exit 2
    ");
}

#[tokio::test]
async fn a_list_sorted_by_the_test_part_warns_of_choosing_by_it() {
    let place = Place::new();
    store_hand(&place).await;

    let by_test = place.screen_of(&["models", "list", "--sort", "test.mae"]);
    let by_validation = place.screen_of(&["models", "list", "--sort", "validation.mae"]);

    let warning = "warning: the best of many on the test part looks better than it is";
    assert!(by_test.contains(warning), "{by_test}");
    assert!(!by_validation.contains("warning"), "{by_validation}");
}

#[tokio::test]
async fn a_prediction_says_in_whose_time_it_was_decided() {
    let place = Place::new();
    store_hand(&place).await;
    store_data_set(&place).await;
    place.file("mine.csv", BARS);

    let predict = ["models", "predict", "hand", "--bars", "EURUSD:1h=mine.csv"];
    let of_test = [&predict[..], &["--part", "test"]].concat();
    let of_none = [&predict[..], &["--part", "test", "--end", "2024-01-01"]].concat();
    let screens = [&predict[..], &of_test, &of_none].map(|list| place.screen_of(list));

    insta::assert_snapshot!(screens.join("\n\n"), @"
    TIMESTAMP             KNOWN AT              FORWARD_RETURN  SIGNAL  PART
    2024-01-02T11:00:00Z  2024-01-02T12:00:00Z  0.0099          BUY     train
    2024-01-02T12:00:00Z  2024-01-02T13:00:00Z  -0.0001         HOLD    validation
    2024-01-02T13:00:00Z  2024-01-02T14:00:00Z  0.0199          BUY     test
    2024-01-02T14:00:00Z  2024-01-02T15:00:00Z  0.0499          BUY     later
    4 predictions of hand@1 on EURUSD; left out: 1 bars of warm-up, 0 with undefined features
    exit 0

    TIMESTAMP             KNOWN AT              FORWARD_RETURN  SIGNAL  PART
    2024-01-02T13:00:00Z  2024-01-02T14:00:00Z  0.0199          BUY     test
    1 predictions of hand@1 on EURUSD; left out: 1 bars of warm-up, 0 with undefined features
    exit 0

    TIMESTAMP  KNOWN AT  FORWARD_RETURN  SIGNAL  PART
    0 predictions of hand@1 on EURUSD; left out: 1 bars of warm-up, 0 with undefined features
    hint: these bars give predictions from 2024-01-02T12:00:00Z to 2024-01-02T15:00:00Z
    exit 0
    ");
}

#[tokio::test]
async fn the_last_predictions_are_shown_of_the_timeframe_of_the_model() {
    let place = Place::new();
    store_hand(&place).await;
    place.file("mine.csv", BARS);
    let test = ["models", "test", "hand", "--bars", "EURUSD:1h=mine.csv"];

    let last = [&test[..], &["--last", "1", "--timeframe", "60m"]].concat();
    let daily = [&test[..], &["--timeframe", "1d"]].concat();
    let screens = [last, daily].map(|list| place.screen_of(&list));

    insta::assert_snapshot!(screens.join("\n\n"), @"
    TIMESTAMP             KNOWN AT              FORWARD_RETURN  SIGNAL  PART
    2024-01-02T14:00:00Z  2024-01-02T15:00:00Z  0.0499          BUY
    4 predictions of hand@1 on EURUSD; left out: 1 bars of warm-up, 0 with undefined features
    exit 0

    error: hand decides on bars of 1h, and not on those of 1d
    hint: leave --timeframe out; `ktrdr train hand --timeframe 1d` trains one that does
    exit 2
    ");
}

#[tokio::test]
async fn without_its_data_set_a_part_is_refused() {
    let place = Place::new();
    store_hand(&place).await;
    place.file("mine.csv", BARS);
    let bars = "EURUSD:1h=mine.csv";

    let predict = [
        "models", "predict", "hand", "--part", "test", "--bars", bars,
    ];

    insta::assert_snapshot!(place.screen_of(&predict), @"
    error: the data set of hand@1 is not in the store, so nobody knows its parts
    hint: leave --part out, or name the time with --start and --end
    exit 4
    ");
}

#[tokio::test]
async fn models_and_files_are_compared_side_by_side() {
    let place = place_with_metrics().await;
    store_data_set(&place).await;
    place.file("longer.yaml", &STRATEGY.replace("period: 1", "period: 3"));
    let compare = ["models", "compare", "hand"];

    let screens = [
        place.screen_of(&[&compare[..], &["hand@1"]].concat()),
        place.screen_of(&[&compare[..], &["longer.yaml"]].concat()),
        place.screen_of(&[&compare[..], &["nothing.yaml"]].concat()),
        place.screen_of(&[&compare[..], &["hand@7"]].concat()),
    ];

    insta::assert_snapshot!(screens.join("\n\n"), @"
                        hand@1                    hand@1
    trained on          EURUSD 1h                 EURUSD 1h
    network             1 → 1 → 1                 1 → 1 → 1
    features            1                         1
    seed                42                        42
    train               2024-01-02 to 2024-01-02  2024-01-02 to 2024-01-02
    validation          2024-01-02 to 2024-01-02  2024-01-02 to 2024-01-02
    test                2024-01-02 to 2024-01-02  2024-01-02 to 2024-01-02
    validation loss
    its rival
    right
    test loss           0.7000                    0.7000
    its rival           0.6100                    0.6100
    right               60.0 %                    60.0 %
    validation rank IC  not measured              not measured
    test rank IC        not measured              not measured
    test edge           not measured              not measured
    test net            not measured              not measured
    epochs              2, best 2                 2, best 2
      row by row  hand@1 and hand@1 share too few rows to be told apart: 1 row that both were tested on with equal labels
      strategies  those of hand@1 and hand@1 are equal
    exit 0

    --- hand@1
    +++ longer.yaml
    @@ -6,3 +6,3 @@
     indicators:
    -  roc_1: {type: roc, period: 1}
    +  roc_1: {type: roc, period: 3}
     fuzzy_sets: {}
    exit 0

    error: `nothing.yaml` cannot be read
      cause: No such file or directory (os error 2)
    hint: name a strategy file, or a model without an ending
    exit 4

    error: there is no model `hand@7`
    hint: `ktrdr models list` shows every model with its versions; write NAME, NAME@3, or NAME@ALIAS as `ktrdr models aliases` lists it
    exit 4
    ");
}

/// Output of `ktrdr models` with these words, the times written as `<time>`.
fn models_screen(place: &Place, words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    let screen = place.screen_of(&[&["models"], words.as_slice()].concat());
    let is_time = |word: &&str| word.starts_with("20") && word.ends_with('Z');
    let times: Vec<&str> = screen.split_whitespace().filter(is_time).collect();

    let mut text = screen.clone();
    for time in times {
        text = text.replace(time, "<time>");
    }
    format!("{}\n{text}\n\n", words.join(" "))
}

#[tokio::test]
async fn a_version_plays_a_role_until_it_is_taken_away() {
    let place = Place::new();
    store_hand(&place).await;
    place.file("mine.csv", BARS);
    let commands = [
        "aliases",
        "promote hand@1 production --note tried",
        "promote hand production",
        "promote hand@2 production",
        "promote hand 3",
        "list --quiet",
        "predict hand@production --bars EURUSD:1h=mine.csv --last 1",
        "predict hand@candidate --bars EURUSD:1h=mine.csv",
        "demote hand production",
        "demote hand production",
    ];

    let screens = commands.map(|words| models_screen(&place, words));

    insta::assert_snapshot!(screens.concat(), @"
    aliases
    no version of a model has an alias
    hint: `ktrdr models promote NAME@3 production` gives one
    exit 0

    promote hand@1 production --note tried
    hand@1 is production
    exit 0

    promote hand production
    hand@1 is production already
    exit 0

    promote hand@2 production
    error: there is no model `hand@2`
    hint: `ktrdr models list` shows every model with its versions; write NAME, NAME@3, or NAME@ALIAS as `ktrdr models aliases` lists it
    exit 4

    promote hand 3
    error: invalid value '3' for '<ALIAS>': an alias is 1 to 64 of a-z, 0-9, _ and -, a letter first

    For more information, try '--help'.
    exit 2

    list --quiet
    MODEL                TRAINED ON  CREATED            VALIDATION       TEST
    hand@1 (production)  EURUSD 1h   <time>  4.00e-3/5.00e-3  2.00e-3/3.00e-3
    exit 0

    predict hand@production --bars EURUSD:1h=mine.csv --last 1
    TIMESTAMP             KNOWN AT              FORWARD_RETURN  SIGNAL  PART
    <time>  <time>  0.0499          BUY
    4 predictions of hand@1 on EURUSD; left out: 1 bars of warm-up, 0 with undefined features
    exit 0

    predict hand@candidate --bars EURUSD:1h=mine.csv
    error: there is no model `hand@candidate`
    hint: `ktrdr models list` shows every model with its versions; write NAME, NAME@3, or NAME@ALIAS as `ktrdr models aliases` lists it
    exit 4

    demote hand production
    no version of hand is production, which was version 1
    exit 0

    demote hand production
    error: no version of hand is production
    hint: `ktrdr models aliases` shows which version is what
    exit 4
    ");
    let history = models_screen(&place, "aliases hand --format csv");
    let lines: Vec<&str> = history.lines().collect();
    assert!(lines[2].ends_with(",hand,tried,1,1.0"), "{history}");
    assert!(lines[3].ends_with(",hand,,2,"), "{history}");
}

#[tokio::test]
async fn a_list_of_an_unknown_model_does_not_say_that_there_is_none() {
    let place = Place::new();
    store_hand(&place).await;
    let screen = place.screen_of(&["models", "list", "hamd"]);
    assert!(screen.contains("there is no model `hamd`"), "{screen}");
    assert!(!screen.contains("yet"), "{screen}");
}

/// The commands between backticks of a page, with models, operations and files in place of the words
/// that stand for them.
fn commands_of_page(page: &str) -> Vec<Vec<String>> {
    let commands = page
        .split('`')
        .filter_map(|text| text.strip_prefix("ktrdr "));
    let without_line_breaks = commands.map(|text| text.replace('\n', " "));
    let filled = without_line_breaks.map(|text| {
        text.replace("FILE.yaml", "eurusd_rsi_macd")
            .replace("STRATEGY", "eurusd_rsi_macd")
            .replace("NAME", "hand")
            .replace("OP", "op_train_20260301_142233_9f3a01bc")
            .replace("HASH", "abc")
    });

    let words = |text: String| text.split_whitespace().map(str::to_owned).collect();
    filled.map(words).collect()
}

#[tokio::test]
async fn every_question_of_the_page_has_a_command_that_is_understood() {
    let place = place_with_metrics().await;
    let page = include_str!("../../../docs/models.md");

    let commands = commands_of_page(page);
    assert!(commands.len() > 30, "{commands:?}");
    for command in commands {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let screen = place.screen_of(&words);
        let is_refused = screen.contains("For more information, try '--help'");
        assert!(!is_refused, "{command:?}: {screen}");
    }
}

/// `16.1 / 83.0 / 0.9` of a line `decisions  test: BUY 55 (16.1 %), HOLD 284 (83.0 %), …`.
fn shares_of(line: &str) -> String {
    let shares = line
        .split('(')
        .skip(1)
        .filter_map(|text| text.split(" %)").next());
    shares.collect::<Vec<&str>>().join(" / ")
}

/// The share of right decisions at the end of such a line.
fn share_right(line: &str) -> &str {
    let end = line.split(" % of BUY and SELL right").next().unwrap();
    end.rsplit(' ').next().unwrap()
}

#[test]
fn the_page_has_the_decisions_of_every_strategy() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<&str> = strategies::CATALOGUE.iter().map(|entry| entry.0).collect();
    let trainings: Vec<String> = names
        .iter()
        .map(|name| format!("ktrdr train {name} --data-mode full --quiet >{name}.txt 2>&1;"))
        .collect();

    let services = "fetcher,validator,processor,trainer,registry";
    let ended = run_in_system(folder.path(), services, &trainings.concat());

    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    let page = include_str!("../../../docs/models.md");
    for name in names {
        let screen = std::fs::read_to_string(folder.path().join(name).with_extension("txt"));
        let screen = screen.unwrap();
        let of_part = |part: &str| {
            let line = screen
                .lines()
                .find(|line| line.contains(&format!("decisions  {part}: ")));
            line.unwrap_or_else(|| panic!("{name}: {screen}"))
        };
        let validation = shares_of(of_part("validation"));
        let test = of_part("test");
        let row = format!(
            "| `{name}` | {validation} | {} | {} |",
            shares_of(test),
            share_right(test)
        );
        assert!(page.contains(&row), "{row}");
    }
}
