//! Answers about what versions are worth, and about which of them play a role.

use std::cmp::Reverse;

use runtime::Answer;
use schemas::manifests::ModelManifest;
use schemas::metrics::MetricsDocument;
use schemas::names::METRICS_FILE;
use schemas::queries::{
    COMPARED_MAX, CompareModels, ComparedModel, LIST_BYTES_MAX, LIST_MAX, ListAliases,
    ModelSummary, ShowModel,
};
use store::Store;

use crate::queries::{Refusal, encode_answer, store_failed, unknown_model};

/// Changes of aliases: of one model all of them, of all models the newest.
pub(crate) async fn list_aliases(store: Store, query: ListAliases) -> Answer {
    let changes = match &query.name {
        Some(name) => store.models().alias_history(name).await,
        None => store.models().newest_aliases().await,
    };
    let mut changes = changes.map_err(store_failed)?;

    // The oldest ones are left out where there are too many.
    if changes.len() > LIST_MAX {
        changes.sort_by_key(|change| Reverse(change.at));
        changes.truncate(LIST_MAX);
        changes.sort_by(|one, other| {
            let one = (&one.model, &one.alias, one.revision);
            one.cmp(&(&other.model, &other.alias, other.revision))
        });
    }
    encode_answer(&changes)
}

/// `metrics.json` of a version, as it is.
pub(crate) async fn show_metrics(store: Store, query: ShowModel) -> Answer {
    let model = find_model(&store, &query).await?;
    let bytes = read_metrics(&store, &model).await?;

    let size = bytes.len();
    match size > LIST_BYTES_MAX {
        false => Ok(bytes),
        true => Err(too_large(&format!(
            "artifacts/{}/{METRICS_FILE}",
            model.artifact
        ))),
    }
}

/// What is compared of each version, side by side.
pub(crate) async fn compare_models(store: Store, query: CompareModels) -> Answer {
    let count = query.models.len();
    if count == 0 || count > COMPARED_MAX {
        let text = format!("{count} models cannot be compared; name 1 to {COMPARED_MAX}");
        return Err((400, text));
    }

    let mut compared = Vec::with_capacity(count);
    for query in &query.models {
        let model = find_model(&store, query).await?;
        let bytes = read_metrics(&store, &model).await?;
        let document: Option<MetricsDocument> = serde_json::from_slice(&bytes).ok();
        compared.push(ComparedModel {
            epochs: document.as_ref().map_or(0, |document| document.epochs),
            parts: document.map(|document| document.parts).unwrap_or_default(),
            strategy: model.lineage.strategy.clone(),
            model: ModelSummary::from(model),
        });
    }

    let answer = encode_answer(&compared)?;
    match answer.len() > LIST_BYTES_MAX {
        false => Ok(answer),
        true => Err((
            413,
            "the answer is too large; compare fewer models".to_owned(),
        )),
    }
}

/// The version that a query names.
pub(crate) async fn find_model(store: &Store, query: &ShowModel) -> Result<ModelManifest, Refusal> {
    let model = store.models().find(&query.name, query.version).await;
    let model = model.map_err(store_failed)?;
    model.ok_or_else(|| unknown_model(query))
}

async fn read_metrics(store: &Store, model: &ModelManifest) -> Result<Vec<u8>, Refusal> {
    let artifacts = store.artifacts();
    let manifest = artifacts.manifest(&model.artifact).await;
    let manifest = manifest.map_err(store_failed)?;
    let bytes = artifacts
        .file(&model.artifact, &manifest, METRICS_FILE)
        .await
        .map_err(store_failed)?;

    match bytes {
        Some(bytes) => Ok(bytes.to_vec()),
        None => Err((404, format!("the artifact has no {METRICS_FILE}"))),
    }
}

fn too_large(key: &str) -> Refusal {
    let text = format!(
        "the answer is larger than {LIST_BYTES_MAX} bytes; the query data.read has `{key}` in pages"
    );
    (413, text)
}
