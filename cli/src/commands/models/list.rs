//! `ktrdr models list`: every version of every model, newest first.

use std::cmp::Reverse;

use market::Utc;
use schemas::queries::{ListModels, ModelSummary};

use super::registry::{ask_registry, join_symbols, summary_json};
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::stored_series::open_existing_store;

const HEADS: [&str; 5] = ["MODEL", "SYMBOLS", "TIMEFRAMES", "CREATED", "TEST SCORE"];

/// Lists the models.
///
/// # Errors
/// No registry answers, and the store cannot be read.
pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let answer = ask_registry(context, "models.list", &ListModels::default()).await;
    let models: Vec<ModelSummary> = match answer {
        Some(models) => models,
        None => read_from_store(context).await?,
    };
    if models.is_empty() {
        output.note("there is no model yet");
        output.note("hint: `ktrdr train STRATEGY` makes one");
        return Ok(Exit::Done);
    }

    let mut rows = Vec::with_capacity(models.len());
    for model in &models {
        output.json(&summary_json(model));
        rows.push(model_row(model));
    }
    output.table(&HEADS, &rows);
    Ok(Exit::Done)
}

async fn read_from_store(context: &Context) -> Result<Vec<ModelSummary>, Failure> {
    context.output.note(&format!(
        "no registry answers; read from {}",
        context.store_url()?
    ));

    let manifests = open_existing_store(context).await?.models().list().await?;
    let mut models: Vec<ModelSummary> = manifests.into_iter().map(ModelSummary::from).collect();
    models.sort_by_key(|model| Reverse(model.created_at));
    Ok(models)
}

fn model_row(model: &ModelSummary) -> Vec<String> {
    vec![
        format!("{}@{}", model.name, model.version),
        join_symbols(&model.symbols),
        model.timeframes.join(", "),
        Utc(model.created_at).to_string(),
        describe_score(model),
    ]
}

/// The most important metric, next to what the simplest rival reaches.
fn describe_score(model: &ModelSummary) -> String {
    let metric = |name: &str| model.metrics.get(name);
    if let Some(accuracy) = metric("accuracy") {
        return match metric("majority_accuracy") {
            Some(rival) => format!("accuracy {accuracy:.4} (majority {rival:.4})"),
            None => format!("accuracy {accuracy:.4}"),
        };
    }

    match (metric("mae"), metric("baseline_mae")) {
        (Some(error), Some(rival)) => format!("error {error:.6} (mean {rival:.6})"),
        _ => String::new(),
    }
}
