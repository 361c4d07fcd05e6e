//! Every change that may be made to an operation record, as pure functions over it.
//!
//! A worker's write names its attempt, the fencing token: once a higher attempt is claimed, it is
//! refused.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    BARREN_ATTEMPTS_MAX, BY_BYTES_MAX, CHECKPOINT_BYTES_MAX, CancelSeen, Holder, NOTE_BYTES_MAX,
    OperationRecord, OperationState, REASON_BYTES_MAX, Resumption, StepFailure, StepRecord,
    StepState, result_bytes_max,
};
use crate::codec::packed_bytes;
use crate::errors::{ErrorRecord, shortened};
use crate::ids::{StepNumber, WorkerId};
use crate::work_done::{WorkDone, is_small};

/// A successful claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The fencing token of the new attempt.
    pub attempt: u32,
    /// True when too many attempts went by without a checkpoint: fail the step instead of
    /// running it.
    pub exhausted: bool,
}

/// How far a step had come when it stopped on request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// What it had done.
    pub done: WorkDone,
    /// True if it did not stop by itself within the grace period.
    pub forced: bool,
}

/// Who makes a change, and why, as far as they say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The user of the credential, else `user@host`.
    pub by: Option<String>,
    /// Free text for people.
    pub reason: Option<String>,
}

/// Why a change was refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The plan has no such step.
    #[error("the operation has no step {0}")]
    NoSuchStep(StepNumber),
    /// The message belongs to another submission of the step.
    #[error("the command is of submission {message}, the record is at {record}")]
    OtherSubmission {
        /// In the message.
        message: u32,
        /// In the record.
        record: u32,
    },
    /// The step has ended.
    #[error("the step is {0:?} already")]
    StepEnded(StepState),
    /// The operation has ended.
    #[error("the operation is {0} already")]
    OperationEnded(OperationState),
    /// Another worker holds the step.
    #[error("the step is held by {0}")]
    Held(WorkerId),
    /// A higher attempt was claimed.
    #[error("attempt {mine} is fenced off by attempt {current}")]
    Fenced {
        /// Of the writer.
        mine: u32,
        /// In the record.
        current: u32,
    },
    /// Another step failed or was cancelled.
    #[error("another step of the operation has stopped")]
    SiblingStopped,
    /// The control message is not newer than the last resume.
    #[error("the cancel request is older than the last resume")]
    CancelIsVoid,
    /// A worker holds a step: the holder must stop first.
    #[error("a worker still holds a step")]
    StillHeld,
    /// The worker that is thought to be lost does not hold the step.
    #[error("the step is not held by {0}")]
    NotHeldBy(WorkerId),
    /// The step was not taken from this worker, or that is forgiven already.
    #[error("the step was not taken from {0}")]
    NotTakenFrom(WorkerId),
    /// Only failed and cancelled operations can be resumed.
    #[error("an operation that is {0} cannot be resumed")]
    NotResumable(OperationState),
    /// The result does not fit the record.
    #[error(
        "the result has {size} bytes, at most {max} fit the record; \
         store it as an object and return its key"
    )]
    ResultTooLarge {
        /// Size of the packed value, in bytes.
        size: usize,
        /// Most bytes that fit.
        max: usize,
    },
    /// The checkpoint does not fit the record.
    #[error("the checkpoint has {size} bytes, at most {max} fit the record")]
    CheckpointTooLarge {
        /// Size of the packed value, in bytes.
        size: usize,
        /// Most bytes that fit.
        max: usize,
    },
}

impl OperationRecord {
    fn step_mut(&mut self, number: StepNumber) -> Result<&mut StepRecord, Refusal> {
        self.steps
            .get_mut(number.index())
            .ok_or(Refusal::NoSuchStep(number))
    }

    /// The step, if it has not ended and its submission is the one that the message carries.
    fn open_step_mut(
        &mut self,
        number: StepNumber,
        submission: u32,
    ) -> Result<&mut StepRecord, Refusal> {
        let step = self.step_mut(number)?;
        if step.submission != submission {
            return Err(Refusal::OtherSubmission {
                message: submission,
                record: step.submission,
            });
        }

        if step.state.is_terminal() {
            return Err(Refusal::StepEnded(step.state));
        }
        Ok(step)
    }

