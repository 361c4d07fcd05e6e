//! The end of an attempt: its effect is in the store, then come record, event, next commands and
//! the acknowledgement, each safe to repeat.

use std::time::Duration;

use bus::{ChangeError, Published};
use jiff::Timestamp;
use schemas::codec;
use schemas::codes;
use schemas::errors::{ErrorRecord, MESSAGE_BYTES_MAX, chain, shortened};
use schemas::ids::{OperationId, STEPS_MAX, StepNumber};
use schemas::operation::{
    OperationRecord, OperationState, Refusal, StepState, Stopped, result_bytes_max,
};
use schemas::retries::{RetryClass, RetryPolicy};
use serde::Serialize;
use store::CheckpointKey;

use crate::announce;
use crate::meters::{self, StepEnd};
use crate::probe::Moment;
use crate::received_command::ReceivedCommand;
use crate::step_context::StoredResult;
use crate::step_error::StepError;
use crate::traces;
use crate::unheld;
use crate::worker_context::{Unanswered, WorkerContext};

/// A released step goes to the next free worker at once. Never zero: a message that is handed back
/// without any delay comes back in a hot loop.
const RELEASED_DELAY: Duration = Duration::from_millis(1);
/// How long a step waits whose next commands found no room on a full queue.
const QUEUE_FULL_DELAY: Duration = Duration::from_secs(1);

impl WorkerContext {
    /// Records how the attempt ended, then does all that follows from it.
    pub(crate) async fn end_attempt<T: Serialize>(
        &self,
        command: &ReceivedCommand<'_>,
        attempt: u32,
        result: Result<T, StepError>,
        stopped: Stopped,
    ) -> Result<StepEnd, Unanswered> {
        // 6. Effect, record, event, next commands, ack: whatever dies in between is done again by
        // the next attempt, which finds its effect in the store.
        let ending = Ending::of(result, *self.shutdown.borrow(), self.retry, stopped);
        let ending = self.store_if_too_large(command.op(), ending).await;

        let at = Timestamp::now();
        let Some(record) = self.record_ending(command, attempt, &ending, at).await? else {
            tracing::warn!("attempt fenced off before it could be recorded, nothing is announced");
            return Ok(StepEnd::Fenced);
        };
        let end = end_of(&record, command.step(), &ending);
        self.note_ending(&record, &ending, at);
        self.die_if_probed(Moment::Recorded)?;

        let has_ended = record
            .step(command.step())
            .is_some_and(|step| step.state.is_terminal());
        if has_ended {
            self.conclude(command, &record).await?;
            return Ok(end);
        }

        if let Ending::Retry { error, .. } = &ending {
            let event = announce::retrying(&record, command.step(), &self.id, error, at);
            announce::emit_lossy(&self.bus, event).await;
        }
        let due = record.step(command.step()).and_then(|step| step.retry_at);
        let delay = due.map_or(RELEASED_DELAY, |due| time_until(due, at));
        command.delivered.hand_back(delay).await?;
        Ok(end)
    }

    /// An attempt that was stopped says nothing about the host. The children of a family are of one
    /// kind, and what breaks the host in one may break it in all: they count as one operation.
    fn note_ending(&self, record: &OperationRecord, ending: &Ending, at: Timestamp) {
        let family = record
            .parent
            .as_ref()
            .map_or(&record.op, |parent| &parent.op);

        match ending {
            Ending::Completed(_) => {
                self.faults.note_success();
                self.health.note_success(&record.op, at);
            }
            Ending::Failed(error) | Ending::Retry { error, .. } => {
                self.faults.note_failure(family, error);
                self.health.note_failure(&record.op, error, at);
            }
            Ending::Cancelled(_) | Ending::Released(_) => {}
        }
    }

