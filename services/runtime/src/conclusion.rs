//! The end of an attempt: its effect is in the store, then come record, event, next commands and
//! the acknowledgement, each safe to repeat.

use std::time::Duration;

use bus::{ChangeError, Published};
use jiff::Timestamp;
use schemas::codec;
use schemas::codes;
use schemas::errors::ErrorRecord;
use schemas::ids::{OperationId, STEPS_MAX, StepNumber};
use schemas::operation::{
    BARREN_ATTEMPTS_MAX, OperationRecord, Refusal, StepState, result_bytes_max,
};
use serde::Serialize;

use crate::announce;
use crate::probe::Moment;
use crate::received_command::ReceivedCommand;
use crate::step_context::StoredResult;
use crate::step_error::StepError;
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
    ) -> Result<(), Unanswered> {
        // 6. Effect, record, event, next commands, ack: whatever dies in between is done again by
        // the next attempt, which finds its effect in the store.
        let ending = Ending::of(result, *self.shutdown.borrow());
        self.note_host_faults(command.op(), &ending);
        let ending = self.store_if_too_large(command.op(), ending).await;

        let at = Timestamp::now();
        let Some(record) = self.record_ending(command, attempt, &ending, at).await? else {
            tracing::warn!("attempt fenced off before it could be recorded, nothing is announced");
            return Ok(());
        };
        self.die_if_probed(Moment::Recorded)?;

        let has_ended = record
            .step(command.step())
            .is_some_and(|step| step.state.is_terminal());
        if has_ended {
            return self.conclude(command, &record).await;
        }

        match &ending {
            Ending::Retry { after, error } => {
                let event = announce::retrying(&record, command.step(), &self.id, error, at);
                announce::emit_lossy(&self.bus, event).await;
                Ok(command.delivered.hand_back(*after).await?)
            }
            _ => Ok(command.delivered.hand_back(RELEASED_DELAY).await?),
        }
    }

    /// An attempt that was stopped says nothing about the host.
    fn note_host_faults(&self, op: &OperationId, ending: &Ending) {
        match ending {
            Ending::Completed(_) => self.faults.note_success(),
            Ending::Failed(error) | Ending::Retry { error, .. } => {
                self.faults.note_failure(op, error);
            }
            Ending::Cancelled | Ending::Released => {}
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
        Ending::of(named, false)
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
            self.bus.active().unmark(&record.op).await?;
        }
        Ok(())
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
    Cancelled,
    /// Stopped because the process ends: another worker goes on.
    Released,
    Retry {
        after: Duration,
        error: ErrorRecord,
    },
}

impl Ending {
    fn of<T: Serialize>(result: Result<T, StepError>, shutting_down: bool) -> Self {
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
            Err(StepError::Retry { after, error }) => Self::Retry {
                after,
                error: *error,
            },

            // Without a shutdown only a cancel stops the work: a fenced attempt records nothing.
            Err(StepError::Stopped) if shutting_down => Self::Released,
            Err(StepError::Stopped) => Self::Cancelled,
        }
    }

    fn write(
        &self,
        record: &mut OperationRecord,
        step: StepNumber,
        attempt: u32,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let barren_attempts = record.step(step).map_or(0, |step| step.barren_attempts);

        match self {
            Self::Completed(result) => record.complete(step, attempt, result.clone(), at),
            Self::Failed(error) => record.fail(step, attempt, error.clone(), at),
            // The last of the attempts that a step has without a checkpoint.
            Self::Retry { error, .. } if barren_attempts >= BARREN_ATTEMPTS_MAX => {
                record.fail(step, attempt, error.clone(), at)
            }
            Self::Retry { after, error } => {
                let due = at.checked_add(*after).unwrap_or(at);
                record.retry(step, attempt, &error.message, due, at)
            }
            Self::Released if record.cancel.is_none() => record.release(step, attempt, at),
            // A cancel that came during the shutdown ends the step for good.
            Self::Released | Self::Cancelled => record.stop(step, attempt, at),
        }
    }
}
