//! Commands on their queues: publish one and know that it is stored, submit an operation, resume
//! one.

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::DirectGetErrorKind;
use jiff::Timestamp;
use schemas::codec::{self, CONTENT_TYPE};
use schemas::ids::{OperationId, StepNumber};
use schemas::messages::CommandMessage;
use schemas::operation::Outstanding;
use schemas::operation::{InvalidOperation, NewOperation};
use schemas::operation::{OperationRecord, StepState};
use schemas::subjects::{self, command_id};
use schemas::trace::traceparent;

use crate::connect::Bus;
use crate::error::BusError;
use crate::records::{ChangeError, Stored};

/// Error 10077, a store that refuses: the subject has a message, or the stream is full. The code
/// does not tell which.
const STORE_REFUSED: ErrorCode = ErrorCode::STREAM_STORE_FAILED;
/// The CLI refuses to submit above this share of the command stream's bytes, so that continuations
/// find room.
const SUBMIT_FILL_PERCENT_MAX: u64 = 80;

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

/// Why an operation was not submitted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The request is out of bounds.
    #[error("operation {op} cannot be submitted")]
    Invalid {
        /// The operation.
        op: OperationId,
        /// Why.
        source: InvalidOperation,
    },
    /// The queue is (nearly) full.
    #[error(
        "the command queue is {percent} % full ({bytes} of {bytes_max} bytes): operation {op} was not submitted"
    )]
    Full {
        /// The operation.
        op: OperationId,
        /// Fill.
        percent: u64,
        /// Bytes stored.
        bytes: u64,
        /// Limit.
        bytes_max: u64,
    },
    /// The server could not be asked.
    #[error("operation {op} may not have been submitted")]
    Bus {
        /// The operation.
        op: OperationId,
        /// Cause.
        source: BusError,
    },
}

impl SubmitError {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Invalid { .. } => "correct the request and submit it again".to_owned(),
            Self::Full { .. } => {
                "wait until workers have caught up, start more of them, or cancel what is queued (`ktrdr ops list --active`)"
                    .to_owned()
            }
            Self::Bus { op, source } => {
                format!("{}; submitting the same id again is safe: `ktrdr status {op}` tells whether it is there", source.hint())
            }
        }
    }
}

impl Bus {
    /// Puts the command of an outstanding step on its queue, verified: an acknowledgement alone can
    /// mean an id that was consumed long ago, and a refusal can mean that our own message is
    /// already there.
    pub async fn publish_command(
        &self,
        op: &OperationId,
        step: Outstanding,
        operation: Option<&NewOperation>,
        steps: usize,
    ) -> Result<Published, BusError> {
        let message = CommandMessage::new(op, step.step, step.submission, operation.cloned());
        let subject = subjects::command(step.service, step.lane, op, step.step);
        let id = command_id(op, step.step, step.submission);
        let payload = codec::encode(&message)?;
        loop {
            let publish = PublishMessage::build()
                .payload(payload.clone().into())
                .message_id(&id)
                .header("Content-Type", CONTENT_TYPE)
                .header("Ktrdr-Schema", codec::schema_of::<CommandMessage>())
                .header("Ktrdr-Op", op.as_str())
                .header(
                    "Ktrdr-Step",
                    format!("{} ({}/{steps})", step.service, step.step),
                )
                .header("traceparent", traceparent(op, step.step, 0));
            let ack = match self.js.send_publish(subject.clone(), publish).await {
                Ok(ack) => ack.await,
                Err(error) => Err(error),
            };
            let duplicate = match ack {
                Ok(ack) if !ack.duplicate => return Ok(Published::Queued),
                Ok(_) => true,
                Err(error) if refused_by_store(&error) => false,
                Err(error) => {
                    return Err(BusError::request(format!(
                        "put the command {id} on its queue"
                    ))(error));
                }
            };
            match self.message_on(&subject).await? {
                Some((_, Some(stored))) if stored == id => return Ok(Published::Queued),
                Some((sequence, stored)) if is_older(stored.as_deref(), op, step) => {
                    self.delete_command(sequence).await?;
                }
                // Somebody published it by hand, without an id: it is on its queue.
                Some((_, None)) => return Ok(Published::Queued),
                Some(_) if !duplicate => return Ok(Published::Full),
                None if !duplicate => return Ok(Published::Full),
                _ => return self.consumed(op, step).await,
            }
        }
    }

