//! What `ktrdr train` says: the settled parameters before it starts, and what came out of it.

use std::collections::BTreeMap;

use market::{Instrument, Utc};
use schemas::commands::{ProcessOutcome, RegisterOutcome, TrainOutcome, TrainRequest};
use schemas::ids::Service;
use schemas::manifests::OutputKind;
use schemas::names::PARTS;
use schemas::operation::OperationRecord;
use strategies::Resolved;

use crate::inputs::strategy_files::describe_split;
use crate::watch::outcome_of;

/// Most class names in a line.
const CLASSES_MAX: usize = 8;

/// Everything that decides the training, as settled from the file and the flags: one line each.
pub(crate) fn parameters(resolved: &Resolved, model: &str, bars: &str) -> String {
    let list = |words: Vec<String>| words.join(", ");
    let when = |time: Option<Utc>, open: &str| {
        time.map_or_else(|| open.to_owned(), |time| time.to_string())
    };
    let settings = &resolved.settings;
    let rows = [
        (
            "symbols",
            list(resolved.symbols.iter().map(Instrument::symbol).collect()),
        ),
        (
            "timeframes",
            list(
                resolved
                    .timeframes
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            ),
        ),
        (
            "bars",
            format!(
                "from {} to before {}, {bars}",
                when(resolved.start, "the first"),
                when(resolved.end, "now")
            ),
        ),
        ("parts", describe_split(&resolved.split)),
        (
            "features",
            format!(
                "{} columns of {} indicators",
                resolved.features.len(),
                resolved.indicators.len()
            ),
        ),
        (
            "training",
            format!(
                "{} epochs, {} rows a batch, learning rate {}, seed {}",
                settings.epochs, settings.batch_size, settings.learning_rate, resolved.seed
            ),
        ),
        ("model", model.to_owned()),
    ];
    rows.map(|(name, text)| format!("  {name:<10}  {text}"))
        .join("\n")
}

/// The result of a completed training: model, rows, classes, how good it is beside the simplest
/// rival, warnings.
pub(crate) fn describe_training(record: &OperationRecord) -> Option<Vec<(String, String)>> {
    let trained: TrainOutcome = outcome_of(record, Service::Trainer)?;
    let mut lines = Vec::new();
    let mut add = |name: &str, text: String| lines.push((name.to_owned(), text));
    if let Some(model) = outcome_of::<RegisterOutcome>(record, Service::Registry) {
        add("model", format!("{}@{}", model.name, model.version));
    }
    let processed = outcome_of::<ProcessOutcome>(record, Service::Processor);
    if let Some(data) = &processed {
        add("rows", rows(data));
        for line in classes(data, &class_names(record)) {
            add("classes", line);
        }
    }
    add("test", scores(&trained.metrics));
    add("epochs", epochs(&trained));
    let warnings = processed
        .iter()
        .flat_map(|data| &data.warnings)
        .chain(&trained.warnings);
    for warning in warnings {
        add("warning", warning.clone());
    }
    add("artifact", format!("artifacts/{}", trained.artifact));
    Some(lines)
}

/// Class names in label order, from the strategy in the operation's request; empty for a
/// regression.
fn class_names(record: &OperationRecord) -> Vec<String> {
    let request: Option<TrainRequest> = serde_json::from_value(record.params.clone()).ok();
    let request = request.and_then(|request| Resolved::from_request(&request).ok());
    match request.map(|request| request.resolved.output()) {
        Some(OutputKind::Classes { names }) => names,
        _ => Vec::new(),
    }
}

fn rows(data: &ProcessOutcome) -> String {
    let parts = PARTS
        .iter()
        .filter_map(|part| Some(format!("{} {part}", data.parts.get(*part)?)));
    let dropped: Vec<String> = data
        .dropped
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(why, count)| format!("{count} {why}"))
        .collect();
    let left_out = if dropped.is_empty() {
        String::new()
    } else {
        format!("; left out: {}", dropped.join(", "))
    };
    let reused = if data.reused {
        "; the data set stood already"
    } else {
        ""
    };
    let parts = parts.collect::<Vec<_>>().join(", ");
    format!(
        "{} of {} features: {parts}{left_out}{reused}",
        data.rows, data.features
    )
}

