//! `ktrdr status`: one operation in full, or the whole system at a glance.

mod children;
mod one;
mod system;

use crate::arguments::OperationArg;
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::operations::find_operation;
use clap::Args;

/// `ktrdr status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The operation; without it the whole system
    op: Option<OperationArg>,
}

/// Runs the command.
///
/// # Errors
/// The server cannot be asked, or there is no such operation.
pub(crate) async fn run(args: &StatusArgs, context: &Context) -> Result<Exit, Failure> {
    let bus = context.bus().await?;
    match &args.op {
        Some(op) => {
            let op = find_operation(&bus, op).await?;
            one::show_operation(context, &bus, &op).await
        }
        None => system::show_system(context, &bus).await,
    }
}
