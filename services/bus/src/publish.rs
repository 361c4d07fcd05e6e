//! What workers tell the world: events and dead letters with acknowledgement, progress without.

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::DirectGetErrorKind;
use schemas::codec::{self, CONTENT_TYPE, Message};
use schemas::events::Event;
use schemas::messages::DeadLetter;
use schemas::progress::ProgressRecord;
use schemas::subjects;
use schemas::trace::traceparent;

use crate::connect::Bus;
use crate::error::BusError;

impl Bus {
    /// Publishes an event, acknowledged; its deterministic id makes repetition harmless.
    pub async fn publish_event(&self, event: &Event) -> Result<(), BusError> {
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
        let id = event.message_id();
        if event.what.is_terminal() && self.is_stored(subjects::EVENTS, &subject, &id).await? {
            return Ok(());
        }
        self.publish_stored(subject, event, &id, &headers).await
    }

    /// Publishes a dead letter, acknowledged; `id` makes repetition harmless.
    pub async fn publish_dead(
        &self,
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

    /// True when the newest message on the subject has this id: it was published before, however
    /// long ago. Two that publish at the same moment meet in the duplicate window.
    async fn is_stored(&self, stream: &str, subject: &str, id: &str) -> Result<bool, BusError> {
        let failed = || format!("read the last message on {subject}");
        let stream = self
            .js
            .get_stream_no_info(stream)
            .await
            .map_err(BusError::request(failed()))?;
        match stream.direct_get_last_for_subject(subject).await {
            Ok(message) => Ok(message
                .headers
                .get(NATS_MESSAGE_ID)
                .is_some_and(|stored| stored.as_str() == id)),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(false),
            Err(error) => Err(BusError::request(failed())(error)),
        }
    }

    async fn publish_stored<M: Message>(
        &self,
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
        let failed = || format!("publish on {subject}");
        let ack = self
            .js
            .send_publish(subject.clone(), publish)
            .await
            .map_err(BusError::request(failed()))?;
        ack.await.map(|_| ()).map_err(BusError::request(failed()))
    }

    /// Publishes progress without acknowledgement: losing one is harmless. May wait while the
    /// client is disconnected, so it is called from the publisher task only, never from the work.
    pub async fn publish_progress(&self, progress: &ProgressRecord) -> Result<(), BusError> {
        let subject = subjects::progress(progress.service, &progress.op, progress.step);
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", CONTENT_TYPE);
        headers.insert(
            "Ktrdr-Schema",
            codec::schema_of::<ProgressRecord>().as_str(),
        );
        headers.insert("Ktrdr-Op", progress.op.as_str());
        headers.insert(
            "Ktrdr-Step",
            format!(
                "{} ({}/{})",
                progress.service, progress.step, progress.steps
            )
            .as_str(),
        );
        headers.insert("Ktrdr-Percent", format!("{:.1}", progress.percent).as_str());
        headers.insert("Ktrdr-Message", ascii(&progress.message).as_str());
        headers.insert(
            "traceparent",
            traceparent(&progress.op, progress.step, progress.attempt).as_str(),
        );
        let payload = codec::encode(progress)?;
        let publish = self
            .client
            .publish_with_headers(subject, headers, payload.into())
            .await;
        publish.map_err(BusError::request(format!(
            "publish progress of {}",
            progress.op
        )))
    }
}

/// Header text: printable ASCII, at most 200 characters; anything else is left out.
fn ascii(text: &str) -> String {
    text.chars()
        .filter(|each| each.is_ascii() && !each.is_ascii_control())
        .take(200)
        .collect::<String>()
        .trim()
        .to_owned()
}
