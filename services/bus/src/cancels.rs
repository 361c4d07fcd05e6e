//! Cancel requests: publishing on the control subject *is* the durable request, whoever does it.

use std::time::Duration;

use async_nats::Subscriber;
use async_nats::jetstream::stream::DirectGetErrorKind;
use futures::StreamExt;
use futures::stream::SelectAll;
use jiff::Timestamp;
use schemas::errors::shortened;
use schemas::ids::OperationId;
use schemas::operation::{OperationRecord, REASON_BYTES_MAX};
use schemas::subjects;
use tokio::time::Instant;

use crate::connect::Bus;
use crate::error::BusError;
use crate::handles::Cancels;
use crate::replay::StoredMessage;
use crate::stream_info::read_stream_info;

/// How long a request may be on its way into the stream, and the pause between two looks.
const ANNOUNCED_MAX: Duration = Duration::from_millis(500);
const ANNOUNCED_PAUSE: Duration = Duration::from_millis(2);

/// The newest cancel request of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelRequest {
    /// Its sequence in the control stream; it counts only above the record's floor.
    pub sequence: u64,
    /// Free text; may be empty.
    pub reason: String,
}

impl CancelRequest {
    /// The request of a parent, in the words of a child.
    pub fn for_child(self) -> Self {
        Self {
            reason: reason_of_child(&self.reason),
            ..self
        }
    }
}

/// A cancel request as its stream keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCancel {
    /// Its sequence in the control stream.
    pub sequence: u64,
    /// The operation that it names; absent when the name is no id.
    pub op: Option<OperationId>,
    /// When it was stored.
    pub at: Timestamp,
}

/// Some of the stored requests, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCancels {
    /// Those of the range.
    pub requests: Vec<StoredCancel>,
    /// The sequence from which the next ones are read.
    pub next: u64,
}

/// Control messages as they arrive.
pub struct ControlWatch(SelectAll<Subscriber>);

impl ControlWatch {
    /// Waits for the next message; `None` when the connection is closed for good.
    pub async fn next(&mut self) -> Option<()> {
        self.0.next().await.map(|_| ())
    }
}

