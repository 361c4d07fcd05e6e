//! `ktrdr models promote|demote|aliases`: which version plays which role, and who has said so.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use market::Utc;
use schemas::codes;
use schemas::manifests::{AliasChange, is_alias};
use serde_json::{Value, json};
use store::{ChangeOutcome, Store};

use super::registry::open_store_to_read;
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::models::find_model;
use crate::inputs::stored_series::open_existing_store;

/// `ktrdr models promote|demote|aliases`.
#[derive(Debug, Subcommand)]
pub(super) enum RolesCommand {
    /// Give a version a role such as production; NAME@production means it from then on
    Promote(PromoteArgs),
    /// Take a role away from the version that plays it
    Demote(DemoteArgs),
    /// List which version plays which role, or every change of the roles of one model
    Aliases(AliasesArgs),
}

/// Runs the command.
///
/// # Errors
/// There is no such model or role, or the store cannot be read or written.
pub(super) async fn run(command: &RolesCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        RolesCommand::Promote(args) => promote(args, context).await,
        RolesCommand::Demote(args) => demote(args, context).await,
        RolesCommand::Aliases(args) => list(args, context).await,
    }
}

/// `ktrdr models promote`.
#[derive(Clone, Debug, Args)]
pub(super) struct PromoteArgs {
    /// The version: NAME for the newest one, NAME@3, or NAME@candidate
    model: String,
    /// The role that it plays from now on, as in production
    #[arg(value_parser = parse_alias)]
    alias: String,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// `ktrdr models demote`.
#[derive(Clone, Debug, Args)]
pub(super) struct DemoteArgs {
    /// The model whose versions play it
    name: String,
    /// The role that no version of it plays from now on
    #[arg(value_parser = parse_alias)]
    alias: String,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// `ktrdr models aliases`.
#[derive(Clone, Debug, Args)]
pub(super) struct AliasesArgs {
    /// Every change of the aliases of this model; without it the aliases of all models
    name: Option<String>,
}

fn parse_alias(text: &str) -> Result<String, String> {
    if is_alias(text) {
        Ok(text.to_owned())
    } else {
        Err("an alias is 1 to 64 of a-z, 0-9, _ and -, a letter first".to_owned())
    }
}

/// Gives a role to a version.
///
/// # Errors
/// There is no such version, somebody else changes the role at the same time, or the store cannot
/// be written.
async fn promote(args: &PromoteArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_existing_store(context).await?;
    let model = find_model(&store, &args.model).await?;
    let role = Role {
        model: model.name,
        alias: args.alias.clone(),
    };

    let version = Some(model.version);
    change(&store, &role, version, args.note.clone(), context).await
}

/// Takes a role away.
///
/// # Errors
/// No version plays it, somebody else changes it at the same time, or the store cannot be written.
async fn demote(args: &DemoteArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_existing_store(context).await?;
    let role = Role {
        model: args.name.clone(),
        alias: args.alias.clone(),
    };
    change(&store, &role, None, args.note.clone(), context).await
}

/// An alias of a model.
struct Role {
    model: String,
    alias: String,
}

async fn change(
    store: &Store,
    role: &Role,
    version: Option<u32>,
    note: Option<String>,
    context: &Context,
) -> Result<Exit, Failure> {
    let before = store.models().alias(&role.model, &role.alias).await?;
    let version_before = before.as_ref().and_then(|change| change.version);
    if version_before == version {
        return say_unchanged(role, version, context);
    }

    let change = AliasChange {
        v: AliasChange::VERSION,
        model: role.model.clone(),
        alias: role.alias.clone(),
        revision: before.map_or(1, |change| change.revision + 1),
        version,
        by: context.person()?,
        note,
        at: Timestamp::now().as_microsecond(),
    };
    match store.models().change_alias(change).await? {
        ChangeOutcome::Overtaken(other) => Err(overtaken(&other)),
        ChangeOutcome::Made(change) => {
            context.output.json(&change_json(&change));
            let was = match version_before {
                Some(version) => format!(", which was version {version}"),
                None => String::new(),
            };
            let text = format!("{}{was}", describe_version(&change));
            context.output.line(&text);
            Ok(Exit::Done)
        }
    }
}

/// A role that is as it should be stays so; one that nobody plays cannot be taken away.
fn say_unchanged(role: &Role, version: Option<u32>, context: &Context) -> Result<Exit, Failure> {
    let Role { model, alias } = role;
    let Some(version) = version else {
        let message = format!("no version of {model} is {alias}");
        return Err(Failure::new(Exit::NotFound, codes::MODEL_ALIAS, message)
            .with_hint("`ktrdr models aliases` shows which version is what"));
    };
    context
        .output
        .line(&format!("{model}@{version} is {alias} already"));
    Ok(Exit::Done)
}

fn overtaken(other: &AliasChange) -> Failure {
    let message = format!(
        "{} has changed {} of {} at the same time: {}",
        other.by,
        other.alias,
        other.model,
        describe_version(other)
    );
    Failure::new(Exit::Refused, codes::MODEL_ALIAS, message).with_hint(format!(
        "`ktrdr models aliases {}` shows all changes; write the command again if yours shall count",
        other.model
    ))
}

/// `trend@3 is production`, or `no version of trend is production`.
fn describe_version(change: &AliasChange) -> String {
    match change.version {
        Some(version) => format!("{}@{version} is {}", change.model, change.alias),
        None => format!("no version of {} is {}", change.model, change.alias),
    }
}

/// Lists the aliases of all models, or every change of those of one.
///
/// # Errors
/// The store cannot be read.
async fn list(args: &AliasesArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_store_to_read(context).await?;
    let mut changes = match &args.name {
        Some(name) => store.models().alias_history(name).await?,
        None => store.models().newest_aliases().await?,
    };
    if args.name.is_none() {
        changes.retain(|change| change.version.is_some());
    }
    if changes.is_empty() {
        context.output.note("no version of a model has an alias");
        context
            .output
            .note("hint: `ktrdr models promote NAME@3 production` gives one");
        return Ok(Exit::Done);
    }

    let mut rows = Vec::with_capacity(changes.len());
    for change in &changes {
        context.output.json(&change_json(change));
        let version = change.version.map(|version| version.to_string());
        rows.push(vec![
            change.model.clone(),
            change.alias.clone(),
            version.unwrap_or_else(|| "none".to_owned()),
            Utc(change.at).to_string(),
            change.by.clone(),
            change.note.clone().unwrap_or_default(),
        ]);
    }
    let heads = ["MODEL", "ALIAS", "VERSION", "SINCE", "BY", "NOTE"];
    context.output.table(&heads, &rows);
    Ok(Exit::Done)
}

fn change_json(change: &AliasChange) -> Value {
    json!({
        "type": "alias",
        "model": change.model,
        "alias": change.alias,
        "revision": change.revision,
        "version": change.version,
        "by": change.by,
        "note": change.note,
        "at": Utc(change.at).to_string(),
    })
}
