//! `ktrdr dummy start`: the reference operation, whose only work is to take time.

use clap::{Args, Subcommand};
use schemas::commands::RunDummy;
use schemas::operation::NewOperation;

use crate::arguments::RunArgs;
use crate::arguments::values::parse_seconds;
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::watch::start;

/// `ktrdr dummy`.
#[derive(Debug, Args)]
pub(crate) struct DummyArgs {
    /// The subcommand with its arguments.
    #[command(subcommand)]
    command: DummyCommand,
}

/// `ktrdr dummy …`.
#[derive(Debug, Subcommand)]
enum DummyCommand {
    /// Start an operation of iterations of equal length
    Start(StartArgs),
}

/// `ktrdr dummy start`.
#[derive(Debug, Args)]
struct StartArgs {
    /// Duration of the whole operation, in seconds
    #[arg(long, default_value_t = 200.0, value_parser = parse_seconds)]
    duration: f64,
    /// Number of iterations
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    iterations: u64,
    /// Fail at iteration N
    #[arg(long, value_name = "N")]
    fail_at: Option<u64>,
    /// Kill the worker each time it reaches iteration N
    #[arg(long, value_name = "N")]
    crash_at: Option<u64>,
    /// Write a checkpoint every N iterations; 0 = never
    #[arg(long, value_name = "N", default_value_t = 0)]
    checkpoint_every: u64,
    /// Ignore a cancel, as broken work does: only `ktrdr cancel --force` ends it
    #[arg(long)]
    ignore_cancel: bool,
    /// How to run the operation.
    #[command(flatten)]
    run: RunArgs,
}

/// Starts the operation.
///
/// # Errors
/// The operation cannot be submitted, or fails.
pub(crate) async fn run(args: &DummyArgs, context: &Context) -> Result<Exit, Failure> {
    let DummyCommand::Start(args) = &args.command;
    start(context, dummy_request(args).operation(), &args.run).await
}

/// The operation that the command would start.
pub(crate) fn make_request(args: &DummyArgs) -> NewOperation {
    let DummyCommand::Start(args) = &args.command;
    let mut operation = dummy_request(args).operation();
    args.run.mark(&mut operation);
    operation
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a count of iterations is far below 2^52"
)]
fn dummy_request(args: &StartArgs) -> RunDummy {
    RunDummy {
        iterations: args.iterations,
        seconds: args.duration / args.iterations as f64,
        fail_at: args.fail_at,
        crash_at: args.crash_at,
        checkpoint_every: args.checkpoint_every,
        ignore_cancel: args.ignore_cancel,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        dummy: DummyArgs,
    }

    fn request_of(line: &str) -> RunDummy {
        let line = Line::try_parse_from(line.split(' ')).unwrap();
        let DummyCommand::Start(args) = &line.dummy.command;
        dummy_request(args)
    }

    #[test]
    fn without_flags_it_takes_200_s_in_100_iterations() {
        let request = request_of("dummy start");

        assert_eq!(request.iterations, 100);
        assert_eq!(request.seconds, 2.0);
        assert_eq!(request, RunDummy::default());
    }

    #[test]
    fn every_flag_reaches_the_command() {
        let request = request_of(
            "dummy start --duration 10 --iterations 4 --fail-at 3 --crash-at 2 \
             --checkpoint-every 5 --ignore-cancel",
        );

        let expected = RunDummy {
            iterations: 4,
            seconds: 2.5,
            fail_at: Some(3),
            crash_at: Some(2),
            checkpoint_every: 5,
            ignore_cancel: true,
        };
        assert_eq!(request, expected);
    }
}
