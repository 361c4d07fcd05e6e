//! The files of a trained artifact: `model.safetensors`, `metrics.json`, `metrics.parquet`,
//! `history.parquet`, with detailed analytics `analytics.parquet`, and of a neuro-fuzzy network
//! `rules.json`.
//!
//! They hold no wall-clock time but the duration of each epoch, which a checkpoint keeps; so
//! publishing again after a resume from the last checkpoint gives the same bytes and the same
//! artifact.

use std::collections::BTreeMap;

use networks::tsk::report_rules;
use schemas::decision_report::{DecisionReport, Suggestion};
use schemas::edge::PartEdge;
use schemas::manifests::{Network, OutputKind};
use schemas::metrics::{ClassMetrics, Evaluation, KindMetrics, MetricsDocument, PartMetrics};
use schemas::names::{
    ANALYTICS_FILE, HISTORY_FILE, METRICS_FILE, METRICS_TABLE_FILE, MODEL_FILE, RULES_FILE,
    TEST_PART, VALIDATION_PART,
};
use store::{Bytes, Cells, StoreError, Table};

use crate::analytics::analytics_file;
use crate::data::PartData;
use crate::memory::halving_warnings;
use crate::metrics::metrics_file;
use crate::state::model_file;
use crate::{EpochRow, TrainError, Trained};

/// Share of rows from which on one predicted class means that the model has collapsed.
const COLLAPSED_SHARE: f64 = 0.95;

/// The document `metrics.json` of a training on the rows of `train` that has finished.
pub fn metrics_document(
    trained: &Trained,
    train: &PartData,
    evaluation: Evaluation,
    seed: u64,
) -> MetricsDocument {
    let network = &trained.network;
    let class_names = match &network.output {
        OutputKind::Classes { names } => names.clone(),
        OutputKind::Regression => Vec::new(),
    };
    // The headline is of the test part: the only one that chose nothing.
    let test = trained.metrics.get(TEST_PART);
    let by_part = trained.metrics.iter();
    let by_part = by_part.flat_map(|(part, metrics)| warnings_of(part, metrics, &evaluation));
    let first = constant_warning(network, train).into_iter();
    let batch_size = trained.asked_batch_size;
    let first = first.chain(halving_warnings(batch_size, &trained.halvings));
    let warnings = first.chain(decision_warnings(&evaluation)).chain(by_part);

    let mut headline = test.map(PartMetrics::headline).unwrap_or_default();
    let edge = evaluation.edge.as_ref();
    let edge = edge.and_then(|edge| edge.parts.get(TEST_PART));
    headline.extend(edge.map(PartEdge::headline).unwrap_or_default());

    MetricsDocument {
        v: MetricsDocument::VERSION,
        headline,
        warnings: warnings.collect(),
        epochs: trained.history.last().map_or(0, |row| row.epoch),
        best_epoch: trained.best_epoch,
        stopped_early: trained.ending.is_early(),
        ending: Some(trained.ending),
        halvings: trained.halvings.clone(),
        seed,
        parameters: network.parameter_count() as u64,
        device: trained.device.clone(),
        class_weights: class_names
            .into_iter()
            .zip(trained.objective.class_weights.iter().copied())
            .collect(),
        parts: trained.metrics.clone(),
        evaluation,
    }
}

/// The files by name. The rules of a neuro-fuzzy network are reported over the rows of `train`.
///
/// # Errors
/// When the weights are not those of the network, or a file cannot be encoded.
pub fn encode_files(
    trained: &Trained,
    train: &PartData,
    metrics: &MetricsDocument,
) -> Result<BTreeMap<String, Bytes>, TrainError> {
    // Nothing here depends on when it runs: publishing again must give the same bytes.
    let model = model_file(&trained.network, &trained.weights)?;
    let table =
        metrics_file(metrics).map_err(|error| not_encoded(METRICS_TABLE_FILE, error.into()))?;
    let metrics = serde_json::to_vec_pretty(metrics)
        .map_err(|error| not_encoded(METRICS_FILE, error.into()))?;
    let history =
        history_file(&trained.history).map_err(|error| not_encoded(HISTORY_FILE, error.into()))?;

    let mut files = BTreeMap::from([
        (MODEL_FILE.to_owned(), model.into()),
        (METRICS_FILE.to_owned(), metrics.into()),
        (METRICS_TABLE_FILE.to_owned(), table),
        (HISTORY_FILE.to_owned(), history),
    ]);
    if !trained.analytics.is_empty() {
        let analytics = analytics_file(&trained.network, &trained.analytics)
            .map_err(|error| not_encoded(ANALYTICS_FILE, error.into()))?;
        files.insert(ANALYTICS_FILE.to_owned(), analytics);
    }
    if let Some(rules) = report_rules(&trained.network, &trained.weights, &train.features) {
        let rules = serde_json::to_vec_pretty(&rules)
            .map_err(|error| not_encoded(RULES_FILE, error.into()))?;
        files.insert(RULES_FILE.to_owned(), rules.into());
    }
    Ok(files)
}

