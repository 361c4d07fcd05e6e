//! Progress: published without acknowledgement, and the newest of each step read back.

use async_nats::HeaderMap;
use async_nats::jetstream::stream::DirectGetErrorKind;
use schemas::codec::{self, CONTENT_TYPE};
use schemas::ids::{OperationId, Service, StepNumber};
use schemas::progress::ProgressRecord;
use schemas::subjects;
use schemas::trace::traceparent;

use crate::error::BusError;
use crate::handles::Progress;
use crate::headers::ascii;

impl Progress<'_> {
    /// Publishes progress without acknowledgement: losing one is harmless. May wait while the
    /// client is disconnected, so it is called from the publisher task only, never from the work.
    pub async fn publish(self, progress: &ProgressRecord) -> Result<(), BusError> {
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
            .bus
            .client
            .publish_with_headers(subject, headers, payload.into())
            .await;
        publish.map_err(BusError::request(format!(
            "publish progress of {}",
            progress.op
        )))
    }

    /// The newest stored progress of a step.
    pub async fn newest(
        self,
        service: Service,
        op: &OperationId,
        step: StepNumber,
    ) -> Result<Option<ProgressRecord>, BusError> {
        let what = || format!("read the progress of {op}");
        let stream = self
            .bus
            .js
            .get_stream_no_info(subjects::PROGRESS)
            .await
            .map_err(BusError::request(what()))?;
        match stream
            .direct_get_last_for_subject(subjects::progress(service, op, step))
            .await
        {
            Ok(message) => Ok(Some(codec::decode(&message.payload)?)),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(error) => Err(BusError::request(what())(error)),
        }
    }
}
