//! The manifests of a trained artifact and of a named model version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::network::Network;

/// A file of an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Hash of the bytes, checked on read.
    pub sha256: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

/// Where an artifact came from, enough to make it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lineage {
    /// The operation that trained it.
    pub operation: String,
    /// `inputs_sha256` of the data set.
    pub dataset: String,
    /// Series content hashes by series key.
    pub series: BTreeMap<String, String>,
    /// The strategy text as it was submitted.
    pub strategy: String,
    /// SHA-256 of that text.
    pub strategy_sha256: String,
    /// The overrides of the request, an empty object when it changed nothing. Absent in manifests
    /// written before lineages kept them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<serde_json::Value>,
    /// Seed of initialisation, shuffling and dropout.
    pub seed: u64,
    /// Instruments trained on, in order.
    pub symbols: Vec<String>,
    /// Timeframes, base first.
    pub timeframes: Vec<String>,
    /// Versions of the programs and libraries that took part.
    pub versions: BTreeMap<String, String>,
}

/// `artifacts/<sha256>/manifest.json`, written after every file it names. The directory is named by
/// the hash of `model.safetensors`' manifest entry set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArtifactManifest {
    /// Version of this layout.
    pub v: u16,
    /// Files by name: `model.safetensors`, `metrics.json`, `metrics.parquet`,
    /// `history.parquet`.
    pub files: BTreeMap<String, ObjectRef>,
    /// The network whose weights `model.safetensors` holds.
    pub network: Network,
    /// Where it came from.
    pub lineage: Lineage,
    /// The effective training settings.
    pub training: serde_json::Value,
    /// The probability that a decision needs, where the strategy leaves it to the training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence_threshold: Option<f64>,
    /// What scores are divided by before they become probabilities, above 0; absent = as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Commit time, microseconds UTC.
    pub created_at: i64,
}

/// `models/<name>/<version>/manifest.json`. Creating it is the assignment of the version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelManifest {
    /// Version of this layout.
    pub v: u16,
    /// Model name, the strategy's unless asked otherwise.
    pub name: String,
    /// 1 for the first.
    pub version: u32,
    /// Key of the artifact: `artifacts/<sha256>`'s hash.
    pub artifact: String,
    /// The operation that registered it.
    pub operation: String,
    /// Its number in the sweep, from 1, where the operation registered several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<u32>,
    /// Headline metrics of the test part, copied from the artifact's metrics.
    pub metrics: BTreeMap<String, f64>,
    /// The same of the validation part, by which models may be chosen. Absent in manifests of older
    /// programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub validation: BTreeMap<String, f64>,
    /// Where it came from, copied from the artifact.
    pub lineage: Lineage,
    /// Labels of the operation that registered it. Absent in manifests of older programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What the model was called before, oldest first. Never stored here: a reader of the store
    /// fills it in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_names: Vec<String>,
    /// Registration time, microseconds UTC.
    pub created_at: i64,
}

impl ArtifactManifest {
    /// Version of the layout written now.
    pub const VERSION: u16 = 1;
}

impl ModelManifest {
    /// Version of the layout written now.
    pub const VERSION: u16 = 1;
}
