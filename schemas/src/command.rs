//! Commands on the bus: what a message on a work queue says, and what a typed command must declare.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::codec::Message;
use crate::errors::ErrorRecord;
use crate::ids::{OperationId, Service, StepNumber};
use crate::operation::{OperationRecord, REQUEST_BYTES_MAX};
use crate::plan::{InvalidPlan, Plan};

/// The typed form of a step's command.
pub trait Command: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Who handles it.
    const SERVICE: Service;
    /// The word in the plan that names it.
    const VERB: &'static str;
    /// What a completed step records: keys and counts, small; details are objects.
    type Outcome: Serialize + DeserializeOwned + Send;
}

/// A request before it has become a record: what a client submits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewOperation {
    /// `train`, `data`, `dummy`: the same word as in the id.
    pub kind: String,
    /// For lists and filters: symbol, timeframe, strategy, …
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The whole request, enough to run it again; steps read what they share from here.
    #[serde(default)]
    pub params: Value,
    /// What is to be done.
    pub plan: Plan,
}

/// Why a request cannot be submitted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidOperation {
    /// The plan is out of bounds.
    #[error("the plan is not valid")]
    Plan(#[from] InvalidPlan),
    /// The kind differs from the word in the id.
    #[error("the operation says it is of kind `{kind}`, its id says `{id}`")]
    Kind {
        /// In the request.
        kind: String,
        /// In the id.
        id: String,
    },
    /// Too large to leave room for results in the record.
    #[error(
        "the request has {size} bytes, at most {REQUEST_BYTES_MAX} are allowed; make the strategy text or the lists shorter"
    )]
    TooLarge {
        /// Encoded bytes.
        size: usize,
    },
}

impl NewOperation {
    /// Checks plan, kind and size.
    pub fn validate(&self, op: &OperationId) -> Result<(), InvalidOperation> {
        self.plan.validate()?;
        if self.kind != op.kind() {
            return Err(InvalidOperation::Kind {
                kind: self.kind.clone(),
                id: op.kind().to_owned(),
            });
        }
        let size = rmp_serde::to_vec_named(self).map_or(usize::MAX, |bytes| bytes.len());
        if size > REQUEST_BYTES_MAX {
            return Err(InvalidOperation::TooLarge { size });
        }
        Ok(())
    }
}

/// The payload of a message on a work queue. Which step it is for stands in the subject.
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
    /// Deliveries the server counted.
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

impl Message for OperationRecord {
    const NAME: &'static str = "operation";
    const VERSION: u16 = 1;
}
