//! Every change of a record, by the transitions of `schemas` themselves: the model has no rules of
//! its own for them.

use jiff::Timestamp;
use schemas::codes;
use schemas::errors::ErrorRecord;
use schemas::ids::{StepNumber, WorkerId};
use schemas::operation::{Holder, OperationRecord, Refusal, Said, Stopped};
use serde_json::Value;

/// A change that somebody makes to a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A worker takes the step, maybe over one that is lost.
    Claim {
        /// The step that changes.
        step: StepNumber,
        /// Submission in the command.
        submission: u32,
        /// Whoever takes it.
        holder: Holder,
        /// A holder that is not respected.
        lost: Option<WorkerId>,
    },
    /// The holder writes under its attempt.
    Write {
        /// The step that changes.
        step: StepNumber,
        /// The attempt that writes.
        attempt: u32,
        /// What it writes.
        write: Write,
    },
    /// Housekeeping takes the step from a silent worker.
    ClearHold {
        /// The step that changes.
        step: StepNumber,
        /// The worker that is thought to be lost.
        worker: WorkerId,
    },
    /// The worker lives after all.
    Forgive {
        /// The step that changes.
        step: StepNumber,
        /// The worker that it was taken from.
        worker: WorkerId,
    },
    /// A cancel request is noted by whoever holds a step.
    SeeCancel {
        /// Its place in the control stream.
        sequence: u64,
        /// Who asked, and why.
        said: Said,
    },
    /// A cancel request ends an operation that nobody holds.
    CancelUnheld {
        /// Its place in the control stream.
        sequence: u64,
        /// Who asked, and why.
        said: Said,
    },
    /// A person resumes the operation.
    Resume {
        /// Requests up to here are void.
        floor: u64,
        /// Who asked, and why.
        said: Said,
    },
    /// The parent takes the child into its next round.
    ResumeIn {
        /// The round of the parent.
        round: u32,
        /// Requests up to here are void.
        floor: u64,
    },
    /// The step gets a new submission, since its message is gone.
    Requeue {
        /// The step that changes.
        step: StepNumber,
        /// The submission that is gone.
        submission: u32,
    },
}

/// What the holder of a step writes.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// The result that counts.
    Complete(Value),
    /// The failure, for good.
    Fail(ErrorRecord),
    /// The failure, to be tried again.
    Retry {
        /// What people read.
        note: String,
        /// When it is due.
        due: Timestamp,
    },
    /// The stop on request.
    Stop(Stopped),
    /// The step is handed back.
    Release,
    /// Where the next attempt goes on.
    Checkpoint(Value),
    /// A warning for people.
    Warning(String),
}

impl Change {
    /// Makes the change at that time, by the transition of `schemas`.
    pub fn apply(&self, record: &mut OperationRecord, at: Timestamp) -> Result<(), Refusal> {
        match self {
            Self::Claim {
                step,
                submission,
                holder,
                lost,
            } => {
                let claimed = record.claim(*step, *submission, holder.clone(), lost.as_ref());
                claimed.map(|_| ())
            }
            Self::Write {
                step,
                attempt,
                write,
            } => write.apply(record, *step, *attempt, at),
            Self::ClearHold { step, worker } => record.clear_hold(*step, worker, at),
            Self::Forgive { step, worker } => record.forgive_takeover(*step, worker, at),

            Self::SeeCancel { sequence, said } => record.see_cancel(*sequence, said, at),
            Self::CancelUnheld { sequence, said } => record.cancel_unheld(*sequence, said, at),
            Self::Resume { floor, said } => record.resume(*floor, said, at),
            Self::ResumeIn { round, floor } => record.resume_in(*round, *floor, at),
            Self::Requeue { step, submission } => record.requeue(*step, *submission, at),
        }
    }

    /// What the change is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Claim { .. } => "claim",
            Self::Write { write, .. } => write.name(),
            Self::ClearHold { .. } => "take over",
            Self::Forgive { .. } => "forgive",
            Self::SeeCancel { .. } => "see cancel",
            Self::CancelUnheld { .. } => "cancel",
            Self::Resume { .. } => "resume",
            Self::ResumeIn { .. } => "resume in round",
            Self::Requeue { .. } => "requeue",
        }
    }

    /// True for the only changes that an ended operation allows.
    pub fn is_resume(&self) -> bool {
        matches!(self, Self::Resume { .. } | Self::ResumeIn { .. })
    }
}

impl Write {
    fn apply(
        &self,
        record: &mut OperationRecord,
        step: StepNumber,
        attempt: u32,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        match self {
            Self::Complete(result) => record.complete(step, attempt, result.clone(), at),
            Self::Fail(error) => record.fail(step, attempt, error.clone(), at),
            Self::Retry { note, due } => record.retry(step, attempt, note, *due, at),
            Self::Stop(stopped) => record.stop(step, attempt, stopped.clone(), at),
            Self::Release => record.release(step, attempt, at),
            Self::Checkpoint(value) => record.record_checkpoint(step, attempt, value.clone(), at),
            Self::Warning(text) => record.note_warning(step, attempt, text, at),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Complete(_) => "complete",
            Self::Fail(_) => "fail",
            Self::Retry { .. } => "retry",
            Self::Stop(_) => "stop",
            Self::Release => "release",
            Self::Checkpoint(_) => "checkpoint",
            Self::Warning(_) => "warn",
        }
    }
}

/// The failure of a step in the model.
pub(crate) fn failure() -> ErrorRecord {
    ErrorRecord::new(codes::OPS_STEP_FAILED, "it failed", "resume it")
}
