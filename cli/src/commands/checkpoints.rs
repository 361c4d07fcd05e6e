//! `ktrdr checkpoints`: what interrupted steps have left in the store to go on from.

use std::collections::BTreeMap;

use bus::{Bus, BusError};
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use schemas::acts::Deed;
use schemas::codes;
use schemas::errors::chain;
use schemas::ids::OperationId;
use schemas::operation::{OperationRecord, OperationState};
use serde_json::{Value, json};
use store::{Store, StoredCheckpoint};

use crate::arguments::values::{parse_age, parse_operation};
use crate::console::durations::{after, compact, instant};
use crate::console::{Exit, Failure, confirm, count_of, extended};
use crate::context::Context;
use crate::inputs::acts::note_act;
use crate::inputs::stored_series::open_existing_store;

const HEADS: [&str; 6] = ["OPERATION", "STEP", "CHECKPOINT", "STATE", "AGE", "BYTES"];
const FILE_HEADS: [&str; 4] = ["STEP", "CHECKPOINT", "WRITTEN", "CONTENT"];

/// `ktrdr checkpoints`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct CheckpointsArgs {
    /// The command; list when absent.
    #[command(subcommand)]
    command: Option<CheckpointsCommand>,
}

/// `ktrdr checkpoints …`.
#[derive(Debug, Subcommand)]
enum CheckpointsCommand {
    /// List the checkpoints in the store, with the state of their operations
    List,
    /// Read the checkpoints of an operation, and say which of them are intact
    Show(OneOperation),
    /// Delete the checkpoints of operations that have ended; a resume then starts their steps from
    /// the beginning
    Delete(DeleteArgs),
    /// Delete checkpoints that nothing needs: of completed operations, of operations without a
    /// record, and of failed or cancelled ones that ended long ago
    Prune(PruneArgs),
}

/// The operation to look at.
#[derive(Debug, Args)]
struct OneOperation {
    /// Operation whose checkpoints to show
    #[arg(value_parser = parse_operation)]
    op: OperationId,
}

/// `ktrdr checkpoints delete`.
#[derive(Debug, Args)]
struct DeleteArgs {
    /// Operations whose checkpoints to delete
    #[arg(required = true, value_name = "OP", value_parser = parse_operation)]
    ops: Vec<OperationId>,
    /// Delete without asking
    #[arg(long, short, visible_alias = "yes")]
    force: bool,
}

/// `ktrdr checkpoints prune`.
#[derive(Debug, Args)]
struct PruneArgs {
    /// Those of failed and cancelled operations that ended longer ago than this, as in 12h or 30d
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = parse_age)]
    older_than: SignedDuration,
    /// Delete without asking
    #[arg(long, short, visible_alias = "yes")]
    force: bool,
}

/// The checkpoints of one operation, newest first, and its record.
struct OfOperation {
    checkpoints: Vec<StoredCheckpoint>,
    record: RecordLook,
}

/// What a look at the record of an operation has shown.
enum RecordLook {
    /// The record as it is stored.
    Read(Box<OperationRecord>),
    /// There is none.
    Absent,
    /// There is one, of another program or damaged.
    Unreadable(Box<BusError>),
}

impl RecordLook {
    async fn of(op: &OperationId, bus: &Bus) -> Result<Self, Failure> {
        match bus.operations().get(op).await {
            Ok(Some(stored)) => Ok(Self::Read(Box::new(stored.record))),
            Ok(None) => Ok(Self::Absent),
            Err(error @ BusError::UnreadableRecord { .. }) => Ok(Self::Unreadable(Box::new(error))),
            Err(error) => Err(error.into()),
        }
    }

