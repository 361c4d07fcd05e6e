//! `ktrdr models show`: one version of a model: its data, its metrics, its network, its origin.

use std::collections::BTreeMap;

use clap::Args;
use market::Utc;
use schemas::manifests::{
    AliasChange, ArtifactManifest, DataSetManifest, ModelManifest, ModelNote, RenameChange,
};
use schemas::metrics::MetricsDocument;
use schemas::names::METRICS_FILE;
use schemas::queries::{ModelSummary, ShowModel, note_aliases};
use schemas::training::TrainingSettings;
use serde_json::json;
use store::{EpochLosses, Store};

use super::evaluation::describe_evaluation;
use super::registry::{ask_registry_first, join_symbols, open_store_to_read, summary_json};
use super::remarks::{describe_note, describe_tags, note_json, notes_of, tags_of};
use super::rename::rename_json;
use super::sealed::SealedPeriod;
use super::show_analytics::print_analytics;
use super::show_data::{data_json, describe_data, describe_losses, describe_origin};
use super::show_tables::{
    print_calibration, print_confusion, print_history, print_importance, print_settings,
    print_strategy, print_thresholds,
};
use crate::console::{Exit, Failure, describe_ending, describe_settings, print_pairs};
use crate::context::Context;
use crate::inputs::models::{ModelArgs, describe_layers, find_model};

/// `ktrdr models show`.
#[derive(Clone, Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    detail: Detail,
}

/// One side of a model instead of the overview.
#[derive(Clone, Copy, Debug, Args)]
#[group(multiple = false)]
struct Detail {
    /// The settings of the training, those that the request changed among them
    #[arg(long)]
    settings: bool,
    /// The text of the strategy as it was trained
    #[arg(long)]
    strategy: bool,
    /// What other thresholds would decide on the validation part
    #[arg(long)]
    thresholds: bool,
    /// True classes against predicted ones on the test part, and the rates of each class
    #[arg(long)]
    confusion: bool,
    /// What each feature is worth to the network on the validation part
    #[arg(long)]
    importance: bool,
    /// How often answers of the test part are right that the model is so sure of
    #[arg(long)]
    calibration: bool,
    /// The losses of each epoch
    #[arg(long)]
    history: bool,
    /// Each epoch in detail: gradients, weights, rates of the classes, decisions; of trainings with
    /// --detailed-analytics
    #[arg(long)]
    analytics: bool,
}

/// Everything that is stored of a version.
pub(super) struct StoredModel {
    pub(super) model: ModelManifest,
    pub(super) artifact: ArtifactManifest,
    /// None where this program cannot read it.
    pub(super) document: Option<MetricsDocument>,
    pub(super) losses: Vec<EpochLosses>,
    /// The roles that this version plays, with who gave them.
    pub(super) aliases: Vec<AliasChange>,
    /// Every change of its name, oldest first.
    renames: Vec<RenameChange>,
    notes: Vec<ModelNote>,
    tags: BTreeMap<String, String>,
    /// None once the store has it no more.
    pub(super) data_set: Option<DataSetManifest>,
    /// Its sealed rows; none where nothing is sealed.
    pub(super) sealed: Option<SealedPeriod>,
}

impl StoredModel {
    /// `NAME@VERSION`.
    pub(super) fn title(&self) -> String {
        format!("{}@{}", self.model.name, self.model.version)
    }

    /// What a list says of it.
    pub(super) fn summary(&self) -> ModelSummary {
        let mut summary = ModelSummary::from(self.model.clone());
        note_aliases(std::slice::from_mut(&mut summary), &self.aliases);
        ModelSummary {
            tags: self.tags.clone(),
            note: self.notes.last().map(|note| note.text.clone()),
            ..summary
        }
    }
}