fn not_encoded(file: &'static str, source: Box<dyn std::error::Error + Send + Sync>) -> TrainError {
    TrainError::File {
        file,
        doing: "written",
        source,
    }
}

/// One row per epoch, with the fields of [`EpochRow`] as columns; an absent accuracy is NaN.
fn history_file(rows: &[EpochRow]) -> Result<Bytes, StoreError> {
    let column = |value: fn(&EpochRow) -> f64| Cells::Number(rows.iter().map(value).collect());
    let epochs = rows.iter().map(|row| i64::from(row.epoch)).collect();

    Table::default()
        .with("epoch", Cells::Integer(epochs))
        .with("train_loss", column(|row| row.train_loss))
        .with(
            "train_accuracy",
            column(|row| row.train_accuracy.unwrap_or(f64::NAN)),
        )
        .with("validation_loss", column(|row| row.validation_loss))
        .with(
            "validation_accuracy",
            column(|row| row.validation_accuracy.unwrap_or(f64::NAN)),
        )
        .with("learning_rate", column(|row| row.learning_rate))
        .with("seconds", column(|row| row.seconds))
        .to_parquet()
}

/// That features have one value in every row of the training part.
fn constant_warning(network: &Network, train: &PartData) -> Option<String> {
    let constant = train.constant_columns(network.features.len());
    let columns = constant
        .iter()
        .filter_map(|column| network.features.get(*column));

    let names: Vec<&str> = columns.map(|column| column.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        format!("nothing was learnt from what never changes in the train part: {names}")
    })
}

/// Decisions that the strategy never makes.
fn decision_warnings(evaluation: &Evaluation) -> Vec<String> {
    let Some(report) = &evaluation.decisions else {
        return Vec::new();
    };
    let mut buy = 0;
    let mut sell = 0;
    for part in [VALIDATION_PART, TEST_PART] {
        let counts = report.parts.get(part).copied().unwrap_or_default();
        buy += counts.buy;
        sell += counts.sell;
    }

    let where_seen = "in the validation and the test part";
    match (buy, sell) {
        (0, 0) => vec![format!(
            "the decision is HOLD on every row {where_seen}: {}",
            remedy_of(report)
        )],
        (0, _) => vec![format!("no decision is BUY {where_seen}")],
        (_, 0) => vec![format!("no decision is SELL {where_seen}")],
        _ => Vec::new(),
    }
}

/// Which threshold would make decisions.
fn remedy_of(report: &DecisionReport) -> String {
    let key = report.threshold.key();
    let value = report.threshold.value();
    match report.suggestion {
        Some(Suggestion { threshold, share }) => format!(
            "{key} {threshold} in place of {value} would make {:.1} % of the validation part BUY \
             or SELL",
            100.0 * share
        ),
        None => format!("no {key} would make 5 % of the validation part BUY or SELL"),
    }
}

/// What a reader must know before trusting the model on `part`.
fn warnings_of(part: &str, metrics: &PartMetrics, evaluation: &Evaluation) -> Vec<String> {
    match &metrics.kind {
        KindMetrics::Classes(classes) => class_warnings(part, classes, evaluation),
        KindMetrics::Regression(regression)
            if part == TEST_PART && regression.mse >= regression.baseline_mse =>
        {
            let warning = "the test error does not beat always predicting the mean of the \
                           training part";
            vec![warning.to_owned()]
        }
        KindMetrics::Regression(_) => Vec::new(),
    }
}

fn class_warnings(part: &str, metrics: &ClassMetrics, evaluation: &Evaluation) -> Vec<String> {
    let mut warnings = Vec::new();
    for class in &metrics.classes {
        let name = &class.name;
        if class.support == 0 {
            warnings.push(format!("the {part} part has no row of class {name}"));
        }
        if class.predicted_share > COLLAPSED_SHARE {
            let percent = 100.0 * class.predicted_share;
            warnings.push(format!(
                "the model answers {name} on {percent:.1} % of the {part} part"
            ));
        }
    }

    // Only the test part is unseen: a model that does not beat the simplest answer there is worth
    // nothing.
    if part == TEST_PART {
        warnings.extend(accuracy_warning(metrics, evaluation));
    }
    warnings
}

/// That the accuracy does not beat that of the most frequent class, or not beyond chance.
fn accuracy_warning(metrics: &ClassMetrics, evaluation: &Evaluation) -> Option<String> {
    let accuracy = 100.0 * metrics.accuracy;
    let rival = format!(
        "always answering the most frequent class, {:.1} %",
        100.0 * metrics.majority_accuracy
    );
    if metrics.accuracy <= metrics.majority_accuracy {
        return Some(format!(
            "test accuracy {accuracy:.1} % does not beat {rival}"
        ));
    }

    let uncertainty = evaluation.uncertainty.as_ref()?;
    let gain = uncertainty.intervals.get("accuracy_gain")?;
    (gain.low <= 0.0).then(|| {
        format!(
            "test accuracy {accuracy:.1} % may be chance: its gain over {rival}, lies between \
             {:.1} and {:.1} points",
            100.0 * gain.low,
            100.0 * gain.high
        )
    })
}
