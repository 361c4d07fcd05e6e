//! One delivery of a command, from decoding to the acknowledgement: the order that makes every
//! crash harmless.
//!
//! Effect, record, event, next command, ack: each one safe to repeat. The message is settled last
//! in every branch, because only it brings a worker back after a crash.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, BusError, ChangeError, Changed, Delivered, Published, ResumeError, Stored};
use jiff::Timestamp;
use schemas::codec;
use schemas::command::{Command, CommandMessage};
use schemas::errors::ErrorRecord;
use schemas::events::What;
use schemas::ids::{OperationId, STEPS_MAX, Service, WorkerId};
use schemas::operation::{
    BARREN_ATTEMPTS_MAX, Claim, Holder, OperationRecord, Refusal, StepState, result_bytes_max,
};
use schemas::settle::{self, Delivery};
use schemas::subjects::CommandAddress;
use store::Store;
use tokio::sync::watch;

use crate::announce;
use crate::handler::{StepContext, StepError, StepHandler, StoredResult};
use crate::presence::Current;
use crate::probe::{Moment, Probe};
use crate::progress_slot::ProgressSlot;
use crate::running::run;
use crate::stop::StopToken;

/// What every attempt of a worker shares.
pub(crate) struct Shared<H> {
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    pub(crate) worker: WorkerId,
    pub(crate) service: Service,
    pub(crate) handler: Arc<H>,
    pub(crate) shutdown: watch::Receiver<bool>,
    pub(crate) current: Current,
    pub(crate) probe: Arc<dyn Probe>,
    pub(crate) stall: Duration,
}

