//! A strategy that learns from events only: its predictions say which bars are events.

use std::process::Command;

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
