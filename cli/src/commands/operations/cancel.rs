//! `ktrdr cancel`: asks for operations to be stopped, and waits for the stop on request.

use std::time::Duration;

use bus::Bus;
use clap::Args;
use schemas::codes;
use schemas::ids::OperationId;
use schemas::operation::{OperationRecord, OperationState};
use serde_json::json;

use crate::arguments::OperationArg;
use crate::arguments::values::parse_duration;
use crate::console::{Exit, Failure, Interrupts, Output};
use crate::context::Context;
use crate::inputs::operations::find_operation;
use crate::watch::{Ended, Screen, WatchOptions, report, watch};

/// `ktrdr cancel`.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// Operations to cancel
    #[arg(required = true, value_name = "OP")]
    ops: Vec<OperationArg>,
    /// Reason, kept with the operation
    #[arg(long, short, default_value = "Operation cancelled by user")]
    reason: String,
    /// Wait until the work has stopped
    #[arg(long, short)]
    wait: bool,
    /// Stop waiting after this time, as in 30s or 5m
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "wait")]
    wait_timeout: Option<Duration>,
}

/// Asks for every operation to be stopped, also after one that cannot be; the exit code is that of
/// the first one that failed.
///
/// # Errors
/// The server cannot be reached. What fails for one operation is printed at once.
pub(crate) async fn run(args: &CancelArgs, context: &Context) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen()?;
    let bus = context.bus().await?;

    let mut exit = Exit::Done;
    for op in &args.ops {
        if let Err(failure) = cancel_one(context, &bus, &mut interrupts, op, args).await {
            context.output.failure(&failure);
            if exit == Exit::Done {
                exit = failure.exit;
            }
        }
    }
    Ok(exit)
}

async fn cancel_one(
    context: &Context,
    bus: &Bus,
    interrupts: &mut Interrupts,
    op: &OperationArg,
    args: &CancelArgs,
) -> Result<(), Failure> {
    let op = &find_operation(bus, op).await?;
    let Some(stored) = bus.operations().get(op).await? else {
        return Err(Failure::no_operation(op));
    };
    if stored.record.state.is_terminal() {
        return Err(already_ended(&stored.record));
    }

    // A request only: without --wait the operation may still run when this command ends.
    bus.cancels().request(op, &args.reason).await?;
    if args.wait {
        return wait_for_stop(context, bus, interrupts, op, args).await;
    }
    context.output.json(&json!({
        "type": "result",
        "op": op,
        "state": "cancelling",
        "reason": args.reason,
        "exit": 0,
    }));
    context
        .output
        .line(&format!("Cancel requested for {op}: {}", args.reason));
    Ok(())
}

fn already_ended(record: &OperationRecord) -> Failure {
    let op = &record.op;
    let message = format!(
        "Operation {op} cannot be cancelled (status: {})",
        record.state
    );
    Failure::new(Exit::Refused, codes::OPS_CANCEL_FAILED, message)
        .with_hint(format!("it has ended; `ktrdr status {op}` shows how"))
        .about(op)
}

/// Waits without a screen: only the end matters to somebody who wants an operation stopped.
async fn wait_for_stop(
    context: &Context,
    bus: &Bus,
    interrupts: &mut Interrupts,
    op: &OperationId,
    args: &CancelArgs,
) -> Result<(), Failure> {
    let quiet = Output {
        quiet: true,
        live: false,
        ..context.output.clone()
    };
    let options = WatchOptions {
        wait_timeout: args.wait_timeout,
        ..WatchOptions::default()
    };
    let watched = watch(bus, interrupts, op, options, &mut Screen::new(&quiet)).await?;

    if let Ended::Reached(record) = &watched.ended
        && record.state != OperationState::Cancelled
    {
        let message = format!(
            "Operation {op} was {} before it saw the cancel",
            record.state
        );
        return Err(
            Failure::new(Exit::Refused, codes::OPS_CANCEL_FAILED, message)
                .with_hint(format!("`ktrdr status {op}` shows how it ended"))
                .about(op),
        );
    }
    // A confirmed stop is what was asked for: it is a success of `cancel`.
    report(context, op, &watched)?;
    Ok(())
}