    /// Writes the ending. `None` when a higher attempt was claimed meanwhile: nothing that we would
    /// do now may count.
    async fn record_ending(
        &self,
        command: &ReceivedCommand<'_>,
        attempt: u32,
        ending: &Ending,
        at: Timestamp,
    ) -> Result<Option<OperationRecord>, Unanswered> {
        let changed = self
            .bus
            .operations()
            .change(command.op(), |record| {
                ending.write(record, command.step(), attempt, at)
            })
            .await;

        match changed {
            Ok(changed) => Ok(Some(changed.record)),
            Err(
                ChangeError::NotFound(_)
                | ChangeError::Refused {
                    refusal: Refusal::Fenced { .. },
                    ..
                },
            ) => Ok(None),
            // It ended under us, by a cancel of the housekeeping or by our own write whose reply
            // was lost: go on from the record as it is.
            Err(ChangeError::Refused { record, .. }) => Ok(Some(*record)),
            Err(error) => Err(error.into()),
        }
    }

    /// A result that has no room in the record becomes an object, and the record names it.
    async fn store_if_too_large(&self, op: &OperationId, ending: Ending) -> Ending {
        let Ending::Completed(result) = ending else {
            return ending;
        };

        // Unreadable for now: the share of the longest plan fits every record.
        let steps = match self.bus.operations().get(op).await {
            Ok(Some(stored)) => stored.record.steps.len(),
            _ => STEPS_MAX,
        };
        if codec::packed_bytes(&result) <= result_bytes_max(steps) {
            return Ending::Completed(result);
        }

        let stored = self.store.reports().put(&result).await;
        let named = stored
            .map(|result_object| StoredResult { result_object })
            .map_err(StepError::from);
        Ending::of(named, false, self.retry, Stopped::default())
    }

    /// Event and dead letter, next commands, ack, active mark: for a step that has ended, as often
    /// as it takes.
    pub(crate) async fn conclude(
        &self,
        command: &ReceivedCommand<'_>,
        record: &OperationRecord,
    ) -> Result<(), Unanswered> {
        self.announce_ended(command, record).await?;
        self.die_if_probed(Moment::Announced)?;

        if self.bus.commands().publish_outstanding(record).await? == Published::Full {
            tracing::warn!("the command queue is full, handing the message back");
            return Ok(command.delivered.hand_back(QUEUE_FULL_DELAY).await?);
        }
        unheld::cancel_children(&self.bus, record).await?;
        self.die_if_probed(Moment::Continued)?;
        self.delete_checkpoints(record).await;

        // Only now: the message is what brings a worker back to all of the above after a crash.
        let state = record.step(command.step()).map(|step| step.state);
        if state == Some(StepState::Failed) {
            command.delivered.term().await?;
        } else {
            command.delivered.ack().await?;
        }
        tracing::info!(state = %record.state, "step concluded");
        self.die_if_probed(Moment::Acked)?;

        if record.state.is_terminal() {
            meters::operation_ended(record);
            traces::operation_ended(record);
            self.bus.active().unmark(&record.op).await?;
        }
        Ok(())
    }

    /// Nothing goes on from the checkpoints of a completed operation. What cannot be deleted now,
    /// `ktrdr checkpoints prune` finds.
    async fn delete_checkpoints(&self, record: &OperationRecord) {
        let has_stored = record
            .steps
            .iter()
            .any(|step| names_object(&step.checkpoint));
        if record.state != OperationState::Completed || !has_stored {
            return;
        }

        if let Err(error) = self.store.checkpoints().delete_of(&record.op).await {
            tracing::warn!(error = %chain(&error), "checkpoints not deleted");
        }
    }

    /// Announces the step, and the siblings that nobody took and that ended with its cancel.
    async fn announce_ended(
        &self,
        command: &ReceivedCommand<'_>,
        record: &OperationRecord,
    ) -> Result<(), Unanswered> {
        let deliveries = command.delivered.deliveries();
        announce::announce_step(&self.bus, record, command.step(), deliveries).await?;

        for number in record.numbers().filter(|number| *number != command.step()) {
            let state = record.step(number).map(|step| step.state);
            if state == Some(StepState::Cancelled) {
                announce::announce_step(&self.bus, record, number, 0).await?;
            }
        }
        Ok(())
    }
}

