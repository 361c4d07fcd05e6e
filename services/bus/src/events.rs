//! What workers publish: events and dead letters with acknowledgement, progress without.

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::DirectGetErrorKind;
use futures::{Stream, StreamExt as _};
use schemas::acts::Act;
use schemas::codec::{self, CONTENT_TYPE, Message};
use schemas::events::Event;
use schemas::ids::{OperationId, WorkerId};
use schemas::messages::DeadLetter;
use schemas::subjects;
use schemas::trace::traceparent;

use crate::error::BusError;
use crate::handles::Events;
use crate::headers::ascii;
use crate::operations::nonce;

impl Events<'_> {
    /// Publishes an event, acknowledged; its deterministic id makes repetition harmless.
    pub async fn publish(self, event: &Event) -> Result<(), BusError> {
        let subject = subjects::event(event.service, &event.op, event.step, event.what.as_str());
        let headers = [
            (
                "traceparent",
                traceparent(&event.op, event.step, event.attempt),
            ),
            ("Ktrdr-Op", event.op.to_string()),
            (
                "Ktrdr-Step",
                format!("{} ({}/{})", event.service, event.step, event.steps),
            ),
            (
                "Ktrdr-Message",
                format!("{} (operation {})", event.what.as_str(), event.state),
            ),
        ];

        // The server's duplicate window is bounded, and a terminal event may be published again
        // long after it.
        let id = event.message_id();
        if event.what.is_terminal() && self.is_stored(subjects::EVENTS, &subject, &id).await? {
            return Ok(());
        }
        self.publish_stored(subject, event, &id, &headers).await
    }

    /// Publishes a dead letter, acknowledged; `id` makes repetition harmless.
    pub async fn publish_dead_letter(
        self,
        subject: String,
        letter: &DeadLetter,
        id: &str,
    ) -> Result<(), BusError> {
        if self.is_stored(subjects::DEAD, &subject, id).await? {
            return Ok(());
        }

        let headers = [("Ktrdr-Message", ascii(&letter.error.to_string()))];
        self.publish_stored(subject, letter, id, &headers).await
    }

    /// Writes down what a person is about to do, acknowledged.
    pub async fn note_act(self, act: &Act) -> Result<(), BusError> {
        let id = format!("act.{}", nonce());
        let headers = [(
            "Ktrdr-Message",
            ascii(&format!("{} by {}", act.deed.as_str(), act.by)),
        )];
        self.publish_stored(subjects::act(act.deed), act, &id, &headers)
            .await
    }

    /// What people have done, oldest first, as far back as events are kept. What this program
    /// cannot read is left out.
    pub async fn acts(self) -> Result<Vec<Act>, BusError> {
        let stored = self
            .bus
            .replay(subjects::EVENTS, subjects::ALL_ACTS, 1, u64::MAX)
            .await?;
        let acts = stored
            .iter()
            .filter_map(|message| codec::decode(&message.payload).ok());
        Ok(acts.collect())
    }

    /// True when the newest message on the subject has this id: it was published before, however
    /// long ago. Two that publish at the same moment meet in the duplicate window.
    async fn is_stored(self, stream: &str, subject: &str, id: &str) -> Result<bool, BusError> {
        let opened = self.bus.js.get_stream_no_info(stream).await;
        let stream = opened.map_err(BusError::request(format!("open the stream {stream}")))?;

        match stream.direct_get_last_for_subject(subject).await {
            Ok(message) => {
                let stored_id = message.headers.get(NATS_MESSAGE_ID);
                Ok(stored_id.is_some_and(|stored_id| stored_id.as_str() == id))
            }
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(false),
            Err(error) => {
                let request = format!("read the last message on {subject}");
                Err(BusError::request(request)(error))
            }
        }
    }

    async fn publish_stored<M: Message>(
        self,
        subject: String,
        message: &M,
        id: &str,
        headers: &[(&'static str, String)],
    ) -> Result<(), BusError> {
        let mut publish = PublishMessage::build()
            .payload(codec::encode(message)?.into())
            .message_id(id)
            .header("Content-Type", CONTENT_TYPE)
            .header("Ktrdr-Schema", codec::schema_of::<M>());
        for (name, value) in headers {
            publish = publish.header(*name, value.as_str());
        }

        let ack = self.bus.publish_stored(subject.clone(), publish).await;
        ack.map(|_| ())
            .map_err(BusError::request(format!("publish on {subject}")))
    }

    /// Claims as they are announced: the operation and its new holder.
    pub async fn watch_starts(
        self,
    ) -> Result<impl Stream<Item = (OperationId, WorkerId)> + Unpin + use<>, BusError> {
        let subscriber = self.bus.client.subscribe(subjects::ALL_STARTS).await;
        let subscriber = subscriber.map_err(BusError::request("subscribe to started steps"))?;
        Ok(subscriber.filter_map(|message| {
            let event = codec::decode::<Event>(&message.payload).ok();
            std::future::ready(event.and_then(|event| Some((event.op, event.worker?))))
        }))
    }

    /// What happened to an operation, as far as it is still stored, in the order in which it was
    /// stored.
    pub async fn list(self, op: &OperationId) -> Result<Vec<Event>, BusError> {
        let subject = subjects::events_of(op);
        let messages = self
            .bus
            .replay(subjects::EVENTS, &subject, 1, u64::MAX)
            .await?;
        messages
            .iter()
            .map(|message| Ok(codec::decode(&message.payload)?))
            .collect()
    }
}
