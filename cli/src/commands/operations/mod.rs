//! Operations: list them, show one or the whole system, follow one, stop it, resume or retry it,
//! read its events, and deal with what is left behind.

mod acts;
mod cancel;
mod dead;
mod follow;
mod list;
mod logs;
mod prune;
mod resume;
mod retry;
mod status;
mod wait;
mod watch_list;

use clap::{Args, Subcommand};
use schemas::operation::OperationRecord;

pub(crate) use cancel::{CancelArgs, run as cancel};
pub(crate) use follow::{FollowArgs, run as follow};
pub(crate) use resume::{ResumeArgs, run as resume};
pub(crate) use retry::{RetryArgs, run as retry};
pub(crate) use status::{StatusArgs, run as status};
pub(crate) use wait::{WaitArgs, run as wait};

use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::watch::{current_step, summarise_fields};
use acts::ActsArgs;
use dead::DeadArgs;
use list::ListArgs;
use logs::LogsArgs;
use prune::PruneArgs;

/// `ktrdr ops`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct OpsArgs {
    /// The command; list when absent.
    #[command(subcommand)]
    command: Option<OpsCommand>,
    /// Flags of the list.
    #[command(flatten)]
    list: ListArgs,
}

/// `ktrdr ops …`.
#[derive(Debug, Subcommand)]
enum OpsCommand {
    /// List operations, newest first
    List(ListArgs),
    /// Show the history of an operation: which worker took which step when, and why a step was
    /// tried again or failed
    #[command(visible_alias = "events")]
    Logs(LogsArgs),
    /// List, show, requeue and drop commands that could not be carried out
    Dead(DeadArgs),
    /// Remove the records of operations that ended long ago
    Prune(PruneArgs),
    /// List who removed records, checkpoints and schedules, and sent workers away
    Acts(ActsArgs),
}

/// Runs `ktrdr ops`.
///
/// # Errors
/// The server cannot be asked, or there is no such operation.
pub(crate) async fn run(args: &OpsArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        Some(OpsCommand::List(args)) => list::run(args, context).await,
        Some(OpsCommand::Logs(args)) => logs::run(args, context).await,
        Some(OpsCommand::Dead(args)) => dead::run(args, context).await,
        Some(OpsCommand::Prune(args)) => prune::run(args, context).await,
        Some(OpsCommand::Acts(args)) => acts::run(args, context).await,
        None => list::run(&args.list, context).await,
    }
}

/// The checkpoint from which the current step would continue, in a few words; none where there is
/// none.
fn describe_checkpoint(record: &OperationRecord) -> Option<String> {
    let step = record.step(current_step(record)?)?;
    let text = match &step.checkpoint {
        fields if fields.is_object() || fields.is_null() => summarise_fields(fields),
        scalar => scalar.to_string(),
    };
    Some(text).filter(|text| !text.is_empty())
}
