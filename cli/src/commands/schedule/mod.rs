//! `ktrdr schedule`: requests that become operations by themselves at times that a person names.

mod add;
mod list;
mod remove;
mod show;
mod state;

use clap::{Args, Subcommand};
use schemas::operation::NewOperation;

use crate::console::{Exit, Failure};
use crate::context::Context;
use add::AddArgs;
use remove::RemoveArgs;
use show::ShowArgs;

/// `ktrdr schedule`.
#[derive(Debug, Args)]
pub(crate) struct ScheduleArgs {
    /// The command; list when absent.
    #[command(subcommand)]
    command: Option<ScheduleCommand>,
}

/// `ktrdr schedule …`.
#[derive(Debug, Subcommand)]
enum ScheduleCommand {
    /// Start operations by themselves: at times of day, or in intervals
    Add(Box<AddArgs>),
    /// List the schedules with their next and their last run
    List,
    /// Show one schedule, and when it is due next
    Show(ShowArgs),
    /// Remove schedules; operations that they have started go on
    Remove(RemoveArgs),
}

/// Runs the command; `make_request` makes the request of a command line that is scheduled.
///
/// # Errors
/// The server cannot be asked, there is no such schedule, or one cannot be added.
pub(crate) async fn run(
    args: &ScheduleArgs,
    context: &Context,
    make_request: impl AsyncFn(&[String], &Context) -> Result<NewOperation, Failure>,
) -> Result<Exit, Failure> {
    match &args.command {
        Some(ScheduleCommand::Add(args)) => add::run(args, context, make_request).await,
        Some(ScheduleCommand::Show(args)) => show::run(args, context).await,
        Some(ScheduleCommand::Remove(args)) => remove::run(args, context).await,
        Some(ScheduleCommand::List) | None => list::run(context).await,
    }
}
