//! Which registered model a command means.

use clap::Args;
use schemas::codes;
use schemas::manifests::ModelManifest;
use store::Store;

use crate::console::{Exit, Failure};

/// One version of a model.
#[derive(Clone, Debug, Args)]
pub(crate) struct ModelArgs {
    /// NAME for the newest version, NAME@3 for version 3
    pub(crate) model: String,
}

/// The version that `NAME` or `NAME@3` means, from the store.
///
/// # Errors
/// There is no such version, or the store cannot be read.
pub(crate) async fn find_model(store: &Store, text: &str) -> Result<ModelManifest, Failure> {
    let (name, version) = match text.split_once('@') {
        None => (text, None),
        Some((name, version)) => match version.parse::<u32>() {
            Ok(version) => (name, Some(version)),
            Err(_) => return Err(unknown_model(text)),
        },
    };
    store
        .models()
        .find(name, version)
        .await?
        .ok_or_else(|| unknown_model(text))
}

fn unknown_model(text: &str) -> Failure {
    Failure::new(
        Exit::NotFound,
        codes::MODEL_NOT_FOUND,
        format!("there is no model `{text}`"),
    )
    .with_hint("`ktrdr models list` shows every model with its versions; write NAME or NAME@3")
}
