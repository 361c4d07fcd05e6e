//! The workers that hold steps, with their signs of life. Of all others nothing is remembered, so
//! that signs of a million workers that do not exist take no room.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use schemas::ids::{OperationId, StepNumber, WorkerId};
use schemas::worker::SignOfLife;

use super::silence::{OwnSigns, Signs, Verdict};

/// Announced claims that are remembered; the sweep reads what is beyond from the records.
const CLAIMS_MAX: usize = 10_000;
/// A worker from which steps were taken is remembered for this long, in case it lives.
const TAKEN_MEMORY: Duration = Duration::from_secs(600);

/// A step that was taken from a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TakenStep {
    pub(super) op: OperationId,
    pub(super) number: StepNumber,
    pub(super) worker: WorkerId,
}

/// A worker with the operations that it seems to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holdings {
    pub(super) worker: WorkerId,
    pub(super) operations: Vec<OperationId>,
}

/// Everything that is remembered of workers.
#[derive(Debug, Default)]
pub(super) struct WatchedWorkers {
    pub(super) own_signs: OwnSigns,
    workers: HashMap<WorkerId, Watched>,
    /// Steps taken from a worker that lives after all.
    wrongly_taken: Vec<TakenStep>,
    claims: usize,
}

#[derive(Debug)]
struct Watched {
    signs: Signs,
    /// What it seems to hold, with the time at which that was noted last.
    operations: HashMap<OperationId, Duration>,
    taken: Vec<TakenStep>,
    taken_at: Duration,
}

impl WatchedWorkers {
    /// A worker announces a claim. Made-up claims end when their workers turn out to be silent.
    pub(super) fn note_claim(&mut self, worker: WorkerId, op: OperationId, now: Duration) {
        if self.claims < CLAIMS_MAX {
            self.note_holder(worker, op, now);
        }
    }

    /// A record names a worker as holder.
    pub(super) fn note_holder(&mut self, worker: WorkerId, op: OperationId, now: Duration) {
        let noted_before = self.watched(worker, now).operations.insert(op, now);
        if noted_before.is_none() {
            self.claims += 1;
        }
    }

    fn watched(&mut self, worker: WorkerId, now: Duration) -> &mut Watched {
        self.workers.entry(worker).or_insert_with(|| Watched {
            signs: Signs::new(now),
            operations: HashMap::new(),
            taken: Vec::new(),
            taken_at: Duration::ZERO,
        })
    }

    /// A sign of life arrives. A worker from which steps were taken is alive if it sent the sign
    /// later.
    pub(super) fn hear(&mut self, worker: &WorkerId, sign: Option<SignOfLife>, now: Duration) {
        let Some(watched) = self.workers.get_mut(worker) else {
            return;
        };

        watched.signs.hear(sign, now);
        if watched.signs.last_sent() > watched.taken_at {
            self.wrongly_taken.append(&mut watched.taken);
        }
    }

    /// A step was taken from a worker that seemed to be lost.
    pub(super) fn note_taken(&mut self, step: TakenStep, now: Duration) {
        // A sweep may have forgotten the worker meanwhile.
        let watched = self.watched(step.worker.clone(), now);
        watched.taken.push(step);
        watched.taken_at = now;
    }

    /// Steps taken from workers that have shown life since.
    pub(super) fn wrongly_taken(&mut self) -> Vec<TakenStep> {
        std::mem::take(&mut self.wrongly_taken)
    }

    /// The holders on which the verdict is this one. None while our own lag is not known.
    pub(super) fn judged(
        &self,
        verdict: Verdict,
        silence: Duration,
        now: Duration,
    ) -> Vec<Holdings> {
        let Some(lag) = self.own_signs.lag(now) else {
            return Vec::new();
        };

        self.workers
            .iter()
            .filter(|entry| !entry.1.operations.is_empty())
            .filter(|entry| entry.1.signs.judge(lag, silence, now) == verdict)
            .map(|entry| Holdings {
                worker: entry.0.clone(),
                operations: entry.1.operations.keys().cloned().collect(),
            })
            .collect()
    }