    /// Our id was used and its message is gone: fine when the record shows that a worker took it.
    async fn consumed(&self, op: &OperationId, step: Outstanding) -> Result<Published, BusError> {
        let taken = self.record(op).await?.is_some_and(|stored| {
            stored.record.step(step.step).is_some_and(|record| {
                record.submission > step.submission
                    || record.state != StepState::Pending
                    || record.attempt > 0
            })
        });
        Ok(if taken {
            Published::Queued
        } else {
            Published::Consumed
        })
    }

    /// Sequence and message id of what is stored on a command subject.
    async fn message_on(&self, subject: &str) -> Result<Option<(u64, Option<String>)>, BusError> {
        let stream = self.js.get_stream_no_info(subjects::COMMANDS).await;
        let stream = stream.map_err(BusError::request("open the command stream"))?;
        match stream.direct_get_last_for_subject(subject).await {
            Ok(message) => {
                let id = message
                    .headers
                    .get(NATS_MESSAGE_ID)
                    .map(|id| id.as_str().to_owned());
                Ok(Some((message.sequence, id)))
            }
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(error) => Err(BusError::request(format!("read the command on {subject}"))(
                error,
            )),
        }
    }

    /// The sequence of the command of a step, if one is on its queue.
    pub async fn queued_command(
        &self,
        op: &OperationId,
        step: Outstanding,
    ) -> Result<Option<u64>, BusError> {
        let subject = subjects::command(step.service, step.lane, op, step.step);
        Ok(self
            .message_on(&subject)
            .await?
            .map(|(sequence, _)| sequence))
    }

    /// Removes one message by its sequence; never by its subject, which may carry a newer one by
    /// now.
    pub async fn delete_command(&self, sequence: u64) -> Result<(), BusError> {
        let stream = self.js.get_stream_no_info(subjects::COMMANDS).await;
        let stream = stream.map_err(BusError::request("open the command stream"))?;
        match stream.delete_message(sequence).await {
            Ok(_) => Ok(()),
            // Somebody else removed it, or a worker settled it: what we wanted.
            Err(_)
                if stream
                    .direct_get(sequence)
                    .await
                    .is_err_and(|e| e.kind() == DirectGetErrorKind::NotFound) =>
            {
                Ok(())
            }
            Err(error) => Err(BusError::request(format!(
                "delete the command at {sequence}"
            ))(error)),
        }
    }

    /// Publishes every outstanding command of the record. A step whose id was consumed although no
    /// worker took it gets a new submission, written first.
    pub async fn publish_outstanding(
        &self,
        record: &OperationRecord,
    ) -> Result<Published, ResumeError> {
        let mut record = record.clone();
        let mut worst = Published::Queued;
        // A held step has its message by definition: its worker works on it.
        let waits = |step: &Outstanding| {
            record
                .step(step.step)
                .is_some_and(|step| step.holder.is_none())
        };
        let mut open: Vec<StepNumber> = record
            .outstanding_commands()
            .iter()
            .filter(|step| waits(step))
            .map(|step| step.step)
            .collect();
        while let Some(number) = open.pop() {
            let Some(step) = record
                .outstanding_commands()
                .into_iter()
                .find(|step| step.step == number)
            else {
                continue;
            };
            match self
                .publish_command(&record.op, step, None, record.steps.len())
                .await?
            {
                Published::Queued => {}
                Published::Full => worst = Published::Full,
                Published::Consumed => {
                    let requeue = |record: &mut OperationRecord| {
                        record.requeue(number, step.submission, Timestamp::now())
                    };
                    record = self.change(&record.op, requeue).await?.record;
                    open.push(number);
                }
            }
        }
        Ok(worst)
    }

