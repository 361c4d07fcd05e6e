//! The columns of `ktrdr models list --columns`: facts of a version, its figures, and what its
//! artifact and its data set say.

use schemas::queries::ModelSummary;
use serde_json::Value;
use store::Store;

use super::figures::FigureName;
use super::remarks::describe_tags;
use super::show_data::describe_all_days;
use crate::console::Failure;

/// Columns that are no figures; a setting of the training is `training.KEY`.
pub(super) const FACTS: [&str; 12] = [
    "seed",
    "lr",
    "dates",
    "labels",
    "tags",
    "note",
    "former_names",
    "overrides",
    "dataset",
    "artifact",
    "operation",
    "training.KEY",
];

/// What comes before the key of a setting.
const SETTING: &str = "training.";
/// The setting that `lr` is short for.
const LEARNING_RATE: &str = "learning_rate";

/// What a list reads of a version beside its summary.
#[derive(Clone, Debug, Default)]
pub(super) struct Details {
    /// The settings of the training.
    training: Value,
    /// First and last day of the data set.
    days: String,
}

/// The key of the setting that a column shows.
fn setting_of(column: &str) -> Option<&str> {
    match column {
        "lr" => Some(LEARNING_RATE),
        _ => column.strip_prefix(SETTING).filter(|key| !key.is_empty()),
    }
}

/// Whether there is such a column among those of `models`.
pub(super) fn is_column(column: &str, models: &[ModelSummary]) -> bool {
    match FigureName::parse(column) {
        Some(figure) => models.iter().any(|model| figure.of(model).is_some()),
        None => setting_of(column).is_some() || FACTS.contains(&column),
    }
}

/// Whether a column needs more than the summaries.
pub(super) fn needs_details(columns: &[String]) -> bool {
    let mut columns = columns.iter();
    columns.any(|column| column == "dates" || setting_of(column).is_some())
}

/// What the columns need of one version; nothing where the store has it no more.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn read_details(
    store: &Store,
    model: &ModelSummary,
    columns: &[String],
) -> Result<Details, Failure> {
    let mut details = Details::default();
    if columns.iter().any(|column| setting_of(column).is_some()) {
        let artifact = store.artifacts().manifest(&model.artifact).await?;
        details.training = artifact.training;
    }

    if columns.iter().any(|column| column == "dates") {
        let data_set = store.data_sets().find(&model.dataset).await?;
        let days = data_set.as_ref().and_then(describe_all_days);
        details.days = days.unwrap_or_default();
    }
    Ok(details)
}

/// What a column says of a version.
pub(super) fn cell_of(model: &ModelSummary, details: &Details, column: &str) -> String {
    if let Some(key) = setting_of(column) {
        return match details.training.get(key) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
    }

    match column {
        "seed" => model.seed.to_string(),
        "dates" => details.days.clone(),
        "labels" => describe_tags(&model.labels),
        "tags" => describe_tags(&model.tags),
        "note" => model.note.clone().unwrap_or_default(),
        "former_names" => model.former_names.join(", "),
        "overrides" if model.overrides.is_null() => String::new(),
        "overrides" => model.overrides.to_string(),
        "dataset" => model.dataset.clone(),
        "artifact" => model.artifact.clone(),
        "operation" => model.operation.clone(),
        figure => {
            let value = FigureName::parse(figure).and_then(|figure| figure.of(model));
            value.map(|value| format!("{value:.4}")).unwrap_or_default()
        }
    }
}