    /// The step, if `attempt` is still its attempt and neither step nor operation has ended.
    fn step_of_attempt(
        &mut self,
        number: StepNumber,
        attempt: u32,
    ) -> Result<&mut StepRecord, Refusal> {
        let operation = self.state;
        let step = self.step_mut(number)?;
        if step.attempt != attempt {
            return Err(Refusal::Fenced {
                mine: attempt,
                current: step.attempt,
            });
        }

        // The same attempt may have ended the step in a write whose reply was lost.
        if step.state.is_terminal() {
            return Err(Refusal::StepEnded(step.state));
        }
        if operation.is_terminal() {
            return Err(Refusal::OperationEnded(operation));
        }
        Ok(step)
    }

    /// A worker takes the step. `lost` names a holder whose worker key is gone: its hold does not
    /// count.
    pub fn claim(
        &mut self,
        number: StepNumber,
        submission: u32,
        holder: Holder,
        lost: Option<&WorkerId>,
    ) -> Result<Claim, Refusal> {
        if self.state.is_terminal() {
            return Err(Refusal::OperationEnded(self.state));
        }
        let has_stopped_step = self.has_stopped_step();
        let at = holder.since;
        let step = self.open_step_mut(number, submission)?;

        let other_holder = step.holder.as_ref().map(|current| &current.worker);
        if let Some(worker) = other_holder.filter(|worker| Some(*worker) != lost) {
            return Err(Refusal::Held(worker.clone()));
        }
        if has_stopped_step {
            return Err(Refusal::SiblingStopped);
        }

        // Every claim is a new attempt: from here on, writes of earlier ones are refused.
        step.state = StepState::Running;
        step.attempt = step.attempt.saturating_add(1);
        let taken_from = step.holder.take().map(|lost| lost.worker);
        if taken_from
            .as_ref()
            .is_some_and(|lost| *lost != holder.worker)
        {
            step.taken_from = taken_from;
        }
        forgive(step, &holder.worker);
        step.barren_attempts = step.barren_attempts.saturating_add(1);
        step.started_at.get_or_insert(at);
        step.note = None;
        step.retry_at = None;
        step.holder = Some(holder);
        let claim = Claim {
            attempt: step.attempt,
            exhausted: step.barren_attempts > BARREN_ATTEMPTS_MAX,
        };

        self.resuming = false;
        self.started_at.get_or_insert(at);
        self.recompute_state(at);
        Ok(claim)
    }

    /// The work is done; `result` names what it made.
    pub fn complete(
        &mut self,
        number: StepNumber,
        attempt: u32,
        result: Value,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let size = packed_bytes(&result);
        let max = result_bytes_max(self.steps.len());
        let step = self.step_of_attempt(number, attempt)?;
        if size > max {
            return Err(Refusal::ResultTooLarge { size, max });
        }

        // Only results named in the record count: what a stale worker stored is never seen.
        step.result = result;
        end(step, StepState::Completed, at);
        self.recompute_state(at);
        Ok(())
    }

    /// The step is given up.
    pub fn fail(
        &mut self,
        number: StepNumber,
        attempt: u32,
        error: ErrorRecord,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let step = self.step_of_attempt(number, attempt)?;
        end(step, StepState::Failed, at);
        step.note = Some(shortened(&error.to_string(), NOTE_BYTES_MAX));

        // The record has room for one whole error: that of the first step that failed.
        self.failure.get_or_insert(StepFailure {
            step: number,
            error,
        });
        self.recompute_state(at);
        Ok(())
    }

    /// The attempt failed in a way that may pass; the step waits until `due`.
    pub fn retry(
        &mut self,
        number: StepNumber,
        attempt: u32,
        note: &str,
        due: Timestamp,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let step = self.step_of_attempt(number, attempt)?;
        // It was no loss of a worker: retries have a budget of their own.
        step.state = StepState::Retrying;
        step.holder = None;
        step.barren_attempts = step.barren_attempts.saturating_sub(1);
        step.retries = step.retries.saturating_add(1);
        step.note = Some(shortened(note, NOTE_BYTES_MAX));
        step.retry_at = Some(due);

        self.recompute_state(at);
        Ok(())
    }

    /// The holder has stopped on request, or was stopped by force.
    pub fn stop(
        &mut self,
        number: StepNumber,
        attempt: u32,
        stopped: Stopped,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let step = self.step_of_attempt(number, attempt)?;
        end(step, StepState::Cancelled, at);
        step.forced = stopped.forced;
        if is_small(&stopped.done) {
            step.done = stopped.done;
        }

        self.recompute_state(at);
        Ok(())
    }

