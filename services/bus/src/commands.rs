//! Commands on their queues: publish one and know that it is stored, find it, delete it.

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::DirectGetErrorKind;
use bytes::Bytes;
use jiff::Timestamp;
use schemas::codec::{self, CONTENT_TYPE};
use schemas::ids::{OperationId, StepNumber};
use schemas::messages::CommandMessage;
use schemas::operation::{NewOperation, OperationRecord, Outstanding, StepState};
use schemas::subjects::{self, command_id};
use schemas::trace::traceparent;

use crate::error::BusError;
use crate::handles::Commands;
use crate::submit_error::ResumeError;

/// Error 10077, a store that refuses: the subject has a message, or the stream is full. The code
/// does not tell which.
const STORE_REFUSED: ErrorCode = ErrorCode::STREAM_STORE_FAILED;

/// What became of a published command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It is on the queue under its own id.
    Queued,
    /// Its id was used before and its message is gone, but no worker took it: publish a new
    /// submission.
    Consumed,
    /// The stream has no room.
    Full,
}

impl Commands<'_> {
    /// Puts the command of an outstanding step on its queue, verified: an acknowledgement alone can
    /// mean an id that was consumed long ago, and a refusal can mean that our own message is
    /// already there.
    pub async fn publish(
        self,
        op: &OperationId,
        step: Outstanding,
        operation: Option<&NewOperation>,
        steps: usize,
    ) -> Result<Published, BusError> {
        let message = CommandMessage::new(op, step.step, step.submission, operation.cloned());
        let subject = subjects::command(step.service, step.lane, op, step.step);
        let id = command_id(op, step.step, step.submission);
        let payload = Bytes::from(codec::encode(&message)?);

        loop {
            let publish = PublishMessage::build()
                .payload(payload.clone())
                .message_id(&id)
                .header("Content-Type", CONTENT_TYPE)
                .header("Ktrdr-Schema", codec::schema_of::<CommandMessage>());
            let publish = add_headers(publish, op, step, steps);
            let ack = self.bus.publish_stored(subject.clone(), publish).await;
            let is_duplicate = match ack {
                Ok(ack) if !ack.duplicate => return Ok(Published::Queued),
                Ok(_) => true,
                Err(error) if refused_by_store(&error) => false,
                Err(error) => {
                    let request = format!("put the command {id} on its queue");
                    return Err(BusError::request(request)(error));
                }
            };

            // Neither answer says what the subject holds: look.
            match self.message_on(&subject).await? {
                Some((sequence, stored)) if is_older(stored.as_deref(), op, step) => {
                    self.delete(sequence).await?;
                }
                message => {
                    let stored = message.map(|(_, id)| id);
                    return self.judge_stored(op, step, &id, stored, is_duplicate).await;
                }
            }
        }
    }

    /// What became of our message, when the subject holds `stored`: nothing, a message without an
    /// id, or one with an id.
    async fn judge_stored(
        self,
        op: &OperationId,
        step: Outstanding,
        id: &str,
        stored: Option<Option<String>>,
        is_duplicate: bool,
    ) -> Result<Published, BusError> {
        match stored {
            Some(Some(stored)) if stored == id => Ok(Published::Queued),
            // Somebody published it by hand, without an id: it is on its queue.
            Some(None) => Ok(Published::Queued),
            Some(Some(_)) | None if is_duplicate => self.find_consumed(op, step).await,
            Some(Some(_)) | None => Ok(Published::Full),
        }
    }

    /// Our id was used and its message is gone: fine when the record shows that a worker took it.
    async fn find_consumed(
        self,
        op: &OperationId,
        step: Outstanding,
    ) -> Result<Published, BusError> {
        let stored = self.bus.operations().get(op).await?;
        let record = stored
            .as_ref()
            .and_then(|stored| stored.record.step(step.step));

        let was_taken = record.is_some_and(|record| {
            record.submission > step.submission
                || record.state != StepState::Pending
                || record.attempt > 0
        });
        Ok(if was_taken {
            Published::Queued
        } else {
            Published::Consumed
        })
    }

    /// Sequence and message id of what is stored on a command subject.
    async fn message_on(self, subject: &str) -> Result<Option<(u64, Option<String>)>, BusError> {
        let stream = self.bus.js.get_stream_no_info(subjects::COMMANDS).await;
        let stream = stream.map_err(BusError::request("open the command stream"))?;

        match stream.direct_get_last_for_subject(subject).await {
            Ok(message) => {
                let id = message.headers.get(NATS_MESSAGE_ID);
                Ok(Some((
                    message.sequence,
                    id.map(|id| id.as_str().to_owned()),
                )))
            }
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(error) => {
                let request = format!("read the command on {subject}");
                Err(BusError::request(request)(error))
            }
        }
    }

    /// True if a step has a command on its queue, of whatever submission.
    pub async fn is_queued(self, op: &OperationId, step: Outstanding) -> Result<bool, BusError> {
        let subject = subjects::command(step.service, step.lane, op, step.step);
        Ok(self.message_on(&subject).await?.is_some())
    }

    /// Takes the command of a submission off its queue. That of a later one, such as a resume has
    /// put there meanwhile, stays.
    pub async fn withdraw(self, op: &OperationId, step: Outstanding) -> Result<(), BusError> {
        let subject = subjects::command(step.service, step.lane, op, step.step);
        let Some((sequence, id)) = self.message_on(&subject).await? else {
            return Ok(());
        };

        // Without an id it was published by hand, which nothing but a first submission is.
        let submission = id.as_deref().and_then(|id| submission_of(id, op, step));
        match submission.is_none_or(|submission| submission <= step.submission) {
            true => self.delete(sequence).await,
            false => Ok(()),
        }
    }

    /// Removes one message by its sequence; never by its subject, which may carry a newer one by
    /// now.
    pub(crate) async fn delete(self, sequence: u64) -> Result<(), BusError> {
        let stream = self.bus.js.get_stream_no_info(subjects::COMMANDS).await;
        let stream = stream.map_err(BusError::request("open the command stream"))?;
        let Err(error) = stream.delete_message(sequence).await else {
            return Ok(());
        };

        // Another process removed it, or a worker acknowledged it: it is gone all the same.
        let look = stream.direct_get(sequence).await;
        if look.is_err_and(|error| error.kind() == DirectGetErrorKind::NotFound) {
            return Ok(());
        }
        Err(BusError::request(format!(
            "delete the command at {sequence}"
        ))(error))
    }

    /// Publishes every outstanding command of the record. A step whose id was consumed although no
    /// worker took it gets a new submission, written first.
    pub async fn publish_outstanding(
        self,
        record: &OperationRecord,
    ) -> Result<Published, ResumeError> {
        let mut record = record.clone();
        let mut worst = Published::Queued;

        // A held step has its message by definition: its worker works on it.
        let outstanding = record.outstanding_commands();
        let unheld = outstanding
            .iter()
            .filter(|step| is_unheld(&record, step.step));
        let mut open: Vec<StepNumber> = unheld.map(|step| step.step).collect();

        while let Some(number) = open.pop() {
            let mut outstanding = record.outstanding_commands().into_iter();
            let Some(step) = outstanding.find(|step| step.step == number) else {
                continue;
            };

            match self
                .publish(&record.op, step, None, record.steps.len())
                .await?
            {
                Published::Queued => {}
                Published::Full => worst = Published::Full,
                Published::Consumed => {
                    let operations = self.bus.operations();
                    let requeued = operations.change(&record.op, |record| {
                        record.requeue(number, step.submission, Timestamp::now())
                    });
                    record = requeued.await?.record;
                    open.push(number);
                }
            }
        }
        Ok(worst)
    }

    /// Bytes stored in the command stream, and its limit (0 = none).
    pub(crate) async fn stored_bytes(self) -> Result<(u64, u64), BusError> {
        let stream = self.bus.js.get_stream(subjects::COMMANDS).await;
        let stream = stream.map_err(BusError::request("read the state of the command stream"))?;
        let info = stream.cached_info();
        Ok((
            info.state.bytes,
            u64::try_from(info.config.max_bytes).unwrap_or(0),
        ))
    }
}

