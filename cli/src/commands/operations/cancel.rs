//! `ktrdr cancel`: asks for operations to be stopped, and waits for the stop on request.

use std::time::Duration;

use bus::Bus;
use clap::Args;
use schemas::ids::OperationId;
use schemas::operation::OperationState;
use serde_json::json;

use crate::arguments::values::{parse_duration, parse_operation};
use crate::console::{Exit, Failure, Interrupts, Output};
use crate::context::Context;
use crate::watch::{Ended, Screen, WatchOptions, report, watch};

/// `ktrdr cancel`.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// The operations
    #[arg(required = true, value_parser = parse_operation)]
    pub(crate) ops: Vec<OperationId>,
    /// Why, for the record
    #[arg(long, short, default_value = "Operation cancelled by user")]
    pub(crate) reason: String,
    /// Wait until the work has stopped
    #[arg(long, short)]
    pub(crate) wait: bool,
    /// Stop waiting after this time, as in 30s or 5m
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "wait")]
    pub(crate) wait_timeout: Option<Duration>,
}

/// `ktrdr cancel`.
pub(crate) async fn run(args: &CancelArgs, context: &Context) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen()?;
    let bus = context.bus().await?;
    let mut first: Option<Failure> = None;
    for op in &args.ops {
        if let Err(failure) = cancel_one(context, &bus, &mut interrupts, op, args).await {
            context.output.failure(&failure);
            first.get_or_insert(failure);
        }
    }
    Ok(first.map_or(Exit::Done, |failure| failure.exit))
}

async fn cancel_one(
    context: &Context,
    bus: &Bus,
    interrupts: &mut Interrupts,
    op: &OperationId,
    args: &CancelArgs,
) -> Result<(), Failure> {
    let output = &context.output;
    let Some(stored) = bus.record(op).await? else {
        return Err(Failure::no_operation(op));
    };
    let state = stored.record.state;
    if state.is_terminal() {
        let message = format!("Operation {op} cannot be cancelled (status: {state})");
        return Err(Failure::new(Exit::Refused, "OPS-CancelFailed", message)
            .with_hint(format!("it has ended; `ktrdr status {op}` shows how"))
            .about(op));
    }
    bus.request_cancel(op, &args.reason).await?;
    if !args.wait {
        let result = json!({"type": "result", "op": op, "state": "cancelling", "reason": args.reason, "exit": 0});
        output.json(&result);
        output.line(&format!("Cancel requested for {op}: {}", args.reason));
        return Ok(());
    }
    let quiet = Output {
        quiet: true,
        live: false,
        ..output.clone()
    };
    let options = WatchOptions {
        wait_timeout: args.wait_timeout,
        ..WatchOptions::default()
    };
    let watched = watch(bus, interrupts, op, options, &mut Screen::new(&quiet)).await?;
    match &watched.ended {
        Ended::Reached(record) if record.state == OperationState::Cancelled => {
            report(context, op, &watched).map(drop)
        }
        Ended::Reached(record) => {
            let message = format!(
                "Operation {op} was {} before the cancel was seen",
                record.state
            );
            Err(Failure::new(Exit::Refused, "OPS-CancelFailed", message).about(op))
        }
        _ => report(context, op, &watched).map(drop),
    }
}
