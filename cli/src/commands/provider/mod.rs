//! `ktrdr provider`: where bars come from. It needs no server, and asks the providers from here.

mod list;
mod search;
mod status;
mod test;

use clap::{Args, Subcommand};

use crate::console::{Exit, Failure};
use crate::context::Context;
use search::SearchArgs;
use status::StatusArgs;
use test::TestArgs;

/// `ktrdr provider`.
#[derive(Debug, Args)]
pub(crate) struct ProviderArgs {
    /// The subcommand with its arguments.
    #[command(subcommand)]
    command: ProviderCommand,
}

/// `ktrdr provider …`.
#[derive(Debug, Subcommand)]
enum ProviderCommand {
    /// List the providers with what they have; asks none of them
    List,
    /// Ask providers for a sign of life, their clocks and how fast they answer
    Status(StatusArgs),
    /// Look for instruments by a part of their names
    Search(SearchArgs),
    /// Check that a provider keeps the rules of all providers, with a few requests for one series
    Test(TestArgs),
}

/// Runs the command.
///
/// # Errors
/// There is no such provider, or it cannot answer.
pub(crate) async fn run(args: &ProviderArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        ProviderCommand::List => list::run(context),
        ProviderCommand::Status(args) => status::run(args, context).await,
        ProviderCommand::Search(args) => search::run(args, context).await,
        ProviderCommand::Test(args) => test::run(args, context).await,
    }
}
