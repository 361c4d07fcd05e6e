//! What predictions say beside their outputs: which bars are events, of a strategy that learns from
//! events only, and what they cost.

use std::process::Command;

use crate::data_train_models::{BARS, Place};
use crate::hand_model::store_hand;
use crate::program::{root, run_in_system};

const SERVICES: &str = "fetcher,validator,processor,trainer,registry";

/// Compares with the data set, which holds the events that have features and a label.
const SCRIPT: &str = r#"
import polars, sys

rows = polars.read_parquet(open("rows.path").read().split())
predictions = polars.read_csv("predictions.csv", try_parse_dates=True)
events = predictions.filter(polars.col("event") == "yes")
times = polars.col("known_at").dt.timestamp("us").alias("time")
learnt = set(rows.select(times)["time"])
said = set(events.select(times)["time"])
print(len(learnt), len(learnt - said), predictions.height - events.height, *sorted(set(predictions["event"])))
"#;

#[test]
fn predictions_mark_the_events_that_a_training_learnt_from() {
    let folder = tempfile::tempdir().unwrap();
    let commands = "\
        ktrdr train eurusd_events --data-mode full --epochs 1 --quiet >train.txt 2>&1 || exit 9; \
        ktrdr models path eurusd_events --data >rows.path; \
        ktrdr models predict eurusd_events --out predictions.csv >out.txt || exit 8; \
        ktrdr models predict eurusd_events --last 1; \
        ktrdr models predict eurusd_events --last 1 --json";
    let ended = run_in_system(folder.path(), SERVICES, commands);
    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains(" EVENT\n"), "{}", ended.out);
    assert!(ended.out.contains(r#""event":"#), "{}", ended.out);

    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(python)
        .args(["-c", SCRIPT])
        .current_dir(folder.path())
        .env("PYTHONPATH", root().join(".deps/python"))
        .output()
        .unwrap();

    let out = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    let words: Vec<&str> = out.split_whitespace().collect();
    let [learnt, missed, quiet, no, yes] = words[..] else {
        panic!("after infra/setup python: {out}{errors}");
    };
    assert_eq!((missed, no, yes), ("0", "no", "yes"), "{out}");
    let count = |word: &str| word.parse::<usize>().unwrap();
    assert!(count(learnt) > 1_000 && count(quiet) > 10_000, "{out}");
}

#[tokio::test]
async fn a_prediction_says_what_it_costs() {
    let place = Place::new();
    store_hand(&place).await;
    place.file("mine.csv", BARS);
    let predict = [
        "models",
        "predict",
        "hand",
        "--bars",
        "EURUSD:1h=mine.csv",
        "--cost",
    ];

    let screen = place.screen_of(&predict);
    let line = screen.lines().find(|line| line.starts_with("cost: "));
    let line = line.unwrap_or_else(|| panic!("{screen}"));
    assert!(
        line.starts_with("cost: 3 bars of 1 symbol read in 0."),
        "{line}"
    );

    let lines = place.screen_of(&[&predict[..], &["--json"]].concat());
    let cost = lines.lines().find(|line| line.contains(r#""type":"cost""#));
    let cost: serde_json::Value = serde_json::from_str(cost.unwrap()).unwrap();
    assert_eq!(
        (&cost["bars"], &cost["predictions"]),
        (&3.into(), &2.into())
    );
    assert!(cost["predict_seconds"].as_f64().unwrap() > 0.0, "{cost}");
}