    /// The holder shuts down and hands the step back; this attempt does not count as barren.
    pub fn release(
        &mut self,
        number: StepNumber,
        attempt: u32,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let step = self.step_of_attempt(number, attempt)?;
        // A worker that is restarted often must not use up the attempts of its steps.
        step.state = StepState::Pending;
        step.holder = None;
        step.barren_attempts = step.barren_attempts.saturating_sub(1);
        step.note = Some("handed back by a worker that shut down".to_owned());

        self.recompute_state(at);
        Ok(())
    }

    /// Housekeeping has not heard from the holder: the hold goes, but its attempt may still write
    /// until a higher one is claimed.
    pub fn clear_hold(
        &mut self,
        number: StepNumber,
        worker: &WorkerId,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let step = self.step_mut(number)?;
        match &step.holder {
            Some(holder) if &holder.worker == worker && !step.state.is_terminal() => {}
            _ => return Err(Refusal::NotHeldBy(worker.clone())),
        }

        // The attempt stays barren: a command that kills its workers must come to an end.
        let note = format!("worker {worker} is lost; another takes over");
        step.state = StepState::Retrying;
        step.holder = None;
        step.taken_from = Some(worker.clone());
        step.note = Some(shortened(&note, NOTE_BYTES_MAX));

        self.recompute_state(at);
        Ok(())
    }

    /// A worker from which the step was taken as lost lives: its attempt does not count as barren.
    pub fn forgive_takeover(
        &mut self,
        number: StepNumber,
        worker: &WorkerId,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        if !forgive(self.step_mut(number)?, worker) {
            return Err(Refusal::NotTakenFrom(worker.clone()));
        }

        self.recompute_state(at);
        Ok(())
    }

    /// Durable progress, such as a stored checkpoint or a committed segment: the next attempt goes
    /// on from `checkpoint`, and attempts and retries are counted from zero again.
    pub fn record_checkpoint(
        &mut self,
        number: StepNumber,
        attempt: u32,
        checkpoint: Value,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let size = packed_bytes(&checkpoint);
        let step = self.step_of_attempt(number, attempt)?;
        if size > CHECKPOINT_BYTES_MAX {
            return Err(Refusal::CheckpointTooLarge {
                size,
                max: CHECKPOINT_BYTES_MAX,
            });
        }

        // A training may be interrupted any number of times, as long as it gets further.
        step.checkpoint = checkpoint;
        step.barren_attempts = 0;
        step.taken_from = None;
        step.retries = 0;
        self.recompute_state(at);
        Ok(())
    }

    /// Something is wrong that does not stop the attempt: people see it while the step runs.
    pub fn note_warning(
        &mut self,
        number: StepNumber,
        attempt: u32,
        warning: &str,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let step = self.step_of_attempt(number, attempt)?;
        step.note = Some(shortened(warning, NOTE_BYTES_MAX));

        self.recompute_state(at);
        Ok(())
    }

    /// A cancel request was seen on the control subject.
    pub fn see_cancel(&mut self, sequence: u64, said: &Said, at: Timestamp) -> Result<(), Refusal> {
        if self.state.is_terminal() {
            return Err(Refusal::OperationEnded(self.state));
        }
        if sequence <= self.cancel_floor {
            return Err(Refusal::CancelIsVoid);
        }

        // The first request counts; later ones change neither its reason nor its time.
        self.cancel.get_or_insert(CancelSeen {
            sequence,
            reason: shortened(said.reason.as_deref().unwrap_or_default(), REASON_BYTES_MAX),
            by: bounded(said.by.as_deref(), BY_BYTES_MAX),
            at,
        });
        self.recompute_state(at);
        Ok(())
    }

    /// Applies a cancel request while no worker holds a step: the operation is cancelled at once.
    pub fn cancel_unheld(
        &mut self,
        sequence: u64,
        said: &Said,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        if self.is_held() {
            return Err(Refusal::StillHeld);
        }
        self.see_cancel(sequence, said, at)
    }

