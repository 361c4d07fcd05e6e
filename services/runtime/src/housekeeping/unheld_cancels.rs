//! Cancelling an operation that nobody holds; a holder obeys the control subject itself.

use bus::{CancelRequest, ChangeError};
use jiff::Timestamp;
use schemas::ids::{OperationId, StepNumber};
use schemas::operation::Outstanding;
use schemas::operation::{OperationRecord, StepState};

use super::{Housekeeper, Interrupted};
use crate::announce;

impl Housekeeper {
    /// Cancels an operation if a request for it is stored and nobody holds it.
    pub(super) async fn cancel_if_requested(&self, op: &OperationId) -> Result<(), Interrupted> {
        match self.bus.cancels().newest(op).await? {
            Some(request) => self.cancel_unheld(op, &request).await,
            None => Ok(()),
        }
    }

    /// The same for a request that has just arrived on the control subject, and that the stream may
    /// not show yet.
    pub(super) async fn cancel_announced(&self, op: &OperationId) -> Result<(), Interrupted> {
        let Some(stored) = self.bus.operations().get(op).await? else {
            return Ok(());
        };
        let record = stored.record;
        if record.state.is_terminal() || record.is_held() {
            return Ok(());
        }

        match self
            .bus
            .cancels()
            .await_announced(op, record.cancel_floor)
            .await?
        {
            Some(request) => self.cancel_unheld(op, &request).await,
            None => Ok(()),
        }
    }

    async fn cancel_unheld(
        &self,
        op: &OperationId,
        request: &CancelRequest,
    ) -> Result<(), Interrupted> {
        let Some(stored) = self.bus.operations().get(op).await? else {
            return Ok(());
        };
        let record = stored.record;
        let is_void = request.sequence <= record.cancel_floor;
        if record.state.is_terminal() || record.is_held() || is_void {
            return Ok(());
        }

        // Listed before the change: afterwards every step has ended, and none seems queued.
        let queued = unfinished_steps(&record);
        let at = Timestamp::now();
        let changed = self
            .bus
            .operations()
            .change(op, |record| {
                record.cancel_unheld(request.sequence, &request.reason, at)
            })
            .await;

        match changed {
            Ok(changed) => {
                tracing::info!(operation = %op, "cancelled, no worker held it");
                self.conclude(&changed.record, &queued).await
            }
            // A worker claimed it meanwhile and will see the request, or it has ended.
            Err(ChangeError::Refused { .. } | ChangeError::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Announces every step of a terminal operation, removes its queued messages by sequence, then
    /// its active mark.
    pub(super) async fn conclude(
        &self,
        record: &OperationRecord,
        queued: &[Outstanding],
    ) -> Result<(), Interrupted> {
        for number in record.numbers() {
            announce::announce_step(&self.bus, record, number, 0).await?;
        }

        // By sequence and not by subject, which may have the message of a resume by now.
        for step in queued {
            if let Some(sequence) = self.bus.commands().sequence_of(&record.op, *step).await? {
                self.bus.commands().delete(sequence).await?;
            }
        }

        Ok(self.bus.active().unmark(&record.op).await?)
    }
}

/// Every step that may have a message on its queue.
fn unfinished_steps(record: &OperationRecord) -> Vec<Outstanding> {
    let numbers: Vec<StepNumber> = record.numbers().collect();

    numbers
        .into_iter()
        .zip(record.plan.steps())
        .zip(&record.steps)
        .filter(|(_, step)| step.state != StepState::Completed)
        .map(|((number, spec), step)| Outstanding {
            step: number,
            service: spec.service,
            lane: spec.lane,
            submission: step.submission,
        })
        .collect()
}
