//! What `ktrdr train` says at its end: the model, the rows it learnt from, and how good it is.

use std::collections::BTreeMap;

use schemas::commands::{
    BundleResult, ClassOutcome, ProcessOutcome, RegisterOutcome, TrainOutcome, TrainRequest,
    WindowOutcome,
};
use schemas::ids::Service;
use schemas::manifests::OutputKind;
use schemas::names::PARTS;
use schemas::operation::OperationRecord;
use strategies::Resolved;

use super::decisions::describe_decisions;
use crate::console::{describe_ending, gibibytes};
use crate::watch::outcome_of;

/// Most classes in a line.
const CLASSES_MAX: usize = 8;

/// The result of a completed training: model, rows, classes, metrics next to those of the simplest
/// rival, warnings. None if the trainer stored no result.
pub(crate) fn describe_training(record: &OperationRecord) -> Option<Vec<(String, String)>> {
    let trained: TrainOutcome = outcome_of(record, Service::Trainer)?;
    let processed: Option<ProcessOutcome> = outcome_of(record, Service::Processor);
    let registered: Option<RegisterOutcome> = outcome_of(record, Service::Registry);

    let mut lines = Vec::new();
    if !trained.bundle.is_empty() {
        lines.push(("trainings", describe_bundle(&trained.bundle)));
    }
    if let Some(model) = registered {
        lines.push(("model", describe_model(&model, &trained)));
    }
    // An older trainer has not counted them.
    if trained.parameters > 0 {
        lines.push(("size", format!("{} parameters", trained.parameters)));
    }
    if let Some(data_set) = &processed {
        lines.extend(describe_data_set(data_set, record));
    }
    if let Some(windows) = &trained.windows {
        lines.push(("windows", describe_windows(windows)));
    }
    lines.extend(describe_outcome(&trained));

    // Warnings about the data may explain those of the training, so they come first.
    for warning in processed.iter().flat_map(|data_set| &data_set.warnings) {
        lines.push(("warning", warning.clone()));
    }
    for warning in &trained.warnings {
        lines.push(("warning", warning.clone()));
    }
    lines.push(("artifact", format!("artifacts/{}", trained.artifact)));
    Some(
        lines
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text))
            .collect(),
    )
}

/// `64, 2 of them failed`.
fn describe_bundle(results: &[BundleResult]) -> String {
    let failed = results.iter().filter(|result| result.error.is_some());
    match failed.count() {
        0 => results.len().to_string(),
        failed => format!("{}, {failed} of them failed", results.len()),
    }
}

/// `trend@3`; of a bundle the version that the other lines are about.
fn describe_model(registered: &RegisterOutcome, trained: &TrainOutcome) -> String {
    let name = &registered.name;
    let is_best = |result: &&BundleResult| result.artifact.as_ref() == Some(&trained.artifact);
    let Some(best) = trained.bundle.iter().find(is_best) else {
        return format!("{name}@{}", registered.version);
    };

    let mut versions = registered.bundle.iter();
    let version = versions.find(|version| version.training == best.training);
    let version = version.map_or(registered.version, |version| version.version);
    format!("{name}@{version}, the best on validation")
}

/// How good the model is, what the strategy decides by it, and why its training ended.
fn describe_outcome(trained: &TrainOutcome) -> Vec<(&'static str, String)> {
    let mut lines = vec![("test", describe_metrics(&trained.metrics))];
    for class in &trained.classes {
        lines.push(("test", describe_class(class)));
    }
    for part in describe_decisions(&trained.decisions) {
        lines.push(("decisions", part));
    }

    lines.push(("epochs", describe_epochs(trained)));
    if let Some(ending) = &trained.ending {
        lines.push(("ending", describe_ending(ending)));
    }
    lines
}

fn describe_data_set(
    data_set: &ProcessOutcome,
    record: &OperationRecord,
) -> Vec<(&'static str, String)> {
    let mut lines = vec![("rows", describe_rows(data_set))];
    for part in describe_classes(data_set, &class_names(record)) {
        lines.push(("classes", part));
    }
    lines
}

/// Class names in label order, from the strategy in the operation's request; empty for a
/// regression.
fn class_names(record: &OperationRecord) -> Vec<String> {
    let request: Option<TrainRequest> = serde_json::from_value(record.params.clone()).ok();
    let resolved = request.and_then(|request| Resolved::from_request(&request).ok());
    match resolved.map(|request| request.resolved.output()) {
        Some(OutputKind::Classes { names }) => names,
        _ => Vec::new(),
    }
}

/// `100 with 13 features: 70 train, 15 validation, 15 test; left out: 34 warm_up`.
fn describe_rows(data_set: &ProcessOutcome) -> String {
    let mut parts = Vec::new();
    for part in PARTS {
        if let Some(count) = data_set.parts.get(part) {
            parts.push(format!("{count} {part}"));
        }
    }
    let mut text = format!(
        "{} with {} features: {}",
        data_set.rows,
        data_set.features,
        parts.join(", ")
    );

    // A count of 0 is no loss, and would hide the reasons that cost rows.
    let dropped: Vec<String> = data_set
        .dropped
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    if !dropped.is_empty() {
        text.push_str(&format!("; left out: {}", dropped.join(", ")));
    }
    if data_set.reused {
        text.push_str("; the stored data set was used");
    }
    text
}

