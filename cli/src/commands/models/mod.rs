//! `ktrdr models`: train a model, list and show the registered ones, and predict with them.

mod aliases;
mod bars;
mod compare;
mod confirm;
mod cost;
mod decisions;
mod deletion;
mod edge;
mod evaluation;
mod export;
mod figures;
mod list;
mod list_columns;
mod naming;
mod open_model;
mod paired;
mod place;
mod predict;
mod prediction_set;
mod predictions;
mod registry;
mod remarks;
mod rename;
mod report;
mod rerun;
mod rules;
mod sealed;
mod show;
mod show_analytics;
mod show_data;
mod show_tables;
mod sweep;
mod train;
mod train_result;
mod trained_time;

use clap::{Args, Subcommand};

use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::models::ModelArgs;
use aliases::RolesCommand;
use compare::CompareArgs;
use confirm::ConfirmArgs;
use deletion::{DeleteArgs, UndeleteArgs};
use export::ExportArgs;
use list::ListArgs;
use naming::NamingCommand;
use place::PathArgs;
use predict::PredictArgs;
use report::ReportArgs;
use rerun::RerunArgs;
use show::ShowArgs;
use sweep::SweepTableArgs;

pub(crate) use train::{TrainArgs, make_operations, make_request, run as train};
pub(crate) use train_result::describe_training;

/// `ktrdr models`.
#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    /// The subcommand with its arguments.
    #[command(subcommand)]
    command: ModelsCommand,
}

impl ModelsArgs {
    /// True for a subcommand that trains, whose `--set` takes keys of the strategy too.
    pub(crate) fn is_training(&self) -> bool {
        matches!(
            self.command,
            ModelsCommand::Train(_) | ModelsCommand::Rerun(_)
        )
    }
}

/// `ktrdr models …`.
#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// Train a model: the same as `ktrdr train`
    Train(Box<TrainArgs>),
    /// List every version of every model, or those that filters leave
    List(ListArgs),
    /// Show one version: its data, its metrics, its network, its origin
    Show(ShowArgs),
    /// Compare versions side by side and row by row, and see how their strategies differ
    Compare(CompareArgs),
    /// Measure the one version that was chosen on the sealed rows of its data set, once
    Confirm(ConfirmArgs),
    /// Train a version again on its data set, with something changed, or check that it comes out
    /// the same
    Rerun(RerunArgs),
    /// Show what a sweep of trainings came to, best combination first
    Sweep(SweepTableArgs),
    /// Which version plays which role.
    #[command(flatten)]
    Roles(RolesCommand),
    /// What a model is called, and what there is to know about its versions.
    #[command(flatten)]
    Naming(NamingCommand),
    /// Print where the files of a version lie, or the rows of its data set
    Path(PathArgs),
    /// Write a version as a file for other programs: ONNX, or its weights alone
    Export(ExportArgs),
    /// Write a page that shows what a version is worth: figures, pictures, decisions, origin
    Report(ReportArgs),
    /// Delete versions that play no role; within seven days that can be undone
    Delete(DeleteArgs),
    /// Undo the deletion of versions
    Undelete(UndeleteArgs),
    /// Show the rules of a neuro-fuzzy model as sentences, and where their members lie
    Rules(ModelArgs),
    /// Predict on stored bars or on bars of files
    #[command(visible_alias = "test")]
    Predict(PredictArgs),
}

/// Runs the command.
///
/// # Errors
/// The model, its strategy or its bars cannot be found or used.
pub(crate) async fn run(args: &ModelsArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        ModelsCommand::Train(args) => train::run(args, context).await,
        ModelsCommand::List(args) => list::run(args, context).await,
        ModelsCommand::Show(args) => show::run(args, context).await,
        ModelsCommand::Compare(args) => compare::run(args, context).await,
        ModelsCommand::Confirm(args) => confirm::run(args, context).await,
        ModelsCommand::Rerun(args) => rerun::run(args, context).await,
        ModelsCommand::Sweep(args) => sweep::show(args, context).await,
        ModelsCommand::Roles(command) => aliases::run(command, context).await,
        ModelsCommand::Naming(command) => naming::run(command, context).await,
        ModelsCommand::Path(args) => place::run(args, context).await,
        ModelsCommand::Export(args) => export::run(args, context).await,
        ModelsCommand::Report(args) => report::run(args, context).await,
        ModelsCommand::Delete(args) => deletion::delete(args, context).await,
        ModelsCommand::Undelete(args) => deletion::undelete(args, context).await,
        ModelsCommand::Rules(args) => rules::run(args, context).await,
        ModelsCommand::Predict(args) => predict::run(args, context).await,
    }
}
