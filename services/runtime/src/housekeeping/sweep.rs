//! The sweep over everything that is marked as active: what a crash left half-done is concluded,
//! and a step without a message gets one.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bus::{BusError, ChangeError, ResumeError, Stored};
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use schemas::codes::Advice as _;
use schemas::errors::chain;
use schemas::ids::{Lane, OperationId, Service};
use schemas::operation::OperationRecord;
use schemas::operation::Outstanding;
use tokio::time::Instant;

use super::{CONCURRENCY, Housekeeper, Interrupted, warn_interrupted};
use crate::meters::{self, SeenOperation};
use crate::unheld;

/// Records of which the log speaks; a flood of forged ones must not fill the memory.
const WARNED_MAX: usize = 1_000;

impl Housekeeper {
    /// Looks at every operation that is marked as active, and at many of them at a time.
    pub(super) async fn sweep(&self) -> Result<(), Interrupted> {
        let started = Instant::now();
        self.remove_undeliverable().await;
        let asked_at = self.now();
        let active = self.bus.active().list().await?;
        let operations: HashSet<OperationId> = active.iter().cloned().collect();
        self.workers()
            .retain_active(&operations, asked_at, self.now());

        // What is wrong with one operation keeps no other from its sweep.
        let count = operations.len();
        let seen = Mutex::new(Vec::new());
        let look = async |op| warn_interrupted(self.sweep_active(&op, &seen).await);
        stream::iter(active)
            .for_each_concurrent(CONCURRENCY, look)
            .await;
        meters::active_measured(&seen.into_inner().unwrap_or_default());
        let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(operations = count, took_ms, "swept");
        Ok(())
    }

    /// Takes commands off the queues that would never deliver them: their steps would wait for
    /// ever.
    async fn remove_undeliverable(&self) {
        for service in Service::ALL {
            for lane in Lane::ALL {
                let commands = self.bus.commands();
                match commands.remove_undeliverable(*service, *lane).await {
                    Ok(0) => {}
                    Ok(count) => {
                        tracing::warn!(%service, %lane, count, "removed what is never delivered");
                    }
                    // Left there, they take room; the next sweep looks again.
                    Err(error) => tracing::debug!(%service, %lane, %error, "queue not looked at"),
                }
            }
        }
    }

    async fn sweep_active(
        &self,
        op: &OperationId,
        seen: &Mutex<Vec<SeenOperation>>,
    ) -> Result<(), Interrupted> {
        match self.bus.operations().get(op).await {
            Ok(Some(stored)) => {
                let state = stored.record.state;
                if !state.is_terminal() {
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.push((op.clone(), state));
                }
                self.sweep_operation(op, &stored.record).await
            }
            Err(error @ BusError::UnreadableRecord { .. }) => {
                self.warn_unreadable(op, &error);
                Ok(())
            }
            Err(error) => Err(error.into()),

            // A submission that died before anything of it could be taken.
            Ok(None) => Ok(self.bus.active().unmark_stale(op, self.patience()).await?),
        }
    }

    /// The record of an operation, unless it cannot be read: then nothing can be done for it.
    pub(super) async fn get_readable(&self, op: &OperationId) -> Result<Option<Stored>, BusError> {
        match self.bus.operations().get(op).await {
            Err(error @ BusError::UnreadableRecord { .. }) => {
                self.warn_unreadable(op, &error);
                Ok(None)
            }
            stored => stored,
        }
    }

    /// Warns once of a record; `ktrdr doctor` names it for as long as it is there.
    fn warn_unreadable(&self, op: &OperationId, error: &BusError) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);

        if warned.len() < WARNED_MAX && warned.insert(op.clone()) {
            tracing::warn!(error = %chain(error), hint = %error.hint(), "record skipped");
        }
    }

    async fn sweep_operation(
        &self,
        op: &OperationId,
        record: &OperationRecord,
    ) -> Result<(), Interrupted> {
        // Claims made before we began to listen.
        let now = self.now();
        for holder in record.steps.iter().filter_map(|step| step.holder.as_ref()) {
            self.workers()
                .note_holder(holder.worker.clone(), op.clone(), now);
        }

        // Whoever wrote a fresh record is still at work on what follows from it.
        let is_left_alone = is_older_than(record.updated_at, self.patience());
        if record.state.is_terminal() {
            return match is_left_alone {
                true => Ok(unheld::conclude(&self.bus, record).await?),
                false => Ok(()),
            };
        }

        self.cancel_if_requested(record).await?;
        if is_left_alone {
            self.requeue_lost(record).await?;
        }
        Ok(())
    }

    /// Puts steps on their queue whose message is gone although nobody works on them.
    async fn requeue_lost(&self, record: &OperationRecord) -> Result<(), Interrupted> {
        for step in record.outstanding_commands() {
            let waits = record
                .step(step.step)
                .is_some_and(|record| record.holder.is_none());
            // A held step has its message: the server keeps it until the holder answers.
            if !waits {
                continue;
            }

            if !self.bus.commands().is_queued(&record.op, step).await? {
                self.requeue(&record.op, step).await?;
            }
        }
        Ok(())
    }

    async fn requeue(&self, op: &OperationId, step: Outstanding) -> Result<(), Interrupted> {
        tracing::warn!(
            operation = %op,
            step = %step.step,
            "its message is gone, putting it on the queue again"
        );

        match self
            .bus
            .operations()
            .requeue(op, step.step, step.submission)
            .await
        {
            // Refused: it was claimed or ended meanwhile.
            Ok(())
            | Err(ResumeError::Change(ChangeError::Refused { .. } | ChangeError::NotFound(_))) => {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

pub(super) fn is_older_than(at: Timestamp, age: Duration) -> bool {
    Timestamp::now().duration_since(at).unsigned_abs() > age
}