/// `train: BUY 710 (34.1 %), …`, one line for each part that has classes.
fn describe_classes(data_set: &ProcessOutcome, names: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for part in PARTS {
        match data_set.classes.get(part) {
            Some(counts) if !counts.is_empty() => {
                lines.push(format!("{part}: {}", describe_counts(counts, names)));
            }
            _ => {}
        }
    }
    lines
}

fn describe_counts(counts: &[u64], names: &[String]) -> String {
    let sum = counts.iter().sum::<u64>().max(1) as f64;
    let mut classes = Vec::new();
    for (index, count) in counts.iter().enumerate().take(CLASSES_MAX) {
        let name = match names.get(index) {
            Some(name) => name.clone(),
            None => format!("class {index}"),
        };
        let percent = 100.0 * *count as f64 / sum;
        classes.push(format!("{name} {count} ({percent:.1} %)"));
    }
    classes.join(", ")
}

/// `20 bars each; 57 rows lost to windows: 19 train, 19 validation, 19 test`.
fn describe_windows(windows: &WindowOutcome) -> String {
    let mut parts = Vec::new();
    for part in PARTS {
        if let Some(rows) = windows.rows_lost.get(part) {
            parts.push(format!("{rows} {part}"));
        }
    }

    let lost: u64 = windows.rows_lost.values().sum();
    format!(
        "{} bars each; {lost} rows lost to windows: {}",
        windows.length,
        parts.join(", ")
    )
}

/// Metrics of the test part; next to one that has a rival, what the rival reaches.
fn describe_metrics(metrics: &BTreeMap<String, f64>) -> String {
    let metric = |name: &str| metrics.get(name).copied();
    let mut texts = Vec::new();

    // Where one class is frequent, a high accuracy alone proves nothing.
    if let Some(accuracy) = metric("accuracy") {
        let rival = match metric("majority_accuracy") {
            Some(rival) => format!(
                " (always the most frequent class: {})",
                percent_of_one(rival)
            ),
            None => String::new(),
        };
        texts.push(format!("accuracy {}{rival}", percent_of_one(accuracy)));
    }
    if let Some(error) = metric("mae") {
        let rival = match metric("baseline_mae") {
            Some(rival) => format!(" (always the mean: {rival:.6})"),
            None => String::new(),
        };
        texts.push(format!("mean absolute error {error:.6}{rival}"));
    }
    if let Some(share) = metric("directional_accuracy") {
        texts.push(format!("direction right {}", percent_of_one(share)));
    }

    let numbers = [
        ("macro_precision", "macro precision"),
        ("macro_recall", "macro recall"),
        ("macro_f1", "macro F1"),
        ("r2", "R²"),
        ("loss", "loss"),
    ];
    for (key, name) in numbers {
        if let Some(value) = metric(key) {
            texts.push(format!("{name} {value:.4}"));
        }
    }
    texts.join(", ")
}

/// `BUY: precision 0.4000, recall 0.2000, F1 0.2667`.
fn describe_class(class: &ClassOutcome) -> String {
    format!(
        "{}: precision {:.4}, recall {:.4}, F1 {:.4}",
        class.name, class.precision, class.recall, class.f1
    )
}

