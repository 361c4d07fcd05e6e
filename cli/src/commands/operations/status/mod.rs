//! `ktrdr status`: one operation in full, or the whole system at a glance.

mod children;
mod one;
mod system;

use clap::Args;
use schemas::ids::OperationId;

use crate::arguments::values::parse_operation;
use crate::console::{Exit, Failure};
use crate::context::Context;

/// `ktrdr status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The operation; without it the whole system
    #[arg(value_parser = parse_operation)]
    op: Option<OperationId>,
}

/// Runs the command.
///
/// # Errors
/// The server cannot be asked, or there is no such operation.
pub(crate) async fn run(args: &StatusArgs, context: &Context) -> Result<Exit, Failure> {
    let bus = context.bus().await?;
    match &args.op {
        Some(op) => one::show_operation(context, &bus, op).await,
        None => system::show_system(context, &bus).await,
    }
}
