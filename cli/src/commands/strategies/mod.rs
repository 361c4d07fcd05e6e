//! `ktrdr strategies`: list, show and check strategies, start a new one, and compute feature
//! columns and folds. It needs neither server nor store, and reads no settings.

mod coverage;
mod features;
mod folds;
mod list;
mod meaning;
mod new;
mod reference;
mod show;
mod validate;

use clap::{Args, Subcommand};

use crate::console::{Exit, Failure};
use crate::context::Context;
use features::FeaturesArgs;
use folds::FoldsArgs;
use new::NewArgs;
use show::ShowArgs;
use validate::ValidateArgs;

/// `ktrdr strategies`.
#[derive(Debug, Args)]
pub(crate) struct StrategiesArgs {
    /// The subcommand with its arguments.
    #[command(subcommand)]
    command: StrategiesCommand,
}

/// `ktrdr strategies …`.
#[derive(Debug, Subcommand)]
enum StrategiesCommand {
    /// List the strategies of this folder, of the folder $KTRDR_STRATEGIES and of the catalogue
    List,
    /// Show what a strategy computes, learns and trains
    Show(ShowArgs),
    /// Check strategies and list every finding; exit code 2 if one of them cannot be used
    Validate(ValidateArgs),
    /// List the feature columns, or compute them over bars in files
    Features(FeaturesArgs),
    /// List the dates of walk-forward folds: each is a training with a test on the time after it
    Folds(FoldsArgs),
    /// Write a commented strategy to start from
    New(NewArgs),
    /// Print the grammar as a JSON Schema, for editors
    Schema,
    /// List the rules that findings name, and the reason for each
    Rules,
}

/// Runs the command.
///
/// # Errors
/// A strategy cannot be found or used, or a file cannot be read or written.
pub(crate) async fn run(args: &StrategiesArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        StrategiesCommand::List => Ok(list::run(context)),
        StrategiesCommand::Show(args) => show::run(args, context),
        StrategiesCommand::Validate(args) => validate::run(args, context),
        StrategiesCommand::Features(args) => features::run(args, context),
        StrategiesCommand::Folds(args) => folds::run(args, context),
        StrategiesCommand::New(args) => new::run(args, context),
        StrategiesCommand::Schema => Ok(reference::print_schema(context)),
        StrategiesCommand::Rules => Ok(reference::list_rules(context)),
    }
}