    /// The worker does not hold the operation any more.
    pub(super) fn forget(&mut self, worker: &WorkerId, op: &OperationId) {
        let watched = self.workers.get_mut(worker);
        let noted = watched.and_then(|watched| watched.operations.remove(op));
        if noted.is_some() {
            self.claims -= 1;
        }
    }

    /// Forgets what is over: operations that are not active, and workers that hold nothing. The
    /// list of active ones says nothing of what was noted after `asked_at`, when it was asked for.
    pub(super) fn retain_active(
        &mut self,
        active: &HashSet<OperationId>,
        asked_at: Duration,
        now: Duration,
    ) {
        for watched in self.workers.values_mut() {
            let operations = &mut watched.operations;
            operations.retain(|op, noted_at| active.contains(op) || *noted_at >= asked_at);
        }

        self.workers.retain(|_, watched| {
            let may_live =
                !watched.taken.is_empty() && now.saturating_sub(watched.taken_at) < TAKEN_MEMORY;
            may_live || !watched.operations.is_empty()
        });
        // A flood that is over must not keep its room.
        self.workers.shrink_to_fit();
        self.claims = self
            .workers
            .values()
            .map(|watched| watched.operations.len())
            .sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(2);

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn worker(name: &str) -> WorkerId {
        name.parse().unwrap()
    }

    fn op(number: u32) -> OperationId {
        let op = format!("op_dummy_20260301_142233_{number:08x}");
        op.parse().unwrap()
    }

    /// Nothing is known yet but that signs are not late.
    fn watched_workers() -> WatchedWorkers {
        let mut workers = WatchedWorkers::default();
        workers.own_signs.send(1, second(0));
        workers.own_signs.hear(1, second(0));
        workers
    }

    /// The operations of all workers that have been silent for long, in their order.
    fn lost(workers: &WatchedWorkers) -> Vec<OperationId> {
        let judged = workers.judged(Verdict::Lost, SILENCE, second(60));
        let mut lost: Vec<_> = judged
            .into_iter()
            .flat_map(|held| held.operations)
            .collect();
        lost.sort();
        lost
    }

    #[test]
    fn workers_that_do_not_exist_take_no_room() {
        let mut workers = WatchedWorkers::default();
        let sign = SignOfLife {
            v: 1,
            seq: 1,
            sent_ms: u64::MAX,
        };

        for number in 0..1_000 {
            let name = worker(&format!("dummy-nowhere-{number}"));
            workers.hear(&name, Some(sign), second(1));
        }

        assert!(workers.workers.is_empty(), "none of them holds anything");
    }

    #[test]
    fn made_up_claims_are_limited_and_forgotten_by_a_sweep() {
        let mut workers = WatchedWorkers::default();

        for number in 0..20_000 {
            let name = worker(&format!("dummy-nowhere-{number}"));
            workers.note_claim(name, op(number), second(1));
        }
        assert_eq!(workers.workers.len(), 10_000);

        // A sweep knows of none of the operations.
        workers.retain_active(&HashSet::new(), second(2), second(3));
        assert_eq!(workers.workers.capacity(), 0);
        workers.note_claim(worker("dummy-here-1"), op(1), second(4));
        assert_eq!(workers.workers.len(), 1, "there is room again");
    }

    #[test]
    fn a_claim_that_is_announced_during_the_listing_is_kept() {
        let mut workers = watched_workers();
        workers.note_claim(worker("dummy-here-1"), op(1), second(1));
        workers.note_claim(worker("dummy-here-2"), op(2), second(3));

        // Asked for after the first claim, answered after the second one, with neither in it.
        workers.retain_active(&HashSet::new(), second(2), second(4));

        assert_eq!(lost(&workers), [op(2)]);
        workers.retain_active(&HashSet::new(), second(5), second(6));
        assert_eq!(lost(&workers), []);
    }
}
