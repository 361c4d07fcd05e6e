//! `ktrdr calendars`: when markets trade, and calendars of one's own. It needs no server.

mod add;
mod list;
mod show;

use clap::{Args, Subcommand};

use crate::console::{Exit, Failure};
use crate::context::Context;
use add::AddArgs;
use show::ShowArgs;

/// `ktrdr calendars`.
#[derive(Debug, Args)]
pub(crate) struct CalendarsArgs {
    /// The subcommand with its arguments.
    #[command(subcommand)]
    command: CalendarsCommand,
}

/// `ktrdr calendars …`.
#[derive(Debug, Subcommand)]
enum CalendarsCommand {
    /// List every calendar: those built in, and those of the store
    List,
    /// Show the sessions, closures and early closes of a range of dates
    Show(ShowArgs),
    /// Add a calendar of your own to the store; it cannot be changed afterwards
    Add(AddArgs),
}

/// Runs the command.
///
/// # Errors
/// There is no such calendar, a file is not a calendar, or the store cannot be used.
pub(crate) async fn run(args: &CalendarsArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        CalendarsCommand::List => list::run(context).await,
        CalendarsCommand::Show(args) => show::run(args, context).await,
        CalendarsCommand::Add(args) => add::run(args, context).await,
    }
}
