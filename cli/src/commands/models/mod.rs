//! `ktrdr models`: train a model, list and show the registered ones, and predict with them.

mod bars;
mod decisions;
mod evaluation;
mod list;
mod predict;
mod predictions;
mod registry;
mod rules;
mod show;
mod train;
mod train_result;

use clap::{Args, Subcommand};

use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::models::ModelArgs;
use predict::PredictArgs;

pub(crate) use train::{TrainArgs, make_operations, run as train};
pub(crate) use train_result::describe_training;

/// `ktrdr models`.
#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    /// The subcommand with its arguments.
    #[command(subcommand)]
    command: ModelsCommand,
}

impl ModelsArgs {
    /// True for `ktrdr models train`.
    pub(crate) fn is_training(&self) -> bool {
        matches!(self.command, ModelsCommand::Train(_))
    }
}

/// `ktrdr models …`.
#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// Train a model: the same as `ktrdr train`
    Train(Box<TrainArgs>),
    /// List every version of every model
    List,
    /// Show one version: its origin, its metrics, its network
    Show(ModelArgs),
    /// Show the rules of a neuro-fuzzy model as sentences, and where their members lie
    Rules(ModelArgs),
    /// Predict on stored bars or on bars of files
    Predict(PredictArgs),
}

/// Runs the command.
///
/// # Errors
/// The model, its strategy or its bars cannot be found or used.
pub(crate) async fn run(args: &ModelsArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        ModelsCommand::Train(args) => train::run(args, context).await,
        ModelsCommand::List => list::run(context).await,
        ModelsCommand::Show(args) => show::run(args, context).await,
        ModelsCommand::Rules(args) => rules::run(args, context).await,
        ModelsCommand::Predict(args) => predict::run(args, context).await,
    }
}
