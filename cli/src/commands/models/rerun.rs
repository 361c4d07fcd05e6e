//! `ktrdr models rerun`: trains a version again on the same data set, with something changed, or to
//! see whether it comes out the same.

use clap::Args;
use schemas::codes;
use schemas::commands::TrainRequest;
use schemas::ids::{Lane, OperationId};
use schemas::manifests::{ArtifactManifest, Lineage, ModelManifest};
use schemas::names::MODEL_FILE;
use schemas::operation::NewOperation;
use schemas::requests::Retraining;
use serde_json::json;
use store::Store;
use strategies::{Overrides, Resolved};

use super::train::{parse_model_name, training_changes};
use crate::arguments::RunArgs;
use crate::arguments::values::parse_key_and_value;
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::models::find_model;
use crate::inputs::stored_series::open_existing_store;
use crate::watch::{new_id, start_as};

/// `ktrdr models rerun`.
#[derive(Clone, Debug, Args)]
pub(super) struct RerunArgs {
    /// NAME for the newest version, NAME@3 for version 3, NAME@production for the one of that alias
    model: String,
    /// Another value of a key of the strategy's section `training`, as in training.epochs=200; or
    /// any setting, as in store.url=…; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_key_and_value)]
    set: Vec<(String, String)>,
    /// Another seed of all random choices
    #[arg(long)]
    seed: Option<u64>,
    /// Name of the new version's model instead of the same one
    #[arg(long = "as", value_name = "NAME", value_parser = parse_model_name)]
    name: Option<String>,
    /// Change nothing, register nothing, and say whether the weights come out the same
    #[arg(long, conflicts_with_all = ["set", "seed", "name", "detach", "dry_run"])]
    check: bool,
    /// Train on a GPU
    #[arg(long)]
    gpu: bool,
    /// How to run the operation.
    #[command(flatten)]
    run: RunArgs,
}

/// Trains the version again.
///
/// # Errors
/// The version or its data set is gone, a change is wrong, or the operation fails; with `--check`
/// also where the weights differ.
pub(super) async fn run(args: &RerunArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_existing_store(context).await?;
    let model = find_model(&store, &args.model).await?;
    require_data_set(&store, &model).await?;
    let operation = retraining(args, &model)?;

    let op = new_id(&operation.kind)?;
    let exit = start_as(context, op.clone(), operation, &args.run).await?;
    if !args.check || exit != Exit::Done {
        return Ok(exit);
    }
    compare_weights(&store, &model, &op, context).await
}

/// A data set that was deleted can only be made again by a training from bars.
async fn require_data_set(store: &Store, model: &ModelManifest) -> Result<(), Failure> {
    let dataset = &model.lineage.dataset;
    if store.data_sets().find(dataset).await?.is_some() {
        return Ok(());
    }

    let ModelManifest { name, version, .. } = model;
    let message =
        format!("the data set {dataset} of {name}@{version} is not in the store any more");
    Err(
        Failure::new(Exit::NotFound, codes::DATA_DATASET_MISSING, message).with_hint(format!(
            "`ktrdr models show {name}@{version} --strategy >again.yaml`, then `ktrdr train \
         again.yaml`, trains on the bars as they are stored now"
        )),
    )
}

/// The request that trains the version again, as `args` change it.
fn retraining(args: &RerunArgs, model: &ModelManifest) -> Result<NewOperation, Failure> {
    let lineage = &model.lineage;
    let mut overrides = overrides_of(lineage)?;
    overrides.training.extend(training_changes(&args.set));
    overrides.seed = args.seed.or(Some(lineage.seed));

    let encoded = serde_json::to_value(&overrides).map_err(|error| unreadable(&error))?;
    let request = TrainRequest {
        strategy: lineage.strategy.clone(),
        overrides: encoded,
        model: Some(args.name.as_ref().unwrap_or(&model.name).clone()),
    };
    // Refused here what the processor and the trainer would refuse.
    let resolved = Resolved::from_request(&request)
        .map_err(|error| Failure::advised(Exit::Usage, &error))?
        .resolved;

    let origin = format!("{}@{}", model.name, model.version);
    let labels = [
        ("strategy", resolved.name.clone()),
        ("model", args.name.as_ref().unwrap_or(&model.name).clone()),
        ("rerun", origin),
    ];
    let retraining = Retraining {
        request,
        dataset: lineage.dataset.clone(),
        lane: if args.gpu { Lane::Gpu } else { Lane::Default },
        is_registered: !args.check,
        labels: labels.map(|(key, value)| (key.to_owned(), value)).into(),
    };
    Ok(retraining.operation())
}

/// What the request of the version has changed in its strategy.
fn overrides_of(lineage: &Lineage) -> Result<Overrides, Failure> {
    match &lineage.overrides {
        None => Ok(Overrides::default()),
        Some(overrides) => {
            serde_json::from_value(overrides.clone()).map_err(|error| unreadable(&error))
        }
    }
}

fn unreadable(error: &serde_json::Error) -> Failure {
    Failure::of(Exit::Failed, codes::STRATEGY_OVERRIDES, error)
        .with_hint("use the version of `ktrdr` that trained the model")
}

/// Says whether the operation has made the weights of the version again.
async fn compare_weights(
    store: &Store,
    model: &ModelManifest,
    op: &OperationId,
    context: &Context,
) -> Result<Exit, Failure> {
    let again = artifact_of(context, op).await?;
    let before = store.artifacts().manifest(&model.artifact).await?;
    let after = store.artifacts().manifest(&again).await?;
    let is_same = weights_of(&before) == weights_of(&after);

    let ModelManifest { name, version, .. } = model;
    context.output.json(&json!({
        "type": "check",
        "model": name,
        "version": version,
        "is_same": is_same,
        "weights": weights_of(&before),
        "weights_again": weights_of(&after),
    }));
    if is_same {
        let hash = weights_of(&before).unwrap_or_default();
        context.output.line(&format!(
            "{name}@{version}: the same weights again, sha256 {hash}"
        ));
        return Ok(Exit::Done);
    }

    let message = format!("{name}@{version}: the weights come out differently");
    let mut failure = Failure::new(Exit::Failed, codes::MODEL_DIFFERS, message).with_hint(
        "only the native engine gives the same bits on every machine; another version of a \
         program may compute otherwise",
    );
    failure.causes = changed_versions(&before.lineage, &after.lineage);
    Err(failure)
}

/// Name of the artifact that a finished retraining has made.
async fn artifact_of(context: &Context, op: &OperationId) -> Result<String, Failure> {
    let bus = context.bus().await?;
    let stored = bus.operations().get(op).await?;
    let record = stored.ok_or_else(|| Failure::no_operation(op))?.record;
    let artifact = record
        .steps
        .iter()
        .find_map(|step| step.result.get("artifact")?.as_str());
    match artifact {
        Some(artifact) => Ok(artifact.to_owned()),
        None => Err(Failure::no_operation(op)),
    }
}

fn weights_of(artifact: &ArtifactManifest) -> Option<String> {
    let file = artifact.files.get(MODEL_FILE);
    file.map(|file| file.sha256.clone())
}

/// Programs and libraries that have another version now.
fn changed_versions(before: &Lineage, after: &Lineage) -> Vec<String> {
    let changed = after.versions.iter().filter_map(|(program, now)| {
        let then = before.versions.get(program)?;
        (then != now).then(|| format!("{program} was {then} then, is {now} now"))
    });
    changed.collect()
}
