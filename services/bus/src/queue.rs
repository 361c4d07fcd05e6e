//! A work queue seen by one free slot: ask for exactly one message, answer it exactly once.

use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::Batch;
use async_nats::jetstream::{AckKind, Message};
use bytes::Bytes;
use futures::StreamExt;
use schemas::ids::{Lane, Service};
use schemas::subjects;
use tokio::sync::watch;

use crate::connect::Bus;
use crate::error::BusError;
use crate::handles::Commands;
use crate::topology::PRIORITY_GROUP;

/// How much longer than its pull a slot that leaves waits for the server to end it.
const PULL_END_PATIENCE: Duration = Duration::from_secs(2);
/// Delay of a message that arrived on a pull we no longer wanted.
const UNWANTED_DELAY: Duration = Duration::from_millis(100);
/// Pause after a pull that failed, unless the client reconnects first.
const PULL_RETRY: Duration = Duration::from_millis(250);

/// The queue of one service and lane.
pub struct Queue {
    bus: Bus,
    consumer: PullConsumer,
    priority: Option<usize>,
    name: String,
}

/// One delivery of a command. Dropping it without an answer leaves it to redelivery after
/// `ack_wait`.
pub struct Delivered {
    message: Message,
}

impl Commands<'_> {
    /// Opens the shared consumer of a queue. `priority` (0 = first) counts where the consumer is
    /// prioritized.
    pub async fn open_queue(
        self,
        service: Service,
        lane: Lane,
        priority: usize,
    ) -> Result<Queue, BusError> {
        let name = subjects::consumer(service, lane);
        let consumer = self
            .bus
            .js
            .get_consumer_from_stream(&name, subjects::COMMANDS)
            .await;
        let consumer: PullConsumer =
            consumer.map_err(BusError::request(format!("open the consumer {name}")))?;

        let prioritized = !consumer.cached_info().config.priority_groups.is_empty();
        Ok(Queue {
            bus: self.bus.clone(),
            consumer,
            priority: prioritized.then_some(priority),
            name,
        })
    }
}

impl Queue {
    /// Waits for the next message; `None` once `stop` is true. A pull that is open by then is read
    /// to its end, and what still arrives is handed back: a waiting pull that is dropped would lose
    /// its message for one `ack_wait`.
    pub async fn next(&self, stop: &mut watch::Receiver<bool>) -> Option<Delivered> {
        let expires = self.bus.timing().pull;
        let mut reconnects = self.bus.reconnects.clone();
        reconnects.mark_unchanged();

        while !*stop.borrow() {
            let pull = self.consumer.fetch().max_messages(1).expires(expires);
            let pull = match self.priority {
                Some(priority) => pull.group(PRIORITY_GROUP).priority(priority),
                None => pull,
            };
            let mut batch = match pull.messages().await {
                Ok(batch) => batch,
                Err(error) => {
                    let consumer = &self.name;
                    tracing::debug!(consumer, error = %error, "pull failed, asking again");
                    pause(&mut reconnects, stop).await;
                    continue;
                }
            };

            tokio::select! {
                biased;
                message = batch.next() => match message {
                    Some(Ok(message)) => return Some(Delivered { message }),
                    Some(Err(error)) => {
                        let consumer = &self.name;
                        tracing::debug!(consumer, error = %error, "pull ended, asking again");
                        pause(&mut reconnects, stop).await;
                    }
                    None => {}
                },
                _ = reconnects.changed() => {}
                () = wait_for_stop(stop) => {
                    // The pull ends, or the server has lost it: the slot leaves in both cases.
                    let rest = give_back_rest(&mut batch);
                    let _ = tokio::time::timeout(expires + PULL_END_PATIENCE, rest).await;
                    return None;
                }
            }
        }
        None
    }
}

async fn pause(reconnects: &mut watch::Receiver<u64>, stop: &mut watch::Receiver<bool>) {
    let news = async {
        tokio::select! {
            _ = reconnects.changed() => {}
            () = wait_for_stop(stop) => {}
        }
    };

    // Which of the three ended the pause does not matter.
    let _ = tokio::time::timeout(PULL_RETRY, news).await;
}

async fn wait_for_stop(stop: &mut watch::Receiver<bool>) {
    // A closed channel means that nothing can be asked for any more: stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Hands back what an open pull still brings.
async fn give_back_rest(batch: &mut Batch) {
    while let Some(Ok(message)) = batch.next().await {
        give_back(&message).await;
    }
}

async fn give_back(message: &Message) {
    if let Err(error) = message.ack_with(AckKind::Nak(Some(UNWANTED_DELAY))).await {
        tracing::debug!(error = %error, "could not hand back an unwanted message");
    }
}

impl Delivered {
    /// Subject of the command.
    pub fn subject(&self) -> &str {
        &self.message.subject
    }

    /// Payload of the command.
    pub fn payload(&self) -> &Bytes {
        &self.message.payload
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.message
            .headers
            .as_ref()?
            .get(name)
            .map(async_nats::HeaderValue::as_str)
    }

    /// Where answers to this delivery go; kept in the record so that housekeeping can hand the
    /// message on.
    pub fn ack_subject(&self) -> &str {
        self.message.reply.as_deref().unwrap_or_default()
    }

    /// Its sequence in the command stream.
    pub fn sequence(&self) -> u64 {
        self.message.info().map_or(0, |info| info.stream_sequence)
    }

    /// Deliveries the server counts, this one included.
    pub fn deliveries(&self) -> u64 {
        self.message
            .info()
            .map_or(1, |info| u64::try_from(info.delivered).unwrap_or(1))
    }

    /// Renews the claim for another `ack_wait`.
    pub async fn in_progress(&self) -> Result<(), BusError> {
        self.message
            .ack_with(AckKind::Progress)
            .await
            .map_err(|error| BusError::request("renew a message")(error))
    }

    /// Settles the message, confirmed by the server.
    pub async fn ack(&self) -> Result<(), BusError> {
        self.message
            .double_ack()
            .await
            .map_err(|error| BusError::request("acknowledge a message")(error))
    }

    /// Ends the message for good without success, confirmed by the server.
    pub async fn term(&self) -> Result<(), BusError> {
        self.message
            .double_ack_with(AckKind::Term)
            .await
            .map_err(|error| BusError::request("terminate a message")(error))
    }

    /// Gives the message back; the server delivers it again after `delay`.
    pub async fn hand_back(&self, delay: Duration) -> Result<(), BusError> {
        let kind = AckKind::Nak(Some(delay));
        self.message
            .ack_with(kind)
            .await
            .map_err(|error| BusError::request("hand back a message")(error))
    }
}

impl Commands<'_> {
    /// Hands on the message behind `ack_subject`, which a silent worker held. Only to be sent after
    /// the hold was cleared by compare-and-set in the record that named the subject.
    pub async fn hand_on(self, ack_subject: &str) -> Result<(), BusError> {
        let kind: Bytes = AckKind::Nak(Some(Duration::from_millis(1))).into();
        let failed =
            |error| BusError::request(format!("hand on the message of {ack_subject}"))(error);
        self.bus
            .client
            .publish(ack_subject.to_owned(), kind)
            .await
            .map_err(failed)
    }
}
