//! `ktrdr store gc`: deletes what nothing in the object store needs any more.

use clap::{Args, Subcommand};
use schemas::names::MICROS_PER_DAY;
use serde_json::json;
use store::{Garbage, GarbageKind};

use crate::console::{Exit, Failure, count_of, now};
use crate::context::Context;
use crate::inputs::stored_series::{GRACE_DAYS, open_existing_store};

const HEADS: [&str; 3] = ["WHAT", "OBJECTS", "BYTES"];

/// `ktrdr store`.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// The subcommand with its arguments.
    #[command(subcommand)]
    command: StoreCommand,
}

/// `ktrdr store …`.
#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Show which objects nothing needs any more; with --yes, delete them. Replaced revisions of
    /// bars, files of deleted models, and what interrupted programs left behind; never reports or
    /// checkpoints, nor bars that a data set was made from
    Gc(GcArgs),
}

/// `ktrdr store gc`.
#[derive(Debug, Args)]
struct GcArgs {
    /// Delete the objects; without it nothing is changed. Let nothing write to the store meanwhile
    #[arg(long)]
    yes: bool,
    /// Keep what was needed within this number of days: so long can a deletion be undone
    #[arg(long, default_value_t = GRACE_DAYS)]
    days: u16,
}

/// Runs the command.
///
/// # Errors
/// The store cannot be opened, listed or written to.
pub(crate) async fn run(args: &StoreArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        StoreCommand::Gc(args) => collect_garbage(args, context).await,
    }
}

async fn collect_garbage(args: &GcArgs, context: &Context) -> Result<Exit, Failure> {
    // Younger objects stay: a deletion can be undone, and a write may be under way.
    let store = open_existing_store(context).await?;
    let before = now().plus_micros(-MICROS_PER_DAY * i64::from(args.days));
    let garbage = store.find_garbage(before).await?;
    if args.yes {
        store.delete_garbage(&garbage).await?;
    }

    let bytes: u64 = garbage.iter().map(|object| object.size_bytes).sum();
    context.output.json(&json!({
        "type": "gc",
        "written": args.yes,
        "objects": garbage.len(),
        "bytes": bytes,
        "keys": garbage.iter().map(|object| &object.key).collect::<Vec<_>>(),
    }));
    show_garbage(&garbage, context);

    let count = count_of(garbage.len(), "object");
    let done = if args.yes { "deleted" } else { "not needed" };
    let line = format!("{count} {done}, {bytes} bytes");
    context.output.line(&line);
    if !args.yes && !garbage.is_empty() {
        let note = "nothing was changed; add --yes to delete";
        context.output.note(note);
    }
    Ok(Exit::Done)
}

/// One row per kind, if there is anything.
fn show_garbage(garbage: &[Garbage], context: &Context) {
    let kinds = [
        (GarbageKind::OldRevision, "replaced revisions"),
        (GarbageKind::OldBars, "files of bars"),
        (GarbageKind::Unfinished, "parts of unfinished objects"),
        (GarbageKind::DeletedModel, "files of deleted models"),
    ];

    let mut rows = Vec::new();
    for (kind, name) in kinds {
        let of_kind = garbage.iter().filter(|object| object.kind == kind);
        let sizes: Vec<u64> = of_kind.map(|object| object.size_bytes).collect();
        if !sizes.is_empty() {
            let bytes: u64 = sizes.iter().sum();
            rows.push(vec![
                name.to_owned(),
                sizes.len().to_string(),
                bytes.to_string(),
            ]);
        }
    }
    if !rows.is_empty() {
        context.output.table(&HEADS, &rows);
    }
}