/// Why a delivery was left unanswered: its message comes back after `ack_wait`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Left {
    /// The server could not be reached for long.
    #[error("the bus is not reachable")]
    Bus(#[from] BusError),
    /// The record could not be changed for long.
    #[error("the record is not reachable")]
    Record(#[from] ChangeError),
    /// A new submission could not be written.
    #[error("what follows could not be put on its queue")]
    Requeue(#[from] ResumeError),
    /// The test's probe killed the worker.
    #[error("killed by the probe")]
    Killed,
}

impl<H: StepHandler> Shared<H> {
    /// Handles one delivery to its end.
    pub(crate) async fn handle(&self, delivered: &Delivered) -> Result<(), Left> {
        let decoded = CommandAddress::parse(delivered.subject())
            .map_err(|error| error.to_string())
            .and_then(|address| {
                codec::decode::<CommandMessage>(delivered.payload())
                    .map(|message| (address, message))
                    .map_err(|error| error.to_string())
            });
        let (address, message) = match decoded {
            Ok(decoded) => decoded,
            Err(reason) => {
                let hint = "compare it with `ktrdr dummy start --dry-run`, then publish a corrected command";
                return self
                    .reject(delivered, ErrorRecord::new("BUS-Undecodable", reason, hint))
                    .await;
            }
        };
        let mut record = self
            .bus
            .record(&address.op)
            .await?
            .map(|stored| stored.record);
        if record.is_none()
            && let Delivery::Create = settle::decide(&address, &message, None, |_| true)
            && let Some(operation) = message.operation.clone()
        {
            let (stored, claim) = self.create(delivered, &address, operation).await?;
            match claim {
                Some(claim) => return self.work(delivered, &address, stored, claim).await,
                None => record = Some(stored),
            }
        }
        let holder = record
            .as_ref()
            .and_then(|record| record.step(address.step)?.holder.clone());
        let alive = match &holder {
            // Our own hold counts only while one of our slots works on it: an earlier attempt may
            // have lost the bus.
            Some(holder) if holder.worker == self.worker => {
                self.current.works_on(&address.op, address.step)
            }
            Some(holder) => self.bus.is_worker_alive(&holder.worker).await?,
            None => false,
        };
        match settle::decide(&address, &message, record.as_ref(), |_| alive) {
            Delivery::Claim { lost } => {
                self.claim(delivered, &address, message.submission, lost.as_ref())
                    .await
            }
            Delivery::Settle | Delivery::Advance => match record {
                Some(record) => self.conclude(delivered, &record, &address).await,
                None => self.hand_back(delivered).await,
            },
            Delivery::Void => Ok(delivered.ack().await?),
            Delivery::ClearHold { lost } => self.clear_hold(delivered, &address, &lost).await,
            Delivery::HandBack | Delivery::Create => self.hand_back(delivered).await,
            Delivery::DeadLetter(reason) => {
                let hint =
                    "submit the operation again; `ktrdr status <operation>` shows what is recorded";
                self.reject(
                    delivered,
                    ErrorRecord::from_error("OPS-Unanswerable", &reason, hint),
                )
                .await
            }
        }
    }

    /// Creates the record with our claim in it, in one write. Somebody else may have been first:
    /// then the record that stands is decided on like any other.
    async fn create(
        &self,
        delivered: &Delivered,
        address: &CommandAddress,
        operation: schemas::command::NewOperation,
    ) -> Result<(OperationRecord, Option<Claim>), Left> {
        let mut record = OperationRecord::create(address.op.clone(), operation, Timestamp::now());
        let claim = record.claim(address.step, 1, self.holder(delivered), None);
        let (marked, created) = tokio::join!(
            self.bus.put_active(&address.op),
            self.bus.create_record(record)
        );
        marked?;
        let (Stored { record, .. }, ours) = created?;
        Ok((record, claim.ok().filter(|_| ours)))
    }

    fn holder(&self, delivered: &Delivered) -> Holder {
        Holder {
            worker: self.worker.clone(),
            ack_subject: delivered.ack_subject().to_owned(),
            since: Timestamp::now(),
        }
    }

    /// Another worker is at it, or the record moved under us: look again later, without an attempt.
    async fn hand_back(&self, delivered: &Delivered) -> Result<(), Left> {
        Ok(delivered.hand_back(self.bus.timing().ack_wait / 2).await?)
    }

    /// The operation has stopped, and only a hold that nobody has any more keeps it from ending.
    async fn clear_hold(
        &self,
        delivered: &Delivered,
        address: &CommandAddress,
        lost: &WorkerId,
    ) -> Result<(), Left> {
        let at = Timestamp::now();
        match self
            .bus
            .change(&address.op, |record| {
                record.clear_hold(address.step, lost, at)
            })
            .await
        {
            Ok(_) | Err(ChangeError::Refused { .. } | ChangeError::NotFound(_)) => {
                self.hand_back(delivered).await
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn reject(&self, delivered: &Delivered, error: ErrorRecord) -> Result<(), Left> {
        tracing::warn!(subject = delivered.subject(), error = %error, "command rejected");
        announce::reject(&self.bus, self.service, delivered, error).await?;
        Ok(delivered.term().await?)
    }

    async fn claim(
        &self,
        delivered: &Delivered,
        address: &CommandAddress,
        submission: u32,
        lost: Option<&WorkerId>,
    ) -> Result<(), Left> {
        let holder = self.holder(delivered);
        let claimed = self
            .bus
            .change(&address.op, |record| {
                record.claim(address.step, submission, holder.clone(), lost)
            })
            .await;
        let Changed {
            value: claim,
            record,
        } = match claimed {
            Ok(changed) => changed,
            // The record moved between the read and the claim: the message comes back and is
            // decided anew.
            Err(ChangeError::Refused { .. } | ChangeError::NotFound(_)) => {
                return self.hand_back(delivered).await;
            }
            Err(error) => return Err(error.into()),
        };
        self.work(delivered, address, record, claim).await
    }

    /// Works on a step that is ours now.
    async fn work(
        &self,
        delivered: &Delivered,
        address: &CommandAddress,
        record: OperationRecord,
        claim: Claim,
    ) -> Result<(), Left> {
        self.current.add(&address.op, address.step);
        let span = crate::telemetry::step_span(&address.op, address.step, claim.attempt);
        let attempt = self.attempt(delivered, address, Arc::new(record), claim);
        let result = tracing::Instrument::instrument(attempt, span).await;
        self.current.remove(&address.op, address.step);
        if let Err(left) = &result
            && !matches!(left, Left::Killed)
        {
            // The message comes back by itself; without a hold any worker may take it. Refused once
            // the step has ended.
            let release = |record: &mut OperationRecord| {
                record.release(address.step, claim.attempt, Timestamp::now())
            };
            drop(self.bus.change(&address.op, release).await);
        }
        result
    }

    async fn attempt(
        &self,
        delivered: &Delivered,
        address: &CommandAddress,
        record: Arc<OperationRecord>,
        Claim { attempt, exhausted }: Claim,
    ) -> Result<(), Left> {
        self.live_until(Moment::Claimed)?;
        let started = announce::event(
            &record,
            address.step,
            What::Started,
            Some(&self.worker),
            record.updated_at,
        );
        // A submit that died half-way is finished by the first worker.
        self.bus.publish_outstanding(&record).await?;
        if exhausted {
            announce::emit_lossy(&self.bus, started).await;
            let message = format!(
                "step {} was interrupted {BARREN_ATTEMPTS_MAX} times without any durable progress in between",
                address.step
            );
            let hint = "look into the logs of the workers that took it: the command may kill them";
            let error = ErrorRecord::new("OPS-AttemptsExhausted", message, hint);
            return self
                .finish(delivered, address, attempt, Err(error.into()))
                .await;
        }
        tracing::info!(service = %self.service, "step started");
        let context = StepContext {
            bus: self.bus.clone(),
            store: self.store.clone(),
            record,
            number: address.step,
            attempt,
            worker: self.worker.clone(),
            stop: StopToken::default(),
            progress: Arc::new(ProgressSlot::default()),
        };
        let result = run(self, delivered, &context, started).await;
        if context.stop.reason() == Some(crate::stop::StopReason::Fenced) {
            tracing::warn!(
                "attempt fenced off: another worker has the step, nothing is settled here"
            );
            return Ok(());
        }
        self.live_until(Moment::Done)?;
        self.finish(delivered, address, attempt, result).await
    }

    /// Records how the attempt ended, then does what follows from it.
    async fn finish(
        &self,
        delivered: &Delivered,
        address: &CommandAddress,
        attempt: u32,
        result: Result<<H::Command as Command>::Outcome, StepError>,
    ) -> Result<(), Left> {
        let (op, step, at) = (&address.op, address.step, Timestamp::now());
        let shutting_down = *self.shutdown.borrow();
        let ended = self.bounded(op, Ended::of(result, shutting_down)).await;
        let changed = self
            .bus
            .change(op, |record| ended.write(record, step, attempt, at))
            .await;
        let record = match changed {
            Ok(changed) => changed.record,
            Err(
                ChangeError::Refused {
                    refusal: Refusal::Fenced { .. },
                    ..
                }
                | ChangeError::NotFound(_),
            ) => {
                tracing::warn!(
                    "attempt fenced off before it could be recorded, nothing is settled here"
                );
                return Ok(());
            }
            // It ended under us, by a cancel of housekeeping or our own lost reply: settle what
            // stands.
            Err(ChangeError::Refused { record, .. }) => *record,
            Err(error) => return Err(error.into()),
        };
        self.live_until(Moment::Recorded)?;
        match &ended {
            _ if record
                .step(step)
                .is_some_and(|step| step.state.is_terminal()) =>
            {
                self.conclude(delivered, &record, address).await
            }
            Ended::Retry { after, .. } => {
                let event = announce::event(&record, step, What::Retrying, Some(&self.worker), at);
                announce::emit_lossy(&self.bus, event).await;
                Ok(delivered.hand_back(*after).await?)
            }
            _ => Ok(delivered.hand_back(Duration::from_millis(1)).await?),
        }
    }

    /// A result that has no room in the record becomes an object, and the record names it.
    async fn bounded(&self, op: &OperationId, ended: Ended) -> Ended {
        let Ended::Completed(result) = ended else {
            return ended;
        };
        let steps = match self.bus.record(op).await {
            Ok(Some(stored)) => stored.record.steps.len(),
            _ => STEPS_MAX,
        };
        if codec::packed_bytes(&result) <= result_bytes_max(steps) {
            return Ended::Completed(result);
        }
        match self.store.reports().put(&result).await {
            Ok(result_object) => Ended::Completed(
                serde_json::to_value(StoredResult { result_object }).unwrap_or_default(),
            ),
            Err(error) => match StepError::from(error) {
                StepError::Retry { after, error } => Ended::Retry {
                    after,
                    error: *error,
                },
                StepError::Permanent(error) => Ended::Failed(*error),
                StepError::Stopped => Ended::Cancelled,
            },
        }
    }

    /// Event and dead letter, next commands, ack, active mark: for a step that has ended, as often
    /// as it takes.
    async fn conclude(
        &self,
        delivered: &Delivered,
        record: &OperationRecord,
        address: &CommandAddress,
    ) -> Result<(), Left> {
        announce::settle_step(&self.bus, record, address.step, delivered.deliveries()).await?;
        for number in record.numbers().filter(|number| *number != address.step) {
            // A step that nobody took ended with the cancel of this one.
            if record
                .step(number)
                .is_some_and(|step| step.state == StepState::Cancelled)
            {
                announce::settle_step(&self.bus, record, number, 0).await?;
            }
        }
        self.live_until(Moment::Announced)?;
        if self.bus.publish_outstanding(record).await? == Published::Full {
            tracing::warn!("the command queue is full, handing the message back");
            return Ok(delivered.hand_back(Duration::from_secs(1)).await?);
        }
        self.live_until(Moment::Continued)?;
        let failed = record
            .step(address.step)
            .is_some_and(|step| step.state == StepState::Failed);
        if failed {
            delivered.term().await?;
        } else {
            delivered.ack().await?;
        }
        tracing::info!(state = %record.state, "step settled");
        self.live_until(Moment::Acked)?;
        if record.state.is_terminal() {
            self.bus.settle_active(&record.op).await?;
        }
        Ok(())
    }

    fn live_until(&self, moment: Moment) -> Result<(), Left> {
        if self.probe.dies_at(moment) {
            Err(Left::Killed)
        } else {
            Ok(())
        }
    }
}

/// How an attempt ended, ready to be written as often as a conflict demands.
enum Ended {
    Completed(serde_json::Value),
    Failed(ErrorRecord),
    Cancelled,
    Released,
    Retry { after: Duration, error: ErrorRecord },
}

impl Ended {
    fn of<T: serde::Serialize>(result: Result<T, StepError>, shutting_down: bool) -> Self {
        match result {
            Ok(outcome) => match serde_json::to_value(outcome) {
                Ok(value) => Self::Completed(value),
                Err(error) => Self::Failed(ErrorRecord::from_error(
                    "SYS-Serialisation",
                    &error,
                    "report this as a bug",
                )),
            },
            Err(StepError::Permanent(error)) => Self::Failed(*error),
            Err(StepError::Retry { after, error }) => Self::Retry {
                after,
                error: *error,
            },
            Err(StepError::Stopped) if shutting_down => Self::Released,
            Err(StepError::Stopped) => Self::Cancelled,
        }
    }

    fn write(
        &self,
        record: &mut OperationRecord,
        step: schemas::ids::StepNumber,
        attempt: u32,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let barren = record.step(step).map_or(0, |step| step.barren_attempts);
        match self {
            Self::Completed(result) => record.complete(step, attempt, result.clone(), at),
            Self::Failed(error) => record.fail(step, attempt, error.clone(), at),
            Self::Retry { error, .. } if barren >= BARREN_ATTEMPTS_MAX => {
                record.fail(step, attempt, error.clone(), at)
            }
            Self::Retry { after, error } => {
                let due = at.checked_add(*after).unwrap_or(at);
                record.retry(step, attempt, &error.message, due, at)
            }
            Self::Released if record.cancel.is_none() => record.release(step, attempt, at),
            Self::Released | Self::Cancelled => record.stop(step, attempt, at),
        }
    }
}
