//! One delivery of a command, from decoding it to answering its message: the order that makes every
//! crash harmless.
//!
//! The numbers in the comments of this file and of [`crate::claim`], [`crate::attempt`] and
//! [`crate::conclusion`] are those of "Life of a step" in ARCHITECTURE.md. In every branch the
//! message is answered last, because only the message brings a worker back after a crash.

use std::sync::Arc;

use bus::{BusError, ChangeError, Delivered, Stored};
use jiff::Timestamp;
use schemas::codes;
use schemas::delivery::{self, Decision};
use schemas::errors::ErrorRecord;
use schemas::events::{Event, What};
use schemas::ids::{StepNumber, WorkerId};
use schemas::operation::{BARREN_ATTEMPTS_MAX, Claim, OperationRecord, Stopped};
use tokio::time::Instant;
use tracing::Instrument;

use crate::announce;
use crate::attempt::Attempt;
use crate::claim::{Claimed, FoundRecord};
use crate::durations::StepDuration;
use crate::handler::StepHandler;
use crate::meters::{self, StepEnd};
use crate::probe::Moment;
use crate::received_command::ReceivedCommand;
use crate::renewals::Renewal;
use crate::step_context::StepContext;
use crate::step_error::StepError;
use crate::stop::StopReason;
use crate::telemetry::step_span;
use crate::worker_context::{Unanswered, WorkerContext};

/// Takes deliveries of one worker through the protocol, whatever its handler does.
pub(crate) struct DeliveryHandler<H> {
    pub(crate) worker: WorkerContext,
    pub(crate) handler: Arc<H>,
}

impl<H: StepHandler> DeliveryHandler<H> {
    /// Handles one delivery to its end.
    pub(crate) async fn handle(&self, delivered: &Delivered) -> Result<(), Unanswered> {
        if delivered.deliveries() > 1 {
            meters::redelivered(self.worker.service);
        }
        let command = match ReceivedCommand::decode(delivered) {
            Ok(command) => command,
            Err(reason) => return self.reject_undecodable(delivered, reason).await,
        };

        // 1. The client creates the record last; a command may be faster, or outlive its client.
        let found_record = self.worker.read_or_create_record(&command).await;
        if let Err(Unanswered::Bus(error @ BusError::UnreadableRecord { .. })) = &found_record {
            // It will not become readable: whoever can read it puts the step on its queue again.
            return self
                .reject(delivered, ErrorRecord::from_advice(error))
                .await;
        }
        let stored = match found_record? {
            FoundRecord::Claimed(claimed) => return self.work(&command, claimed).await,
            FoundRecord::Stored(stored) => Some(*stored),
            FoundRecord::Missing => None,
        };
        let record = stored.as_ref().map(|stored| &stored.record);

        // 2. Done, void, or held by somebody alive: there is nothing to do.
        let holder_alive = self.worker.is_holder_alive(record, &command).await?;
        let decision =
            delivery::decide(&command.address, &command.message, record, |_| holder_alive);

        self.carry_out(&command, stored.as_ref(), decision).await
    }

    async fn carry_out(
        &self,
        command: &ReceivedCommand<'_>,
        stored: Option<&Stored>,
        decision: Decision,
    ) -> Result<(), Unanswered> {
        match (decision, stored) {
            (Decision::Claim { lost }, Some(stored)) => {
                self.claim_and_work(command, stored, lost.as_ref()).await
            }
            // It ended before, and whoever ended it may have died before all followed from it.
            (Decision::Conclude | Decision::Continue, Some(stored)) => {
                self.worker.conclude(command, &stored.record).await
            }

            (Decision::Void, _) => Ok(command.delivered.ack().await?),
            (Decision::ClearHold { lost }, _) => self.clear_hold(command, &lost).await,
            (Decision::DeadLetter(reason), _) => {
                let hint =
                    "submit the operation again; `ktrdr status <operation>` shows what is recorded";
                let error = ErrorRecord::from_error(codes::OPS_UNANSWERABLE, &reason, hint);
                self.reject(command.delivered, error).await
            }

            // Another one is at it, or was faster.
            (Decision::HandBack | Decision::Create, _) | (_, None) => self.hand_back(command).await,
        }
    }

    async fn claim_and_work(
        &self,
        command: &ReceivedCommand<'_>,
        stored: &Stored,
        lost: Option<&WorkerId>,
    ) -> Result<(), Unanswered> {
        // Taken from us although we live, while another of our slots still works on it.
        if self.worker.current.contains(command.op(), command.step()) {
            return self.hand_back(command).await;
        }

        match self.worker.claim(command, stored, lost).await? {
            Some(claimed) => self.work(command, claimed).await,
            // The record moved between the read and the claim: decide again later.
            None => self.hand_back(command).await,
        }
    }

    /// Works on a step that is ours now, and gives it back if the bus is lost on the way.
    async fn work(
        &self,
        command: &ReceivedCommand<'_>,
        claimed: Claimed,
    ) -> Result<(), Unanswered> {
        let Claimed { record, claim } = claimed;
        let span = step_span(command.op(), command.step(), claim.attempt);
        let context = StepContext::new(&self.worker, command.step(), claim.attempt, record);

        // Listed while we work: our own claim is respected only then.
        let lane = command.address.lane;
        self.worker.current.add(command.op(), command.step(), lane);
        let renewal = self.worker.renewals.start(command.delivered.ack_subject());
        let result = self.run_claimed(command, claim, &context, &renewal);
        let result = result.instrument(span).await;
        drop(renewal);

        if !matches!(result, Err(Unanswered::Killed)) {
            if result.is_err() {
                self.worker.release_claim(command, claim.attempt).await;
            }
            // However the attempt ended, something of its handler may still run on a thread.
            context.until_idle().await;
        }
        self.worker.current.remove(command.op(), command.step());
        result
    }

