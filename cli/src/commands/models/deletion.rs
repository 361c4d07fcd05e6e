//! `ktrdr models delete|undelete`: versions out of sight, and back within some days.

use clap::Args;
use jiff::Timestamp;
use market::Utc;
use schemas::codes;
use schemas::manifests::{DeletionChange, ModelManifest};
use schemas::names::MICROS_PER_DAY;
use serde_json::{Value, json};
use store::{ChangeOutcome, Store, StoreError};

use super::registry::open_store_to_read;
use crate::console::{Exit, Failure, count_of};
use crate::context::Context;
use crate::inputs::models::find_model;
use crate::inputs::stored_series::{GRACE_DAYS, open_existing_store};

/// `ktrdr models delete`.
#[derive(Clone, Debug, Args)]
pub(super) struct DeleteArgs {
    /// Versions, as in NAME@3; a name alone is its newest version
    #[arg(required = true, value_name = "MODEL")]
    models: Vec<String>,
    /// Every version of the models that are named; without it one version each
    #[arg(long)]
    all_versions: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// `ktrdr models undelete`.
#[derive(Clone, Debug, Args)]
pub(super) struct UndeleteArgs {
    /// Deleted versions, as in NAME@3
    #[arg(required = true, value_name = "MODEL")]
    models: Vec<String>,
}

/// Deletes versions, all or none.
///
/// # Errors
/// There is no such version, one has an alias, or the store cannot be written.
pub(super) async fn delete(args: &DeleteArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_existing_store(context).await?;
    let mut models: Vec<ModelManifest> = Vec::new();
    for text in &args.models {
        let model = find_model(&store, text).await?;
        match args.all_versions {
            true => models.extend(store.models().versions(&model.name).await?),
            false => models.push(model),
        }
    }
    for model in &models {
        refuse_alias(&store, model).await?;
    }

    for model in &models {
        let change = next_change(&store, model, true, args.note.clone(), context).await?;
        make(&store, change, context).await?;
        // A role that somebody gave at the same time counts more than the deletion.
        if let Err(failure) = refuse_alias(&store, model).await {
            let undone = next_change(&store, model, false, None, context).await?;
            make(&store, undone, context).await?;
            return Err(failure);
        }
    }
    context.output.note(&format!(
        "{} deleted; `ktrdr models undelete NAME@VERSION` undoes it within {GRACE_DAYS} days, and \
         `ktrdr store gc` frees the space after them",
        count_of(models.len(), "version")
    ));
    Ok(Exit::Done)
}

/// Undoes deletions.
///
/// # Errors
/// A version was not deleted, its files are gone, or the store cannot be written.
pub(super) async fn undelete(args: &UndeleteArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_existing_store(context).await?;
    for text in &args.models {
        let model = find_deleted(&store, text).await?;
        let change = next_change(&store, &model, false, None, context).await?;
        make(&store, change, context).await?;
    }
    Ok(Exit::Done)
}

/// The deletions that count, newest first.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn list(name: Option<&str>, context: &Context) -> Result<Exit, Failure> {
    let store = open_store_to_read(context).await?;
    let mut changes = store.models().deletions(name).await?;
    changes.retain(|change| change.is_deleted);
    changes.sort_by_key(|change| std::cmp::Reverse(change.at));
    if changes.is_empty() {
        context.output.note("no version is deleted");
        return Ok(Exit::Done);
    }

    let mut rows = Vec::with_capacity(changes.len());
    for change in &changes {
        context.output.json(&change_json(change));
        rows.push(vec![
            format!("{}@{}", change.model, change.version),
            Utc(change.at).to_string(),
            change.by.clone(),
            last_day(change).to_string(),
            change.note.clone().unwrap_or_default(),
        ]);
    }
    let heads = ["MODEL", "DELETED", "BY", "UNDELETE UNTIL", "NOTE"];
    context.output.table(&heads, &rows);
    Ok(Exit::Done)
}

/// Until when the files of the version stay.
fn last_day(change: &DeletionChange) -> Utc {
    Utc(change.at).plus_micros(MICROS_PER_DAY * i64::from(GRACE_DAYS))
}

