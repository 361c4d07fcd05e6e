//! Everything that the server holds, as it holds it: messages of streams and values of buckets,
//! read for whoever judges them and not for whoever acts on them.

use async_nats::jetstream::stream::DirectGetErrorKind;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use crate::error::BusError;
use crate::handles::Connection;
use crate::replay::StoredMessage;
use crate::stream_info::{list_subjects, read_stream_info};

/// Messages asked for at once.
const CONCURRENCY: usize = 64;

/// How much a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// Messages that it holds.
    pub messages: u64,
    /// When the oldest of them was stored; none of an empty stream.
    pub oldest_at: Option<Timestamp>,
}

impl Connection<'_> {
    /// How much a stream holds; none when there is no such stream.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub async fn stream_state(self, stream: &str) -> Result<Option<StreamState>, BusError> {
        let info = read_stream_info(&self.bus.js, stream).await?;
        Ok(info.map(|info| {
            let state = info.state;
            let oldest = state.first_timestamp.unix_timestamp_nanos();
            let oldest = Timestamp::from_nanosecond(oldest).ok();
            StreamState {
                messages: state.messages,
                oldest_at: oldest.filter(|_| state.messages > 0),
            }
        }))
    }

    /// Every message of a stream that `filter` matches, in order, a page in memory at a time.
    ///
    /// # Errors
    /// The server cannot be asked, or there is no such stream.
    pub async fn read_stream(
        self,
        stream: &str,
        filter: &str,
        visit: impl FnMut(StoredMessage),
    ) -> Result<(), BusError> {
        let all = 1..=u64::MAX;
        self.bus.replay_each(stream, filter, all, visit).await
    }

    /// The newest message on each subject of a stream that `filter` matches, in no order: for
    /// streams that only their own queues may be read from.
    ///
    /// # Errors
    /// The server cannot be asked, or there is no such stream.
    pub async fn read_newest(
        self,
        stream: &str,
        filter: &str,
        mut visit: impl FnMut(StoredMessage),
    ) -> Result<(), BusError> {
        let subjects = list_subjects(&self.bus.js, stream, filter).await?;
        let reads = stream::iter(subjects).map(|subject| self.newest_on(stream, subject));

        let mut reads = reads.buffer_unordered(CONCURRENCY);
        while let Some(message) = reads.try_next().await? {
            message.into_iter().for_each(&mut visit);
        }
        Ok(())
    }

    /// The newest message on a subject; none when there is none any more.
    ///
    /// # Errors
    /// The server cannot be asked, or there is no such stream.
    pub async fn newest_on(
        self,
        stream: &str,
        subject: String,
    ) -> Result<Option<StoredMessage>, BusError> {
        let failed = format!("read the last message on {subject}");
        let opened = self.bus.js.get_stream_no_info(stream).await;
        let opened = opened.map_err(BusError::request(format!("open the stream {stream}")))?;

        let message = match opened.direct_get_last_for_subject(subject).await {
            Ok(message) => message,
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(BusError::request(failed)(error)),
        };
        let is_marker = ["KV-Operation", "Nats-Marker-Reason"]
            .iter()
            .any(|name| message.headers.get(*name).is_some());
        let nanoseconds = message.time.unix_timestamp_nanos();
        Ok(Some(StoredMessage {
            sequence: message.sequence,
            subject: message.subject.to_string(),
            at: Timestamp::from_nanosecond(nanoseconds).unwrap_or_default(),
            is_value: !is_marker,
            payload: message.payload,
        }))
    }
}
