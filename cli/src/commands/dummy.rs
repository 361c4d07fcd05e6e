//! `ktrdr dummy start`: the reference operation.

use clap::{Args, Subcommand};
use schemas::commands::RunDummy;

use crate::arguments::RunArgs;
use crate::arguments::values::parse_seconds;
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::watch::start;

/// `ktrdr dummy`.
#[derive(Debug, Args)]
pub(crate) struct DummyArgs {
    /// The command.
    #[command(subcommand)]
    command: DummyCommand,
}

/// `ktrdr dummy …`.
#[derive(Debug, Subcommand)]
enum DummyCommand {
    /// Start n iterations
    Start(StartArgs),
}

/// `ktrdr dummy start`.
#[derive(Debug, Args)]
struct StartArgs {
    /// Length of the whole, in seconds
    #[arg(long, default_value_t = 200.0, value_parser = parse_seconds)]
    duration: f64,
    /// In how many iterations
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    iterations: u64,
    /// Fail at this iteration
    #[arg(long, value_name = "N")]
    fail_at: Option<u64>,
    /// Kill the worker at this iteration, each time it is reached
    #[arg(long, value_name = "N")]
    crash_at: Option<u64>,
    /// Write a checkpoint every so many iterations; 0 = never
    #[arg(long, value_name = "N", default_value_t = 0)]
    checkpoint_every: u64,
    /// How to run it.
    #[command(flatten)]
    run: RunArgs,
}

/// `ktrdr dummy …`.
pub(crate) async fn run(args: &DummyArgs, context: &Context) -> Result<Exit, Failure> {
    let DummyCommand::Start(args) = &args.command;
    start(context, request(args).operation(), &args.run).await
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a count of iterations is far below 2^52"
)]
fn request(args: &StartArgs) -> RunDummy {
    RunDummy {
        iterations: args.iterations,
        seconds: args.duration / args.iterations as f64,
        fail_at: args.fail_at,
        crash_at: args.crash_at,
        checkpoint_every: args.checkpoint_every,
    }
}
