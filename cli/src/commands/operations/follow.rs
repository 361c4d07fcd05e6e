//! `ktrdr follow`: watches an operation that another process started.

use std::time::Duration;

use clap::Args;
use schemas::ids::OperationId;
use schemas::operation::OperationState;

use crate::arguments::values::{parse_duration, parse_operation, parse_state};
use crate::console::{Exit, Failure, Interrupts};
use crate::context::Context;
use crate::watch::{WatchOptions, watch_to_end};

/// `ktrdr follow`.
#[derive(Debug, Args)]
pub(crate) struct FollowArgs {
    /// Operation to follow
    #[arg(value_parser = parse_operation)]
    op: OperationId,
    /// First print everything that is still stored about it
    #[arg(long)]
    from_start: bool,
    /// End as soon as the operation is in this state
    #[arg(long, value_name = "STATE", value_parser = parse_state)]
    until: Option<OperationState>,
    /// Stop following after this time, as in 30s or 5m; the operation continues
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    wait_timeout: Option<Duration>,
}

/// Runs the command.
///
/// # Errors
/// There is no such operation, the server cannot be asked, or the operation failed.
pub(crate) async fn run(args: &FollowArgs, context: &Context) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen()?;
    let bus = context.bus().await?;
    if bus.operations().get(&args.op).await?.is_none() {
        return Err(Failure::no_operation(&args.op));
    }

    // Another process started it: Ctrl+C ends the watching, not the work.
    let options = WatchOptions {
        is_ours: false,
        from_start: args.from_start,
        until: args.until,
        wait_timeout: args.wait_timeout,
    };
    watch_to_end(context, &bus, &mut interrupts, &args.op, options).await
}
