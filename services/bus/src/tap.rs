//! Messages as they pass on the bus, for people and programs that look on: nothing is acknowledged,
//! and nobody notices.

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt as _};
use schemas::codec;
use schemas::progress::ProgressRecord;
use schemas::subjects;

use crate::error::BusError;
use crate::handles::{Connection, Operations};

/// One message as it passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TappedMessage {
    /// The subject it was published on.
    pub subject: String,
    /// What it says, as published.
    pub payload: Bytes,
}

/// That something about an operation has changed.
#[derive(Clone, Debug, PartialEq)]
pub enum OperationChange {
    /// A step reports its progress.
    Progress(Box<ProgressRecord>),
    /// An operation was submitted or resumed, or something happened to one of its steps.
    Record,
}

impl Connection<'_> {
    /// Every message on the subjects of `pattern` from now on; the server has the subscription when
    /// this returns.
    pub async fn tap(
        self,
        pattern: &str,
    ) -> Result<impl Stream<Item = TappedMessage> + Unpin + Send + use<>, BusError> {
        let subscribed = self.bus.client.subscribe(pattern.to_owned()).await;
        let subscriber =
            subscribed.map_err(BusError::request(format!("subscribe to {pattern}")))?;
        self.bus.flush().await?;

        Ok(subscriber.map(|message| TappedMessage {
            subject: message.subject.to_string(),
            payload: message.payload,
        }))
    }
}

impl Operations<'_> {
    /// Changes of all operations as they happen; what they changed to is in the records.
    pub async fn watch_changes(
        self,
    ) -> Result<impl Stream<Item = OperationChange> + Unpin + Send + use<>, BusError> {
        let connection = self.bus.connection();
        let events = connection.tap(subjects::ALL_EVENTS).await?;
        let marks = connection.tap(&subjects::all_marks()).await?;
        let progress = connection.tap(subjects::ALL_PROGRESS).await?;

        let records = stream::select(events, marks).map(|_| OperationChange::Record);
        let progress = progress.filter_map(|message| {
            let record = codec::decode::<ProgressRecord>(&message.payload).ok();
            std::future::ready(record.map(|record| OperationChange::Progress(Box::new(record))))
        });
        Ok(stream::select(records, progress))
    }
}
