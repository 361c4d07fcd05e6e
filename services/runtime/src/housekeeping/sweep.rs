//! The sweep over everything that is marked as active: what a crash left half-done is concluded,
//! and a step without a message gets one.

use std::time::Duration;

use bus::ChangeError;
use bus::ResumeError;
use jiff::Timestamp;
use schemas::ids::OperationId;
use schemas::operation::OperationRecord;
use schemas::operation::Outstanding;

use super::{Housekeeper, Interrupted};
use crate::unheld;

/// Signs of life older than this are forgotten: worker ids are new at every process start, so the
/// table would grow for ever.
const SIGNS_KEPT_FOR: Duration = Duration::from_secs(3_600);

impl Housekeeper {
    /// Looks at every operation that is marked as active.
    pub(super) async fn sweep(&mut self) -> Result<(), Interrupted> {
        let active = self.bus.active().list().await?;
        for operations in self.holdings.values_mut() {
            operations.retain(|op| active.contains(op));
        }

        for op in active {
            match self.bus.operations().get(&op).await? {
                Some(stored) => self.sweep_operation(&op, &stored.record).await?,
                // A submission that died before anything of it could be taken.
                None => self.bus.active().unmark_stale(&op, self.patience()).await?,
            }
        }

        self.last_signs
            .retain(|_, sign| sign.elapsed() < SIGNS_KEPT_FOR);
        Ok(())
    }

    async fn sweep_operation(
        &mut self,
        op: &OperationId,
        record: &OperationRecord,
    ) -> Result<(), Interrupted> {
        // Claims made before we began to listen.
        for holder in record.steps.iter().filter_map(|step| step.holder.as_ref()) {
            self.holdings
                .entry(holder.worker.clone())
                .or_default()
                .insert(op.clone());
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

            let message = self.bus.commands().sequence_of(&record.op, step).await?;
            if message.is_none() {
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

fn is_older_than(at: Timestamp, age: Duration) -> bool {
    Timestamp::now().duration_since(at).unsigned_abs() > age
}