fn percent_of_one(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// `13 (lowest val_loss in epoch 11) on cpu`, `… on cuda:0, 1.5 GiB of it in use`.
fn describe_epochs(trained: &TrainOutcome) -> String {
    let mut best = format!("lowest val_loss in epoch {}", trained.best_epoch);
    // An older trainer does not say why.
    if trained.stopped_early && trained.ending.is_none() {
        best.push_str(", stopped early");
    }
    if trained.resumed_at > 0 {
        best.push_str(&format!(", resumed after {}", trained.resumed_at));
    }

    let memory = match trained.gpu_memory_peak_bytes {
        Some(bytes) => format!(", {:.1} GiB of it in use", gibibytes(bytes)),
        None => String::new(),
    };

    format!("{} ({best}) on {}{memory}", trained.epochs, trained.device)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use schemas::ids::Lane;
    use schemas::operation::NewOperation;
    use schemas::plan::{Plan, StepSpec};
    use serde_json::{Value, json};

    use super::*;

    fn numbers<T: Copy>(pairs: &[(&str, T)]) -> BTreeMap<String, T> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect()
    }

    #[test]
    fn metrics_are_shown_next_to_those_of_the_simplest_rival() {
        let classes = numbers(&[
            ("accuracy", 0.4321),
            ("majority_accuracy", 0.5),
            ("macro_precision", 0.25),
            ("macro_recall", 0.375),
            ("macro_f1", 0.3),
            ("loss", 1.05),
        ]);
        let regression = numbers(&[
            ("mae", 0.0021),
            ("baseline_mae", 0.002),
            ("r2", -0.01),
            ("directional_accuracy", 0.5),
        ]);

        let text = [describe_metrics(&classes), describe_metrics(&regression)].join("\n");

        insta::assert_snapshot!(text, @"
        accuracy 43.21 % (always the most frequent class: 50.00 %), macro precision 0.2500, macro recall 0.3750, macro F1 0.3000, loss 1.0500
        mean absolute error 0.002100 (always the mean: 0.002000), direction right 50.00 %, R² -0.0100
        ");
    }

    fn step_of(service: Service) -> StepSpec {
        StepSpec {
            service,
            verb: "run".to_owned(),
            lane: Lane::Default,
            weight: 1.0,
            command: Value::Null,
        }
    }

    /// A training of these steps, completed with these results.
    fn completed(results: &[(Service, Value)]) -> OperationRecord {
        let steps = results.iter().map(|(service, _)| step_of(*service));
        let new = NewOperation {
            kind: "train".to_owned(),
            plan: Plan::sequence(steps.collect()),
            ..NewOperation::default()
        };

        let op = "op_train_20260301_142233_9f3a01bc".parse().unwrap();
        let mut record = OperationRecord::create(op, new, Timestamp::UNIX_EPOCH);
        for (step, (_, result)) in record.steps.iter_mut().zip(results) {
            step.result = result.clone();
        }
        record
    }

    #[test]
    fn the_final_report_has_every_metric_and_the_size() {
        let trained = json!({
            "artifact": "c083c89b",
            "epochs": 13,
            "best_epoch": 8,
            "stopped_early": true,
            "ending": {
                "kind": "no_improvement", "monitor": "val_loss", "min_delta": 0.001, "since": 3,
                "patience": 10,
            },
            "resumed_at": 0,
            "parameters": 1027,
            "metrics": {
                "accuracy": 0.4321, "majority_accuracy": 0.5, "macro_precision": 0.25,
                "macro_recall": 0.375, "macro_f1": 0.3, "loss": 1.05, "criterion": 1.1,
            },
            // 2·0.4·0.2 / 0.6 = 0.2667.
            "classes": [{"name": "BUY", "precision": 0.4, "recall": 0.2, "f1": 0.266_666_7}],
            "warnings": ["the model answers HOLD on 96.0 % of the test part"],
            "device": "cpu",
        });
        let registered = json!({"name": "hand", "version": 2, "artifact": "c083c89b"});
        let record = completed(&[(Service::Trainer, trained), (Service::Registry, registered)]);

        let lines = describe_training(&record).unwrap();

        let lines = lines
            .iter()
            .map(|(name, text)| format!("{name:<8} {text}\n"));
        insta::assert_snapshot!(lines.collect::<String>(), @"
        model    hand@2
        size     1027 parameters
        test     accuracy 43.21 % (always the most frequent class: 50.00 %), macro precision 0.2500, macro recall 0.3750, macro F1 0.3000, loss 1.0500
        test     BUY: precision 0.4000, recall 0.2000, F1 0.2667
        epochs   13 (lowest val_loss in epoch 8) on cpu
        ending   stopped early: in 10 epochs val_loss was never lower by 0.1 % than in epoch 3
        warning  the model answers HOLD on 96.0 % of the test part
        artifact artifacts/c083c89b
        ");
    }

    #[test]
    fn rows_without_a_window_are_counted_part_by_part() {
        // 19 of each part and 4 more behind a missing bar: 19 + 19 + 23.
        let windows = WindowOutcome {
            length: 20,
            rows_lost: numbers(&[("train", 19), ("validation", 19), ("test", 23)]),
        };
        insta::assert_snapshot!(
            describe_windows(&windows),
            @"20 bars each; 61 rows lost to windows: 19 train, 19 validation, 23 test"
        );
    }

    #[test]
    fn rows_and_classes_are_shown_part_by_part() {
        // 35 of 70 = 50 %, 14 of 70 = 20 %, 21 of 70 = 30 %.
        let classes = [("train", vec![35, 14, 21]), ("test", vec![5, 5, 5])];
        let data_set = ProcessOutcome {
            dataset: "d".to_owned(),
            rows: 100,
            features: 13,
            reused: false,
            parts: numbers(&[("train", 70), ("validation", 15), ("test", 15)]),
            classes: classes
                .map(|(part, counts)| (part.to_owned(), counts))
                .into(),
            dropped: numbers(&[("warm_up", 34), ("purged", 0)]),
            warnings: Vec::new(),
        };
        let names = ["BUY", "HOLD", "SELL"].map(str::to_owned);

        let mut lines = vec![describe_rows(&data_set)];
        lines.extend(describe_classes(&data_set, &names));

        insta::assert_snapshot!(lines.join("\n"), @"
        100 with 13 features: 70 train, 15 validation, 15 test; left out: 34 warm_up
        train: BUY 35 (50.0 %), HOLD 14 (20.0 %), SELL 21 (30.0 %)
        test: BUY 5 (33.3 %), HOLD 5 (33.3 %), SELL 5 (33.3 %)
        ");
    }
}
