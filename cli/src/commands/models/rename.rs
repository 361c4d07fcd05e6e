//! `ktrdr models rename`: another name for a model, with everything that belongs to it.

use clap::Args;
use jiff::Timestamp;
use market::Utc;
use schemas::codes;
use schemas::manifests::RenameChange;
use serde_json::{Value, json};
use store::{RenameOutcome, Store};

use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::models::find_model;
use crate::inputs::stored_series::open_existing_store;

/// `ktrdr models rename`.
#[derive(Clone, Debug, Args)]
pub(super) struct RenameArgs {
    /// The model, by a name that it has or had
    old: String,
    /// Its name from now on, which no model has or had; a former name of its own will do
    #[arg(value_parser = parse_name)]
    new: String,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

fn parse_name(text: &str) -> Result<String, String> {
    if strategies::is_name(text) {
        Ok(text.to_owned())
    } else {
        Err(
            "the name of a model is 1 to 64 of a-z, 0-9, _ and -, a letter or digit first"
                .to_owned(),
        )
    }
}

/// Renames a model: all its versions, with their aliases, notes and tags.
///
/// # Errors
/// There is no such model, the name is taken, somebody else renames it at the same time, or the
/// store cannot be written.
pub(super) async fn run(args: &RenameArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_existing_store(context).await?;
    if args.old.contains('@') {
        return Err(names_a_version(args));
    }
    let before = store.models().name_now(&args.old).await?;
    if before == args.new && !store.models().versions(&before).await?.is_empty() {
        let text = format!("the model is called {} already", args.new);
        context.output.line(&text);
        return Ok(Exit::Done);
    }

    let change = RenameChange {
        v: RenameChange::VERSION,
        model: String::new(),
        revision: 0,
        from: args.old.clone(),
        to: args.new.clone(),
        by: context.person()?,
        note: args.note.clone(),
        at: Timestamp::now().as_microsecond(),
    };
    match store.models().rename(change).await? {
        RenameOutcome::Renamed(change) => {
            say_renamed(&store, &change, context).await?;
            Ok(Exit::Done)
        }
        RenameOutcome::Unknown => Err(unknown(&store, args).await),
        RenameOutcome::Taken(name) => Err(taken(args, &name)),
        RenameOutcome::Overtaken(other) => Err(overtaken(&other)),
    }
}

async fn say_renamed(
    store: &Store,
    change: &RenameChange,
    context: &Context,
) -> Result<(), Failure> {
    let RenameChange { from, to, .. } = change;
    let versions = store.models().versions(to).await?.len();
    let mut value = rename_json(change);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("versions".to_owned(), json!(versions));
    }
    context.output.json(&value);

    let text = format!("{from} is called {to}, with all its versions and aliases");
    context.output.line(&text);
    context.output.note(&format!(
        "{from} goes on meaning {to}: a training under way for {from} becomes a version of {to}, \
         and so does the next `ktrdr train {from}`"
    ));
    Ok(())
}

/// A rename as programs read it.
pub(super) fn rename_json(change: &RenameChange) -> Value {
    json!({
        "type": "rename",
        "from": change.from,
        "to": change.to,
        "by": change.by,
        "note": change.note,
        "at": Utc(change.at).to_string(),
    })
}

fn names_a_version(args: &RenameArgs) -> Failure {
    let name = args.old.split('@').next().unwrap_or_default();
    let message = format!(
        "`{}` is one version, and a model is renamed as a whole",
        args.old
    );
    Failure::new(Exit::Usage, codes::MODEL_NAME, message).with_hint(format!(
        "`ktrdr models rename {name} {}` renames all versions; `ktrdr models tag {} KEY=VALUE` \
         marks one",
        args.new, args.old
    ))
}

/// The same error as of every other command that looks for a model.
async fn unknown(store: &Store, args: &RenameArgs) -> Failure {
    match find_model(store, &args.old).await {
        Err(failure) => failure,
        // It came into being between two looks.
        Ok(_) => Failure::new(
            Exit::Refused,
            codes::MODEL_NAME,
            format!("`{}` was registered at the same time", args.old),
        )
        .with_hint("write the command again"),
    }
}

fn taken(args: &RenameArgs, name: &str) -> Failure {
    let new = &args.new;
    let message = if name == new {
        format!("there is a model `{new}` already")
    } else {
        format!("`{new}` is a former name of {name}, and goes on meaning it")
    };
    Failure::new(Exit::Refused, codes::MODEL_NAME, message).with_hint(format!(
        "choose another name; `ktrdr models list {name}` shows the versions of that model"
    ))
}

fn overtaken(other: &RenameChange) -> Failure {
    let message = format!(
        "{} has renamed {} to {} at the same time",
        other.by, other.from, other.to
    );
    Failure::new(Exit::Refused, codes::MODEL_HELD, message)
        .with_hint("write the command again if yours shall count")
}
