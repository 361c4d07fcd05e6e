//! The files of a trained artifact: `model.safetensors`, `metrics.json`, `history.parquet`.
//!
//! They hold no wall-clock time but the duration of each epoch, which a checkpoint keeps; so
//! publishing again after a resume from the last checkpoint gives the same bytes and the same
//! artifact.

use std::collections::BTreeMap;

use schemas::manifests::{Network, OutputKind};
use schemas::names::{HISTORY_FILE, METRICS_FILE, MODEL_FILE};
use serde::{Deserialize, Serialize};
use store::{Bytes, Cells, StoreError, Table};

use crate::{
    EpochRow, TrainError, Trained,
    metrics::{KindMetrics, PartMetrics},
    state::model_file,
};

/// One class predicted this often means that the model has collapsed.
const COLLAPSED: f64 = 0.95;

/// `metrics.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsDocument {
    /// Version of this layout.
    pub v: u16,
    /// The few numbers of the test part that a list of models shows.
    pub headline: BTreeMap<String, f64>,
    /// What a reader must know before trusting the model; empty is best.
    pub warnings: Vec<String>,
    /// Epochs trained.
    pub epochs: u32,
    /// Epoch whose weights are stored.
    pub best_epoch: u32,
    /// True when early stopping ended the run.
    pub stopped_early: bool,
    /// Seed of the run.
    pub seed: u64,
    /// Trainable parameters.
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
        let names = match &network.output {
            OutputKind::Classes { names } => names.clone(),
            OutputKind::Regression => Vec::new(),
        };
        Self {
            v: Self::VERSION,
            headline: trained
                .metrics
                .get("test")
                .map(PartMetrics::headline)
                .unwrap_or_default(),
            warnings: trained
                .metrics
                .iter()
                .flat_map(|(part, metrics)| warnings(part, metrics))
                .collect(),
            epochs: trained.history.last().map_or(0, |row| row.epoch),
            best_epoch: trained.best_epoch,
            stopped_early: trained.stopped_early,
            seed,
            parameters: network.parameter_count() as u64,
            device: trained.device.clone(),
            class_weights: names
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
pub fn files(
    trained: &Trained,
    network: &Network,
    metrics: &MetricsDocument,
) -> Result<BTreeMap<String, Bytes>, TrainError> {
    let failed = |file, source: Box<dyn std::error::Error + Send + Sync>| TrainError::File {
        file,
        doing: "written",
        source,
    };
    let json =
        serde_json::to_vec_pretty(metrics).map_err(|error| failed(METRICS_FILE, error.into()))?;
    let history = history(&trained.history).map_err(|error| failed(HISTORY_FILE, error.into()))?;
    let files = [
        (MODEL_FILE, model_file(network, &trained.weights)?.into()),
        (METRICS_FILE, json.into()),
        (HISTORY_FILE, history),
    ];
    Ok(files
        .into_iter()
        .map(|(name, bytes)| (name.to_owned(), bytes))
        .collect())
}

fn history(rows: &[EpochRow]) -> Result<Bytes, StoreError> {
    let column = |value: fn(&EpochRow) -> f64| Cells::Number(rows.iter().map(value).collect());
    Table::default()
        .with(
            "epoch",
            Cells::Integer(rows.iter().map(|row| i64::from(row.epoch)).collect()),
        )
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

fn warnings(part: &str, metrics: &PartMetrics) -> Vec<String> {
    let mut found = Vec::new();
    match &metrics.kind {
        KindMetrics::Classes(classes) => {
            for class in &classes.classes {
                if class.support == 0 {
                    found.push(format!(
                        "the {part} part has no row of class {}",
                        class.name
                    ));
                }
                if class.predicted_share > COLLAPSED {
                    let percent = 100.0 * class.predicted_share;
                    found.push(format!(
                        "the model answers {} on {percent:.1} % of the {part} part",
                        class.name
                    ));
                }
            }
            if part == "test" && classes.accuracy <= classes.majority_accuracy {
                let (ours, theirs) = (100.0 * classes.accuracy, 100.0 * classes.majority_accuracy);
                found.push(format!(
                    "test accuracy {ours:.1} % does not beat always answering the most frequent class, {theirs:.1} %"
                ));
            }
        }
        KindMetrics::Regression(regression)
            if part == "test" && regression.mse >= regression.baseline_mse =>
        {
            found.push(
                "the test error does not beat always predicting the training part's mean"
                    .to_owned(),
            );
        }
        KindMetrics::Regression(_) => {}
    }
    found
}
