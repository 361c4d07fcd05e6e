//! Life-cycle events: what happened to a step, published once under a deterministic id.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::codec::Message;
use crate::errors::ErrorRecord;
use crate::ids::{OperationId, Service, StepNumber, WorkerId};
use crate::operation::OperationState;
use crate::work_done::WorkDone;

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// A worker claimed it.
    Started,
    /// A checkpoint was recorded.
    Checkpointed,
    /// Something is wrong that does not stop it.
    Warned,
    /// It has stored something that others may use at once.
    Stored,
    /// It will be tried again.
    Retrying,
    /// The holder has seen the cancel request.
    Cancelling,
    /// The step has its result.
    Completed,
    /// The step was given up.
    Failed,
    /// The step was stopped on request.
    Cancelled,
    /// The command could not be read.
    Rejected,
}

impl What {
    /// The last token of the subject.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Checkpointed => "checkpointed",
            Self::Warned => "warned",
            Self::Stored => "stored",
            Self::Retrying => "retrying",
            Self::Cancelling => "cancelling",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }

    /// True for the event after which a submission of a step has no more.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Cancelled | Self::Rejected
        )
    }
}

/// One event of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Version of this layout.
    pub v: u16,
    /// The operation it is about.
    pub op: OperationId,
    /// The step it is about.
    pub step: StepNumber,
    /// Steps in the plan.
    pub steps: u16,
    /// The service of the step.
    pub service: Service,
    /// The kind of this event: the last token of its subject.
    pub what: What,
    /// Submission of the step.
    pub submission: u32,
    /// Attempt, 0 before the first claim.
    pub attempt: u32,
    /// State of the whole operation after it.
    pub state: OperationState,
    /// When the record was written.
    pub at: Timestamp,
    /// The worker that it happened on; absent where no worker was involved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    /// The result keys, with `completed`; what was stored, with `stored`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub result: Value,
    /// Why, with `failed`, `retrying`, `rejected`; what is wrong, with `warned`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorRecord>,
    /// Who asked for it: with `started` whoever submitted or resumed the operation, with
    /// `cancelling` and `cancelled` whoever asked for the cancel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why they did, if they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was done, with `cancelled`.
    #[serde(default, skip_serializing_if = "WorkDone::is_empty")]
    pub done: WorkDone,
    /// When the next try is due, with `retrying`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
}

impl Event {
    /// The message id. Terminal events have one per submission, whoever emits them again; the
    /// others one per attempt.
    pub fn message_id(&self) -> String {
        let of_submission = format!(
            "{}.{}.{}.{}",
            self.op,
            self.step,
            self.what.as_str(),
            self.submission
        );
        if self.what.is_terminal() {
            return of_submission;
        }

        // An attempt may write many of these, so each one's time tells them apart.
        let attempt = self.attempt;
        match self.what {
            What::Checkpointed | What::Warned => {
                format!("{of_submission}.{attempt}.{}", self.at.as_millisecond())
            }
            // Several series close at once.
            What::Stored => format!("{of_submission}.{attempt}.{}", self.at.as_nanosecond()),
            _ => format!("{of_submission}.{attempt}"),
        }
    }
}

impl Message for Event {
    const NAME: &'static str = "event";
    const VERSION: u16 = 1;
}
