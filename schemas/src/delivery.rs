//! What to do with a message from a work queue, decided from the message and the record alone.

use crate::errors::chain;
use crate::ids::{StepNumber, WorkerId};
use crate::messages::CommandMessage;
use crate::operation::{OperationRecord, StepRecord, StepState};
use crate::subjects::CommandAddress;

/// The decision on one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// No record yet: create it from the operation in the message, then decide again.
    Create,
    /// Take the step; `lost` is a holder that is gone and need not be respected.
    Claim {
        /// The holder whose worker key has expired.
        lost: Option<WorkerId>,
    },
    /// The step or the operation has ended: emit its events again, then ack. Until the ack it is
    /// not certain that they were emitted.
    Conclude,
    /// The step is completed and the operation goes on: publish the next commands, then ack.
    Continue,
    /// The message has lost its meaning (an older submission, or a sibling stopped the operation):
    /// ack.
    Void,
    /// A sibling stopped the operation while a worker that is gone held the step: clear the hold,
    /// so that the operation can end, then decide again.
    ClearHold {
        /// The holder whose worker key has expired.
        lost: WorkerId,
    },
    /// Another live worker holds the step: hand back with delay, without an attempt.
    HandBack,
    /// It can never be carried out.
    DeadLetter(Unanswerable),
}

/// Why a readable command can never be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswerable {
    /// The record is gone, and the message cannot create it.
    #[error("there is no record of operation {0}, and this command does not carry the operation")]
    NoRecord(String),
    /// The plan has no such step, or another service handles it.
    #[error("step {step} of the plan is not handled by this queue")]
    NotInPlan {
        /// The step in the subject.
        step: StepNumber,
    },
    /// The payload names another operation or step than the subject.
    #[error("the payload is about {payload}, the subject about {subject}")]
    Contradiction {
        /// As in the payload.
        payload: String,
        /// As in the subject.
        subject: String,
    },
    /// The operation in the message is out of bounds.
    #[error("the operation is not valid: {0}")]
    Invalid(String),
    /// A submission that the record has never seen.
    #[error("the command is of submission {message}, the record is at {record}")]
    FromTheFuture {
        /// In the message.
        message: u32,
        /// In the record.
        record: u32,
    },
}

/// Decides on a delivery. `alive` answers whether a worker's key is in the workers bucket.
pub fn decide(
    address: &CommandAddress,
    message: &CommandMessage,
    record: Option<&OperationRecord>,
    alive: impl Fn(&WorkerId) -> bool,
) -> Decision {
    if let Some(contradiction) = find_contradiction(address, message) {
        return Decision::DeadLetter(contradiction);
    }
    let Some(record) = record else {
        return decide_without_record(address, message);
    };
    let Some(step) = step_for_queue(record, address) else {
        return Decision::DeadLetter(Unanswerable::NotInPlan { step: address.step });
    };

    // A message of another submission says nothing about the step as it is now.
    if message.submission < step.submission {
        return Decision::Void;
    }
    if message.submission > step.submission {
        return Decision::DeadLetter(Unanswerable::FromTheFuture {
            message: message.submission,
            record: step.submission,
        });
    }

    if step.state == StepState::Completed && !record.state.is_terminal() {
        return Decision::Continue;
    }
    if record.state.is_terminal() || step.state.is_terminal() {
        return Decision::Conclude;
    }
    decide_by_holder(record, step, alive)
}

/// The decision on a step that has not ended.
fn decide_by_holder(
    record: &OperationRecord,
    step: &StepRecord,
    alive: impl Fn(&WorkerId) -> bool,
) -> Decision {
    match &step.holder {
        Some(holder) if alive(&holder.worker) => Decision::HandBack,

        // Nothing of a stopped operation is started, but a hold keeps it from ending.
        Some(holder) if record.has_stopped_step() => Decision::ClearHold {
            lost: holder.worker.clone(),
        },
        Some(holder) => Decision::Claim {
            lost: Some(holder.worker.clone()),
        },
        None if record.has_stopped_step() => Decision::Void,
        None => Decision::Claim { lost: None },
    }
}

/// The step that the subject names, if the plan gives it to the service of this queue.
fn step_for_queue<'a>(
    record: &'a OperationRecord,
    address: &CommandAddress,
) -> Option<&'a StepRecord> {
    let spec = record.plan.step(address.step)?;
    record
        .step(address.step)
        .filter(|_| spec.service == address.service)
}

/// Where payload and subject name different operations or steps.
fn find_contradiction(address: &CommandAddress, message: &CommandMessage) -> Option<Unanswerable> {
    let other_op = message.op.as_ref().filter(|op| **op != address.op);
    let other_step = message.step.filter(|step| *step != address.step);

    let payload = match (other_op, other_step) {
        (Some(op), _) => op.to_string(),
        (None, Some(step)) => format!("step {step}"),
        (None, None) => return None,
    };
    Some(Unanswerable::Contradiction {
        payload,
        subject: format!("{}, step {}", address.op, address.step),
    })
}

/// Only the first submission of a first-stage step carries what a record is made of.
fn decide_without_record(address: &CommandAddress, message: &CommandMessage) -> Decision {
    let is_first = message.submission == 1;
    let Some(operation) = message.operation.as_ref().filter(|_| is_first) else {
        return Decision::DeadLetter(Unanswerable::NoRecord(address.op.to_string()));
    };
    // Whoever published it may have skipped the checks of the client.
    if let Err(error) = operation.validate(&address.op) {
        return Decision::DeadLetter(Unanswerable::Invalid(chain(&error)));
    }

    let plan = &operation.plan;
    let spec = plan.step(address.step);
    let is_for_this_queue = spec.is_some_and(|spec| spec.service == address.service);
    if is_for_this_queue && plan.is_first_stage(address.step) {
        Decision::Create
    } else {
        Decision::DeadLetter(Unanswerable::NotInPlan { step: address.step })
    }
}
