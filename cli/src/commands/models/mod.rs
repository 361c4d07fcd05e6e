//! `ktrdr models`: list and show what is registered; the registry is asked first, the object store
//! answers without it.

mod bars;
mod predict;
mod train;
mod train_result;

use clap::{Args, Subcommand};
use market::{Instrument, Utc};
use schemas::ids::Service;
use schemas::manifests::{ArtifactManifest, ModelManifest};
use schemas::queries::{ListModels, ModelSummary, ShowModel};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::console::{Exit, Failure, print_pairs};
use crate::context::Context;
use crate::inputs::models::{ModelArgs, find_model};
use crate::inputs::stored_series::open_store;
use predict::PredictArgs;

pub(crate) use train::{TrainArgs, run as train};
pub(crate) use train_result::describe_training;

/// `ktrdr models`.
#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    /// The command.
    #[command(subcommand)]
    command: ModelsCommand,
}

/// `ktrdr models …`.
#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// Train a model: the same as `ktrdr train`
    Train(Box<TrainArgs>),
    /// List every version of every model
    List,
    /// Show one version: where it came from, how good it is, what it computes
    Show(ModelArgs),
    /// Predict on bars of the store or of files
    Predict(PredictArgs),
}

/// Runs the command.
///
/// # Errors
/// What went wrong, with its exit code.
pub(crate) async fn run(args: &ModelsArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        ModelsCommand::Train(args) => train::run(args, context).await,
        ModelsCommand::List => list(context).await,
        ModelsCommand::Show(args) => show(args, context).await,
        ModelsCommand::Predict(args) => predict::run(args, context).await,
    }
}

/// What the registry answers; `None` if none does, or it has no answer, and then the store decides.
async fn ask<T: DeserializeOwned>(
    context: &Context,
    endpoint: &str,
    query: &impl Serialize,
) -> Option<T> {
    let query = serde_json::to_vec(query).ok()?;
    let answer = match context.bus().await {
        Ok(bus) => bus
            .services()
            .ask(Service::Registry, endpoint, query)
            .await
            .map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    let read = answer.map(|answer| serde_json::from_slice(&answer));
    match read {
        Ok(Ok(answer)) => return Some(answer),
        Ok(Err(error)) => {
            tracing::debug!(endpoint, error = %error, "the answer of the registry cannot be read")
        }
        Err(failure) => {
            tracing::debug!(endpoint, reason = %failure.message, "no answer from the registry")
        }
    }
    None
}

async fn list(context: &Context) -> Result<Exit, Failure> {
    let models =
        match ask::<Vec<ModelSummary>>(context, "models.list", &ListModels::default()).await {
            Some(models) => models,
            None => from_store(context).await?,
        };
    for model in &models {
        context.output.json(&summary(model));
    }
    if models.is_empty() {
        context.output.note("there is no model yet");
        context
            .output
            .note("hint: `ktrdr train STRATEGY` makes one");
    } else {
        let rows: Vec<Vec<String>> = models.iter().map(row).collect();
        context.output.table(
            &["MODEL", "SYMBOLS", "TIMEFRAMES", "CREATED", "TEST SCORE"],
            &rows,
        );
    }
    Ok(Exit::Done)
}

/// Every version of every model, newest first.
async fn from_store(context: &Context) -> Result<Vec<ModelSummary>, Failure> {
    context.output.note(&format!(
        "no registry answers; read from {}",
        context.store_url()?
    ));
    let found = open_store(context).await?.models().list().await?;
    let mut models: Vec<ModelSummary> = found.into_iter().map(ModelSummary::from).collect();
    models.sort_by_key(|model| std::cmp::Reverse(model.created_at));
    Ok(models)
}

fn row(model: &ModelSummary) -> Vec<String> {
    vec![
        format!("{}@{}", model.name, model.version),
        symbols(&model.symbols),
        model.timeframes.join(", "),
        Utc(model.created_at).to_string(),
        score(model),
    ]
}

/// Symbols as people write them.
fn symbols(ids: &[String]) -> String {
    let symbol = |id: &String| {
        Instrument::parse(id).map_or_else(|_| id.clone(), |instrument| instrument.symbol())
    };
    ids.iter().map(symbol).collect::<Vec<_>>().join(", ")
}

/// The headline metric, beside what the simplest rival reaches.
fn score(model: &ModelSummary) -> String {
    let value = |name: &str| model.metrics.get(name);
    match (
        value("accuracy"),
        value("majority_accuracy"),
        value("mae"),
        value("baseline_mae"),
    ) {
        (Some(own), Some(rival), ..) => format!("accuracy {own:.4} (majority {rival:.4})"),
        (Some(own), ..) => format!("accuracy {own:.4}"),
        (.., Some(own), Some(rival)) => format!("error {own:.6} (mean {rival:.6})"),
        _ => String::new(),
    }
}

fn summary(model: &ModelSummary) -> Value {
    json!({
        "type": "model",
        "name": model.name,
        "version": model.version,
        "artifact": model.artifact,
        "operation": model.operation,
        "symbols": model.symbols,
        "timeframes": model.timeframes,
        "created_at": Utc(model.created_at).to_string(),
        "metrics": model.metrics,
    })
}

/// The query for `text`; none if its version is not a number.
fn query(text: &str) -> Option<ShowModel> {
    match text.split_once('@') {
        None => Some(ShowModel {
            name: text.to_owned(),
            version: None,
        }),
        Some((name, version)) => Some(ShowModel {
            name: name.to_owned(),
            version: Some(version.parse().ok()?),
        }),
    }
}

async fn show(args: &ModelArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_store(context).await?;
    let asked = match query(&args.model) {
        Some(query) => ask::<ModelManifest>(context, "models.show", &query).await,
        None => None,
    };
    let model = match asked {
        Some(model) => model,
        None => find_model(&store, &args.model).await?,
    };
    let artifact = store.artifacts().manifest(&model.artifact).await?;
    let mut all = summary(&model.clone().into());
    if let Some(all) = all.as_object_mut() {
        all.insert("lineage".to_owned(), json!(model.lineage));
        all.insert("network".to_owned(), json!(artifact.network));
        all.insert("training".to_owned(), artifact.training.clone());
    }
    context.output.json(&all);
    print_pairs(&context.output, &described(&model, &artifact));
    Ok(Exit::Done)
}

fn described(model: &ModelManifest, artifact: &ArtifactManifest) -> Vec<(String, String)> {
    let widths: Vec<String> = artifact
        .network
        .widths()
        .iter()
        .map(ToString::to_string)
        .collect();
    let metrics: Vec<String> = model
        .metrics
        .iter()
        .map(|(name, value)| format!("{name} {value:.4}"))
        .collect();
    let features: Vec<&str> = artifact
        .network
        .features
        .iter()
        .map(|feature| feature.name.as_str())
        .collect();
    let lines = [
        ("model", format!("{}@{}", model.name, model.version)),
        (
            "registered",
            format!("{} by {}", Utc(model.created_at), model.operation),
        ),
        (
            "trained on",
            format!(
                "{} [{}]",
                symbols(&model.lineage.symbols),
                model.lineage.timeframes.join(", ")
            ),
        ),
        ("test part", metrics.join(", ")),
        ("network", widths.join(" → ")),
        ("features", features.join(", ")),
        ("data set", format!("datasets/{}", model.lineage.dataset)),
        ("artifact", format!("artifacts/{}", model.artifact)),
        ("seed", model.lineage.seed.to_string()),
    ];
    lines.map(|(name, text)| (name.to_owned(), text)).into()
}