/// Shows one version, or one side of it.
///
/// # Errors
/// There is no such version, it has not what was asked for, or the store cannot be read.
pub(super) async fn run(args: &ShowArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_store_to_read(context).await?;
    let stored = read_model(&store, &args.model, context).await?;

    let detail = args.detail;
    if detail.strategy {
        print_strategy(&stored, context);
    } else if detail.settings {
        print_settings(&stored, context)?;
    } else if detail.history {
        print_history(&stored, context)?;
    } else if detail.analytics {
        print_analytics(&store, &stored, context).await?;
    } else if detail.thresholds {
        print_thresholds(&stored, context)?;
    } else if detail.confusion {
        print_confusion(&stored, context)?;
    } else if detail.importance {
        print_importance(&stored, context)?;
    } else if detail.calibration {
        print_calibration(&stored, context)?;
    } else {
        print_overview(&stored, context);
    }
    Ok(Exit::Done)
}

/// Reads what is stored of the version that `args` names, by the registry where one answers.
///
/// # Errors
/// There is no such version, or the store cannot be read.
pub(super) async fn read_model(
    store: &Store,
    args: &ModelArgs,
    context: &Context,
) -> Result<StoredModel, Failure> {
    let answer = match query_for(&args.model) {
        Some(query) => ask_registry_first(context, "models.show", &query).await?,
        None => None,
    };
    let model: ModelManifest = match answer {
        Some(model) => model,
        None => find_model(store, &args.model).await?,
    };

    // Network, training and metrics are stored with the artifact, not with the model.
    let artifacts = store.artifacts();
    let artifact = artifacts.manifest(&model.artifact).await?;
    let file = artifacts.file(&model.artifact, &artifact, METRICS_FILE);
    let data_set = store.data_sets().find(&model.lineage.dataset).await?;
    Ok(StoredModel {
        sealed: SealedPeriod::read(store, &model.artifact, data_set.as_ref()).await?,
        document: file.await?.and_then(|bytes| read_metrics(&bytes)),
        losses: artifacts.losses(&model.artifact, &artifact).await?,
        aliases: aliases_of(store, &model).await?,
        renames: store.models().rename_history(&model.name).await?,
        notes: notes_of(store, &model).await?,
        tags: tags_of(store, &model)
            .await?
            .map(|change| change.tags)
            .unwrap_or_default(),
        data_set,
        model,
        artifact,
    })
}

/// The changes that gave this version the roles that it plays.
async fn aliases_of(store: &Store, model: &ModelManifest) -> Result<Vec<AliasChange>, Failure> {
    let mut changes = store.models().aliases(&model.name).await?;
    changes.retain(|change| change.version == Some(model.version));
    Ok(changes)
}

fn print_overview(stored: &StoredModel, context: &Context) {
    let mut value = summary_json(&stored.summary());
    if let Some(fields) = value.as_object_mut() {
        let data_set = stored.data_set.as_ref();
        let renames = stored.renames.iter().map(rename_json);
        let notes = stored.notes.iter().map(note_json);
        fields.insert("renames".to_owned(), renames.collect());
        fields.insert("notes".to_owned(), notes.collect());
        fields.insert("lineage".to_owned(), json!(stored.model.lineage));
        fields.insert("network".to_owned(), json!(stored.artifact.network));
        fields.insert("training".to_owned(), stored.artifact.training.clone());
        fields.insert("evaluation".to_owned(), json!(stored.document));
        fields.insert("data".to_owned(), json!(data_set.map(data_json)));
        if let Some(sealed) = &stored.sealed {
            fields.insert("sealed".to_owned(), sealed.json());
        }
    }

    context.output.json(&value);
    print_pairs(&context.output, &describe_model(stored));
}

/// The metrics of an artifact; none where this program cannot read them.
fn read_metrics(bytes: &[u8]) -> Option<MetricsDocument> {
    serde_json::from_slice(bytes).ok()
}

/// The query for `NAME` or `NAME@3`; none if the version is not a number.
fn query_for(text: &str) -> Option<ShowModel> {
    let (name, version) = match text.split_once('@') {
        None => (text, None),
        Some((name, version)) => (name, Some(version.parse().ok()?)),
    };
    Some(ShowModel {
        name: name.to_owned(),
        version,
    })
}

