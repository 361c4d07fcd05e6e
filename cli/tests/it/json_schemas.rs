//! What programs read: every line of `--json` is as the schema of its command says.

use std::collections::BTreeSet;
use std::path::Path;

use crate::hand_model::store_data_set;
use crate::model_questions::place_with_metrics;
use crate::program::{root, run_in_system};
use crate::schema_check::Schema;

/// What is there before anything is read.
const BEFORE: &str =
    "ktrdr data load EURUSD --timeframe 1h --mode full --quiet >/dev/null || exit 9
ktrdr models note hand holds --quiet >/dev/null
ktrdr models tag hand desk=fx --quiet >/dev/null
";

/// Schema and command line, in an order in which each finds what it needs.
const LINES: &str = "models-list: models list --columns lr,dates
models-show: models show hand
models-show: models show hand --settings
models-show: models show hand --history
models-show: models show hand --thresholds
models-show: models show hand --confusion
models-show: models show hand --importance
models-show: models show hand --calibration
models-show: models show nothing
models-compare: models compare hand@1 hand@1
models-predict: models predict hand --symbol EURUSD --last 3
models-predict: models predict hand --symbol EURUSD --out all.csv
models-predict: models predict hand --symbol EURUSD --last 1 --cost
models-report: models report hand
models-promote: models promote hand production
models-aliases: models aliases
models-aliases: models aliases hand
models-demote: models demote hand production
models-note: models note hand drifts
models-note: models note hand
models-tag: models tag hand run=b
models-path: models path hand
models-export: models export hand --to safetensors --out weights.safetensors
models-rename: models rename hand linear
models-show: models show linear
models-delete: models delete linear@1
models-list: models list --deleted
models-undelete: models undelete linear@1
data-list: data list
data-show: data show EURUSD --timeframe 1h --rows 2
data-gaps: data gaps EURUSD --timeframe 1h
status: status
workers: workers
strategies-validate: strategies validate eurusd_rsi_macd
";

fn schema(name: &str) -> Schema {
    let file = root().join(format!("docs/schemas/{name}.json"));
    Schema::new(&std::fs::read_to_string(file).unwrap())
}

/// Mistakes in what a command has printed, line by line.
fn mistakes_in(output: &Path, schema: &Schema) -> Vec<String> {
    let text = std::fs::read_to_string(output).unwrap();
    let mut mistakes = Vec::new();
    if text.is_empty() {
        mistakes.push("it prints nothing".to_owned());
    }
    for line in text.lines() {
        mistakes.extend(schema.mistakes(&serde_json::from_str(line).unwrap()));
    }
    mistakes
}

#[tokio::test]
async fn every_line_for_programs_is_as_its_schema_says() {
    let place = place_with_metrics().await;
    store_data_set(&place).await;
    let mut script = BEFORE.to_owned();
    for (number, line) in LINES.lines().enumerate() {
        let command = line.split_once(": ").unwrap().1;
        script.push_str(&format!("ktrdr {command} --json --quiet >{number}.out\n"));
    }

    let ended = run_in_system(place.path(), "fetcher,validator,registry", &script);

    for (number, line) in LINES.lines().enumerate() {
        let name = line.split_once(": ").unwrap().0;
        let output = place.path().join(format!("{number}.out"));
        let mistakes = mistakes_in(&output, &schema(name));
        assert_eq!(mistakes, [""; 0], "{line}\n{}", ended.err);
    }
}

#[test]
fn the_page_lists_every_schema_and_each_is_tested() {
    let folder = root().join("docs/schemas");
    let page = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let written: BTreeSet<String> = files
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect();

    let tested = LINES.lines().map(|line| line.split_once(": ").unwrap().0);
    let tested: BTreeSet<String> = tested.map(str::to_owned).collect();

    assert_eq!(written, tested);
    for name in &written {
        let link = format!("[`{name}.json`]({name}.json)");
        assert!(page.contains(&link), "{name}");
    }
}
