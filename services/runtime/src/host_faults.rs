//! A worker whose host is at fault takes nothing new: decided from how its attempts end.
//!
//! Only errors of the process and its device count. A strategy that is wrong, or a server that is
//! away, would fail on every other worker too.

use std::sync::{Mutex, MutexGuard, PoisonError};

use schemas::codes::{self, Code};
use schemas::errors::ErrorRecord;
use schemas::ids::OperationId;
use tokio::sync::watch;

/// So many different operations must fail by the host in a row.
const OPERATIONS_IN_A_ROW: usize = 3;
/// The errors that speak of the process and its device.
const HOST_ERRORS: [Code; 3] = [codes::SYS_PANIC, codes::SYS_THREADS, codes::TRAIN_LIBTORCH];

/// How libtorch says that it cannot have the memory that it was asked for: an operation that asks
/// for more than there is would fail on the next host too.
const WANTS_OF_MEMORY: [&str; 2] = ["out of memory", "not enough memory"];

/// The host faults of one worker since its last success.
#[derive(Debug, Default)]
struct FaultStreak {
    operations: Vec<OperationId>,
}

impl FaultStreak {
    fn note_success(&mut self) {
        self.operations.clear();
    }

    /// True once enough different operations have failed by the host.
    fn note_failure(&mut self, op: &OperationId, error: &ErrorRecord) -> bool {
        // One operation alone may be what breaks the host.
        if is_host_error(error) && !self.operations.contains(op) {
            self.operations.push(op.clone());
        }
        self.operations.len() >= OPERATIONS_IN_A_ROW
    }
}

fn is_host_error(error: &ErrorRecord) -> bool {
    let speaks_of_host = HOST_ERRORS.iter().any(|code| error.code == *code);
    let wants_memory = WANTS_OF_MEMORY
        .iter()
        .any(|words| error.message.contains(words));

    speaks_of_host && !wants_memory
}

/// Shared by the slots of a worker: they note how attempts end, the worker waits for the verdict.
#[derive(Debug)]
pub(crate) struct HostFaults {
    streak: Mutex<FaultStreak>,
    verdict: watch::Sender<Option<String>>,
}

impl HostFaults {
    pub(crate) fn new() -> Self {
        Self {
            streak: Mutex::default(),
            verdict: watch::Sender::new(None),
        }
    }

    /// Notes that a step did its work.
    pub(crate) fn note_success(&self) {
        self.streak().note_success();
    }

    /// Notes why an attempt at a step of `op`, or of a child of `op`, failed.
    pub(crate) fn note_failure(&self, op: &OperationId, error: &ErrorRecord) {
        if self.streak().note_failure(op, error) {
            let reason = format!(
                "{OPERATIONS_IN_A_ROW} operations in a row failed by this host, the last one: {}",
                error.message
            );
            self.verdict.send_if_modified(|verdict| {
                let is_new = verdict.is_none();
                if is_new {
                    *verdict = Some(reason);
                }
                is_new
            });
        }
    }

    /// Why the worker must take nothing new, once that is so.
    pub(crate) fn verdict(&self) -> watch::Receiver<Option<String>> {
        self.verdict.subscribe()
    }

    fn streak(&self) -> MutexGuard<'_, FaultStreak> {
        self.streak.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(number: u32) -> OperationId {
        let at = "2026-03-01T14:22:33Z".parse().unwrap();
        OperationId::new("train", at, number).unwrap()
    }

    fn error(code: Code) -> ErrorRecord {
        ErrorRecord::new(code, "the device is gone".to_owned(), "")
    }

    #[test]
    fn three_operations_in_a_row_condemn_the_host() {
        let faults = HostFaults::new();
        let libtorch = error(codes::TRAIN_LIBTORCH);

        for number in 0..2 {
            faults.note_failure(&op(number), &libtorch);
        }
        assert_eq!(*faults.verdict().borrow(), None);
        faults.note_failure(&op(2), &libtorch);

        assert_eq!(
            faults.verdict().borrow().as_deref(),
            Some("3 operations in a row failed by this host, the last one: the device is gone")
        );
    }

    #[test]
    fn one_operation_alone_condemns_nobody() {
        let faults = HostFaults::new();
        for _ in 0..10 {
            faults.note_failure(&op(1), &error(codes::SYS_PANIC));
        }
        assert_eq!(*faults.verdict().borrow(), None);
    }

    #[test]
    fn a_success_begins_a_new_count() {
        let mut streak = FaultStreak::default();
        let panic = error(codes::SYS_PANIC);

        assert!(!streak.note_failure(&op(1), &panic));
        assert!(!streak.note_failure(&op(2), &panic));
        streak.note_success();
        assert!(!streak.note_failure(&op(3), &panic));
        assert!(!streak.note_failure(&op(4), &panic));

        assert!(streak.note_failure(&op(5), &panic));
    }

    #[test]
    fn an_operation_too_large_for_the_memory_does_not_count() {
        let mut streak = FaultStreak::default();
        let messages = [
            "DefaultCPUAllocator: not enough memory: you tried to allocate 80 GB",
            "CUDA out of memory. Tried to allocate 2.00 GiB",
        ];
        for (number, message) in (0..).zip(messages) {
            let error = ErrorRecord::new(codes::TRAIN_LIBTORCH, message.to_owned(), "");
            assert!(!streak.note_failure(&op(number), &error));
        }
    }

    #[test]
    fn mistakes_of_users_and_servers_do_not_count() {
        let mut streak = FaultStreak::default();
        let codes = [
            codes::STRATEGY_INVALID,
            codes::STORE_UNREACHABLE,
            codes::TRAIN_CLASS_ABSENT,
        ];
        for (number, code) in (0..).zip(codes) {
            assert!(!streak.note_failure(&op(number), &error(code)));
        }
    }
}
