//! Taking steps from workers that fell silent: first the hold is cleared, then the message handed
//! on.

use bus::ChangeError;
use jiff::Timestamp;
use schemas::codes;
use schemas::errors::ErrorRecord;
use schemas::ids::{StepNumber, WorkerId};
use schemas::operation::{Holder, OperationRecord};

use super::{Housekeeper, Interrupted};
use crate::announce;

impl Housekeeper {
    /// Takes the steps of workers that showed no life for the profile's silence.
    pub(super) async fn take_from_silent(&mut self) -> Result<(), Interrupted> {
        if !self.can_judge_silence() {
            return Ok(());
        }

        for worker in self.silent_workers() {
            for op in self.holdings.remove(&worker).unwrap_or_default() {
                if let Some(stored) = self.bus.operations().get(&op).await? {
                    self.take_steps_of(&stored.record, &worker).await?;
                }
            }
        }
        Ok(())
    }

    /// Silence means something only when we could have heard: connected, and listening for long
    /// enough.
    fn can_judge_silence(&self) -> bool {
        let timing = self.bus.timing();
        let connected_long_enough = self
            .bus
            .connection()
            .connected_since()
            .is_some_and(|since| since.elapsed() >= timing.housekeeping_connected);

        connected_long_enough && self.listening_since.elapsed() >= timing.silence
    }

    /// Holders without a sign of life. One that was never heard counts from when we began to
    /// listen.
    fn silent_workers(&self) -> Vec<WorkerId> {
        let silence = self.bus.timing().silence;

        self.holdings
            .keys()
            .filter(|worker| {
                let last_sign = self.last_signs.get(*worker);
                last_sign.unwrap_or(&self.listening_since).elapsed() > silence
            })
            .cloned()
            .collect()
    }

    async fn take_steps_of(
        &self,
        record: &OperationRecord,
        worker: &WorkerId,
    ) -> Result<(), Interrupted> {
        for number in record.numbers() {
            let holder = record.step(number).and_then(|step| step.holder.as_ref());
            if let Some(holder) = holder.filter(|holder| &holder.worker == worker) {
                self.take_step(record, number, holder).await?;
            }
        }
        Ok(())
    }

    /// Clears the hold, and only if that wins hands the message on. The other way round, a worker
    /// that wakes up in between could finish a step that is being delivered to another.
    async fn take_step(
        &self,
        record: &OperationRecord,
        number: StepNumber,
        holder: &Holder,
    ) -> Result<(), Interrupted> {
        let worker = &holder.worker;
        let at = Timestamp::now();
        let changed = self
            .bus
            .operations()
            .change(&record.op, |record| record.clear_hold(number, worker, at))
            .await;
        let record = match changed {
            Ok(changed) => changed.record,
            // It woke up, or ended, or somebody else took the step first.
            Err(ChangeError::Refused { .. } | ChangeError::NotFound(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };

        tracing::warn!(
            operation = %record.op,
            step = %number,
            %worker,
            "worker lost, handing its step on"
        );
        self.bus.commands().hand_on(&holder.ack_subject).await?;
        let event = announce::retrying(&record, number, worker, &worker_lost(worker), at);
        announce::emit_lossy(&self.bus, event).await;

        // The holder may have died before it obeyed a request.
        self.cancel_if_requested(&record).await
    }
}

fn worker_lost(worker: &WorkerId) -> ErrorRecord {
    let message = format!("worker {worker} is lost; another takes over");
    let hint = "if it happens again, read the log of that worker";

    ErrorRecord::new(codes::OPS_WORKER_LOST, message, hint).retryable()
}
