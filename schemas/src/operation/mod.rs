//! The operation record: the only truth about an operation's state, changed by compare-and-set
//! alone.
//!
//! [`transition`] holds every change that may be made to it, as pure functions; the bus applies
//! them.

mod about;
mod outstanding;
mod parent;
mod request;
mod transition;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::codec::Message;
use crate::command::Command;
use crate::errors::{ErrorRecord, shortened};
use crate::ids::{OperationId, StepNumber, WorkerId};
use crate::plan::Plan;
use crate::work_done::WorkDone;

pub use about::about;
pub use outstanding::Outstanding;
pub use parent::{CHILDREN_MAX, ChildStatus, Parent};
pub use request::{InvalidOperation, NewOperation};
pub use transition::{Claim, Refusal, Said, Stopped};

/// Attempts without a recorded checkpoint after which a step is given up.
pub const BARREN_ATTEMPTS_MAX: u32 = 3;
/// Largest request (kind, labels, params, plan), encoded.
pub const REQUEST_BYTES_MAX: usize = 36 * 1024;
/// Packed bytes of all results of one operation together.
pub const RESULTS_BYTES_MAX: usize = 12 * 1024;
/// Largest checkpoint in a record, in packed bytes: it names objects, it does not hold them.
pub const CHECKPOINT_BYTES_MAX: usize = 160;
/// Longest note on a step.
pub const NOTE_BYTES_MAX: usize = 100;
/// Longest name of a person, in bytes.
pub const BY_BYTES_MAX: usize = 64;
/// Longest reason of a cancel request or a resume.
pub const REASON_BYTES_MAX: usize = 200;

/// Largest result of one step of a plan with `steps` steps, in packed bytes.
pub const fn result_bytes_max(steps: usize) -> usize {
    RESULTS_BYTES_MAX / if steps == 0 { 1 } else { steps }
}

/// State of an operation, computed from those of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationState {
    /// Recorded; no worker yet.
    Pending,
    /// A worker holds a step, or the next step waits for one.
    Running,
    /// A step will be tried again.
    Retrying,
    /// Resume was asked for; no worker has picked it up yet.
    Resuming,
    /// Cancel was seen; the work has not stopped yet.
    Cancelling,
    /// Every step is done.
    Completed,
    /// A step was given up.
    Failed,
    /// The work has stopped on request.
    Cancelled,
}

impl OperationState {
    /// True for states that only an explicit resume can leave.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The word shown to people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Resuming => "resuming",
            Self::Cancelling => "cancelling",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::fmt::Display for OperationState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// State of a step within its submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// Not claimed in this submission, or handed back.
    Pending,
    /// A worker has claimed it.
    Running,
    /// Interrupted; waits for its next attempt.
    Retrying,
    /// It has its result.
    Completed,
    /// It was given up.
    Failed,
    /// It was stopped on request.
    Cancelled,
}

impl StepState {
    /// True when nothing more happens in this submission.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// The worker that has claimed a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The worker process.
    pub worker: WorkerId,
    /// Ack subject of the delivery it works on: lets housekeeping hand the message on when the
    /// worker is silent.
    pub ack_subject: String,
    /// When it claimed.
    pub since: Timestamp,
}

/// Record of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// State within this submission.
    pub state: StepState,
    /// The n-th time the step is on the queue.
    pub submission: u32,
    /// Claims so far, over all submissions: the fencing token.
    pub attempt: u32,
    /// Claims since the last recorded checkpoint.
    #[serde(default)]
    pub barren_attempts: u32,
    /// Failures since then that were followed by another try.
    #[serde(default)]
    pub retries: u16,
    /// The worker that has claimed it; absent while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// The worker that it was last taken from as lost. If it lives, its attempt was not in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_from: Option<WorkerId>,
    /// Time of the first claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// End of this submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Result keys of a completed step.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub result: Value,
    /// The last recorded checkpoint, such as the key of one: where the next attempt goes on. Called
    /// `advance` in stored records.
    #[serde(default, rename = "advance", skip_serializing_if = "Value::is_null")]
    pub checkpoint: Value,
    /// Why it waits, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When a retrying step is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// What a cancelled step had done.
    #[serde(default, skip_serializing_if = "WorkDone::is_empty")]
    pub done: WorkDone,
    /// True for a step that did not stop within the grace period of a cancel, and was ended by
    /// force.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forced: bool,
}

