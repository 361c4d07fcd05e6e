//! Claiming a step: one compare-and-set that makes this worker its holder, in a new attempt.

use std::sync::Arc;

use bus::{ChangeError, Stored};
use jiff::Timestamp;
use schemas::delivery::{self, Decision};
use schemas::operation::NewOperation;
use schemas::operation::{Claim, Holder, OperationRecord};

use crate::meters;
use crate::received_command::ReceivedCommand;
use crate::worker_context::{Unanswered, WorkerContext};

/// A step that is ours.
pub(crate) struct Claimed {
    /// The record with our claim in it.
    pub(crate) record: Arc<OperationRecord>,
    pub(crate) claim: Claim,
}

/// What there is in the place of an operation's record.
pub(crate) enum FoundRecord {
    /// This delivery created it, with our claim in it.
    Claimed(Claimed),
    /// Somebody else created it.
    Stored(Box<Stored>),
    /// There is none, and this message may not create it.
    Missing,
}

impl WorkerContext {
    /// Reads the record of a command's operation; a first command may create it.
    pub(crate) async fn read_or_create_record(
        &self,
        command: &ReceivedCommand<'_>,
    ) -> Result<FoundRecord, Unanswered> {
        if let Some(stored) = self.bus.operations().get(command.op()).await? {
            return Ok(FoundRecord::Stored(Box::new(stored)));
        }

        let decision = delivery::decide(&command.address, &command.message, None, |_| true);
        match (decision, command.message.operation.clone()) {
            (Decision::Create, Some(operation)) => self.create_record(command, operation).await,
            _ => Ok(FoundRecord::Missing),
        }
    }

    /// Creates the record with our claim in it: a fresh command costs one synced write less.
    async fn create_record(
        &self,
        command: &ReceivedCommand<'_>,
        operation: NewOperation,
    ) -> Result<FoundRecord, Unanswered> {
        let mut record = OperationRecord::create(command.op().clone(), operation, Timestamp::now());
        let claim = record.claim(command.step(), 1, self.holder(command), None);

        let (marked, created) = tokio::join!(
            self.bus.active().mark(command.op()),
            self.bus.operations().create(record)
        );
        marked?;
        let (stored, is_ours) = created?;

        match claim {
            Ok(claim) if is_ours => Ok(FoundRecord::Claimed(Claimed {
                record: Arc::new(stored.record),
                claim,
            })),
            // Somebody else was first: their record is decided on like any other.
            _ => Ok(FoundRecord::Stored(Box::new(stored))),
        }
    }

    /// True while whoever holds the step of `command` must be respected.
    pub(crate) async fn is_holder_alive(
        &self,
        record: Option<&OperationRecord>,
        command: &ReceivedCommand<'_>,
    ) -> Result<bool, Unanswered> {
        let holder = record
            .and_then(|record| record.step(command.step()))
            .and_then(|step| step.holder.as_ref());

        match holder {
            // Our own hold counts only while one of our slots works on it: an earlier attempt may
            // have lost the bus.
            Some(holder) if holder.worker == self.id => {
                Ok(self.current.contains(command.op(), command.step()))
            }
            Some(holder) => Ok(self.bus.workers().is_alive(&holder.worker).await?),
            None => Ok(false),
        }
    }

    /// Claims the step in the record that was just read, over a `lost` holder if there is one.
    /// `None` when the record moved since, so that the claim does not apply any more.
    pub(crate) async fn claim(
        &self,
        command: &ReceivedCommand<'_>,
        stored: &Stored,
        lost: Option<&schemas::ids::WorkerId>,
    ) -> Result<Option<Claimed>, Unanswered> {
        let holder = self.holder(command);
        let submission = command.message.submission;

        // 3. Running, attempt + 1, this worker: every later write demands that attempt.
        let changed = self
            .bus
            .operations()
            .change_from(stored.clone(), |record| {
                record.claim(command.step(), submission, holder.clone(), lost)
            })
            .await;

        match changed {
            Ok(changed) => {
                if lost.is_some() {
                    meters::step_taken_over("worker");
                }
                Ok(Some(Claimed {
                    record: Arc::new(changed.record),
                    claim: changed.value,
                }))
            }
            Err(ChangeError::Refused { .. } | ChangeError::NotFound(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a step back whose message we leave unanswered: it comes back by itself, and without a
    /// hold any worker may take it.
    pub(crate) async fn release_claim(&self, command: &ReceivedCommand<'_>, attempt: u32) {
        let released = self
            .bus
            .operations()
            .change(command.op(), |record| {
                record.release(command.step(), attempt, Timestamp::now())
            })
            .await;

        // Refused once the step has ended. Otherwise the hold ends with our sign of life.
        if let Err(error) = released {
            tracing::debug!(error = %error, "claim not released");
        }
    }

    /// Says that this worker lives, whose step was taken over: that does not count as an attempt in
    /// vain.
    pub(crate) async fn forgive_takeover(&self, command: &ReceivedCommand<'_>) {
        let at = Timestamp::now();
        let forgiven = self
            .bus
            .operations()
            .change(command.op(), |record| {
                record.forgive_takeover(command.step(), &self.id, at)
            })
            .await;

        // Refused where nothing was taken from us: the step was cancelled, or has ended.
        if let Err(error) = forgiven {
            tracing::debug!(error = %error, "no takeover to forgive");
        }
    }

    fn holder(&self, command: &ReceivedCommand<'_>) -> Holder {
        Holder {
            worker: self.id.clone(),
            ack_subject: command.delivered.ack_subject().to_owned(),
            since: Timestamp::now(),
        }
    }
}
