//! Submit an operation, resume one, put one step on its queue again.

use jiff::Timestamp;
use schemas::ids::{OperationId, StepNumber};
use schemas::operation::{NewOperation, OperationRecord, Said};

use crate::commands::Published;
use crate::error::BusError;
use crate::handles::Operations;
use crate::operations::{ChangeError, Stored};
use crate::submit_error::{ResumeError, SubmitError};

/// The CLI refuses to submit above this share of the command stream's bytes, so that continuations
/// find room.
const SUBMIT_FILL_PERCENT_MAX: u64 = 80;

impl Operations<'_> {
    /// Submits an operation: active key, commands of the first stage with the whole operation in
    /// them, record. Submitting the same id twice is one operation. A submit that dies half-way is
    /// finished by the first worker.
    pub async fn submit(
        self,
        op: &OperationId,
        new: &NewOperation,
    ) -> Result<OperationRecord, SubmitError> {
        let failed = |source| bus_failed(op, source);
        let valid = new.validate(op);
        valid.map_err(|source| SubmitError::Invalid {
            op: op.clone(),
            source,
        })?;

        // Both take a round trip, and neither depends on the other.
        let (room, active) =
            tokio::join!(self.refuse_when_nearly_full(op), self.bus.active().mark(op));
        room?;
        active.map_err(failed)?;

        let record = OperationRecord::create(op.clone(), new.clone(), Timestamp::now());
        for step in record.outstanding_commands() {
            let commands = self.bus.commands();
            let published = commands
                .publish(op, step, Some(new), record.steps.len())
                .await;
            if published.map_err(failed)? == Published::Full {
                let (bytes, bytes_max) = commands.stored_bytes().await.map_err(failed)?;
                let op = op.clone();
                return Err(SubmitError::Full {
                    op,
                    percent: 100,
                    bytes,
                    bytes_max,
                });
            }
        }

        let (Stored { record, .. }, _) = self.create(record).await.map_err(failed)?;

        // Submitted again after its end: no worker would take the mark away.
        if record.state.is_terminal() {
            self.bus.active().unmark(op).await.map_err(failed)?;
        }
        Ok(record)
    }

    async fn refuse_when_nearly_full(self, op: &OperationId) -> Result<(), SubmitError> {
        let stored = self.bus.commands().stored_bytes().await;
        let (bytes, bytes_max) = stored.map_err(|source| SubmitError::Bus {
            op: op.clone(),
            source,
        })?;

        // A stream without a limit has no percentage, and is never full.
        let percent = (bytes * 100).checked_div(bytes_max).unwrap_or(0);
        if percent >= SUBMIT_FILL_PERCENT_MAX {
            return Err(SubmitError::Full {
                op: op.clone(),
                percent,
                bytes,
                bytes_max,
            });
        }
        Ok(())
    }

    /// Submits an operation whose first command was taken off its queue as a dead letter: its
    /// message id was used, so the step may need a new submission.
    pub async fn submit_after_rejection(
        self,
        op: &OperationId,
        new: &NewOperation,
    ) -> Result<OperationRecord, SubmitError> {
        let record = self.submit(op, new).await?;

        // The record is there: a step whose id was used gets a new submission in it.
        let published = self.bus.commands().publish_outstanding(&record).await;
        published.map_err(|error| match error {
            ResumeError::Bus(source) => bus_failed(op, source),
            ResumeError::Change(error) => bus_failed(
                op,
                BusError::request(format!("put {op} on its queue"))(error),
            ),
        })?;
        Ok(record)
    }

    /// Resumes a failed or cancelled operation: one compare-and-set, then the commands under their
    /// new submissions.
    pub async fn resume(self, op: &OperationId) -> Result<OperationRecord, ResumeError> {
        self.resume_as(op, &Said::default()).await
    }

    /// [`resume`](Self::resume), with who asks for it and why.
    pub async fn resume_as(
        self,
        op: &OperationId,
        said: &Said,
    ) -> Result<OperationRecord, ResumeError> {
        // Requests up to now are answered by the resume; only later ones count.
        let stored = self.get(op).await?;
        let stored = stored.ok_or_else(|| ChangeError::NotFound(op.clone()))?;
        let floor = self.bus.cancels().newest_sequence(&stored.record).await?;

        let resumed = self.change_marked(op, |record| record.resume(floor, said, Timestamp::now()));
        let record = resumed.await?.record;
        self.bus.commands().publish_outstanding(&record).await?;
        Ok(record)
    }

    /// Resumes a child that failed or was cancelled before this `round` of its parent, whose
    /// requests up to `parent_floor` are over. Refused when the child is of the round already.
    pub async fn resume_child(
        self,
        child: &OperationId,
        round: u32,
        parent_floor: u64,
    ) -> Result<OperationRecord, ResumeError> {
        // Not the parent's newest request: one that came after its own resume is in force.
        let newest = self.bus.cancels().newest(child).await?;
        let own_floor = newest.map_or(0, |request| request.sequence);
        let floor = own_floor.max(parent_floor);

        let resumed = self.change_marked(child, |record| {
            record.resume_in(round, floor, Timestamp::now())
        });
        let record = resumed.await?.record;
        self.bus.commands().publish_outstanding(&record).await?;
        Ok(record)
    }

    /// Puts one step on its queue again under a new submission, which is written first.
    pub async fn requeue(
        self,
        op: &OperationId,
        step: StepNumber,
        submission: u32,
    ) -> Result<(), ResumeError> {
        let requeued = self.change(op, |record| {
            record.requeue(step, submission, Timestamp::now())
        });
        let record = requeued.await?.record;

        self.bus.commands().publish_outstanding(&record).await?;
        Ok(())
    }
}

fn bus_failed(op: &OperationId, source: BusError) -> SubmitError {
    SubmitError::Bus {
        op: op.clone(),
        source,
    }
}