impl StepRecord {
    fn new() -> Self {
        Self {
            state: StepState::Pending,
            submission: 1,
            attempt: 0,
            barren_attempts: 0,
            retries: 0,
            holder: None,
            taken_from: None,

            started_at: None,
            finished_at: None,
            result: Value::Null,
            checkpoint: Value::Null,
            note: None,
            retry_at: None,
            done: WorkDone::new(),
            forced: false,
        }
    }
}

/// A cancel request that a worker or housekeeping has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelSeen {
    /// Stream sequence of the control message.
    pub sequence: u64,
    /// Free text of whoever asked.
    pub reason: String,
    /// Who asked, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it was seen.
    pub at: Timestamp,
}

/// The last resume of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumption {
    /// Who asked for it, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was recorded.
    pub at: Timestamp,
}

/// The failure that ended an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepFailure {
    /// The step that failed first.
    pub step: StepNumber,
    /// Why that step failed.
    pub error: ErrorRecord,
}

/// Everything about an operation but its progress and its big results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperationRecord {
    /// Version of this layout.
    pub v: u16,
    /// The id, made by the client.
    pub op: OperationId,
    /// `train`, `data`, `dummy`.
    pub kind: String,
    /// For lists and filters.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The whole request.
    #[serde(default)]
    pub params: Value,
    /// Its place in a family; absent for an operation that a person asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// The steps that carry it out.
    pub plan: Plan,
    /// Retries that each step has, instead of those that its service is set to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u16>,
    /// The operation whose request this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<OperationId>,
    /// Who submitted it, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The last resume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<Resumption>,
    /// Computed from the steps in the same write.
    pub state: OperationState,
    /// One record per step, in plan order.
    pub steps: Vec<StepRecord>,
    /// Control messages up to this stream sequence are void: they stopped an earlier run.
    #[serde(default)]
    pub cancel_floor: u64,
    /// The cancel request in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<CancelSeen>,
    /// True from a resume until its first claim.
    #[serde(default)]
    pub resuming: bool,
    /// The failure that ended it; absent unless a step failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<StepFailure>,
    /// When the record was created.
    pub created_at: Timestamp,
    /// When the record was last written.
    pub updated_at: Timestamp,
    /// First claim of any step; never invented by a reader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When a terminal state was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Drawn at random for every write: a writer that finds its own nonce in the stored record has
    /// won.
    #[serde(default)]
    pub nonce: String,
}

impl Message for OperationRecord {
    const NAME: &'static str = "operation";
    const VERSION: u16 = 1;
}

impl OperationRecord {
    /// The record of a freshly submitted operation; the caller has validated `new`.
    pub fn create(op: OperationId, new: NewOperation, at: Timestamp) -> Self {
        Self {
            v: Self::VERSION,
            op,
            kind: new.kind,
            labels: new.labels,
            params: new.params,
            steps: vec![StepRecord::new(); new.plan.len()],
            plan: new.plan,
            retries: new.retries,
            retry_of: new.retry_of,
            by: new.by.map(|by| shortened(&by, BY_BYTES_MAX)),
            resumed: None,

            // No worker has seen it yet.
            state: OperationState::Pending,
            cancel_floor: new.parent.as_ref().map_or(0, |parent| parent.cancel_floor),
            parent: new.parent,
            cancel: None,
            resuming: false,
            failure: None,
            created_at: at,
            updated_at: at,
            started_at: None,
            finished_at: None,
            nonce: String::new(),
        }
    }

    /// The record of a step.
    pub fn step(&self, number: StepNumber) -> Option<&StepRecord> {
        self.steps.get(number.index())
    }

    /// True when a step failed or was cancelled: no further step of the operation is started.
    pub fn has_stopped_step(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step.state, StepState::Failed | StepState::Cancelled))
    }

    /// True while any worker holds a step.
    pub fn is_held(&self) -> bool {
        self.steps.iter().any(|step| step.holder.is_some())
    }

    /// Numbers of all steps.
    pub fn numbers(&self) -> impl Iterator<Item = StepNumber> + use<> {
        (1..=self.steps.len()).filter_map(|number| StepNumber::new(number).ok())
    }

    /// The result of the completed step that handled `C`, nearest before `before`.
    pub fn result_of<C: Command>(&self, before: StepNumber) -> Option<&Value> {
        let earlier_steps = self.plan.steps().zip(&self.steps).take(before.index());
        let mut result = None;
        for (spec, step) in earlier_steps {
            let handles = spec.service == C::SERVICE && spec.verb == C::VERB;
            if handles && step.state == StepState::Completed {
                result = Some(&step.result);
            }
        }
        result
    }
}