    /// Failed or cancelled → resuming. Every unfinished step of the first unfinished stage gets a
    /// new submission, and so does every later one that was cancelled; control messages up to
    /// `floor` are void from now on.
    pub fn resume(&mut self, floor: u64, said: &Said, at: Timestamp) -> Result<(), Refusal> {
        if !matches!(
            self.state,
            OperationState::Failed | OperationState::Cancelled
        ) {
            return Err(Refusal::NotResumable(self.state));
        }

        let stage = self.open_stage();
        for (index, step) in self.steps.iter_mut().enumerate() {
            if step.state == StepState::Completed {
                continue;
            }
            // What waits for an earlier stage has not ended and keeps its submission; what ended
            // with the cancel of the operation has announced that under the one before.
            if stage.contains(&index) || step.state.is_terminal() {
                step.submission = step.submission.saturating_add(1);
            }
            step.state = StepState::Pending;
            step.barren_attempts = 0;
            step.retries = 0;
            step.finished_at = None;
            step.done.clear();
            step.forced = false;
            let_go(step);
        }

        self.cancel_floor = floor;
        self.cancel = None;
        self.failure = None;
        self.finished_at = None;
        self.resuming = true;
        self.resumed = Some(Resumption {
            by: bounded(said.by.as_deref(), BY_BYTES_MAX),
            reason: bounded(said.reason.as_deref(), REASON_BYTES_MAX),
            at,
        });
        self.recompute_state(at);
        Ok(())
    }

    /// Puts a step that lost its message on the queue again, under a new submission.
    pub fn requeue(
        &mut self,
        number: StepNumber,
        submission: u32,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        if self.state.is_terminal() {
            return Err(Refusal::OperationEnded(self.state));
        }
        let step = self.open_step_mut(number, submission)?;
        if let Some(holder) = &step.holder {
            return Err(Refusal::Held(holder.worker.clone()));
        }

        // Written before anything is published: messages of the old submission are void from now
        // on.
        step.submission = step.submission.saturating_add(1);
        self.recompute_state(at);
        Ok(())
    }

    /// Recomputes the operation's state from its steps; part of every change.
    fn recompute_state(&mut self, at: Timestamp) {
        self.updated_at = at;
        self.state = self.state_of_steps();

        // Steps that no worker has taken will never be: they end with the operation.
        if self.state == OperationState::Cancelled {
            for step in &mut self.steps {
                if !step.state.is_terminal() {
                    end(step, StepState::Cancelled, at);
                }
            }
        }
        if self.state.is_terminal() {
            self.finished_at.get_or_insert(at);
        }
    }

    /// The operation's state, as a function of its steps, its cancel request and its resume. It
    /// ends only when no worker holds a step.
    fn state_of_steps(&self) -> OperationState {
        let all = |state: StepState| self.steps.iter().all(|step| step.state == state);
        let any = |state: StepState| self.steps.iter().any(|step| step.state == state);
        let is_held = self.is_held();

        // The order matters: an end is said first, and a cancel before anything that goes on.
        if all(StepState::Completed) {
            OperationState::Completed
        } else if any(StepState::Failed) && !is_held {
            OperationState::Failed
        } else if (any(StepState::Cancelled) || self.cancel.is_some()) && !is_held {
            OperationState::Cancelled
        } else if self.cancel.is_some() {
            OperationState::Cancelling
        } else if self.resuming {
            OperationState::Resuming
        } else if any(StepState::Retrying) && !any(StepState::Running) {
            OperationState::Retrying
        } else if self.started_at.is_some() {
            OperationState::Running
        } else {
            OperationState::Pending
        }
    }
}

/// Takes back that an attempt of `worker` was in vain, once; false if nothing is to be taken back.
fn forgive(step: &mut StepRecord, worker: &WorkerId) -> bool {
    let is_due = !step.state.is_terminal() && step.taken_from.as_ref() == Some(worker);
    if is_due {
        step.barren_attempts = step.barren_attempts.saturating_sub(1);
        step.taken_from = None;
    }

    is_due
}

/// The text cut to its bound; nothing where nothing is said.
fn bounded(text: Option<&str>, max: usize) -> Option<String> {
    let text = text.filter(|text| !text.is_empty())?;
    Some(shortened(text, max))
}

fn end(step: &mut StepRecord, state: StepState, at: Timestamp) {
    step.state = state;
    step.finished_at = Some(at);
    let_go(step);
}

/// Nobody holds the step any more, and it does not wait for anything.
fn let_go(step: &mut StepRecord) {
    step.holder = None;
    step.taken_from = None;
    step.note = None;
    step.retry_at = None;
}
