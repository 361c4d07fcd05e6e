//! `ktrdr dummy start`: the reference operation.

use schemas::commands::RunDummy;

use crate::args::{DummyArgs, DummyCommand};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::{outcome, run};

/// `ktrdr dummy …`.
pub async fn run(context: &Context, command: &DummyCommand) -> Result<Exit, Failure> {
    let DummyCommand::Start(args) = command;
    run::start(
        context,
        request(args).operation(),
        &args.run,
        outcome::of_steps,
    )
    .await
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a count of iterations is far below 2^52"
)]
fn request(args: &DummyArgs) -> RunDummy {
    RunDummy {
        iterations: args.iterations,
        seconds: args.duration / args.iterations as f64,
        fail_at: args.fail_at,
        crash_at: args.crash_at,
        checkpoint_every: args.checkpoint_every,
    }
}
