//! Reads a stretch of a stream in one go: what was stored, not what comes next.

use std::time::Duration;

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

/// One message as it stands in a stream.
pub(crate) struct Kept {
    pub(crate) sequence: u64,
    /// When the server stored it.
    pub(crate) at: Timestamp,
    /// False for the marker that a bucket keeps of a removed key.
    pub(crate) is_value: bool,
    pub(crate) payload: Bytes,
}

impl Bus {
    /// The messages on `filter` from sequence `from` to sequence `until`, both inclusive, in order.
    pub(crate) async fn replay(
        &self,
        stream: &str,
        filter: &str,
        from: u64,
        until: u64,
    ) -> Result<Vec<Kept>, BusError> {
        let what = || format!("read the stream {stream}");
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: from.max(1),
            },
            filter_subject: filter.to_owned(),
            ack_policy: AckPolicy::None,
            inactive_threshold: READER_TTL,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = self
            .js
            .create_consumer_on_stream(config, stream)
            .await
            .map_err(BusError::request(what()))?;
        let mut left = usize::try_from(consumer.cached_info().num_pending).unwrap_or(usize::MAX);
        let mut kept = Vec::new();
        while left > 0 {
            let batch = left.min(BATCH_MAX);
            let mut messages = consumer
                .fetch()
                .max_messages(batch)
                .messages()
                .await
                .map_err(BusError::request(what()))?;
            let before = kept.len();
            while let Some(message) = messages.next().await {
                let message = message.map_err(BusError::request(what()))?;
                let info = message.info().map_err(BusError::request(what()))?;
                let (sequence, at) = (info.stream_sequence, info.published.unix_timestamp_nanos());
                if sequence > until {
                    return Ok(kept);
                }
                kept.push(Kept {
                    sequence,
                    at: Timestamp::from_nanosecond(at).unwrap_or_default(),
                    is_value: message.headers.as_ref().is_none_or(|headers| {
                        headers.get("KV-Operation").is_none()
                            && headers.get("Nats-Marker-Reason").is_none()
                    }),
                    payload: message.message.payload,
                });
            }
            if kept.len() == before {
                break;
            }
            left = left.saturating_sub(kept.len() - before);
        }
        Ok(kept)
    }
}
