//! The request of a train operation, and the commands of trainer and registry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command::Command;
use crate::commands::bundle::{Bundle, BundleResult, BundleVersion};
use crate::decision_report::PartDecisions;
use crate::ids::Service;
use crate::training::TrainingEnd;

/// The `params` of a train operation: what processor, trainer and registry share. Workers never
/// read strategy files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainRequest {
    /// The strategy text as it was submitted.
    pub strategy: String,
    /// What the request changes in it: `strategies::Overrides` as JSON; null = nothing.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub overrides: Value,
    /// Name of the model; the strategy's by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// Fits the network of the request's strategy to a data set, once or as often as a bundle says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainModel {
    /// `inputs_sha256` of a data set; by default that of the process step before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// Several trainings in place of the one that the request asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Bundle>,
}

impl Command for TrainModel {
    const SERVICE: Service = Service::Trainer;
    const VERB: &'static str = "train";
    type Outcome = TrainOutcome;
}

/// What a finished training records; everything else is in the artifact's `metrics.json`. For a
/// bundle this is the training with the lowest loss on validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainOutcome {
    /// Name of the artifact: `artifacts/<sha256>`.
    pub artifact: String,
    /// Epochs trained, over all attempts.
    pub epochs: u32,
    /// Epoch whose weights are stored, from 1.
    pub best_epoch: u32,
    /// True when early stopping ended it.
    pub stopped_early: bool,
    /// Why it ended. Absent in records of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<TrainingEnd>,
    /// Finished epochs that the last attempt found in a checkpoint.
    pub resumed_at: u32,
    /// Trainable parameters of the model; 0 in records of older programs.
    #[serde(default)]
    pub parameters: u64,
    /// Headline metrics of the test part.
    pub metrics: BTreeMap<String, f64>,
    /// Rates of the classes on the test part, a few at most; empty for a regression.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassOutcome>,
    /// How often the strategy makes each decision, by part. Absent in records of older programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub decisions: BTreeMap<String, PartDecisions>,
    /// What the windows of a recurrent network cost; absent where each row is a sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<WindowOutcome>,
    /// What a reader must know before trusting the model, a few at most.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The device that it was computed on: `cpu` or `cuda:N`.
    pub device: String,
    /// Every training of a bundle, in the order of its members; empty for one training.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bundle: Vec<BundleResult>,
    /// Most memory of the GPU that was in use, by all programs on it, at the heartbeats during the
    /// training and at its end; absent on a CPU, and where no driver can be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_memory_peak_bytes: Option<u64>,
}

/// The windows that a recurrent network learnt from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowOutcome {
    /// Rows of a window.
    pub length: u64,
    /// Rows by part in which no window ends: the bars before them are of another part or symbol,
    /// or have no row.
    pub rows_lost: BTreeMap<String, u64>,
}

/// How well a model finds one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassOutcome {
    /// Name of the class.
    pub name: String,
    /// Share of right answers among those that name the class.
    pub precision: f64,
    /// Share of right answers among the rows of the class.
    pub recall: f64,
    /// 2·precision·recall / (precision + recall).
    pub f1: f64,
}

/// Gives a trained artifact a name and a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegisterModel {
    /// Name of the artifact; by default that of the train step before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// Name of the model; by default that of the request, else the strategy's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Command for RegisterModel {
    const SERVICE: Service = Service::Registry;
    const VERB: &'static str = "register";
    type Outcome = RegisterOutcome;
}

/// The version that was assigned to an artifact; for a bundle that of its first training that has
/// not failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterOutcome {
    /// Name of the model.
    pub name: String,
    /// 1 for the first.
    pub version: u32,
    /// Name of its artifact.
    pub artifact: String,
    /// The versions of a bundle; empty for one training.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bundle: Vec<BundleVersion>,
}
