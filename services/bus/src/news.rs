//! News of one operation as they arrive, for whoever waits for it among many: no history, no
//! record, no task of its own.

use async_nats::Subscriber;
use futures::StreamExt as _;
use schemas::codec;
use schemas::events::Event;
use schemas::ids::OperationId;
use schemas::progress::ProgressRecord;
use schemas::subjects;
use tokio::sync::watch;

use crate::error::BusError;
use crate::handles::Operations;

/// Something that was heard of an operation. The record alone says what is true.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Something happened to a step.
    Event(Box<Event>),
    /// A step says how far it is.
    Progress(Box<ProgressRecord>),
    /// The connection was lost and is back: anything may have been missed.
    Reconnected,
}

/// The subscriptions to one operation; dropping it ends them.
pub struct OperationNews {
    events: Subscriber,
    progress: Subscriber,
    reconnects: watch::Receiver<u64>,
}

impl Operations<'_> {
    /// Subscribes to the events and the progress of an operation. The server meets what is sent on
    /// this connection later after the subscription, so nothing that follows from it is missed.
    pub async fn watch_news(self, op: &OperationId) -> Result<OperationNews, BusError> {
        Ok(OperationNews {
            events: self.subscribe(subjects::events_of(op)).await?,
            progress: self.subscribe(subjects::progress_of(op)).await?,
            reconnects: self.bus.connection().reconnects(),
        })
    }
}

impl OperationNews {
    /// Waits for the next news; `None` when the connection is closed for good.
    pub async fn next(&mut self) -> Option<News> {
        loop {
            // What cannot be read was written by a newer program, and is news all the same.
            let news = tokio::select! {
                message = self.events.next() => {
                    let event = codec::decode(&message?.payload).ok();
                    event.map(|event| News::Event(Box::new(event)))
                }
                message = self.progress.next() => {
                    let progress = codec::decode(&message?.payload).ok();
                    progress.map(|progress| News::Progress(Box::new(progress)))
                }
                changed = self.reconnects.changed() => changed.ok().map(|()| News::Reconnected),
            };
            if news.is_some() {
                return news;
            }
        }
    }
}
