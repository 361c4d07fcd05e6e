//! Which registered model a command means.

use clap::Args;
use schemas::codes;
use schemas::manifests::{Architecture, ModelManifest, Network, RuleSource};
use schemas::spelling::nearest_name;
use store::Store;

use crate::console::{Exit, Failure, count_of};

/// The widths of the layers of a network, and the bars that it sees at once if there are several:
/// `8 → 16 → 3`, `lstm over windows of 20 bars: 8 → 16 → 3`.
pub(crate) fn describe_layers(network: &Network) -> String {
    let widths: Vec<String> = network.widths().iter().map(ToString::to_string).collect();
    let layers = widths.join(" → ");

    match &network.architecture {
        Architecture::Mlp(_) => layers,
        Architecture::Lstm(shape) | Architecture::Gru(shape) => {
            let name = network.architecture.name();
            let bars = count_of(shape.sequence_length, "bar");
            format!("{name} over windows of {bars}: {layers}")
        }
        Architecture::Tsk(shape) if !network.is_complete() => {
            let inputs = count_of(network.features.len(), "input");
            let rules = count_of(shape.rules_max, "rule");
            match shape.from {
                RuleSource::Sets => format!("tsk with at most {rules} over the sets of {inputs}"),
                RuleSource::Data => format!("tsk with at most {rules} grown over {inputs}"),
            }
        }
        Architecture::Tsk(shape) => {
            let rules = count_of(shape.base.rules.len(), "rule");
            format!("tsk with {rules}: {layers}")
        }
    }
}

/// One version of a model.
#[derive(Clone, Debug, Args)]
pub(crate) struct ModelArgs {
    /// NAME for the newest version, NAME@3 for version 3, NAME@production for the one of that alias
    pub(crate) model: String,
}

/// The version that `NAME`, `NAME@3` or `NAME@production` means, from the store.
///
/// # Errors
/// There is no such version, or the store cannot be read.
pub(crate) async fn find_model(store: &Store, text: &str) -> Result<ModelManifest, Failure> {
    let (name, version) = match text.split_once('@') {
        None => (text, None),
        Some((name, version)) => match version_of(store, name, version).await? {
            Some(version) => (name, Some(version)),
            None => return Err(unknown_model(text, name, &stored_names(store).await)),
        },
    };

    if let Some(model) = store.models().find(name, version).await? {
        return Ok(model);
    }
    if let Some(version) = version
        && store.models().read_version(name, version).await?.is_some()
    {
        return Err(deleted_model(name, version));
    }
    Err(unknown_model(text, name, &stored_names(store).await))
}

fn deleted_model(name: &str, version: u32) -> Failure {
    let message = format!("{name}@{version} was deleted");
    Failure::new(Exit::NotFound, codes::MODEL_NOT_FOUND, message).with_hint(format!(
        "`ktrdr models list --deleted` says by whom and when, `ktrdr models undelete \
         {name}@{version}` undoes it"
    ))
}

/// The version that a number or an alias means; none if it means none.
async fn version_of(store: &Store, name: &str, text: &str) -> Result<Option<u32>, Failure> {
    if let Ok(version) = text.parse() {
        return Ok(Some(version));
    }
    let change = store.models().alias(name, text).await?;
    Ok(change.and_then(|change| change.version))
}

/// The names of all models; none where they cannot be listed, because the failure is another one.
async fn stored_names(store: &Store) -> Vec<String> {
    let manifests = store.models().list().await.unwrap_or_default();
    manifests.into_iter().map(|model| model.name).collect()
}

fn unknown_model(text: &str, name: &str, names: &[String]) -> Failure {
    let failure = Failure::new(
        Exit::NotFound,
        codes::MODEL_NOT_FOUND,
        format!("there is no model `{text}`"),
    );

    if names.is_empty() {
        return failure.with_hint(
            "this store has no model: `ktrdr train STRATEGY` makes one, `ktrdr doctor` shows which \
             store is used, --set store.url=URL names another one",
        );
    }
    match nearest_name(name, names.iter().map(String::as_str)) {
        Some(nearest) if nearest != name => failure.with_hint(format!(
            "did you mean `{nearest}`? `ktrdr models list` shows every model with its versions"
        )),
        _ => failure.with_hint(
            "`ktrdr models list` shows every model with its versions; write NAME, NAME@3, or \
             NAME@ALIAS as `ktrdr models aliases` lists it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(name: &str, names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        unknown_model(name, name, &names).hint
    }

    #[test]
    fn a_misspelt_model_is_answered_with_the_nearest_one() {
        assert!(hint("trnd", &["trend", "swing"]).starts_with("did you mean `trend`?"));
        assert!(hint("other", &["trend"]).starts_with("`ktrdr models list`"));
    }

    #[test]
    fn a_store_without_models_is_named_as_the_reason() {
        assert!(hint("trend", &[]).starts_with("this store has no model"));
    }
}
