//! Why an attempt did not complete, and whether another one is worth a try.

use schemas::codes;
use schemas::errors::ErrorRecord;
use schemas::retries::RetryClass;
use store::StoreError;

/// Why an attempt did not complete.
#[derive(Clone, Debug, PartialEq)]
pub enum StepError {
    /// It may work later: the step waits, then runs again, as often as it may.
    Retry {
        /// What could not be used: it decides how long the step waits.
        class: RetryClass,
        /// What went wrong this time.
        error: Box<ErrorRecord>,
    },
    /// It will never work.
    Permanent(Box<ErrorRecord>),
    /// The stop token was obeyed.
    Stopped,
}

impl StepError {
    /// What went wrong; nothing when the work was only stopped.
    pub(crate) fn reason(&self) -> Option<String> {
        match self {
            Self::Permanent(error) | Self::Retry { error, .. } => Some(error.message.clone()),
            Self::Stopped => None,
        }
    }

    /// A permanent error from parts.
    pub fn permanent(
        code: impl AsRef<str>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        ErrorRecord::new(code, message, hint).into()
    }

    /// Another try after a pause, which grows with every one and is the runtime's to choose.
    pub fn retry(class: RetryClass, error: ErrorRecord) -> Self {
        Self::Retry {
            class,
            error: Box::new(error.retryable()),
        }
    }
}

impl From<ErrorRecord> for StepError {
    /// A permanent error.
    fn from(error: ErrorRecord) -> Self {
        Self::Permanent(Box::new(error))
    }
}

impl From<StoreError> for StepError {
    /// A store that is away or full is worth another try; everything else is permanent.
    fn from(error: StoreError) -> Self {
        let record = ErrorRecord::from_advice(&error);

        if error.is_transient() {
            Self::retry(RetryClass::System, record)
        } else {
            record.into()
        }
    }
}

/// A panic is a bug of ours, but it may depend on the host: other attempts are allowed, up to the
/// limit.
pub(crate) fn retry_panicked(panic: &str) -> StepError {
    let message = format!("the handler panicked: {panic}");
    let error = ErrorRecord::new(
        codes::SYS_PANIC,
        message,
        "the worker's log has the place; report this as a bug",
    );
    StepError::retry(RetryClass::System, error)
}