    async fn run_claimed(
        &self,
        command: &ReceivedCommand<'_>,
        claim: Claim,
        context: &StepContext,
        renewal: &Renewal,
    ) -> Result<(), Unanswered> {
        let record = &context.record;
        self.worker.die_if_probed(Moment::Claimed)?;
        let started = self.started_event(record, command.step());

        // A submission that died half-way is finished by the first worker that comes by.
        let commands = self.worker.bus.commands();
        commands.publish_outstanding(record).await?;

        if claim.exhausted {
            announce::emit_lossy(&self.worker.bus, started).await;
            return self.give_up(command, claim.attempt).await;
        }

        // 4. and 5. are the attempt itself.
        tracing::info!(service = %self.worker.service, "step started");
        renewal.follow(&context.progress);
        let worker = &self.worker;
        let attempt = Attempt { worker, context };
        let duration = StepDuration::begin(context, &self.worker.device);
        let began = Instant::now();
        let result = attempt.run(&self.handler, started).await;
        let error = result.as_ref().err().and_then(StepError::reason);

        if context.stop.reason() == Some(StopReason::Fenced) {
            tracing::warn!("attempt fenced off: another worker has the step, nothing is recorded");
            self.note_end(context, StepEnd::Fenced, None, began);
            self.worker.forgive_takeover(command).await;
            return Ok(());
        }
        self.worker.die_if_probed(Moment::Done)?;

        let end = self
            .worker
            .end_attempt(command, claim.attempt, result, context.stopped())
            .await?;
        self.note_end(context, end, error, began);
        duration.note(end == StepEnd::Completed);
        Ok(())
    }

    fn started_event(&self, record: &OperationRecord, step: StepNumber) -> Option<Event> {
        let worker = Some(&self.worker.id);
        announce::event(record, step, What::Started, worker, record.updated_at)
    }

    /// Counts an attempt that ended, and sends its span. One that was cancelled or released did not
    /// fail.
    fn note_end(&self, context: &StepContext, end: StepEnd, error: Option<String>, began: Instant) {
        meters::step_ended(self.worker.service, context.op(), end, began.elapsed());

        let is_failure = matches!(end, StepEnd::Failed | StepEnd::Retrying);
        if let Some(trace) = &context.trace {
            trace.end(self.worker.id.as_str(), end, error.filter(|_| is_failure));
        }
    }

    /// Fails a step that took too many attempts without a checkpoint.
    async fn give_up(&self, command: &ReceivedCommand<'_>, attempt: u32) -> Result<(), Unanswered> {
        let error = attempts_exhausted(command);
        let result = Err::<(), _>(error);
        let began = Instant::now();
        let end = self
            .worker
            .end_attempt(command, attempt, result, Stopped::default())
            .await?;
        meters::step_ended(self.worker.service, command.op(), end, began.elapsed());
        Ok(())
    }

    async fn hand_back(&self, command: &ReceivedCommand<'_>) -> Result<(), Unanswered> {
        Ok(command.hand_back(self.worker.bus.timing().ack_wait).await?)
    }

    /// The operation has stopped, and only the hold of a worker that is gone keeps it from ending.
    async fn clear_hold(
        &self,
        command: &ReceivedCommand<'_>,
        lost: &WorkerId,
    ) -> Result<(), Unanswered> {
        let at = Timestamp::now();
        let cleared = self
            .worker
            .bus
            .operations()
            .change(command.op(), |record| {
                record.clear_hold(command.step(), lost, at)
            })
            .await;

        match cleared {
            // Refused: somebody else cleared it first. Either way the message is decided on again.
            Ok(_) | Err(ChangeError::Refused { .. } | ChangeError::NotFound(_)) => {
                self.hand_back(command).await
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn reject_undecodable(
        &self,
        delivered: &Delivered,
        reason: String,
    ) -> Result<(), Unanswered> {
        let hint =
            "compare it with `ktrdr dummy start --dry-run`, then publish a corrected command";
        let error = ErrorRecord::new(codes::BUS_UNDECODABLE, reason, hint);

        self.reject(delivered, error).await
    }

    /// Takes a message off the queue that can never be carried out; a dead letter keeps it.
    async fn reject(&self, delivered: &Delivered, error: ErrorRecord) -> Result<(), Unanswered> {
        tracing::warn!(subject = delivered.subject(), error = %error, "command rejected");
        announce::reject(&self.worker.bus, self.worker.service, delivered, error).await?;

        Ok(delivered.term().await?)
    }
}

fn attempts_exhausted(command: &ReceivedCommand<'_>) -> StepError {
    let message = format!(
        "step {} was interrupted {BARREN_ATTEMPTS_MAX} times \
         without any durable progress in between",
        command.step()
    );
    let hint = "look into the logs of the workers that took it: the command may kill them";

    ErrorRecord::new(codes::OPS_ATTEMPTS_EXHAUSTED, message, hint).into()
}
