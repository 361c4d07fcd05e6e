//! The messages that carry work: a command on its queue, and a dead letter where it ends when it
//! can never be carried out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::codec::Message;
use crate::errors::ErrorRecord;
use crate::ids::{OperationId, StepNumber};
use crate::operation::NewOperation;

/// The payload of a message on a work queue. The subject says which step it is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandMessage {
    /// Version of this layout.
    pub v: u16,
    /// The operation, for people who read the payload; must agree with the subject when present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<OperationId>,
    /// The step, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepNumber>,
    /// The n-th time the step is put on the queue.
    #[serde(default = "first_submission")]
    pub submission: u32,
    /// The whole operation: only in submission 1 of a first-stage step, where it may create the
    /// record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<NewOperation>,
}

/// A command that a person publishes by hand need not say that it is the first.
fn first_submission() -> u32 {
    1
}

impl CommandMessage {
    /// The command for `step`, with the whole operation when it may have to create the record.
    pub fn new(
        op: &OperationId,
        step: StepNumber,
        submission: u32,
        operation: Option<NewOperation>,
    ) -> Self {
        Self {
            v: Self::VERSION,
            op: Some(op.clone()),
            step: Some(step),
            submission,
            operation,
        }
    }
}

impl Message for CommandMessage {
    const NAME: &'static str = "command";
    const VERSION: u16 = 1;
}

/// A command that could not be carried out, with what is needed to requeue it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Version of this layout.
    pub v: u16,
    /// Subject the command was on.
    pub subject: String,
    /// Why it is here; the hint says how to requeue it.
    pub error: ErrorRecord,
    /// Deliveries that the server counted.
    pub deliveries: u64,
    /// The command as JSON when it can be read.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub command: Value,
    /// The first bytes in hex when it cannot.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub payload_hex: String,
    /// When it was written.
    pub at: jiff::Timestamp,
}

impl Message for DeadLetter {
    const NAME: &'static str = "dead";
    const VERSION: u16 = 1;
}