/// How an attempt ended, ready to be written as often as a conflict demands.
enum Ending {
    Completed(serde_json::Value),
    Failed(ErrorRecord),
    Cancelled(Stopped),
    /// Stopped because the process ends: another worker goes on.
    Released(Stopped),
    /// Tried again while retries are left.
    Retry {
        class: RetryClass,
        policy: RetryPolicy,
        /// Chosen once, so that the same pause is written after a conflict.
        seed: u64,
        error: ErrorRecord,
    },
}

impl Ending {
    fn of<T: Serialize>(
        result: Result<T, StepError>,
        shutting_down: bool,
        policy: RetryPolicy,
        stopped: Stopped,
    ) -> Self {
        match result {
            Ok(outcome) => match serde_json::to_value(outcome) {
                Ok(value) => Self::Completed(value),
                Err(error) => Self::Failed(ErrorRecord::from_error(
                    codes::SYS_SERIALISATION,
                    &error,
                    "report this as a bug",
                )),
            },

            Err(StepError::Permanent(error)) => Self::Failed(*error),
            Err(StepError::Retry { class, error }) => Self::Retry {
                class,
                policy,
                seed: rand::random(),
                error: *error,
            },

            // Without a shutdown only a cancel stops the work: a fenced attempt records nothing.
            Err(StepError::Stopped) if shutting_down && !stopped.forced => Self::Released(stopped),
            Err(StepError::Stopped) => Self::Cancelled(stopped),
        }
    }

    fn write(
        &self,
        record: &mut OperationRecord,
        step: StepNumber,
        attempt: u32,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        match self {
            Self::Completed(result) => record.complete(step, attempt, result.clone(), at),
            Self::Failed(error) => record.fail(step, attempt, error.clone(), at),
            Self::Retry {
                class,
                policy,
                seed,
                error,
            } => {
                // The request may say how often; how long to wait is up to the service.
                let retries = record.step(step).map_or(0, |step| step.retries);
                let limit = record.retries.unwrap_or(policy.limit);
                if retries >= limit {
                    return record.fail(step, attempt, given_up(error, retries), at);
                }
                let pause = policy.delay(u32::from(retries) + 1, *class, *seed);
                let due = at.checked_add(pause).unwrap_or(at);
                record.retry(step, attempt, &error.message, due, at)
            }
            Self::Released(_) if record.cancel.is_none() => record.release(step, attempt, at),
            // A cancel that came during the shutdown ends the step for good.
            Self::Released(stopped) | Self::Cancelled(stopped) => {
                record.stop(step, attempt, stopped.clone(), at)
            }
        }
    }
}

/// How the attempt ended, as the record has it: a retry may have been its last one.
fn end_of(record: &OperationRecord, step: StepNumber, ending: &Ending) -> StepEnd {
    match record.step(step).map(|step| step.state) {
        Some(StepState::Completed) => StepEnd::Completed,
        Some(StepState::Failed) => StepEnd::Failed,
        Some(StepState::Cancelled) => StepEnd::Cancelled,
        _ if matches!(ending, Ending::Retry { .. }) => StepEnd::Retrying,
        _ => StepEnd::Released,
    }
}

/// The last error of a step that has no retry left. The message says how many there were.
fn given_up(error: &ErrorRecord, retries: u16) -> ErrorRecord {
    let times = match retries {
        0 => return error.clone(),
        1 => "1 retry".to_owned(),
        _ => format!("{retries} retries"),
    };
    let suffix = format!("; given up after {times}");
    let message = shortened(&error.message, MESSAGE_BYTES_MAX - suffix.len());

    ErrorRecord {
        message: message + &suffix,
        ..error.clone()
    }
}

/// True for a checkpoint that is the key of an object, and no value of its own.
fn names_object(checkpoint: &serde_json::Value) -> bool {
    let key = checkpoint.as_str();
    key.is_some_and(|key| key.parse::<CheckpointKey>().is_ok())
}

/// From `now` to `due`, and never zero: a message that comes back at once does so in a hot loop.
fn time_until(due: Timestamp, now: Timestamp) -> Duration {
    let pause = Duration::try_from(due.duration_since(now)).unwrap_or_default();
    pause.max(RELEASED_DELAY)
}
