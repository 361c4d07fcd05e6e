//! `ktrdr data`: load bars with a fetcher; show, check and import bars without any service.

mod export;
mod follow;
mod gaps;
mod import;
mod import_many;
mod judged_file;
mod load;
mod plan;
mod quality;
mod removal;
mod repair;
mod resample;
mod result;
mod seam;
mod stored;
mod subject;
mod symbols;
mod trading_hours;

use clap::{Args, Subcommand};
use schemas::codes;
use schemas::operation::NewOperation;

use crate::console::{Exit, Failure};
use crate::context::Context;
use export::ExportArgs;
use follow::FollowArgs;
use gaps::GapsArgs;
use import::ImportArgs;
use judged_file::FileArgs;
use load::LoadArgs;
use plan::PlanArgs;
use removal::DeleteArgs;
use repair::RepairArgs;
use resample::ResampleArgs;
use stored::{ListArgs, SeriesArgs, ShowArgs};
use subject::SubjectArgs;
use symbols::SymbolsArgs;

pub(crate) use result::describe_load;

/// `ktrdr data`.
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// The subcommand with its arguments.
    #[command(subcommand)]
    command: DataCommand,
}

/// `ktrdr data …`.
#[derive(Debug, Subcommand)]
enum DataCommand {
    /// Fetch bars from a provider into the store
    Load(LoadArgs),
    /// Load each bar as it closes, until somebody stops it
    Follow(FollowArgs),
    /// Show what a load would ask the provider for, and how long that takes; asks for nothing
    Plan(PlanArgs),
    /// Read bars from files or folders and show what an import would do; with --yes, import them
    Import(ImportArgs),
    /// Check the bars of a file; needs neither server nor store
    Check(FileArgs),
    /// Score the bars of a file or a stored series, and say what to do about each finding
    Quality(SubjectArgs),
    /// Repair a copy of the bars of a file or a stored series, and list every change
    Repair(RepairArgs),
    /// List the stored series, all or those of some symbols and timeframes
    List(ListArgs),
    /// Show the last bars of a stored series, or write them to a file
    Show(ShowArgs),
    /// Write stored bars to a .csv, .parquet or .arrow file, or to a file for each symbol
    Export(ExportArgs),
    /// Show the first and the last time of a stored series
    Range(SeriesArgs),
    /// Print where the Parquet files of a stored series lie, for other programs
    Path(SeriesArgs),
    /// Show where a stored series has no bars, and why
    Gaps(GapsArgs),
    /// Put stored bars together to longer ones; with --yes, store them
    Resample(ResampleArgs),
    /// Show how many bars would be deleted; with --yes, delete them
    Delete(DeleteArgs),
    /// Bring back the bars that the last deletion took away
    Undelete(SeriesArgs),
    /// Explain what symbols are taken for; needs neither server nor store
    Symbols(SymbolsArgs),
}

/// Runs the command.
///
/// # Errors
/// A file or a series cannot be read, or the operation cannot be submitted or fails.
pub(crate) async fn run(args: &DataArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        DataCommand::Load(args) => load::run(args, context).await,
        DataCommand::Follow(args) => follow::run(args, context).await,
        DataCommand::Plan(args) => plan::show_plans(&args.fetch, context).await,
        DataCommand::Import(args) => import::run(args, context).await,
        DataCommand::Check(args) => judged_file::check(args, context).await,
        DataCommand::Quality(args) => quality::run(args, context).await,
        DataCommand::Repair(args) => repair::run(args, context).await,
        DataCommand::List(args) => stored::list(args, context).await,
        DataCommand::Show(args) => stored::show(args, context).await,
        DataCommand::Export(args) => export::run(args, context).await,
        DataCommand::Range(args) => stored::show_range(args, context).await,
        DataCommand::Path(args) => stored::show_path(args, context).await,
        DataCommand::Gaps(args) => gaps::run(args, context).await,
        DataCommand::Resample(args) => resample::run(args, context).await,
        DataCommand::Delete(args) => removal::delete(args, context).await,
        DataCommand::Undelete(args) => removal::undelete(args, context).await,
        DataCommand::Symbols(args) => symbols::run(args, context),
    }
}

/// The operations that a `load` would start.
///
/// # Errors
/// The command is another one, or names a wrong symbol or calendar.
pub(crate) async fn make_operations(
    args: &DataArgs,
    context: &Context,
) -> Result<Vec<NewOperation>, Failure> {
    match &args.command {
        DataCommand::Load(args) => load::make_operations(args, context).await,
        _ => Err(only_load_starts()),
    }
}

/// The one request that a `load` would submit.
///
/// # Errors
/// As those of [`make_operations`].
pub(crate) async fn make_request(
    args: &DataArgs,
    context: &Context,
) -> Result<NewOperation, Failure> {
    match &args.command {
        DataCommand::Load(args) => load::make_request(args, context).await,
        _ => Err(only_load_starts()),
    }
}

fn only_load_starts() -> Failure {
    let message = "of `data`, only `load` starts an operation";
    Failure::new(Exit::Usage, codes::OPS_INVALID, message)
        .with_hint("run the command by itself; nothing was started")
}
