//! Reads a range of a stream in one go: what is stored, not what comes next.

use std::ops::RangeInclusive;
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use bytes::Bytes;
use futures::StreamExt as _;
use jiff::Timestamp;

use crate::connect::Bus;
use crate::error::BusError;

/// After this much silence the server forgets the reader.
const READER_TTL: Duration = Duration::from_secs(5);
/// Most messages asked for at once.
const BATCH_MAX: usize = 5_000;

/// One message as a stream holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its number in the stream.
    pub sequence: u64,
    /// The subject it was published on; of a bucket it ends in the key.
    pub subject: String,
    /// When the server stored it.
    pub at: Timestamp,
    /// False for the marker that a bucket keeps of a removed key.
    pub is_value: bool,
    /// What was published.
    pub payload: Bytes,
}

impl Bus {
    /// The messages on `filter` from sequence `from` to sequence `until`, both inclusive, in order.
    pub(crate) async fn replay(
        &self,
        stream: &str,
        filter: &str,
        from: u64,
        until: u64,
    ) -> Result<Vec<StoredMessage>, BusError> {
        let mut stored = Vec::new();
        let sequences = from..=until;
        self.replay_each(stream, filter, sequences, |message| stored.push(message))
            .await?;
        Ok(stored)
    }

    /// The same, one message after the other: of all of them no more than a batch is in memory.
    pub(crate) async fn replay_each(
        &self,
        stream: &str,
        filter: &str,
        sequences: RangeInclusive<u64>,
        mut visit: impl FnMut(StoredMessage),
    ) -> Result<(), BusError> {
        // A reader of its own that the server forgets soon: nothing is acknowledged, and nothing is
        // left behind when the process dies.
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: (*sequences.start()).max(1),
            },
            filter_subject: filter.to_owned(),
            ack_policy: AckPolicy::None,
            inactive_threshold: READER_TTL,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = self.js.create_consumer_on_stream(config, stream).await;
        let consumer = consumer.map_err(read_failed(stream))?;
        let mut pending = usize::try_from(consumer.cached_info().num_pending).unwrap_or(usize::MAX);

        let mut next = None;
        while pending > 0 {
            let count = batch_of(sequences.clone(), next, pending);
            let fetch = consumer.fetch().max_messages(count);
            let mut messages = fetch.messages().await.map_err(read_failed(stream))?;

            let mut count = 0;
            while let Some(message) = messages.next().await {
                let message = message.map_err(read_failed(stream))?;
                let message = StoredMessage::read(message, stream)?;
                if message.sequence > *sequences.end() {
                    return Ok(());
                }
                next = Some(message.sequence + 1);
                count += 1;
                visit(message);
            }

            // An empty batch means that what was pending has been removed meanwhile.
            if count == 0 {
                break;
            }
            pending = pending.saturating_sub(count);
        }
        Ok(())
    }
}

impl StoredMessage {
    fn read(message: Message, stream: &str) -> Result<Self, BusError> {
        let info = message.info().map_err(read_failed(stream))?;
        let sequence = info.stream_sequence;
        let nanoseconds = info.published.unix_timestamp_nanos();

        let headers = message.headers.as_ref();
        let is_marker = headers.is_some_and(|headers| {
            headers.get("KV-Operation").is_some() || headers.get("Nats-Marker-Reason").is_some()
        });
        Ok(Self {
            sequence,
            subject: message.subject.to_string(),
            at: Timestamp::from_nanosecond(nanoseconds).unwrap_or_default(),
            is_value: !is_marker,
            payload: message.message.payload,
        })
    }
}

/// How many messages to ask for, of which `next` is the first: no more than there can be in the
/// range, since what is sent beyond it would be for nothing.
fn batch_of(sequences: RangeInclusive<u64>, next: Option<u64>, pending: usize) -> usize {
    let next = next.unwrap_or(*sequences.start());
    let in_range = sequences.end().saturating_sub(next).saturating_add(1);

    let count = pending.min(BATCH_MAX);
    usize::try_from(in_range).map_or(count, |in_range| count.min(in_range))
}

/// Makes the error of a stream that cannot be read from its cause.
fn read_failed<E: std::fmt::Display>(stream: &str) -> impl FnOnce(E) -> BusError {
    BusError::request(format!("read the stream {stream}"))
}
