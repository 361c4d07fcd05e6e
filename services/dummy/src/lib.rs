//! The reference service: copy it to start a new one. It works through iterations, and can fail,
//! crash or checkpoint.
//!
//! Consumes `dummy.run` ([`RunDummy`]); produces a count. Every iteration ends early when the step
//! is to stop, and a checkpoint makes the next attempt go on where the last one was.

use std::future::pending;
use std::time::Duration;

use runtime::{StepContext, StepError, StepHandler};
use schemas::codes;
use schemas::commands::{DummyOutcome, RunDummy};
use schemas::progress::{Context, Count, Progress};
use tokio::time::timeout;

/// The handler; it has no state.
pub struct Dummy;

impl StepHandler for Dummy {
    type Command = RunDummy;

    async fn handle(
        &self,
        command: RunDummy,
        step: &StepContext,
    ) -> Result<DummyOutcome, StepError> {
        let length = iteration_length(&command)?;
        let resumed_at = step.resume_point::<u64>().unwrap_or(0);

        for done in resumed_at..command.iterations {
            let current = done + 1;
            step.report(progress(done, command.iterations));

            work(length, command.ignore_cancel, step).await?;

            // Faults on request, for tests of everything around a handler.
            if command.fail_at == Some(current) {
                return Err(StepError::permanent(
                    codes::DUMMY_ASKED,
                    format!("failed at iteration {current} as asked"),
                    "leave out fail_at",
                ));
            }
            if command.crash_at == Some(current) {
                std::process::abort();
            }

            if command.checkpoint_every > 0 && current % command.checkpoint_every == 0 {
                step.checkpoint(&current).await?;
            }
        }

        Ok(DummyOutcome {
            iterations: command.iterations,
            resumed_at,
        })
    }
}

/// The work of one iteration, which the stop token interrupts unless it is ignored.
async fn work(length: Duration, ignore_stop: bool, step: &StepContext) -> Result<(), StepError> {
    if ignore_stop {
        let _ = timeout(length, pending::<()>()).await;
        return Ok(());
    }

    step.check_stop()?;
    let _ = timeout(length, step.stop().requested()).await;
    step.check_stop()
}

fn iteration_length(command: &RunDummy) -> Result<Duration, StepError> {
    Duration::try_from_secs_f64(command.seconds).map_err(|error| {
        StepError::permanent(
            codes::OPS_INVALID_COMMAND,
            format!("seconds = {}: {error}", command.seconds),
            "use 0 or more",
        )
    })
}

fn progress(done: u64, total: u64) -> Progress {
    Progress {
        fraction: done as f64 / total as f64,
        message: format!("Working on iteration {}/{total}", done + 1),
        items: Some(Count { done, total }),
        context: Context::Dummy {
            iterations: Count { done, total },
        },
        waiting: None,
    }
}

/// The guide for a new service: its sample compiles as it stands.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/adding-a-service.md")]
struct Guide;
