//! Why an attempt did not complete, and whether another one is worth a try.

use std::time::Duration;

use schemas::codes;
use schemas::errors::ErrorRecord;
use store::StoreError;

/// How long a step waits before it is tried again when store or bus were away.
pub(crate) const AWAY_RETRY: Duration = Duration::from_secs(2);
/// How long a step waits before it is tried again after its handler panicked.
const PANIC_RETRY: Duration = Duration::from_secs(1);

/// Why an attempt did not complete.
#[derive(Clone, Debug, PartialEq)]
pub enum StepError {
    /// It may work later: the step waits for `after`, then runs again.
    Retry {
        /// How long to wait.
        after: Duration,
        /// What went wrong this time.
        error: Box<ErrorRecord>,
    },
    /// It will never work.
    Permanent(Box<ErrorRecord>),
    /// The stop token was obeyed.
    Stopped,
}

impl StepError {
    /// A permanent error from parts.
    pub fn permanent(
        code: impl AsRef<str>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        ErrorRecord::new(code, message, hint).into()
    }

    /// Another try after a while.
    pub fn retry(after: Duration, error: ErrorRecord) -> Self {
        Self::Retry {
            after,
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
            Self::retry(AWAY_RETRY, record)
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
    StepError::retry(PANIC_RETRY, error)
}
