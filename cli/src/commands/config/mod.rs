//! `ktrdr config`: every setting with its value and its origin, and whether all of them are legal.

mod check;
mod services;
mod show;

use clap::{Args, Subcommand};

use crate::console::{Exit, Failure};
use crate::context::Context;

/// `ktrdr config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

/// `ktrdr config …`.
#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show every setting of this command line and of the services that are built here
    Show(show::ShowArgs),
    /// Check the settings file and the variables, also for the services that are built here
    Check,
}

/// Runs the command.
///
/// # Errors
/// A setting is wrong.
pub(crate) async fn run(args: &ConfigArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        ConfigCommand::Show(args) => show::run(args, context).await,
        ConfigCommand::Check => check::run(context).await,
    }
}
