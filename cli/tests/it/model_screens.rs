//! The tables of models on screens of 80 and 120 columns: no line is longer, no word is broken.

use crate::data_train_models::Place;
use crate::hand_model::store_data_set;
use crate::model_questions::place_with_metrics;
use crate::program::ktrdr_in;
use crate::terminal::Terminal;

const WIDTHS: [u16; 2] = [80, 120];

/// What a person sees of a command that ends, without times and names of this run.
fn screen(place: &Place, words: &str, columns: u16) -> Terminal {
    let arguments: Vec<&str> = words.split(' ').collect();
    let mut command = ktrdr_in(place.path(), &arguments);
    command.env("KTRDR_NATS_URL", "nats://127.0.0.1:1");
    let mut terminal = Terminal::start_command(&command, columns);
    terminal.until_ended();
    terminal
}

/// The screens of both widths, or the one that is the same on both, after a look that no word is
/// broken.
fn screens(place: &Place, words: &str) -> String {
    let screens = WIDTHS.map(|columns| {
        let terminal = screen(place, words, columns);
        assert_eq!(terminal.broken_lines(), [""; 0], "{words} on {columns}");
        terminal.text().trim_end().to_owned()
    });

    match screens {
        [narrow, wide] if narrow == wide => format!("80 and 120: {words}\n{narrow}\n\n"),
        [narrow, wide] => format!("80: {words}\n{narrow}\n\n120: {words}\n{wide}\n\n"),
    }
}

#[tokio::test]
async fn a_list_fits_with_more_columns_than_there_is_room_for() {
    let place = place_with_metrics().await;
    store_data_set(&place).await;
    place.screen_of(&["models", "tag", "hand", "desk=fx", "reviewed=yes"]);

    insta::assert_snapshot!(screens(&place, "models list --quiet"), @"
    80 and 120: models list --quiet
    MODEL   TRAINED ON  CREATED            VALIDATION       TEST
    hand@1  EURUSD 1h   2024-01-03T00:00Z  4.00e-3/5.00e-3  2.00e-3/3.00e-3
    ");

    let columns = "seed,dates,tags,training.epochs,validation.mae";
    insta::assert_snapshot!(screens(&place, &format!("models list --quiet --columns {columns}")), @"
    80 and 120: models list --quiet --columns seed,dates,tags,training.epochs,validation.mae
      MODEL            hand@1
      TRAINED ON       EURUSD 1h
      CREATED          2024-01-03T00:00Z
      VALIDATION       4.00e-3/5.00e-3
      TEST             2.00e-3/3.00e-3
      SEED             42
      DATES            2024-01-02 to 2024-01-02
      TAGS             desk=fx, reviewed=yes
      TRAINING.EPOCHS  2
      VALIDATION.MAE   0.0040
    ");
}

#[tokio::test]
async fn sides_of_a_model_fit() {
    let place = place_with_metrics().await;
    let sides = [
        "settings",
        "history",
        "thresholds",
        "confusion",
        "importance",
        "calibration",
    ];
    let sides = sides.map(|side| screens(&place, &format!("models show hand --{side}")));
    insta::assert_snapshot!(sides.concat(), @"
    80 and 120: models show hand --settings
    SETTING    VALUE  CHANGED BY
    epochs     2      request
    optimizer  adam

    80 and 120: models show hand --history
    EPOCH  TRAIN LOSS  VALIDATION LOSS  SECONDS  WEIGHTS
    1      1.000000    0.900000         0.2500
    2      0.500000    0.800000         0.2500   stored

    80 and 120: models show hand --thresholds
    CONFIDENCE_THRESHOLD  BUY  HOLD  SELL  RIGHT
    0.55                  2    6     2     75.0 %
    0.6                   1    8     1     50.0 %  in use
    0.7                   1    9     0
    decisions of the validation part; RIGHT is the share of BUY and SELL

    80 and 120: models show hand --confusion
    TRUE  AS BUY  AS SELL  PRECISION  RECALL  F1
    BUY   1       2        33.3 %     33.3 %  0.3333
    SELL  2       5        71.4 %     71.4 %  0.7143

    80: models show hand --importance
    FEATURE       RISE      DEVIATION
    1h_roc_1_raw  0.020000  0.001000
    by how much the criterion of 10 rows of the validation part, 0.690000, rises
    when the feature is that of other rows; mean and deviation of 5 orders

    120: models show hand --importance
    FEATURE       RISE      DEVIATION
    1h_roc_1_raw  0.020000  0.001000
    by how much the criterion of 10 rows of the validation part, 0.690000, rises when the feature is that of other rows;
    mean and deviation of 5 orders

    80 and 120: models show hand --calibration
    PROBABILITY  ROWS  SURE    RIGHT
    0.5 to 0.6   4     55.0 %  50.0 %
    answers of the test part by their probability; calibration error 0.1000
    ");
}

#[tokio::test]
async fn comparisons_fit() {
    let place = place_with_metrics().await;
    store_data_set(&place).await;
    insta::assert_snapshot!(screens(&place, "models compare hand@1 hand@1"), @"
    80: models compare hand@1 hand@1
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
      row by row  hand@1 and hand@1 share too few rows to be told apart: 1 row that
                  both were tested on with equal labels
      strategies  those of hand@1 and hand@1 are equal

    120: models compare hand@1 hand@1
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
    ");
}

#[tokio::test]
async fn predictions_and_aliases_fit() {
    let place = place_with_metrics().await;
    store_data_set(&place).await;
    place.file("mine.csv", crate::data_train_models::BARS);
    insta::assert_snapshot!(
        screens(&place, "models predict hand --bars EURUSD:1h=mine.csv"),
        @"
        80: models predict hand --bars EURUSD:1h=mine.csv
        TIMESTAMP             KNOWN AT              FORWARD_RETURN  SIGNAL  PART
        2024-01-02T11:00:00Z  2024-01-02T12:00:00Z  0.0099          BUY     train
        2024-01-02T12:00:00Z  2024-01-02T13:00:00Z  -0.0001         HOLD    validation
        2 predictions of hand@1 on EURUSD; left out: 1 bars of warm-up, 0 with undefined
        features

        120: models predict hand --bars EURUSD:1h=mine.csv
        TIMESTAMP             KNOWN AT              FORWARD_RETURN  SIGNAL  PART
        2024-01-02T11:00:00Z  2024-01-02T12:00:00Z  0.0099          BUY     train
        2024-01-02T12:00:00Z  2024-01-02T13:00:00Z  -0.0001         HOLD    validation
        2 predictions of hand@1 on EURUSD; left out: 1 bars of warm-up, 0 with undefined features
        "
    );
    let note = "it has held up through the whole of the spring, and the desk has asked for it";
    place.screen_of(&["models", "promote", "hand", "production", "--note", note]);

    // Times and the person differ from run to run; the widths do not depend on them alone.
    for columns in WIDTHS {
        let terminal = screen(&place, "models aliases hand", columns);
        assert_eq!(terminal.broken_lines(), [""; 0]);
        let text = terminal.text();
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(note.split(' ').all(|word| words.contains(&word)), "{text}");
    }
}

#[tokio::test]
async fn the_doctor_breaks_no_word() {
    let place = place_with_metrics().await;
    for columns in WIDTHS {
        let terminal = screen(&place, "doctor", columns);
        let text = terminal.text();
        assert_eq!(terminal.broken_lines(), [""; 0], "{text}");
    }
}
