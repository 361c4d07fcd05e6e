//! Queries and answers of the services API that more than one program speaks. Payloads are JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::manifests::ModelManifest;

/// Most models in one answer.
pub const LIST_MAX: usize = 500;
/// Most bytes of them together, well below the largest message of a server, 1 MB: a model of 256
/// symbols takes up to 9 KB.
pub const LIST_BYTES_MAX: usize = 512 * 1024;

/// The payload of `models.list`; an empty one asks for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListModels {
    /// Versions of this model only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The payload of `models.show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowModel {
    /// Name of the model.
    pub name: String,
    /// Version, from 1; the newest by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// A model in a list, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelSummary {
    /// Name of the model.
    pub name: String,
    /// 1 for the first.
    pub version: u32,
    /// Name of its artifact.
    pub artifact: String,
    /// The operation that registered it.
    pub operation: String,
    /// Instruments trained on.
    pub symbols: Vec<String>,
    /// Timeframes, base first.
    pub timeframes: Vec<String>,
    /// Headline metrics of the test part.
    pub metrics: BTreeMap<String, f64>,
    /// Registration time, microseconds UTC.
    pub created_at: i64,
}

impl From<ModelManifest> for ModelSummary {
    fn from(model: ModelManifest) -> Self {
        Self {
            name: model.name,
            version: model.version,
            artifact: model.artifact,
            operation: model.operation,
            symbols: model.lineage.symbols,
            timeframes: model.lineage.timeframes,
            metrics: model.metrics,
            created_at: model.created_at,
        }
    }
}
