//! Taking steps from workers that fell silent: first the hold is cleared, then the message handed
//! on. A worker that turns out to be alive is not blamed for it.

use std::collections::{HashMap, HashSet};
use std::sync::{MutexGuard, PoisonError};

use bus::{ChangeError, Changed, Stored};
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use schemas::codes;
use schemas::errors::ErrorRecord;
use schemas::ids::{OperationId, StepNumber, WorkerId};
use schemas::operation::{Holder, OperationRecord};

use super::silence::Verdict;
use super::watched_workers::{Holdings, TakenStep};
use super::{CONCURRENCY, Housekeeper, Interrupted, warn_interrupted};
use crate::announce;
use crate::meters;

impl Housekeeper {
    /// One takeover for each operation of a worker that showed no life for the profile's silence
    /// and our lag.
    pub(super) fn takeovers(&self) -> Vec<impl Future<Output = ()> + use<'_>> {
        let mut takeovers = Vec::new();
        if !self.is_connected_long_enough() {
            return takeovers;
        }

        // Forgotten here, so that the next check does not find the same.
        for held in self.judged(Verdict::Lost) {
            for op in held.operations {
                self.workers().forget(&held.worker, &op);
                takeovers.push(self.take_operation(held.worker.clone(), op));
            }
        }
        takeovers
    }

    /// Silence means something only when workers had time to come back to the server as well.
    fn is_connected_long_enough(&self) -> bool {
        let connected_since = self.bus.connection().connected_since();
        let needed = self.bus.timing().housekeeping_connected;

        connected_since.is_some_and(|since| since.elapsed() >= needed)
    }

    fn judged(&self, verdict: Verdict) -> Vec<Holdings> {
        let silence = self.bus.timing().silence;
        self.workers().judged(verdict, silence, self.now())
    }

    pub(super) fn read_ahead(&self) -> MutexGuard<'_, HashMap<OperationId, Stored>> {
        // Whatever a panic leaves here is only a record that may be out of date.
        self.read_ahead
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the records that a takeover will need, while their workers are quiet but not lost: on
    /// a slow link that saves a round trip when it counts.
    pub(super) async fn read_ahead_of_suspected(&self) {
        let suspected = self.judged(Verdict::Suspected);
        let lost = self.judged(Verdict::Lost);
        let operations: HashSet<OperationId> = suspected
            .into_iter()
            .chain(lost)
            .flat_map(|held| held.operations)
            .collect();
        let missing = self.not_read_ahead(operations);

        let reads = stream::iter(missing)
            .map(|op| async move { self.bus.operations().get(&op).await })
            .buffer_unordered(CONCURRENCY)
            .collect::<Vec<_>>()
            .await;

        // One that cannot be read now is read when its worker is lost.
        let records = reads.into_iter().filter_map(|read| read.ok().flatten());
        let records = records.map(|stored| (stored.record.op.clone(), stored));
        self.read_ahead().extend(records);
    }

    /// Those whose records are not here yet; what is here of others is dropped.
    fn not_read_ahead(&self, operations: HashSet<OperationId>) -> Vec<OperationId> {
        let mut read_ahead = self.read_ahead();

        read_ahead.retain(|op, _| operations.contains(op));
        operations
            .into_iter()
            .filter(|op| !read_ahead.contains_key(op))
            .collect()
    }

    /// Takes the steps of one operation that a lost worker holds.
    pub(super) async fn take_operation(&self, worker: WorkerId, op: OperationId) {
        let _permit = self.takeovers_at_work.acquire().await;
        let taken = self.take_steps_of(&worker, &op).await;

        // It is still held by the lost worker, so a later check must find it.
        if taken.is_err() {
            let now = self.now();
            self.workers().note_holder(worker, op, now);
        }
        warn_interrupted(taken);
    }

    async fn take_steps_of(&self, worker: &WorkerId, op: &OperationId) -> Result<(), Interrupted> {
        let read_ahead = self.read_ahead().remove(op);
        if let Some(stored) = read_ahead
            && self.take_steps_in(&stored, worker).await?
        {
            return Ok(());
        }

        // What was read ahead may be older than the claim of the lost worker.
        let stored = self.get_readable(op).await?;
        if let Some(stored) = stored {
            self.take_steps_in(&stored, worker).await?;
        }
        Ok(())
    }

    /// Takes the steps that the worker holds in this record; true if one was taken.
    async fn take_steps_in(&self, stored: &Stored, worker: &WorkerId) -> Result<bool, Interrupted> {
        let mut has_taken = false;
        for number in stored.record.numbers() {
            let holder = holder_of(&stored.record, number);
            if holder.is_some_and(|holder| &holder.worker == worker) {
                has_taken |= self.take_step(stored, number, worker).await?;
            }
        }
        Ok(has_taken)
    }

    /// Clears the hold, and only if that wins hands the message on. The other way round, a worker
    /// that wakes up in between could finish a step that is being delivered to another. False if
    /// the worker does not hold the step any more.
    async fn take_step(
        &self,
        stored: &Stored,
        number: StepNumber,
        worker: &WorkerId,
    ) -> Result<bool, Interrupted> {
        let at = Timestamp::now();
        let changed = self
            .bus
            .operations()
            .change_from(stored.clone(), |record| {
                // Of the record that is changed, which may be newer than the one that was read.
                let holder = holder_of(record, number).cloned();
                record.clear_hold(number, worker, at)?;
                Ok(holder)
            })
            .await;
        let Changed { value, record } = match changed {
            Ok(changed) => changed,
            // It woke up, or ended, or somebody else took the step first.
            Err(ChangeError::Refused { .. } | ChangeError::NotFound(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        };

        meters::step_taken_over("housekeeper");
        tracing::warn!(
            operation = %record.op,
            step = %number,
            %worker,
            lag = ?self.workers().own_signs.lag(self.now()),
            "worker lost, handing its step on"
        );
        if let Some(holder) = value {
            self.bus.commands().hand_on(&holder.ack_subject).await?;
        }
        self.note_taken(&record, number, worker);
        let event = announce::retrying(&record, number, worker, &worker_lost(worker), at);
        announce::emit_lossy(&self.bus, event).await;

        // The holder may have died before it obeyed a request.
        self.cancel_if_requested(&record).await?;
        Ok(true)
    }

    fn note_taken(&self, record: &OperationRecord, number: StepNumber, worker: &WorkerId) {
        let step = TakenStep {
            op: record.op.clone(),
            number,
            worker: worker.clone(),
        };

        self.workers().note_taken(step, self.now());
    }

    /// Does not count attempts against steps that were taken from workers which live after all.
    pub(super) async fn forgive_wrongly_taken(&self) {
        let wrongly_taken = self.workers().wrongly_taken();

        for step in wrongly_taken {
            tracing::warn!(
                operation = %step.op,
                step = %step.number,
                worker = %step.worker,
                "the worker lives: the takeover does not count as an attempt in vain"
            );
            warn_interrupted(self.forgive(&step).await);
        }
    }

    async fn forgive(&self, step: &TakenStep) -> Result<(), Interrupted> {
        let at = Timestamp::now();
        let forgiven = self
            .bus
            .operations()
            .change(&step.op, |record| {
                record.forgive_takeover(step.number, &step.worker, at)
            })
            .await;

        match forgiven {
            // Refused: the worker has said so itself, or the step has ended.
            Ok(_) | Err(ChangeError::Refused { .. } | ChangeError::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn holder_of(record: &OperationRecord, number: StepNumber) -> Option<&Holder> {
    record.step(number)?.holder.as_ref()
}

fn worker_lost(worker: &WorkerId) -> ErrorRecord {
    let message = format!("worker {worker} is lost; another takes over");
    let hint = "if it happens again, read the log of that worker";

    ErrorRecord::new(codes::OPS_WORKER_LOST, message, hint).retryable()
}
