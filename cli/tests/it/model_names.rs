//! Another name for a model, and what people say about its versions.

use crate::data_train_models::Place;
use crate::hand_model::{store_data_set, store_hand};

/// A line with times of this run, and who has typed, written as words.
fn without_times(line: &str) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    for index in 0..words.len() {
        let is_time = words[index].starts_with("20") && words[index].ends_with('Z');
        if is_time && !words[index].starts_with("2024") {
            words[index] = "<time>".to_owned();
        }
        if index > 0 && words[index - 1] == "by" && words[index].contains('@') {
            let colon = if words[index].ends_with(':') { ":" } else { "" };
            words[index] = format!("<person>{colon}");
        }
    }
    words.join(" ")
}

/// Output of `ktrdr models` with each of these lines.
fn screens(place: &Place, lines: &[&str]) -> String {
    let screens = lines.iter().map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let screen = place.screen_of(&[&["models"], words.as_slice()].concat());
        let screen: Vec<String> = screen.lines().map(without_times).collect();
        format!("{line}\n{}\n\n", screen.join("\n"))
    });
    screens.collect()
}

#[tokio::test]
async fn a_model_is_renamed_with_everything_that_belongs_to_it() {
    let place = Place::new();
    store_hand(&place).await;
    place.file("mine.csv", crate::data_train_models::BARS);

    insta::assert_snapshot!(screens(&place, &[
        "promote hand production --quiet",
        "rename hand linear",
        "rename hand linear",
        "list --quiet --columns former_names",
        "list hand --quiet",
        "predict hand@production --bars EURUSD:1h=mine.csv --last 1",
        "show linear",
        "rename linear hand --quiet",
    ]), @r#"
    promote hand production --quiet
    hand@1 is production
    exit 0

    rename hand linear
    hand is called linear, with all its versions and aliases
    hand goes on meaning linear: a training under way for hand becomes a version of linear, and so does the next `ktrdr train hand`
    exit 0

    rename hand linear
    the model is called linear already
    exit 0

    list --quiet --columns former_names
    MODEL                  TRAINED ON  CREATED            VALIDATION       TEST             FORMER_NAMES
    linear@1 (production)  EURUSD 1h   2024-01-03T00:00Z  4.00e-3/5.00e-3  2.00e-3/3.00e-3  hand
    exit 0

    list hand --quiet
    MODEL                  TRAINED ON  CREATED            VALIDATION       TEST
    linear@1 (production)  EURUSD 1h   2024-01-03T00:00Z  4.00e-3/5.00e-3  2.00e-3/3.00e-3
    exit 0

    predict hand@production --bars EURUSD:1h=mine.csv --last 1
    TIMESTAMP             KNOWN AT              FORWARD_RETURN  SIGNAL  PART
    2024-01-02T12:00:00Z  2024-01-02T13:00:00Z  -0.0001         HOLD
    2 predictions of linear@1 on EURUSD; left out: 1 bars of warm-up, 0 with undefined features
    exit 0

    show linear
      model        linear@1
      registered   2024-01-03T00:00:00Z by op_train_20240103_000000_00000001
      alias        production since <time> by <person>
      former name  hand until <time> by <person>
      trained on   EURUSD [1h]
      test part    baseline_mae 0.0030, mae 0.0020
      network      1 → 1 → 1
      features     1h_roc_1_raw
      seed         42
      data set     datasets/dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd, which the store has no more
      trained by   op_train_20240103_000000_00000001
      strategy     text ssssssssssss
      overrides    {"training":{"epochs":2}}
      artifact     artifacts/1b00e3589400525db41911df0911053670d06d12bd7cdbb61221b9ee1ced42c6
    exit 0

    rename linear hand --quiet
    linear is called hand, with all its versions and aliases
    exit 0
    "#);
}

#[tokio::test]
async fn a_rename_that_is_impossible_says_what_would_do() {
    let place = Place::new();
    store_hand(&place).await;

    insta::assert_snapshot!(screens(&place, &[
        "rename hand@1 linear",
        "rename hamd linear",
        "rename hand Linear",
        "rename hand hand",
        "rename nothing nothing",
    ]), @"
    rename hand@1 linear
    error: `hand@1` is one version, and a model is renamed as a whole
    hint: `ktrdr models rename hand linear` renames all versions; `ktrdr models tag hand@1 KEY=VALUE` marks one
    exit 2

    rename hamd linear
    error: there is no model `hamd`
    hint: did you mean `hand`? `ktrdr models list` shows every model with its versions
    exit 4

    rename hand Linear
    error: invalid value 'Linear' for '<NEW>': the name of a model is 1 to 64 of a-z, 0-9, _ and -, a letter or digit first

    For more information, try '--help'.
    exit 2

    rename hand hand
    the model is called hand already
    exit 0

    rename nothing nothing
    error: there is no model `nothing`
    hint: `ktrdr models list` shows every model with its versions; write NAME, NAME@3, or NAME@ALIAS as `ktrdr models aliases` lists it
    exit 4
    ");
}

#[tokio::test]
async fn a_version_has_tags_to_find_it_by() {
    let place = Place::new();
    store_hand(&place).await;
    store_data_set(&place).await;

    insta::assert_snapshot!(screens(&place, &[
        "tag hand",
        "tag hand desk=fx run=a",
        "tag hand run=b --remove desk",
        "tag hand --remove desk",
        "tag hand a/b=c",
        "list --label run=b --tag run=b --quiet --columns tags,dates,seed",
        "list --label run=a --quiet",
    ]), @"
    tag hand
    hand@1 has no tags
    exit 0

    tag hand desk=fx run=a
    hand@1: desk=fx, run=a
    exit 0

    tag hand run=b --remove desk
    hand@1: run=b
    exit 0

    tag hand --remove desk
    error: hand@1 has no tag `desk`
    hint: `ktrdr models tag hand@1` shows its tags
    exit 4

    tag hand a/b=c
    error: invalid value 'a/b=c' for '[KEY=VALUE]...': the key of a tag is 1 to 64 letters, digits, _, - and .

    For more information, try '--help'.
    exit 2

    list --label run=b --tag run=b --quiet --columns tags,dates,seed
    MODEL   TRAINED ON  CREATED            VALIDATION       TEST             TAGS   DATES                     SEED
    hand@1  EURUSD 1h   2024-01-03T00:00Z  4.00e-3/5.00e-3  2.00e-3/3.00e-3  run=b  2024-01-02 to 2024-01-02  42
    exit 0

    list --label run=a --quiet
    exit 0
    ");
}

#[tokio::test]
async fn notes_are_shown_with_time_and_author() {
    let place = Place::new();
    store_hand(&place).await;
    screens(&place, &["tag hand run=b"]);

    insta::assert_snapshot!(screens(&place, &[
        "note hand",
        "note hand holds",
        "note hand@1 drifts",
        "note hand",
        "list --columns note --quiet",
        "show hand",
    ]), @r#"
    note hand
    nobody has written a note about hand@1
    hint: `ktrdr models note hand@1 'TEXT'` writes one
    exit 0

    note hand holds
    hand@1: note 1 is written
    exit 0

    note hand@1 drifts
    hand@1: note 2 is written
    exit 0

    note hand
      1  <time> by <person>: holds
      2  <time> by <person>: drifts
    exit 0

    list --columns note --quiet
    MODEL   TRAINED ON  CREATED            VALIDATION       TEST             NOTE
    hand@1  EURUSD 1h   2024-01-03T00:00Z  4.00e-3/5.00e-3  2.00e-3/3.00e-3  drifts
    exit 0

    show hand
      model       hand@1
      registered  2024-01-03T00:00:00Z by op_train_20240103_000000_00000001
      tags        run=b
      note        <time> by <person>: holds
      note        <time> by <person>: drifts
      trained on  EURUSD [1h]
      test part   baseline_mae 0.0030, mae 0.0020
      network     1 → 1 → 1
      features    1h_roc_1_raw
      seed        42
      data set    datasets/dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd, which the store has no more
      trained by  op_train_20240103_000000_00000001
      strategy    text ssssssssssss
      overrides   {"training":{"epochs":2}}
      artifact    artifacts/1b00e3589400525db41911df0911053670d06d12bd7cdbb61221b9ee1ced42c6
    exit 0
    "#);
}