    /// Submits an operation: active key, commands of the first stage with the whole operation in
    /// them, record. Submitting the same id twice is one operation. A submit that dies half-way is
    /// finished by the first worker.
    pub async fn submit(
        &self,
        op: &OperationId,
        new: &NewOperation,
    ) -> Result<OperationRecord, SubmitError> {
        new.validate(op).map_err(|source| SubmitError::Invalid {
            op: op.clone(),
            source,
        })?;
        let failed = |source| SubmitError::Bus {
            op: op.clone(),
            source,
        };
        let (room, active) = tokio::join!(self.refuse_when_nearly_full(op), self.put_active(op));
        room?;
        active.map_err(failed)?;
        let record = OperationRecord::create(op.clone(), new.clone(), Timestamp::now());
        for step in record.outstanding_commands() {
            let published = self
                .publish_command(op, step, Some(new), record.steps.len())
                .await
                .map_err(failed)?;
            if published == Published::Full {
                let (bytes, bytes_max) = self.command_bytes().await.map_err(failed)?;
                return Err(SubmitError::Full {
                    op: op.clone(),
                    percent: 100,
                    bytes,
                    bytes_max,
                });
            }
        }
        let (Stored { record, .. }, _) = self.create_record(record).await.map_err(failed)?;
        // Submitted again after its end: nobody else would take the mark away.
        if record.state.is_terminal() {
            self.settle_active(op).await.map_err(failed)?;
        }
        Ok(record)
    }

    async fn refuse_when_nearly_full(&self, op: &OperationId) -> Result<(), SubmitError> {
        let failed = |source| SubmitError::Bus {
            op: op.clone(),
            source,
        };
        let (bytes, bytes_max) = self.command_bytes().await.map_err(failed)?;
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

    /// Bytes stored in the command stream, and its limit (0 = none).
    async fn command_bytes(&self) -> Result<(u64, u64), BusError> {
        let stream = self.js.get_stream(subjects::COMMANDS).await;
        let stream = stream.map_err(BusError::request("read the state of the command stream"))?;
        let info = stream.cached_info();
        Ok((
            info.state.bytes,
            u64::try_from(info.config.max_bytes).unwrap_or(0),
        ))
    }

    /// Resumes a failed or cancelled operation: one compare-and-set, then the commands under their
    /// new submissions.
    pub async fn resume(&self, op: &OperationId) -> Result<OperationRecord, ResumeError> {
        let floor = self
            .cancel_request(op)
            .await?
            .map_or(0, |request| request.sequence);
        self.put_active(op).await?;
        let changed = self
            .change(op, |record| record.resume(floor, Timestamp::now()))
            .await?;
        self.publish_outstanding(&changed.record).await?;
        Ok(changed.record)
    }

    /// Puts one step on its queue again under a new submission, which is written first.
    pub async fn requeue(
        &self,
        op: &OperationId,
        step: StepNumber,
        submission: u32,
    ) -> Result<(), ResumeError> {
        let changed = self
            .change(op, |record| {
                record.requeue(step, submission, Timestamp::now())
            })
            .await?;
        self.publish_outstanding(&changed.record).await?;
        Ok(())
    }
}

/// Why an operation was not resumed.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The record refused, or could not be written.
    #[error("the operation was not put on its queue again")]
    Change(#[from] ChangeError),
    /// The server could not be asked.
    #[error("the operation may not be on its queue")]
    Bus(#[from] BusError),
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
    let prefix = format!("{op}.{}.", step.step);
    stored
        .strip_prefix(&prefix)
        .and_then(|n| n.parse::<u32>().ok())
        .is_some_and(|n| n < step.submission)
}