/// The headers that people read with the stock `nats` tool.
fn add_headers(
    publish: PublishMessage,
    op: &OperationId,
    step: Outstanding,
    steps: usize,
) -> PublishMessage {
    publish
        .header("Ktrdr-Op", op.as_str())
        .header(
            "Ktrdr-Step",
            format!("{} ({}/{steps})", step.service, step.step),
        )
        .header("traceparent", traceparent(op, step.step, 0))
}

fn is_unheld(record: &OperationRecord, number: StepNumber) -> bool {
    record
        .step(number)
        .is_some_and(|step| step.holder.is_none())
}

fn refused_by_store(error: &async_nats::jetstream::context::PublishError) -> bool {
    use std::error::Error;
    let cause = error
        .source()
        .and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>());
    cause.is_some_and(|cause| cause.error_code() == STORE_REFUSED)
}

/// True for a message of an earlier submission, or one without our id: it was void before ours was
/// written.
fn is_older(stored: Option<&str>, op: &OperationId, step: Outstanding) -> bool {
    let Some(stored) = stored else {
        return step.submission > 1;
    };
    submission_of(stored, op, step).is_some_and(|submission| submission < step.submission)
}

/// The submission in the id of a command of this step.
fn submission_of(id: &str, op: &OperationId, step: Outstanding) -> Option<u32> {
    let prefix = format!("{op}.{}.", step.step);
    id.strip_prefix(&prefix)?.parse().ok()
}
