//! Queries and answers of the services API that more than one program speaks. Payloads are JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::manifests::{AliasChange, ModelManifest, ModelNote, TagsChange};
use crate::metrics::PartMetrics;

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
    /// Its number in the sweep, from 1, where the operation registered several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<u32>,
    /// Instruments trained on.
    pub symbols: Vec<String>,
    /// Timeframes, base first.
    pub timeframes: Vec<String>,
    /// Headline metrics of the test part.
    pub metrics: BTreeMap<String, f64>,
    /// The same of the validation part; empty for models of older programs.
    #[serde(default)]
    pub validation: BTreeMap<String, f64>,
    /// Seed of the training.
    #[serde(default)]
    pub seed: u64,
    /// What the request changed of the strategy; null where nobody knows.
    #[serde(default)]
    pub overrides: serde_json::Value,
    /// `inputs_sha256` of the data set.
    #[serde(default)]
    pub dataset: String,
    /// Keys of the series that it was made of.
    #[serde(default)]
    pub series: Vec<String>,
    /// The roles that this version plays.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Labels of the operation that registered it.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What people have tagged this version with.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The newest note about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What the model was called before, oldest first.
    #[serde(default)]
    pub former_names: Vec<String>,
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
            training: model.training,
            symbols: model.lineage.symbols,
            timeframes: model.lineage.timeframes,
            metrics: model.metrics,
            validation: model.validation,
            seed: model.lineage.seed,
            overrides: model.lineage.overrides.unwrap_or_default(),
            dataset: model.lineage.dataset,
            series: model.lineage.series.into_keys().collect(),
            aliases: Vec::new(),
            labels: model.labels,
            tags: BTreeMap::new(),
            note: None,
            former_names: model.former_names,
            created_at: model.created_at,
        }
    }
}

impl ModelSummary {
    /// The value of a tag, or else of a label of the operation that registered this version.
    pub fn label(&self, key: &str) -> Option<&str> {
        let value = self.tags.get(key).or_else(|| self.labels.get(key));
        value.map(String::as_str)
    }
}

/// Notes in each model the aliases that mean it; `changes` are the newest ones of each alias.
pub fn note_aliases(models: &mut [ModelSummary], changes: &[AliasChange]) {
    for model in models {
        let of_model = changes
            .iter()
            .filter(|change| change.model == model.name && change.version == Some(model.version));
        model.aliases = of_model.map(|change| change.alias.clone()).collect();
    }
}

/// Notes in each model its tags and its newest note; `tags` and `notes` are the newest ones of each
/// version.
pub fn note_remarks(models: &mut [ModelSummary], tags: &[TagsChange], notes: &[ModelNote]) {
    for model in models {
        let tags = tags
            .iter()
            .find(|change| change.model == model.name && change.version == model.version);
        model.tags = tags.map(|change| change.tags.clone()).unwrap_or_default();
        let note = notes
            .iter()
            .find(|note| note.model == model.name && note.version == model.version);
        model.note = note.map(|note| note.text.clone());
    }
}

/// The payload of `models.aliases`; an empty one asks for the aliases of every model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListAliases {
    /// Every change of the aliases of this model, oldest first for each alias; without it the
    /// newest change of each alias of every model. At most [`LIST_MAX`] in both cases, the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Most versions that `models.compare` answers about.
pub const COMPARED_MAX: usize = 8;

/// The payload of `models.compare`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompareModels {
    /// Up to [`COMPARED_MAX`] versions.
    pub models: Vec<ShowModel>,
}

/// A version in the answer to `models.compare`, in the order of the query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedModel {
    /// What a list says of it.
    pub model: ModelSummary,
    /// Every figure of each part, by the name of the part.
    pub parts: BTreeMap<String, PartMetrics>,
    /// Epochs trained; 0 where the metrics cannot be read.
    pub epochs: u32,
    /// The text of its strategy.
    pub strategy: String,
}

/// Predictions in one answer to `models.predict` where the query does not say how many.
pub const PREDICTIONS_DEFAULT: usize = 10;
/// Most predictions in one answer to `models.predict`.
pub const PREDICTIONS_MAX: usize = 1_000;

/// The payload of `models.predict`: predictions on stored bars, the last ones first asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictModel {
    /// Name of the model.
    pub name: String,
    /// Version, from 1; the newest by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Instrument, as in `fx:EUR.USD`; the first that it was trained on by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Provider of the bars; `file` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Only decisions in the time of this part of the training: `train`, `validation`, `test`, or
    /// `later`, after all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// How many, at most [`PREDICTIONS_MAX`]; [`PREDICTIONS_DEFAULT`] by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<usize>,
    /// Only predictions known before this instant, microseconds UTC: the `known_at` of the first
    /// one of the page before, for the page that comes before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
}

/// The answer to `models.predict`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionPage {
    /// Name of the model.
    pub model: String,
    /// Version of it, from 1.
    pub version: u32,
    /// Instrument predicted on.
    pub symbol: String,
    /// Meaning of each output: the classes, or `forward_return`.
    pub outputs: Vec<String>,
    /// The predictions, oldest first.
    pub rows: Vec<PredictedRow>,
    /// True if there are predictions before these.
    pub more: bool,
}

/// The prediction of one bar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictedRow {
    /// Open of the bar, microseconds UTC.
    pub open_time: i64,
    /// Instant from which the prediction could be made: the close of the bar, microseconds UTC.
    pub known_at: i64,
    /// A number for each of the outputs.
    pub outputs: Vec<f32>,
    /// What the strategy makes of them: `BUY`, `HOLD` or `SELL`.
    pub signal: String,
    /// The part of the training in whose time it was decided; empty where there is none.
    pub part: String,
}

/// Most objects in one answer to `data.list`.
pub const OBJECTS_MAX: usize = 2_000;
/// Most bytes of an object in one answer to `data.read`, well below the largest message of a
/// server.
pub const PAGE_BYTES: usize = 512 * 1024;

/// The payload of `data.list`: objects of the store by their keys, a page at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListObjects {
    /// Whole segments of a key, such as `bars/file`; empty for all objects.
    #[serde(default)]
    pub prefix: String,
    /// The last key of the page before; none for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A page of objects, in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectPage {
    /// At most [`OBJECTS_MAX`].
    pub objects: Vec<ObjectSummary>,
    /// True if objects come after these.
    pub more: bool,
}

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectSummary {
    /// Its key, without the prefix of the store.
    pub key: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was written by the clock of the store, microseconds UTC.
    pub modified_at: i64,
}

/// The payload of `data.read`. The answer is an [`ObjectHead`] as one line of JSON, or `null` if
/// there is no such object, followed by at most [`PAGE_BYTES`] of the object itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadObject {
    /// Its key, as in a list.
    pub key: String,
    /// The first byte to answer, from 0. From the size on there are none.
    #[serde(default)]
    pub from: u64,
}

/// What the first line of an answer to `data.read` says of the whole object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectHead {
    /// Size of the whole object.
    pub size_bytes: u64,
    /// When it was written by the clock of the store, microseconds UTC.
    pub modified_at: i64,
}
