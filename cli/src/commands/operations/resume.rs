//! `ktrdr resume`: puts a failed or cancelled operation back on its queue.

use std::time::Duration;

use clap::Args;
use schemas::codes;
use schemas::operation::{OperationRecord, Said};
use serde_json::{Value, json};

use super::describe_checkpoint;
use crate::arguments::OperationArg;
use crate::arguments::values::parse_duration;
use crate::console::{Exit, Failure, Interrupts};
use crate::context::Context;
use crate::inputs::checkpoint::{CheckedCheckpoint, CheckpointFault, check_checkpoint};
use crate::inputs::operations::find_operation;
use crate::watch::{WatchOptions, print_follow_hints, watch_to_end};

/// `ktrdr resume`.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// Operation to resume
    op: OperationArg,
    /// Reason, kept with the operation
    #[arg(long, short)]
    reason: Option<String>,
    /// Return at once
    #[arg(long, short)]
    detach: bool,
    /// Follow the operation to its end (the default)
    #[arg(long, short, conflicts_with = "detach")]
    follow: bool,
    /// Stop following after this time, as in 30s or 5m; the operation continues
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    wait_timeout: Option<Duration>,
}

/// Resumes the operation, and follows it unless asked to return at once.
///
/// # Errors
/// There is no such operation, it cannot be resumed in its state, or it fails again.
pub(crate) async fn run(args: &ResumeArgs, context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    // Before the operation runs: a Ctrl+C right after the resumption must cancel it.
    let mut interrupts = Interrupts::listen()?;
    let bus = context.bus().await?;
    let op = &find_operation(&bus, &args.op).await?;

    let said = Said {
        by: Some(context.person()?),
        reason: args.reason.clone(),
    };
    let checked = match bus.operations().get(op).await? {
        Some(stored) => check_checkpoint(&stored.record, context).await,
        None => return Err(Failure::no_operation(op)),
    };
    let record = bus.operations().resume_as(op, &said).await?;
    output.json(&resumed_json(&record, &said, &checked));
    let resumed = resumed_text(&record, &checked);

    if args.detach {
        output.line(&resumed);
        print_follow_hints(output, op);
        return Ok(Exit::Done);
    }
    output.note(&resumed);
    let options = WatchOptions {
        is_ours: true,
        person: said.by,
        wait_timeout: args.wait_timeout,
        ..WatchOptions::default()
    };
    watch_to_end(context, &bus, &mut interrupts, op, options).await
}

fn resumed_json(record: &OperationRecord, said: &Said, checked: &CheckedCheckpoint) -> Value {
    let damage = match &checked.fault {
        Some(CheckpointFault::Damaged(reason)) => Some(reason),
        Some(CheckpointFault::Missing) | None => None,
    };

    json!({
        "type": "started",
        "op": record.op,
        "kind": record.kind,
        "resumed": true,
        "by": said.by,
        "damaged": damage,
        "missing": checked.fault == Some(CheckpointFault::Missing),
        "at": record.updated_at,
    })
}

fn resumed_text(record: &OperationRecord, checked: &CheckedCheckpoint) -> String {
    let OperationRecord { op, kind, .. } = record;
    match (&checked.fault, describe_checkpoint(record)) {
        (Some(fault), _) => format!("Resumed {kind} {op} {}", describe_fault(fault, checked)),
        (None, Some(checkpoint)) => format!("Resumed {kind} {op} from checkpoint: {checkpoint}"),
        (None, None) => format!("Resumed {kind} {op} from its beginning"),
    }
}

/// Where a step goes on whose checkpoint cannot be used, and why.
fn describe_fault(fault: &CheckpointFault, checked: &CheckedCheckpoint) -> String {
    let place = match &checked.older {
        Some(older) => format!("from the checkpoint before: {older}"),
        None => "from the beginning of its step".to_owned(),
    };

    match fault {
        CheckpointFault::Missing => {
            let code = codes::OPS_CHECKPOINT_MISSING;
            format!("{place}\nwarning: its checkpoint is no longer in the store ({code})")
        }
        CheckpointFault::Damaged(reason) => {
            let code = codes::OPS_CHECKPOINT_CORRUPT;
            format!("{place}\nwarning: its checkpoint is damaged: {reason} ({code})")
        }
    }
}
