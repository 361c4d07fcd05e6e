//! Asks the registry, which answers from memory. Everything it knows is in the store too, so that a
//! command works without one.

use market::{Instrument, Utc};
use runtime::settings::Origin;
use schemas::ids::Service;
use schemas::queries::{ListObjects, ModelSummary, ObjectPage};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::{Store, is_missing_folder};

use crate::console::Failure;
use crate::context::Context;
use crate::inputs::stored_series::open_existing_store;

/// The store as the registry reads it, where a registry answers, so that nobody needs access to the
/// store to look at models; else the store that the settings name. A store that a flag names is
/// meant, unless it is not there.
///
/// # Errors
/// The settings are wrong, or no store can be opened.
pub(super) async fn open_store_to_read(context: &Context) -> Result<Store, Failure> {
    if !names_store(context)? && ask_for_calendars(context).await {
        let store = context.store_of_registry().await?;
        store.calendars().load().await?;
        return Ok(store);
    }
    open_existing_store(context).await
}

/// Whether a registry answers queries for objects.
async fn ask_for_calendars(context: &Context) -> bool {
    let query = ListObjects {
        prefix: "calendars".to_owned(),
        after: None,
    };
    let page: Option<ObjectPage> = ask_registry(context, "data.list", &query).await;
    page.is_some()
}

/// Whether a flag names a store that is there.
///
/// # Errors
/// The settings are wrong.
pub(super) fn names_store(context: &Context) -> Result<bool, Failure> {
    let entries = &context.setup()?.settings.entries;
    let is_named = entries
        .iter()
        .any(|each| each.key == "store.url" && each.origin == Origin::Flag);
    Ok(is_named && !is_missing_folder(&context.store_url()?))
}

/// [`ask_registry`], unless a flag names the store that is meant.
///
/// # Errors
/// The settings are wrong.
pub(super) async fn ask_registry_first<T: DeserializeOwned>(
    context: &Context,
    endpoint: &str,
    query: &impl Serialize,
) -> Result<Option<T>, Failure> {
    if names_store(context)? {
        return Ok(None);
    }
    Ok(ask_registry(context, endpoint, query).await)
}

/// The registry's answer; none if no registry answers, or if its answer is that there is none. The
/// caller reads the store then.
async fn ask_registry<T: DeserializeOwned>(
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