    /// The state of the operation, as the list shows it.
    fn state_word(&self) -> &'static str {
        match self {
            Self::Read(record) => record.state.as_str(),
            Self::Absent => "no record",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

/// Runs the command.
///
/// # Errors
/// The store or the server cannot be asked, or an operation is not finished.
pub(crate) async fn run(args: &CheckpointsArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_existing_store(context).await?;
    let bus = context.bus().await?;
    match &args.command {
        None | Some(CheckpointsCommand::List) => list(context, &store, &bus).await,
        Some(CheckpointsCommand::Show(args)) => show(&args.op, context, &store).await,
        Some(CheckpointsCommand::Delete(args)) => delete(args, context, &store, &bus).await,
        Some(CheckpointsCommand::Prune(args)) => prune(args, context, &store, &bus).await,
    }
}

async fn read_all(store: &Store, bus: &Bus) -> Result<BTreeMap<OperationId, OfOperation>, Failure> {
    let mut operations: BTreeMap<OperationId, OfOperation> = BTreeMap::new();
    for checkpoint in store.checkpoints().list_all().await? {
        let op = checkpoint.key.operation.clone();
        if let Some(of_operation) = operations.get_mut(&op) {
            of_operation.checkpoints.push(checkpoint);
            continue;
        }

        let record = RecordLook::of(&op, bus).await?;
        let checkpoints = vec![checkpoint];
        let of_operation = OfOperation {
            checkpoints,
            record,
        };
        operations.insert(op, of_operation);
    }
    Ok(operations)
}

async fn list(context: &Context, store: &Store, bus: &Bus) -> Result<Exit, Failure> {
    let output = &context.output;
    let operations = read_all(store, bus).await?;
    if operations.is_empty() {
        output.note("No checkpoints are stored");
        return Ok(Exit::Done);
    }

    let now = Timestamp::now();
    let mut rows = Vec::new();
    for of_operation in operations.values() {
        let state = of_operation.record.state_word();
        for checkpoint in &of_operation.checkpoints {
            output.json(&checkpoint_json(checkpoint, state));
            rows.push(checkpoint_row(checkpoint, state, now));
        }
    }
    output.table(&HEADS, &rows);
    Ok(Exit::Done)
}

fn checkpoint_json(checkpoint: &StoredCheckpoint, state: &str) -> Value {
    let key = &checkpoint.key;
    json!({
        "type": "checkpoint",
        "op": key.operation,
        "step": key.step,
        "key": key.to_string(),
        "state": state,
        "complete": checkpoint.is_complete,
        "written_at": checkpoint.written_at.timestamp(),
        "bytes": checkpoint.size_bytes,
    })
}

fn checkpoint_row(checkpoint: &StoredCheckpoint, state: &str, now: Timestamp) -> Vec<String> {
    let key = &checkpoint.key;
    let age = after(checkpoint.written_at.timestamp(), now);
    let unfinished = if checkpoint.is_complete {
        ""
    } else {
        " (unfinished)"
    };

    vec![
        key.operation.to_string(),
        key.step.to_string(),
        format!("{}-{}{unfinished}", key.attempt, key.seq),
        state.to_owned(),
        compact(age),
        checkpoint.size_bytes.to_string(),
    ]
}

async fn show(op: &OperationId, context: &Context, store: &Store) -> Result<Exit, Failure> {
    let output = &context.output;
    let checkpoints = store.checkpoints().list_of(op).await?;
    if checkpoints.is_empty() {
        return Err(no_checkpoints(op));
    }

    let mut rows = Vec::with_capacity(checkpoints.len());
    for checkpoint in &checkpoints {
        let key = &checkpoint.key;
        let content = match store.checkpoints().get(key).await {
            Ok(read) => Ok(read.files.into_keys().collect::<Vec<_>>().join(", ")),
            Err(error) => Err(chain(&error)),
        };
        let fields = [
            ("intact", json!(content.is_ok())),
            (
                "content",
                json!(content.clone().unwrap_or_else(|error| error)),
            ),
        ];
        output.json(&extended(&checkpoint_json(checkpoint, ""), fields));

        rows.push(vec![
            key.step.to_string(),
            format!("{}-{}", key.attempt, key.seq),
            instant(checkpoint.written_at.timestamp()),
            content.map_or_else(
                |error| format!("damaged: {error}"),
                |files| format!("intact: {files}"),
            ),
        ]);
    }
    output.table(&FILE_HEADS, &rows);
    Ok(Exit::Done)
}

fn no_checkpoints(op: &OperationId) -> Failure {
    let message = format!("there are no checkpoints of {op}");
    Failure::new(Exit::NotFound, codes::OPS_CHECKPOINT_MISSING, message)
        .with_hint("`ktrdr checkpoints list` shows those that are stored")
        .about(op)
}

async fn delete(
    args: &DeleteArgs,
    context: &Context,
    store: &Store,
    bus: &Bus,
) -> Result<Exit, Failure> {
    let mut operations = BTreeMap::new();

    // All are looked at before anything is deleted.
    for op in &args.ops {
        let checkpoints = store.checkpoints().list_of(op).await?;
        if checkpoints.is_empty() {
            return Err(no_checkpoints(op));
        }
        require_ended(op, bus).await?;
        operations.insert(op.clone(), checkpoints);
    }
    take_away(&operations, args.force, context, store, bus).await
}

/// Refuses an operation that has not ended, or of which nobody knows.
///
/// # Errors
/// It runs or waits, or its record cannot be read.
async fn require_ended(op: &OperationId, bus: &Bus) -> Result<(), Failure> {
    match RecordLook::of(op, bus).await? {
        RecordLook::Read(record) if !record.state.is_terminal() => Err(still_needed(&record)),
        RecordLook::Read(_) | RecordLook::Absent => Ok(()),
        RecordLook::Unreadable(error) => Err((*error).into()),
    }
}

fn still_needed(record: &OperationRecord) -> Failure {
    let OperationRecord { op, state, .. } = record;
    let message = format!("Operation {op} is {state}: its checkpoints are needed");
    Failure::new(Exit::Refused, codes::OPS_NOT_ENDED, message)
        .with_hint(format!("`ktrdr cancel {op}` stops it"))
        .about(op)
}

async fn prune(
    args: &PruneArgs,
    context: &Context,
    store: &Store,
    bus: &Bus,
) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    let mut operations = BTreeMap::new();
    for (op, of_operation) in read_all(store, bus).await? {
        if is_needless(&of_operation, args.older_than, now) {
            operations.insert(op, of_operation.checkpoints);
        }
    }

    take_away(&operations, args.force, context, store, bus).await
}

/// True for checkpoints that no resume can want, or that have been left for long.
fn is_needless(of_operation: &OfOperation, age: SignedDuration, now: Timestamp) -> bool {
    let is_old = |at: Timestamp| now.duration_since(at) >= age;

    match &of_operation.record {
        RecordLook::Read(record) if record.state == OperationState::Completed => true,
        RecordLook::Read(record) => {
            record.state.is_terminal() && record.finished_at.is_some_and(is_old)
        }
        // Whoever wrote the record may go on from them.
        RecordLook::Unreadable(_) => false,
        // The record of an operation may be read a moment after its first checkpoint was written.
        RecordLook::Absent => {
            let mut written = of_operation.checkpoints.iter();
            written.all(|checkpoint| is_old(checkpoint.written_at.timestamp()))
        }
    }
}

/// Says what is taken away, and takes it away once that is confirmed.
async fn take_away(
    operations: &BTreeMap<OperationId, Vec<StoredCheckpoint>>,
    force: bool,
    context: &Context,
    store: &Store,
    bus: &Bus,
) -> Result<Exit, Failure> {
    let output = &context.output;
    let checkpoints: Vec<&StoredCheckpoint> = operations.values().flatten().collect();
    let bytes: u64 = checkpoints.iter().map(|each| each.size_bytes).sum();
    let what = format!(
        "{} of {}, {bytes} bytes",
        count_of(checkpoints.len(), "checkpoint"),
        count_of(operations.len(), "operation")
    );

    let question = format!("Delete {what}?");
    let is_confirmed = force || (!operations.is_empty() && confirm(output, &question));
    if is_confirmed {
        let ops: Vec<String> = operations.keys().map(ToString::to_string).collect();
        note_act(Deed::CheckpointsDelete, &ops, context, bus).await?;
        delete_unneeded(operations.keys(), store, bus).await?;
    }
    output.json(&json!({
        "type": "checkpoints",
        "written": is_confirmed,
        "checkpoints": checkpoints.len(),
        "bytes": bytes,
        "ops": operations.keys().collect::<Vec<_>>(),
    }));

    if is_confirmed {
        output.line(&format!("{what}: deleted"));
    } else {
        output.line(&format!("{what}: can be deleted"));
        if !operations.is_empty() {
            output.note("nothing was changed; add --force to delete them");
        }
    }
    Ok(Exit::Done)
}

async fn delete_unneeded(
    ops: impl Iterator<Item = &OperationId>,
    store: &Store,
    bus: &Bus,
) -> Result<(), Failure> {
    for op in ops {
        // It may have been resumed while a person read the question.
        require_ended(op, bus).await?;
        store.checkpoints().delete_of(op).await?;
    }
    Ok(())
}
