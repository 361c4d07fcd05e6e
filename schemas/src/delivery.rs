//! What to do with a message from a work queue, decided from the message and the record alone.

use crate::ids::{StepNumber, WorkerId};
use crate::messages::CommandMessage;
use crate::operation::{OperationRecord, StepState};
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
    /// The message says nothing any more (an older submission, or a sibling stopped the operation):
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

/// Decides on a delivery. `alive` answers whether a worker's key stands in the workers bucket.
pub fn decide(
    address: &CommandAddress,
    message: &CommandMessage,
    record: Option<&OperationRecord>,
    alive: impl Fn(&WorkerId) -> bool,
) -> Decision {
    if let Some(contradiction) = contradiction(address, message) {
        return Decision::DeadLetter(contradiction);
    }
    let Some(record) = record else {
        return create(address, message);
    };
    let handled_here = record
        .plan
        .step(address.step)
        .is_some_and(|spec| spec.service == address.service);
    let Some(step) = record.step(address.step).filter(|_| handled_here) else {
        return Decision::DeadLetter(Unanswerable::NotInPlan { step: address.step });
    };
    if message.submission < step.submission {
        return Decision::Void;
    }
    if message.submission > step.submission {
        let (message, record) = (message.submission, step.submission);
        return Decision::DeadLetter(Unanswerable::FromTheFuture { message, record });
    }
    match step.state {
        StepState::Completed if !record.state.is_terminal() => return Decision::Continue,
        _ if record.state.is_terminal() || step.state.is_terminal() => return Decision::Conclude,
        _ => {}
    }
    match &step.holder {
        Some(holder) if alive(&holder.worker) => Decision::HandBack,
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

fn contradiction(address: &CommandAddress, message: &CommandMessage) -> Option<Unanswerable> {
    let op = message
        .op
        .as_ref()
        .filter(|op| **op != address.op)
        .map(ToString::to_string);
    let step = message
        .step
        .filter(|step| *step != address.step)
        .map(|step| format!("step {step}"));
    op.or(step).map(|payload| Unanswerable::Contradiction {
        payload,
        subject: format!("{}, step {}", address.op, address.step),
    })
}

fn create(address: &CommandAddress, message: &CommandMessage) -> Decision {
    let Some(operation) = message
        .operation
        .as_ref()
        .filter(|_| message.submission == 1)
    else {
        return Decision::DeadLetter(Unanswerable::NoRecord(address.op.to_string()));
    };
    if let Err(error) = operation.validate(&address.op) {
        return Decision::DeadLetter(Unanswerable::Invalid(crate::errors::chain(&error)));
    }
    let handled_here = operation
        .plan
        .step(address.step)
        .is_some_and(|spec| spec.service == address.service);
    if !handled_here || !operation.plan.is_first_stage(address.step) {
        return Decision::DeadLetter(Unanswerable::NotInPlan { step: address.step });
    }
    Decision::Create
}
