//! What `ktrdr-trainer check-devices` prints, and `ktrdr doctor --gpu` judges: one line of JSON for
//! the program, then one for each training of its example.

use serde::{Deserialize, Serialize};

/// The word by which the trainer checks its devices instead of serving.
pub const CHECK_DEVICES: &str = "check-devices";

/// One line of the output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum DeviceCheckLine {
    /// Always the first one.
    Trainer(CheckedTrainer),
    /// A training that has ended with a model.
    Trained(TrainedExample),
    /// A training that has not.
    Failed(FailedExample),
    /// Written by a newer program.
    #[serde(other)]
    Other,
}

/// What the trainer is built with, and what that finds on this host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckedTrainer {
    /// Version of the program.
    pub version: String,
    /// Version of its libtorch; absent where it is built without one.
    pub libtorch: Option<String>,
    /// GPUs that this libtorch can use.
    pub gpus: u32,
}

/// The example, trained once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainedExample {
    /// `cpu` or `cuda:N`, as the setting `trainer.device` has it.
    pub device: String,
    /// `native` or `libtorch`.
    pub engine: String,
    /// Product name of the device; absent where nobody says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Epochs of the training.
    pub epochs: u32,
    /// Wall clock of the whole training, with the start of the device.
    pub seconds: f64,
    /// Wall clock of its fastest epoch.
    pub epoch_seconds: f64,
    /// Validation loss of the best epoch.
    pub validation_loss: f64,
    /// Memory of the GPU in use at the end, by all programs on it, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_used_bytes: Option<u64>,
}

/// A device that did not train the example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailedExample {
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// `native` or `libtorch`.
    pub engine: String,
    /// The reason, with its causes.
    pub error: String,
}
