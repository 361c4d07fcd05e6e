//! Asks the registry, which answers from memory. Everything it knows is in the store too, so that a
//! command works without one.

use market::{Instrument, Utc};
use schemas::ids::Service;
use schemas::queries::ModelSummary;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::console::Failure;
use crate::context::Context;

/// The registry's answer; none if no registry answers, or if its answer is that there is none. The
/// caller reads the store then.
pub(super) async fn ask_registry<T: DeserializeOwned>(
    context: &Context,
    endpoint: &str,
    query: &impl Serialize,
) -> Option<T> {
    let query = serde_json::to_vec(query).ok()?;

    // The store can still answer, so neither failure below ends the command.
    let answer = match request_answer(context, endpoint, query).await {
        Ok(answer) => answer,
        Err(failure) => {
            tracing::debug!(endpoint, reason = %failure.message, "no answer from the registry");
            return None;
        }
    };

    match serde_json::from_slice(&answer) {
        Ok(answer) => Some(answer),
        Err(error) => {
            tracing::debug!(endpoint, %error, "the answer of the registry cannot be read");
            None
        }
    }
}

async fn request_answer(
    context: &Context,
    endpoint: &str,
    query: Vec<u8>,
) -> Result<Vec<u8>, Failure> {
    let bus = context.bus().await?;
    Ok(bus
        .services()
        .ask(Service::Registry, endpoint, query)
        .await?)
}

/// A version of a model as programs read it.
pub(super) fn summary_json(model: &ModelSummary) -> Value {
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
        "validation": model.validation,
        "aliases": model.aliases,
        "labels": model.labels,
        "tags": model.tags,
        "note": model.note,
        "former_names": model.former_names,
        "seed": model.seed,
        "overrides": model.overrides,
    })
}

/// Symbols as people write them; one that this program cannot read stays as it is.
pub(super) fn join_symbols(ids: &[String]) -> String {
    let mut symbols = Vec::with_capacity(ids.len());
    for id in ids {
        symbols.push(match Instrument::parse(id) {
            Ok(instrument) => instrument.symbol(),
            Err(_) => id.clone(),
        });
    }
    symbols.join(", ")
}