/// Refuses to delete a version that plays a role.
async fn refuse_alias(store: &Store, model: &ModelManifest) -> Result<(), Failure> {
    let aliases = store.models().aliases(&model.name).await?;
    let held = aliases
        .iter()
        .find(|change| change.version == Some(model.version));
    let Some(alias) = held else {
        return Ok(());
    };

    let ModelManifest { name, version, .. } = model;
    let alias = &alias.alias;
    let message = format!("{name}@{version} is {alias}, so nothing was deleted of it");
    Err(Failure::new(Exit::Refused, codes::MODEL_HELD, message).with_hint(format!(
        "`ktrdr models promote {name}@OTHER {alias}` or `ktrdr models demote {name} {alias}` first"
    )))
}

/// A model and the number of a version.
struct VersionName<'a> {
    name: &'a str,
    version: u32,
}

impl<'a> VersionName<'a> {
    /// Reads `NAME@3`; none for any other text.
    fn read(text: &'a str) -> Option<Self> {
        let (name, version) = text.split_once('@')?;
        let version = version.parse().ok()?;
        Some(Self { name, version })
    }
}

/// The version that `NAME@3` means, if it is deleted and still has its files.
async fn find_deleted(store: &Store, text: &str) -> Result<ModelManifest, Failure> {
    let Some(VersionName { name, version }) = VersionName::read(text) else {
        let message = format!("`{text}` names no version");
        return Err(Failure::new(Exit::Usage, codes::MODEL_NOT_FOUND, message)
            .with_hint("write NAME@3; `ktrdr models list --deleted` shows what was deleted"));
    };

    let deletions = store.models().deletions(Some(name)).await?;
    let is_deleted = |change: &DeletionChange| change.version == version && change.is_deleted;
    if !deletions.iter().any(is_deleted) {
        let message = format!("{name}@{version} is not deleted");
        return Err(
            Failure::new(Exit::NotFound, codes::MODEL_NOT_FOUND, message)
                .with_hint("`ktrdr models list --deleted` shows what was deleted"),
        );
    }

    let model = store.models().read_version(name, version).await?;
    let model = model.ok_or_else(|| files_gone(text))?;
    // What is damaged in another way than by `store gc` comes back, and says so when it is read.
    match store.artifacts().manifest(&model.artifact).await {
        Err(StoreError::Missing { .. }) => Err(files_gone(text)),
        _ => Ok(model),
    }
}

fn files_gone(text: &str) -> Failure {
    let message = format!("the files of {text} are gone");
    Failure::new(Exit::NotFound, codes::MODEL_INCOMPLETE, message).with_hint(format!(
        "a deletion can be undone within {GRACE_DAYS} days; train the model again"
    ))
}

async fn next_change(
    store: &Store,
    model: &ModelManifest,
    is_deleted: bool,
    note: Option<String>,
    context: &Context,
) -> Result<DeletionChange, Failure> {
    let changes = store.models().deletions(Some(&model.name)).await?;
    let before = changes
        .iter()
        .find(|change| change.version == model.version);

    Ok(DeletionChange {
        v: DeletionChange::VERSION,
        model: model.name.clone(),
        version: model.version,
        revision: before.map_or(1, |change| change.revision + 1),
        is_deleted,
        by: context.person()?,
        note,
        at: Timestamp::now().as_microsecond(),
    })
}

/// Makes the change and says so. One that somebody else has made meanwhile is as good.
async fn make(store: &Store, change: DeletionChange, context: &Context) -> Result<(), Failure> {
    let is_deleted = change.is_deleted;
    let counting = match store.models().change_deletion(change).await? {
        ChangeOutcome::Made(change) => change,
        ChangeOutcome::Overtaken(other) if other.is_deleted == is_deleted => other,
        ChangeOutcome::Overtaken(other) => return Err(overtaken(&other)),
    };

    context.output.json(&change_json(&counting));
    context.output.line(&describe(&counting));
    Ok(())
}

fn overtaken(other: &DeletionChange) -> Failure {
    let message = format!("{} at the same time: {}", other.by, describe(other));
    Failure::new(Exit::Refused, codes::MODEL_HELD, message)
        .with_hint("write the command again if yours shall count")
}

/// `trend@3 is deleted`, or `trend@3 is back`.
fn describe(change: &DeletionChange) -> String {
    let state = if change.is_deleted { "deleted" } else { "back" };
    format!("{}@{} is {state}", change.model, change.version)
}

fn change_json(change: &DeletionChange) -> Value {
    json!({
        "type": "deletion",
        "model": change.model,
        "version": change.version,
        "revision": change.revision,
        "is_deleted": change.is_deleted,
        "by": change.by,
        "note": change.note,
        "at": Utc(change.at).to_string(),
        "undelete_until": last_day(change).to_string(),
    })
}