/// `train: BUY 710 (34 %), …`, one line a part.
fn classes(data: &ProcessOutcome, names: &[String]) -> Vec<String> {
    let line = |part: &&str| {
        let counts = data
            .classes
            .get(*part)
            .filter(|counts| !counts.is_empty())?;
        let sum = counts.iter().sum::<u64>().max(1) as f64;
        let each = counts
            .iter()
            .enumerate()
            .take(CLASSES_MAX)
            .map(|(index, count)| {
                let name = names
                    .get(index)
                    .cloned()
                    .unwrap_or_else(|| format!("class {index}"));
                format!("{name} {count} ({:.1} %)", 100.0 * *count as f64 / sum)
            });
        Some(format!("{part}: {}", each.collect::<Vec<_>>().join(", ")))
    };
    PARTS.iter().filter_map(line).collect()
}

/// Metrics of the test part, each that has a rival with what the rival reaches.
fn scores(metrics: &BTreeMap<String, f64>) -> String {
    let value = |name: &str| metrics.get(name).copied();
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let mut told = Vec::new();
    if let Some(accuracy) = value("accuracy") {
        let rival = value("majority_accuracy")
            .map(|rival| format!(" (always the most frequent class: {})", percent(rival)));
        told.push(format!(
            "accuracy {}{}",
            percent(accuracy),
            rival.unwrap_or_default()
        ));
    }
    if let Some(mae) = value("mae") {
        let rival = value("baseline_mae").map(|rival| format!(" (always the mean: {rival:.6})"));
        told.push(format!(
            "mean absolute error {mae:.6}{}",
            rival.unwrap_or_default()
        ));
    }
    told.extend(
        value("directional_accuracy").map(|share| format!("direction right {}", percent(share))),
    );
    let plain = [("macro_f1", "macro F1"), ("r2", "R²"), ("loss", "loss")];
    told.extend(
        plain
            .iter()
            .filter_map(|(key, name)| Some(format!("{name} {:.4}", value(key)?))),
    );
    told.join(", ")
}

fn epochs(trained: &TrainOutcome) -> String {
    let early = if trained.stopped_early {
        ", stopped early"
    } else {
        ""
    };
    let resumed = match trained.resumed_at {
        0 => String::new(),
        epoch => format!(", resumed after {epoch}"),
    };
    format!(
        "{} (best {}{early}{resumed}) on {}",
        trained.epochs, trained.best_epoch, trained.device
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers<T: Copy>(pairs: &[(&str, T)]) -> BTreeMap<String, T> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect()
    }

    #[test]
    fn scores_stand_beside_what_the_simplest_rival_reaches() {
        let classes = numbers(&[
            ("accuracy", 0.4321),
            ("majority_accuracy", 0.5),
            ("macro_f1", 0.3),
            ("loss", 1.05),
        ]);
        let regression = numbers(&[
            ("mae", 0.0021),
            ("baseline_mae", 0.002),
            ("r2", -0.01),
            ("directional_accuracy", 0.5),
        ]);
        insta::assert_snapshot!(format!("{}\n{}", scores(&classes), scores(&regression)), @"
        accuracy 43.21 % (always the most frequent class: 50.00 %), macro F1 0.3000, loss 1.0500
        mean absolute error 0.002100 (always the mean: 0.002000), direction right 50.00 %, R² -0.0100
        ");
    }

    #[test]
    fn rows_and_classes_are_told_part_by_part() {
        let data = ProcessOutcome {
            dataset: "d".to_owned(),
            rows: 100,
            features: 13,
            reused: false,
            parts: numbers(&[("train", 70), ("validation", 15), ("test", 15)]),
            classes: [("train", vec![35, 14, 21]), ("test", vec![5, 5, 5])]
                .map(|(part, counts)| (part.to_owned(), counts))
                .into(),
            dropped: numbers(&[("warm_up", 34), ("purged", 0)]),
            warnings: Vec::new(),
        };
        let names = ["BUY", "HOLD", "SELL"].map(str::to_owned);
        let text = [vec![rows(&data)], classes(&data, &names)]
            .concat()
            .join("\n");
        // 35 of 70 = 50 %, 14 of 70 = 20 %, 21 of 70 = 30 %.
        insta::assert_snapshot!(text, @"
        100 of 13 features: 70 train, 15 validation, 15 test; left out: 34 warm_up
        train: BUY 35 (50.0 %), HOLD 14 (20.0 %), SELL 21 (30.0 %)
        test: BUY 5 (33.3 %), HOLD 5 (33.3 %), SELL 5 (33.3 %)
        ");
    }
}
