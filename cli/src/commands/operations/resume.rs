//! `ktrdr resume`: puts a failed or cancelled operation back on its queue.

use std::time::Duration;

use clap::Args;
use schemas::ids::OperationId;
use serde_json::json;

use super::describe_checkpoint;
use crate::arguments::values::{parse_duration, parse_operation};
use crate::console::{Exit, Failure, Interrupts};
use crate::context::Context;
use crate::watch::{WatchOptions, print_follow_hints, watch_to_end};

/// `ktrdr resume`.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The operation
    #[arg(value_parser = parse_operation)]
    pub(crate) op: OperationId,
    /// Return at once
    #[arg(long, short)]
    pub(crate) detach: bool,
    /// Watch it to its end (the default)
    #[arg(long, short, conflicts_with = "detach")]
    pub(crate) follow: bool,
    /// Stop watching after this time, as in 30s or 5m; the operation continues
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) wait_timeout: Option<Duration>,
}

/// `ktrdr resume`.
pub(crate) async fn run(args: &ResumeArgs, context: &Context) -> Result<Exit, Failure> {
    let (output, op) = (&context.output, &args.op);
    let mut interrupts = Interrupts::listen()?;
    let bus = context.bus().await?;
    let record = bus.resume(op).await?;
    let from = describe_checkpoint(&record).map_or("its beginning".to_owned(), |text| {
        format!("checkpoint: {text}")
    });
    output.json(&json!({"type": "started", "op": op, "kind": record.kind, "resumed": true, "at": record.updated_at}));
    let started = format!("Resumed {} {op} from {from}", record.kind);
    if args.detach {
        output.line(&started);
        print_follow_hints(output, op);
        return Ok(Exit::Done);
    }
    output.note(&started);
    let options = WatchOptions {
        is_ours: true,
        wait_timeout: args.wait_timeout,
        ..WatchOptions::default()
    };
    watch_to_end(context, &bus, &mut interrupts, op, options).await
}
