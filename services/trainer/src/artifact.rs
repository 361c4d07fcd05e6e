//! The files of a trained artifact: `model.safetensors`, `metrics.json`, `history.parquet`.
//!
//! They hold no wall-clock time but the duration of each epoch, which a checkpoint keeps; so
//! publishing again after a resume from the last checkpoint gives the same bytes and the same
//! artifact.

use std::collections::BTreeMap;

use schemas::manifests::{Network, OutputKind};
use schemas::names::{HISTORY_FILE, METRICS_FILE, MODEL_FILE, TEST_PART};
use serde::{Deserialize, Serialize};
use store::{Bytes, Cells, StoreError, Table};

use crate::{
    EpochRow, TrainError, Trained,
    metrics::{ClassMetrics, KindMetrics, PartMetrics},
    state::model_file,
};

/// Share of rows from which on one predicted class means that the model has collapsed.
const COLLAPSED_SHARE: f64 = 0.95;

/// The document `metrics.json` of an artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsDocument {
    /// Version of this layout.
    pub v: u16,
    /// The few numbers of the test part that a list of models shows.
    pub headline: BTreeMap<String, f64>,
    /// What a reader must know before trusting the model; empty is best.
    pub warnings: Vec<String>,
    /// Number of epochs trained.
    pub epochs: u32,
    /// Epoch whose weights are stored.
    pub best_epoch: u32,
    /// True when early stopping ended the run.
    pub stopped_early: bool,
    /// Seed of the run.
    pub seed: u64,
    /// Number of trainable parameters.
    pub parameters: u64,
    /// `cpu` or `cuda:0`.
    pub device: String,
    /// Weight of each class in the criterion; empty for a regression.
    pub class_weights: BTreeMap<String, f64>,
    /// Metrics of `train`, `validation` and `test`.
    pub parts: BTreeMap<String, PartMetrics>,
}

impl MetricsDocument {
    /// Version of the layout written now.
    pub const VERSION: u16 = 1;

    /// The document of a finished training.
    pub fn new(trained: &Trained, network: &Network, seed: u64) -> Self {
        let class_names = match &network.output {
            OutputKind::Classes { names } => names.clone(),
            OutputKind::Regression => Vec::new(),
        };
        // The headline is of the test part: the only one that chose nothing.
        let test = trained.metrics.get(TEST_PART);
        let warnings = trained
            .metrics
            .iter()
            .flat_map(|(part, metrics)| warnings_of(part, metrics));

        Self {
            v: Self::VERSION,
            headline: test.map(PartMetrics::headline).unwrap_or_default(),
            warnings: warnings.collect(),
            epochs: trained.history.last().map_or(0, |row| row.epoch),
            best_epoch: trained.best_epoch,
            stopped_early: trained.stopped_early,
            seed,
            parameters: network.parameter_count() as u64,
            device: trained.device.clone(),
            class_weights: class_names
                .into_iter()
                .zip(trained.class_weights.iter().copied())
                .collect(),
            parts: trained.metrics.clone(),
        }
    }
}

/// The three files by name.
///
/// # Errors
/// When the weights are not those of `network`, or a file cannot be encoded.
pub fn encode_files(
    trained: &Trained,
    network: &Network,
    metrics: &MetricsDocument,
) -> Result<BTreeMap<String, Bytes>, TrainError> {
    // Nothing here depends on when it runs: publishing again must give the same bytes.
    let model = model_file(network, &trained.weights)?;
    let metrics = serde_json::to_vec_pretty(metrics)
        .map_err(|error| not_encoded(METRICS_FILE, error.into()))?;
    let history =
        history_file(&trained.history).map_err(|error| not_encoded(HISTORY_FILE, error.into()))?;

    Ok(BTreeMap::from([
        (MODEL_FILE.to_owned(), model.into()),
        (METRICS_FILE.to_owned(), metrics.into()),
        (HISTORY_FILE.to_owned(), history),
    ]))
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

/// What a reader must know before trusting the model on `part`.
fn warnings_of(part: &str, metrics: &PartMetrics) -> Vec<String> {
    match &metrics.kind {
        KindMetrics::Classes(classes) => class_warnings(part, classes),
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

fn class_warnings(part: &str, metrics: &ClassMetrics) -> Vec<String> {
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
    if part == TEST_PART && metrics.accuracy <= metrics.majority_accuracy {
        warnings.push(format!(
            "test accuracy {:.1} % does not beat always answering the most frequent class, {:.1} %",
            100.0 * metrics.accuracy,
            100.0 * metrics.majority_accuracy
        ));
    }
    warnings
}
