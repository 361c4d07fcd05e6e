//! The history of a training: what each finished epoch was worth.

use serde::{Deserialize, Serialize};

/// One finished epoch: a row of `history.parquet`. An accuracy is the share of right classes, or of
/// right signs for a regression, where rows whose label is 0 are left out; it is absent when no row
/// is left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// Epoch from 1.
    pub epoch: u32,
    /// Mean training criterion, with dropout active and weights moving.
    pub train_loss: f64,
    /// Accuracy in the same sense.
    pub train_accuracy: Option<f64>,
    /// Training criterion over the whole validation part, without dropout.
    pub validation_loss: f64,
    /// Accuracy over the whole validation part.
    pub validation_accuracy: Option<f64>,
    /// Step size in this epoch.
    pub learning_rate: f64,
    /// Wall clock of the epoch.
    pub seconds: f64,
}
