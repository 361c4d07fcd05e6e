//! `ktrdr models show`: one version of a model: its origin, its metrics, its network.

use market::Utc;
use schemas::manifests::{ArtifactManifest, ModelManifest};
use schemas::metrics::MetricsDocument;
use schemas::names::METRICS_FILE;
use schemas::queries::ShowModel;
use schemas::training::TrainingSettings;
use serde_json::json;

use super::evaluation::describe_evaluation;
use super::registry::{ask_registry, join_symbols, summary_json};
use crate::console::{Exit, Failure, describe_ending, describe_settings, print_pairs};
use crate::context::Context;
use crate::inputs::models::{ModelArgs, describe_layers, find_model};
use crate::inputs::stored_series::open_existing_store;

/// Shows one version.
///
/// # Errors
/// There is no such version, or the store cannot be read.
pub(super) async fn run(args: &ModelArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_existing_store(context).await?;
    let answer = match query_for(&args.model) {
        Some(query) => ask_registry(context, "models.show", &query).await,
        None => None,
    };
    let model = match answer {
        Some(model) => model,
        None => find_model(&store, &args.model).await?,
    };

    // Network, training and metrics are stored with the artifact, not with the model.
    let artifact = store.artifacts().manifest(&model.artifact).await?;
    let file = store
        .artifacts()
        .file(&model.artifact, &artifact, METRICS_FILE);
    let document = file.await?.and_then(|bytes| read_metrics(&bytes));

    let mut value = summary_json(&model.clone().into());
    if let Some(fields) = value.as_object_mut() {
        fields.insert("lineage".to_owned(), json!(model.lineage));
        fields.insert("network".to_owned(), json!(artifact.network));
        fields.insert("training".to_owned(), artifact.training.clone());
        fields.insert("evaluation".to_owned(), json!(document));
    }
    context.output.json(&value);
    let lines = describe_model(&model, &artifact, document.as_ref());
    print_pairs(&context.output, &lines);
    Ok(Exit::Done)
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

fn describe_model(
    model: &ModelManifest,
    artifact: &ArtifactManifest,
    document: Option<&MetricsDocument>,
) -> Vec<(String, String)> {
    let network = &artifact.network;
    let lineage = &model.lineage;
    let features: Vec<&str> = network
        .features
        .iter()
        .map(|feature| feature.name.as_str())
        .collect();

    let registered = format!("{} by {}", Utc(model.created_at), model.operation);
    let trained_on = format!(
        "{} [{}]",
        join_symbols(&lineage.symbols),
        lineage.timeframes.join(", ")
    );
    let mut lines = vec![
        ("model", format!("{}@{}", model.name, model.version)),
        ("registered", registered),
        ("trained on", trained_on),
    ];
    match document {
        Some(document) => lines.extend(describe_evaluation(document)),
        None => lines.push(("test part", headline_of(model))),
    }
    lines.extend([
        ("network", describe_layers(network)),
        ("features", features.join(", ")),
    ]);
    lines.extend(describe_training(artifact, document));
    lines.extend([
        ("data set", format!("datasets/{}", lineage.dataset)),
        ("artifact", format!("artifacts/{}", model.artifact)),
        ("seed", lineage.seed.to_string()),
    ]);
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
