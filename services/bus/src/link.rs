//! The state of the link to the server, as the client's event callback reports it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use async_nats::Event;
use tokio::sync::watch;

/// What the event callback tells the rest of the process about the connection.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    connected_since: watch::Sender<Option<Instant>>,
    reconnects: watch::Sender<u64>,
    pub(crate) lost: Arc<AtomicBool>,
}

impl Link {
    pub(crate) fn new() -> (Self, watch::Receiver<Option<Instant>>, watch::Receiver<u64>) {
        let (since, since_seen) = watch::channel(None);
        let (reconnects, reconnects_seen) = watch::channel(0);
        (
            Self {
                connected_since: since,
                reconnects,
                lost: Arc::default(),
            },
            since_seen,
            reconnects_seen,
        )
    }

    pub(crate) fn connected(&self) {
        self.connected_since
            .send_if_modified(|since| since.is_none() && since.replace(Instant::now()).is_none());
    }

    pub(crate) fn handle(&self, event: &Event) {
        match event {
            Event::Connected => {
                self.connected();
                if self.lost.swap(false, Ordering::Relaxed) {
                    tracing::info!("connected to NATS again");
                    self.reconnects.send_modify(|count| *count += 1);
                }
            }
            Event::Disconnected => {
                tracing::warn!("connection to NATS lost");
                self.lost.store(true, Ordering::Relaxed);
                self.connected_since.send_replace(None);
            }
            Event::ServerError(error) => {
                tracing::error!(%error, "the NATS server refused something")
            }
            Event::ClientError(error) => tracing::warn!(%error, "the NATS client reports an error"),
            Event::SlowConsumer(subscription) => {
                tracing::warn!(subscription, "messages dropped by a slow reader")
            }
            Event::LameDuckMode => tracing::info!("the NATS server is about to shut down"),
            Event::Draining | Event::Closed => tracing::debug!(%event, "connection"),
        }
    }
}