/// Name, roles, and the bars that a version was trained on.
fn describe_version(stored: &StoredModel) -> Vec<(&'static str, String)> {
    let model = &stored.model;
    let registered = format!("{} by {}", Utc(model.created_at), model.operation);
    let trained_on = format!(
        "{} [{}]",
        join_symbols(&model.lineage.symbols),
        model.lineage.timeframes.join(", ")
    );

    let mut lines = vec![("model", stored.title()), ("registered", registered)];
    for change in &stored.aliases {
        let text = format!("{} since {} by {}", change.alias, Utc(change.at), change.by);
        lines.push(("alias", text));
    }
    for change in &stored.renames {
        let text = format!("{} until {} by {}", change.from, Utc(change.at), change.by);
        lines.push(("former name", text));
    }
    for labels in [("labels", &model.labels), ("tags", &stored.tags)] {
        if !labels.1.is_empty() {
            lines.push((labels.0, describe_tags(labels.1)));
        }
    }
    let notes = stored.notes.iter();
    lines.extend(notes.map(|note| ("note", describe_note(note))));
    lines.push(("trained on", trained_on));
    lines
}

fn describe_model(stored: &StoredModel) -> Vec<(String, String)> {
    let StoredModel {
        model, artifact, ..
    } = stored;
    let document = stored.document.as_ref();
    let network = &artifact.network;
    let lineage = &model.lineage;
    let features: Vec<&str> = network
        .features
        .iter()
        .map(|feature| feature.name.as_str())
        .collect();

    let mut lines = describe_version(stored);
    lines.extend(stored.data_set.iter().flat_map(describe_data));
    match document {
        Some(document) => lines.extend(describe_evaluation(document)),
        None => lines.push(("test part", headline_of(model))),
    }
    lines.extend(stored.sealed.iter().flat_map(SealedPeriod::describe));
    lines.extend([
        ("network", describe_layers(network)),
        ("features", features.join(", ")),
    ]);
    lines.extend(describe_training(artifact, document));
    if let Some(losses) = describe_losses(&stored.losses) {
        lines.push(("losses", losses));
    }
    lines.push(("seed", lineage.seed.to_string()));
    lines.extend(describe_origin(model, stored.data_set.as_ref()));
    let lines = lines.into_iter();
    lines.map(|(name, text)| (name.to_owned(), text)).collect()
}

/// How the network was trained, and why the training ended; nothing of settings that this program
/// cannot read.
fn describe_training(
    artifact: &ArtifactManifest,
    document: Option<&MetricsDocument>,
) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Ok(settings) = serde_json::from_value::<TrainingSettings>(artifact.training.clone()) {
        let batches = format!(
            "up to {} epochs, batches of {} rows",
            settings.epochs, settings.batch_size
        );
        let weights = document.map(|document| document.class_weights.clone());
        lines.push(("training", batches));
        lines.extend(describe_settings(&settings, &weights.unwrap_or_default()));
    }

    // The setting may leave the engine open; the lineage says which one it was.
    if let Some(engine) = artifact.lineage.versions.get("engine") {
        lines.push(("computed by", engine.clone()));
    }
    if let Some(document) = document {
        let epochs = format!(
            "{} trained, lowest val_loss in epoch {}",
            document.epochs, document.best_epoch
        );
        lines.push(("epochs", epochs));
        let ending = document.ending.as_ref().map(describe_ending);
        lines.extend(ending.map(|text| ("ending", text)));
    }
    lines
}

/// What the manifest itself has of the metrics.
fn headline_of(model: &ModelManifest) -> String {
    let metrics: Vec<String> = model
        .metrics
        .iter()
        .map(|(name, value)| format!("{name} {value:.4}"))
        .collect();
    metrics.join(", ")
}
