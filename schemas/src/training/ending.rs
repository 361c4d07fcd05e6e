//! Why a training ended.

use serde::{Deserialize, Serialize};

use super::Monitor;

/// Why no further epoch was trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum TrainingEnd {
    /// All epochs of the settings are trained.
    AllEpochs,
    /// Early stopping: in the last epochs the monitored figure was never better by `min_delta`
    /// than in epoch `since`. It may have been a little better, so the stored weights may be those
    /// of a later epoch.
    NoImprovement {
        /// The figure that had to improve.
        monitor: Monitor,
        /// What would have been an improvement, as a share of the figure of epoch `since`.
        min_delta: f64,
        /// The epoch with the figure that had to be beaten; 0 where no epoch had one.
        since: u32,
        /// Epochs without an improvement that were borne: all those after `since`.
        patience: u32,
    },
}

impl TrainingEnd {
    /// True when early stopping ended the training before its last epoch.
    pub fn is_early(&self) -> bool {
        matches!(self, Self::NoImprovement { .. })
    }
}

impl Monitor {
    /// The word of `training.early_stopping.monitor`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ValLoss => "val_loss",
            Self::ValAccuracy => "val_accuracy",
        }
    }
}