impl Cancels<'_> {
    /// Asks for the operation to be cancelled. Returns when the request is stored; idempotent.
    pub async fn request(self, op: &OperationId, reason: &str) -> Result<u64, BusError> {
        let payload = shortened(reason, REASON_BYTES_MAX).into_bytes();
        let failed =
            |error| BusError::request(format!("publish the cancel request of {op}"))(error);
        let ack = self
            .bus
            .js
            .publish(subjects::cancel(op), payload.into())
            .await
            .map_err(failed)?;
        Ok(ack.await.map_err(failed)?.sequence)
    }

    /// The newest stored cancel request, old ones included: compare with the record's floor.
    pub async fn newest(self, op: &OperationId) -> Result<Option<CancelRequest>, BusError> {
        let stream = self.bus.js.get_stream_no_info(subjects::CONTROL).await;
        let stream = stream.map_err(BusError::request("open the control stream"))?;

        match stream
            .direct_get_last_for_subject(subjects::cancel(op))
            .await
        {
            Ok(message) => Ok(Some(CancelRequest {
                sequence: message.sequence,
                reason: String::from_utf8_lossy(&message.payload).into_owned(),
            })),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(error) => {
                let request = format!("read the cancel request of {op}");
                Err(BusError::request(request)(error))
            }
        }
    }

    /// The requests that are stored in a range of `count` sequences, from `from` on.
    pub async fn stored(self, from: u64, count: u64) -> Result<StoredCancels, BusError> {
        let nothing = StoredCancels {
            requests: Vec::new(),
            next: from,
        };
        let Some(info) = read_stream_info(&self.bus.js, subjects::CONTROL).await? else {
            return Ok(nothing);
        };

        // A reader of an empty range would cost as much as one of a full range.
        let first = info.state.first_sequence.max(from);
        let last = info
            .state
            .last_sequence
            .min(first.saturating_add(count) - 1);
        if first > last {
            return Ok(nothing);
        }
        let messages = self
            .bus
            .replay(subjects::CONTROL, subjects::ALL_CANCELS, first, last)
            .await?;
        Ok(StoredCancels {
            requests: messages.into_iter().map(stored_cancel).collect(),
            next: last + 1,
        })
    }

    /// Removes one stored request.
    pub async fn delete(self, sequence: u64) -> Result<(), BusError> {
        let stream = self.bus.js.get_stream_no_info(subjects::CONTROL).await;
        let stream = stream.map_err(BusError::request("open the control stream"))?;
        let deleted = stream.delete_message(sequence).await;

        deleted.map(|_| ()).map_err(BusError::request(format!(
            "delete the cancel request at {sequence}"
        )))
    }

    /// The request that counts for an operation: its own, or that of its parent. One up to the
    /// record's floor stopped an earlier run.
    pub async fn in_force(
        self,
        record: &OperationRecord,
    ) -> Result<Option<CancelRequest>, BusError> {
        let (of_record, of_parent) =
            tokio::try_join!(self.newest(&record.op), self.of_parent(record))?;
        let is_in_force = |request: &CancelRequest| request.sequence > record.cancel_floor;

        Ok(of_record
            .filter(is_in_force)
            .or_else(|| of_parent.filter(is_in_force)))
    }

    /// Sequence of the newest stored request for an operation or its parent; 0 without one.
    pub(crate) async fn newest_sequence(self, record: &OperationRecord) -> Result<u64, BusError> {
        let (of_record, of_parent) =
            tokio::try_join!(self.newest(&record.op), self.of_parent(record))?;
        let sequences = of_record
            .iter()
            .chain(&of_parent)
            .map(|request| request.sequence);
        Ok(sequences.max().unwrap_or(0))
    }

    /// The newest request for the operation's parent, in the words of the child.
    async fn of_parent(self, record: &OperationRecord) -> Result<Option<CancelRequest>, BusError> {
        let Some(parent) = &record.parent else {
            return Ok(None);
        };

        let request = self.newest(&parent.op).await?;
        Ok(request.map(CancelRequest::for_child))
    }

    /// The request that a message on the control subject has just announced: subscribers may get it
    /// an instant before the stream has stored it. `None` when nothing is stored in half a second.
    pub async fn await_announced(
        self,
        record: &OperationRecord,
    ) -> Result<Option<CancelRequest>, BusError> {
        let deadline = Instant::now() + ANNOUNCED_MAX;

        loop {
            let request = self.in_force(record).await?;
            if request.is_some() || Instant::now() >= deadline {
                return Ok(request);
            }
            tokio::time::sleep(ANNOUNCED_PAUSE).await;
        }
    }

    /// Subscribes to the control subjects of the operation and its parent, and reads the request in
    /// force. The server meets both on one connection in this order, so nothing falls between, and
    /// no answer is waited for in between.
    pub async fn arm(
        self,
        record: &OperationRecord,
    ) -> Result<(ControlWatch, Option<CancelRequest>), BusError> {
        let mut subjects = vec![subjects::cancel(&record.op)];
        if let Some(parent) = &record.parent {
            subjects.push(subjects::cancel(&parent.op));
        }

        let watch = self.bus.subscribe_control(subjects).await?;
        Ok((watch, self.in_force(record).await?))
    }

    /// Subscribes to all cancel requests: the operations they name, as they arrive.
    pub async fn watch(
        self,
    ) -> Result<impl futures::Stream<Item = OperationId> + Unpin + use<>, BusError> {
        let subscriber = self.bus.client.subscribe(subjects::ALL_CANCELS).await;
        let subscriber = subscriber.map_err(BusError::request("subscribe to cancel requests"))?;

        // The operation is the last token; what does not name one is somebody's mistake.
        Ok(subscriber.filter_map(|message| {
            let last_token = message.subject.rsplit('.').next();
            std::future::ready(last_token.and_then(|token| token.parse().ok()))
        }))
    }
}

fn stored_cancel(message: StoredMessage) -> StoredCancel {
    let name = message.subject.rsplit('.').next().unwrap_or_default();

    StoredCancel {
        sequence: message.sequence,
        op: name.parse().ok(),
        at: message.at,
    }
}

impl Bus {
    pub(crate) async fn subscribe_control(
        &self,
        subjects: Vec<String>,
    ) -> Result<ControlWatch, BusError> {
        let mut watch = SelectAll::new();
        for subject in subjects {
            let failed = BusError::request(format!("subscribe to {subject}"));
            watch.push(self.client.subscribe(subject).await.map_err(failed)?);
        }
        Ok(ControlWatch(watch))
    }
}

/// What a child says of its parent's request.
fn reason_of_child(reason: &str) -> String {
    let reason = match reason {
        "" => "Parent operation cancelled".to_owned(),
        reason => format!("Parent operation cancelled: {reason}"),
    };
    shortened(&reason, REASON_BYTES_MAX)
}
