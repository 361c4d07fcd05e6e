//! `ktrdr models report`: one page that shows what a version is worth, to look at and to send.

mod bar_chart;
mod figures;
mod markup;
mod membership;
mod numbers;
mod origin;
mod page;
mod picture;
mod plot;
mod price;
mod sections;
pub(super) mod tables;
mod thinning;
pub(super) mod verdict;

use std::path::PathBuf;

use clap::Args;
use networks::tsk::RuleReport;
use schemas::codes;
use schemas::names::RULES_FILE;
use serde_json::json;
use store::Store;

use super::export::write_new_file;
use super::open_model::OpenModel;
use super::registry::open_store_to_read;
use super::show::{StoredModel, read_model};
use crate::console::{Exit, Failure, path_json};
use crate::context::Context;
use crate::inputs::models::ModelArgs;
use picture::DrawError;
use price::{DecidedSymbol, decide_test_part};

/// `ktrdr models report`.
#[derive(Clone, Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// File to write instead of NAME-3.html in this folder; one that exists is not replaced
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Everything that a report is made of.
struct ReportData {
    stored: StoredModel,
    /// The model to predict with, or why there is none.
    model: Result<OpenModel, String>,
    /// Its decisions on the test part, or why there are none.
    decisions: Result<Vec<DecidedSymbol>, String>,
    /// What a neuro-fuzzy network has learnt.
    rules: Option<RuleReport>,
}

/// Writes the report.
///
/// # Errors
/// There is no such version, the store cannot be read, or the file exists or cannot be written.
pub(super) async fn run(args: &ReportArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_store_to_read(context).await?;
    let stored = read_model(&store, &args.model, context).await?;
    let data = read_data(&store, stored).await?;
    let html = sections::report(&data).map_err(|error| not_drawn(&data.stored, &error))?;

    let model = &data.stored.model;
    let default = format!("{}-{}.html", model.name, model.version);
    let file = args.out.clone().unwrap_or_else(|| PathBuf::from(default));
    write_new_file(&context.working_directory.join(&file), html.as_bytes())?;
    context.output.json(&json!({
        "type": "report",
        "model": model.name,
        "version": model.version,
        "file": path_json(&file),
        "bytes": html.len(),
    }));
    context.output.line(&format!(
        "report of {} written to {}, {} kB",
        data.stored.title(),
        file.display(),
        html.len().div_ceil(1000)
    ));
    Ok(Exit::Done)
}

async fn read_data(store: &Store, stored: StoredModel) -> Result<ReportData, Failure> {
    // What cannot be had is said in the report: its other parts are worth having.
    let model = OpenModel::read(store, &stored.title()).await;
    let model = model.map_err(|failure| failure.message);
    let decisions = match (&model, &stored.data_set) {
        (Err(reason), _) => Err(reason.clone()),
        (_, None) => Err("the store has its data set no more".to_owned()),
        (Ok(model), Some(data_set)) => {
            let decisions = decide_test_part(store, model, data_set).await;
            decisions.map_err(|failure| failure.message)
        }
    };

    let artifact = &stored.model.artifact;
    let artifacts = store.artifacts();
    let rules = artifacts
        .file(artifact, &stored.artifact, RULES_FILE)
        .await?;
    let rules = rules.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(ReportData {
        stored,
        model,
        decisions,
        rules,
    })
}

fn not_drawn(stored: &StoredModel, error: &DrawError) -> Failure {
    let message = format!("the report of {} cannot be drawn", stored.title());
    Failure::new(Exit::Failed, codes::MODEL_EXPORT, message)
        .with_cause(error)
        .with_hint(format!(
            "`ktrdr models show {}` shows the same figures as text",
            stored.title()
        ))
}
