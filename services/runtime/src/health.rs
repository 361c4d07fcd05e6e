//! What a worker answers to `health`: what it is, what it does now, and how its last attempts
//! ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::Endpoint;
use jiff::Timestamp;
use schemas::codes;
use schemas::errors::ErrorRecord;
use schemas::ids::OperationId;
use schemas::worker::WorkerInfo;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::conditions::{Conditions, describe};

/// A look at the conditions that is no older than this is good enough for an answer.
const LOOK_AGE: Duration = Duration::from_secs(10);
/// How long an answer waits for a new look.
const LOOK_TIMEOUT: Duration = Duration::from_millis(300);

/// An attempt that did its work.
#[derive(Clone, Debug, Serialize)]
struct Success {
    op: OperationId,
    at: Timestamp,
}

/// An attempt that failed.
#[derive(Clone, Debug, Serialize)]
struct Failure {
    op: OperationId,
    at: Timestamp,
    code: String,
    message: String,
    /// True if it may pass: what the step depends on could not be used.
    will_be_retried: bool,
}

/// The last attempts of a worker, as its slots note them.
#[derive(Debug, Default)]
struct LastAttempts {
    success: Option<Success>,
    failure: Option<Failure>,
    /// The last attempt to end was the failure.
    failed_last: bool,
}

/// Shared by the slots of a worker, which note how attempts end, and by its endpoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health(Arc<Mutex<LastAttempts>>);

/// In one word, what somebody who watches the worker should think, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Status {
    word: &'static str,
    reason: Option<String>,
}

impl Health {
    /// Notes that an attempt did its work.
    pub(crate) fn note_success(&self, op: &OperationId, at: Timestamp) {
        let mut attempts = self.attempts();

        attempts.success = Some(Success { op: op.clone(), at });
        attempts.failed_last = false;
    }

    /// Notes why an attempt failed.
    pub(crate) fn note_failure(&self, op: &OperationId, error: &ErrorRecord, at: Timestamp) {
        let mut attempts = self.attempts();

        attempts.failure = Some(Failure {
            op: op.clone(),
            at,
            code: error.code.clone(),
            message: error.message.clone(),
            will_be_retried: error.retryable,
        });
        attempts.failed_last = true;
    }

    /// The query `health` of a worker, answered as JSON.
    pub(crate) fn endpoint(self, info: WorkerInfo, conditions: Arc<Conditions>) -> Endpoint {
        let shared = Arc::new((self, info, conditions));
        Endpoint::new("health", move |_| {
            let shared = shared.clone();
            async move {
                let (health, info, conditions) = &*shared;
                look_briefly(conditions).await;
                let answer = health.answer(info, conditions, Timestamp::now());
                Ok(answer.to_string().into_bytes())
            }
        })
    }

    fn answer(&self, info: &WorkerInfo, conditions: &Conditions, now: Timestamp) -> Value {
        let around = &conditions.surroundings;
        let attempts = self.attempts();
        let is_draining = *around.draining.borrow();
        let host_fault = around.host_fault.borrow().clone();
        let faults = describe(&conditions.last());
        let Status { word, reason } = attempts.status(is_draining, host_fault, faults);
        let uptime = now.duration_since(info.started_at);

        json!({
            "status": word,
            "reason": reason,
            "service": info.service,
            "worker": info.worker,
            "version": info.version,
            "lanes": info.lanes,
            "slots": info.slots,
            "device": info.device,
            "started_at": info.started_at,
            "uptime_s": uptime.as_secs(),
            "draining": is_draining,
            "current": around.current.operations(),
            "last_success": attempts.success,
            "last_failure": attempts.failure,
            "reconnects": *around.bus.connection().reconnects().borrow(),
        })
    }

    fn attempts(&self) -> MutexGuard<'_, LastAttempts> {
        // Nothing that is done under the lock can leave the notes half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LastAttempts {
    /// A host at fault says most, then a drain, then what the worker cannot use now; what the last
    /// attempt could not use may be back.
    fn status(
        &self,
        is_draining: bool,
        host_fault: Option<String>,
        faults: Option<String>,
    ) -> Status {
        if host_fault.is_some() {
            return Status {
                word: "degraded",
                reason: host_fault,
            };
        }
        if is_draining {
            return Status {
                word: "draining",
                reason: None,
            };
        }

        if faults.is_some() {
            return Status {
                word: "degraded",
                reason: faults,
            };
        }

        match &self.failure {
            Some(failure) if self.failed_last && is_of_dependency(failure) => Status {
                word: "degraded",
                reason: Some(format!("the last attempt failed: {}", failure.message)),
            },
            _ => Status {
                word: "healthy",
                reason: None,
            },
        }
    }
}

/// Looks at the conditions, but not for long: whoever asks for the health wants an answer within a
/// second. What is found later is in the next answer.
async fn look_briefly(conditions: &Arc<Conditions>) {
    let conditions = conditions.clone();
    let look = tokio::spawn(async move { conditions.refresh(LOOK_AGE).await });
    let _ = timeout(LOOK_TIMEOUT, look).await;
}

/// A store, a provider or a server was away. A mistake of a user, and a bug, say nothing about what
/// the worker depends on.
fn is_of_dependency(failure: &Failure) -> bool {
    failure.will_be_retried && failure.code != codes::SYS_PANIC
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(number: u32) -> OperationId {
        let at = "2026-03-01T14:22:33Z".parse().unwrap();
        OperationId::new("train", at, number).unwrap()
    }

    fn away() -> ErrorRecord {
        ErrorRecord::new(codes::STORE_UNREACHABLE, "the store is away", "").retryable()
    }

    fn status(health: &Health) -> Status {
        health.attempts().status(false, None, None)
    }

    fn healthy() -> Status {
        Status {
            word: "healthy",
            reason: None,
        }
    }

    #[test]
    fn a_store_that_is_away_degrades_until_the_next_success() {
        let health = Health::default();
        let at = Timestamp::UNIX_EPOCH;
        assert_eq!(status(&health), healthy());

        health.note_failure(&op(1), &away(), at);
        let reason = "the last attempt failed: the store is away";
        assert_eq!(status(&health).word, "degraded");
        assert_eq!(status(&health).reason.as_deref(), Some(reason));

        health.note_success(&op(1), at);
        assert_eq!(status(&health), healthy());
    }

    #[test]
    fn a_mistake_of_a_user_degrades_nothing() {
        let health = Health::default();
        let error = ErrorRecord::new(codes::STRATEGY_INVALID, "no such indicator", "");

        health.note_failure(&op(1), &error, Timestamp::UNIX_EPOCH);

        assert_eq!(status(&health), healthy());
    }

    #[test]
    fn what_cannot_be_used_now_says_more_than_the_last_attempt() {
        let health = Health::default();
        health.note_failure(&op(1), &away(), Timestamp::UNIX_EPOCH);
        let space = Some("space: 3 MiB are free".to_owned());

        let status = health.attempts().status(false, None, space.clone());

        assert_eq!(status.word, "degraded");
        assert_eq!(status.reason, space);
    }

    #[test]
    fn a_host_at_fault_says_more_than_a_drain() {
        let attempts = LastAttempts::default();
        let fault = Some("the device is gone".to_owned());

        assert_eq!(attempts.status(true, fault.clone(), None).reason, fault);
        assert_eq!(attempts.status(true, None, None).word, "draining");
    }
}
