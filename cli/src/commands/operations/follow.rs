//! `ktrdr follow`: watches an operation that another process started.

use std::time::Duration;

use bus::Bus;
use clap::Args;
use schemas::codes;
use schemas::ids::OperationId;
use schemas::operation::OperationState;

use crate::arguments::OperationArg;
use crate::arguments::values::{parse_duration, parse_state};
use crate::console::{Exit, Failure, Interrupts};
use crate::context::Context;
use crate::inputs::operations::find_operations;
use crate::watch::{SeveralOptions, WatchOptions, watch_several, watch_to_end};

/// `ktrdr follow`.
#[derive(Debug, Args)]
pub(crate) struct FollowArgs {
    /// Operations to follow: ids, ends of ids, or `last`; several get one line each
    #[arg(required = true, value_name = "OP")]
    ops: Vec<OperationArg>,
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
    let ops = find_operations(&bus, &args.ops).await?;
    let [op] = ops.as_slice() else {
        return follow_several(args, context, &bus, &mut interrupts, &ops).await;
    };

    // Another process started it: Ctrl+C ends the watching, not the work.
    let options = WatchOptions {
        is_ours: false,
        from_start: args.from_start,
        until: args.until,
        wait_timeout: args.wait_timeout,
        person: None,
    };
    watch_to_end(context, &bus, &mut interrupts, op, options).await
}

async fn follow_several(
    args: &FollowArgs,
    context: &Context,
    bus: &Bus,
    interrupts: &mut Interrupts,
    ops: &[OperationId],
) -> Result<Exit, Failure> {
    // A history or a state is that of one operation.
    if args.from_start || args.until.is_some() {
        let message = "--from-start and --until go with one operation";
        return Err(Failure::new(Exit::Usage, codes::OPS_INVALID, message)
            .with_hint("follow one operation, or leave the flag out"));
    }

    let options = SeveralOptions {
        is_any_enough: false,
        timeout: args.wait_timeout,
        is_drawn: true,
    };
    watch_several(context, bus, interrupts, ops, options).await
}
