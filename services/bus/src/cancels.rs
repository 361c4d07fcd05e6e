//! Cancel requests: publishing on the control subject *is* the durable request, whoever does it.

use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::DirectGetErrorKind;
use async_nats::{HeaderMap, Subscriber};
use futures::StreamExt;
use futures::stream::SelectAll;
use jiff::Timestamp;
use schemas::errors::shortened;
use schemas::ids::OperationId;
use schemas::operation::{BY_BYTES_MAX, OperationRecord, REASON_BYTES_MAX, Said};
use schemas::subjects;
use tokio::time::Instant;

use crate::connect::Bus;
use crate::error::BusError;
use crate::handles::Cancels;
use crate::headers::ascii;
use crate::replay::StoredMessage;
use crate::stream_info::read_stream_info;

/// How long a request may be on its way into the stream, and the pause between two looks.
const ANNOUNCED_MAX: Duration = Duration::from_millis(500);
const ANNOUNCED_PAUSE: Duration = Duration::from_millis(2);

/// Header that names whoever asks.
const BY: &str = "Ktrdr-By";
/// Header with the milliseconds after which a step is ended by force.
const GRACE: &str = "Ktrdr-Grace-Ms";

/// The newest cancel request of an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CancelRequest {
    /// Its sequence in the control stream; it counts only above the record's floor.
    pub sequence: u64,
    /// Free text; may be empty.
    pub reason: String,
    /// Who asked, if the request says so.
    pub by: Option<String>,
    /// How long a step may take to stop until it is ended by force; `None` = as long as it takes.
    pub grace: Option<Duration>,
}

impl CancelRequest {
    /// Who asked, and why, for the record.
    pub fn said(&self) -> Said {
        Said {
            by: self.by.clone(),
            reason: Some(self.reason.clone()),
        }
    }
}

/// What a person asks for with a cancel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CancelAsk {
    /// Who asks, and why.
    pub said: Said,
    /// Ends steps by force that have not stopped after this time.
    pub grace: Option<Duration>,
}

/// A message on a control subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlMessage {
    /// How long a step may take to stop until it is ended by force, if the message says so.
    pub grace: Option<Duration>,
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
    pub async fn next(&mut self) -> Option<ControlMessage> {
        let message = self.0.next().await?;
        let grace = message.headers.as_ref().and_then(grace_of);
        Some(ControlMessage { grace })
    }
}

impl Cancels<'_> {
    /// Asks for the operation to be cancelled, without saying who asks. Returns when the request is
    /// stored; idempotent.
    pub async fn request(self, op: &OperationId, reason: &str) -> Result<u64, BusError> {
        let said = Said {
            by: None,
            reason: Some(reason.to_owned()),
        };
        let ask = CancelAsk { said, grace: None };
        self.ask(op, &ask).await
    }

    /// Asks for the operation to be cancelled. Returns when the request is stored; idempotent.
    pub async fn ask(self, op: &OperationId, ask: &CancelAsk) -> Result<u64, BusError> {
        // The payload is the reason alone, so that any NATS client can ask.
        let reason = ask.said.reason.as_deref().unwrap_or_default();
        let mut publish = PublishMessage::build()
            .payload(shortened(reason, REASON_BYTES_MAX).into_bytes().into());
        if let Some(by) = &ask.said.by {
            publish = publish.header(BY, ascii(&shortened(by, BY_BYTES_MAX)).as_str());
        }
        if let Some(grace) = ask.grace {
            publish = publish.header(GRACE, grace.as_millis().to_string().as_str());
        }

        let ack = self.bus.publish_stored(subjects::cancel(op), publish).await;
        ack.map(|ack| ack.sequence)
            .map_err(BusError::request(format!(
                "publish the cancel request of {op}"
            )))
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
                by: message.headers.get(BY).map(ToString::to_string),
                grace: grace_of(&message.headers),
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

/// The grace period that the headers of a request name.
fn grace_of(headers: &HeaderMap) -> Option<Duration> {
    let milliseconds = headers.get(GRACE)?.as_str().parse().ok()?;
    Some(Duration::from_millis(milliseconds))
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
