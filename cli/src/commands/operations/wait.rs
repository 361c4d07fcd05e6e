//! `ktrdr wait`: waits for the end of operations, for scripts.

use std::time::Duration;

use clap::Args;

use crate::arguments::OperationArg;
use crate::arguments::values::parse_duration;
use crate::console::{Exit, Failure, Interrupts};
use crate::context::Context;
use crate::inputs::operations::find_operations;
use crate::watch::{SeveralOptions, watch_several};

/// `ktrdr wait`.
#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// Operations to wait for: ids, ends of ids, or `last`
    #[arg(required = true, value_name = "OP")]
    ops: Vec<OperationArg>,
    /// End with the first operation that ends
    #[arg(long)]
    any: bool,
    /// Stop waiting after this time, as in 30s or 5m; the operations continue
    #[arg(long, alias = "wait-timeout", value_name = "TIME", value_parser = parse_duration)]
    timeout: Option<Duration>,
}

/// Waits, and prints one line per end. The exit code is that of the worst end.
///
/// # Errors
/// There is no such operation, or the server cannot be asked.
pub(crate) async fn run(args: &WaitArgs, context: &Context) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen()?;
    let bus = context.bus().await?;
    let ops = find_operations(&bus, &args.ops).await?;

    let options = SeveralOptions {
        is_any_enough: args.any,
        timeout: args.timeout,
        is_drawn: false,
    };
    watch_several(context, &bus, &mut interrupts, &ops, options).await
}
