//! `ktrdr infra restore`: an empty system gets the state of a backup.

use std::path::PathBuf;

use bus::{Backup, Bus, OperationFilter, Restored};
use clap::Args;
use serde_json::json;
use store::Store;

use crate::console::{Exit, Failure, count_of};
use crate::context::Context;
use crate::inputs::stored_series::open_existing_store;

/// `ktrdr infra restore`.
#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// Folder that `ktrdr infra backup` has written
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Replace what is on the bus; without it a system that is not empty is refused
    #[arg(long)]
    force: bool,
    /// Check the backup and the system, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Checks the backup, restores it, and says what goes on.
///
/// # Errors
/// The backup cannot be used, the system is in use, or the server refuses.
pub(super) async fn run(args: &RestoreArgs, context: &Context) -> Result<Exit, Failure> {
    let folder = context.working_directory.join(&args.folder);
    let backup = Backup::open(&folder)?;
    let store = open_existing_store(context).await?;
    let bus = context.bus_of_infra().await?;
    let output = &context.output;
    if args.dry_run {
        bus.infra().require_rest(&backup, args.force).await?;
        let restored = Restored::default();
        output.json(&restored_json(&restored, 0, true));
        let count = count_of(backup.manifest.streams.len(), "stream");
        output.line(&format!("the backup is whole: {count} would be restored"));
        return Ok(Exit::Done);
    }

    let restored = bus.infra().restore(&backup, args.force).await?;
    let removed = remove_later_checkpoints(&bus, &store).await?;
    output.json(&restored_json(&restored, removed, false));
    for stream in &restored.streams {
        output.line(&format!("restored {stream}"));
    }
    let count = count_of(restored.unfinished.len(), "operation");
    output.line(&format!("{count} not over: start the services to go on"));
    if removed > 0 {
        let count = count_of(removed, "checkpoint");
        output.line(&format!("removed {count} of attempts after the backup"));
    }
    Ok(Exit::Done)
}

fn restored_json(restored: &Restored, removed: usize, is_dry: bool) -> serde_json::Value {
    json!({
        "type": "restore",
        "dry_run": is_dry,
        "streams": restored.streams,
        "created": restored.created,
        "unfinished": restored.unfinished,
        "removed_checkpoints": removed,
    })
}

/// Removes what attempts after the backup have left: their numbers are used again.
async fn remove_later_checkpoints(bus: &Bus, store: &Store) -> Result<usize, Failure> {
    let mut removed = 0;
    let operations = bus.operations();

    for record in operations.unfinished(&OperationFilter::default()).await? {
        for checkpoint in store.checkpoints().list_of(&record.op).await? {
            let key = checkpoint.key;
            let step = record.step(key.step);
            if step.is_some_and(|step| key.attempt > step.attempt) {
                store.checkpoints().delete(&key).await?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}
