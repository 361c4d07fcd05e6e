//! Why an operation was not submitted, resumed, or put on its queue again.

use std::borrow::Cow;

use schemas::codes::{self, Advice, Code};
use schemas::ids::OperationId;
use schemas::operation::InvalidOperation;

use crate::error::BusError;
use crate::operations::ChangeError;

/// Why an operation was not submitted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The request is out of bounds.
    #[error("operation {op} cannot be submitted")]
    Invalid {
        /// The operation it is about.
        op: OperationId,
        /// The bound that it breaks.
        source: InvalidOperation,
    },
    /// The queue is full, or so nearly full that steps of running operations need the rest.
    #[error(
        "the command queue is {percent} % full ({bytes} of {bytes_max} bytes): operation {op} was \
         not submitted"
    )]
    Full {
        /// The operation it is about.
        op: OperationId,
        /// Fill of the queue in percent of its limit.
        percent: u64,
        /// Bytes stored in the queue.
        bytes: u64,
        /// Limit of the queue in bytes.
        bytes_max: u64,
    },
    /// A request to the server failed in the middle of the submission.
    #[error("operation {op} may not have been submitted")]
    Bus {
        /// The operation it is about.
        op: OperationId,
        /// The failed request.
        source: BusError,
    },
}

impl Advice for SubmitError {
    fn code(&self) -> Code {
        match self {
            Self::Invalid { .. } => codes::OPS_INVALID,
            Self::Full { .. } => codes::BUS_QUEUE_FULL,
            Self::Bus { .. } => codes::BUS_REQUEST_FAILED,
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        match self {
            Self::Invalid { .. } => "correct the request and submit it again".into(),
            Self::Full { .. } => {
                "wait until workers have caught up, start more of them, or cancel \
                                  what is queued (`ktrdr ops list --active`)"
                    .into()
            }
            Self::Bus { op, source } => format!(
                "{}; submitting the same id again is safe: `ktrdr status {op}` shows whether it is \
                 there",
                source.hint()
            )
            .into(),
        }
    }
}

/// Why an operation was not resumed, or a step not put on its queue again.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The record refused, or could not be written.
    #[error("the operation was not put on its queue again")]
    Change(#[from] ChangeError),
    /// A request failed after the record was written.
    #[error("the operation may not be on its queue")]
    Bus(#[from] BusError),
}

impl Advice for ResumeError {
    fn code(&self) -> Code {
        match self {
            Self::Change(error) => error.code(),
            Self::Bus(_) => codes::BUS_REQUEST_FAILED,
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        match self {
            Self::Change(error) => error.hint(),
            Self::Bus(cause) => cause.hint(),
        }
    }
}
