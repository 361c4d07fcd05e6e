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
ktrdr workers drain --all --service validator --quiet >/dev/null
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
data-load: data load EURUSD --timeframe 1h
data-load: data load EURUSD --timeframe 45m
data-load: data load EURUSD --timeframe 1h --detach
data-load: data load EURUSD --timeframe 1h --dry-run
data-follow: data follow EURUSD --timeframe 1h --until 2018-01-01
data-list: data list
data-show: data show EURUSD --timeframe 1h --rows 2
data-gaps: data gaps EURUSD --timeframe 1h
status: status
workers: workers
doctor: doctor
doctor: doctor --deep
ops-acts: ops acts
strategies-validate: strategies validate eurusd_rsi_macd
";

/// What trains: a neuro-fuzzy strategy with a sealed period, then a sweep.
const TRAINING_LINES: &str = "train: train sealed_rules.yaml --epochs 1 --data-mode full
models-confirm: models confirm sealed_rules
models-confirm: models confirm sealed_rules
models-rules: models rules sealed_rules
models-rerun: models rerun sealed_rules --check
models-show: models show sealed_rules
models-predict: models predict sealed_rules --last 2
train: train eurusd_rsi_macd --sweep training.learning_rate=0.001,0.01 --folds 4 --epochs 1
models-sweep: models sweep
models-rules: models rules eurusd_rsi_macd
";

/// Schemas of commands that need a bus of their own: `lost_bus.rs` checks their lines.
const OF_LOST_BUS: [&str; 3] = ["infra-backup", "infra-rebuild", "infra-restore"];

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

/// Types the lines into a system in `folder`, and compares what comes out with the schemas.
fn check_lines(folder: &Path, before: &str, lines: &str, services: &str) {
    let mut script = before.to_owned();
    for (number, line) in lines.lines().enumerate() {
        let command = line.split_once(": ").unwrap().1;
        script.push_str(&format!("ktrdr {command} --json --quiet >{number}.out\n"));
    }

    let ended = run_in_system(folder, services, &script);

    for (number, line) in lines.lines().enumerate() {
        let name = line.split_once(": ").unwrap().0;
        let mistakes = mistakes_in(&folder.join(format!("{number}.out")), &schema(name));
        assert_eq!(mistakes, [""; 0], "{line}\n{}", ended.err);
    }
}

#[tokio::test]
async fn every_line_for_programs_is_as_its_schema_says() {
    let place = place_with_metrics().await;
    store_data_set(&place).await;
    check_lines(place.path(), BEFORE, LINES, "fetcher,validator,registry");
}

#[test]
fn every_line_of_trainings_is_as_its_schema_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = root().join("strategies/catalog/eurusd_rules.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let sealed = "end_date: \"2018-12-31\"\n  sealed_from: \"2018-07-01\"";
    let text = text.replace("end_date: \"2018-12-31\"", sealed);
    let text = text.replace("name: eurusd_rules", "name: sealed_rules");
    std::fs::write(folder.path().join("sealed_rules.yaml"), text).unwrap();

    let services = "family,fetcher,validator,processor,trainer,registry";
    check_lines(folder.path(), "", TRAINING_LINES, services);
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

    let lines = LINES.lines().chain(TRAINING_LINES.lines());
    let tested = lines.map(|line| line.split_once(": ").unwrap().0);
    let tested: BTreeSet<String> = tested.chain(OF_LOST_BUS).map(str::to_owned).collect();

    assert_eq!(written, tested);
    for name in &written {
        let link = format!("[`{name}.json`]({name}.json)");
        assert!(page.contains(&link), "{name}");
    }
}
