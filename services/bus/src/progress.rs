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
        let step = format!(
            "{} ({}/{})",
            progress.service, progress.step, progress.steps
        );
        let trace = traceparent(&progress.op, progress.step, progress.attempt);

        // People read these with the stock `nats` tool, without decoding the payload.
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", CONTENT_TYPE);
        headers.insert(
            "Ktrdr-Schema",
            codec::schema_of::<ProgressRecord>().as_str(),
        );
        headers.insert("Ktrdr-Op", progress.op.as_str());
        headers.insert("Ktrdr-Step", step.as_str());
        headers.insert("Ktrdr-Percent", format!("{:.1}", progress.percent).as_str());
        headers.insert("Ktrdr-Message", ascii(&progress.message).as_str());
        headers.insert("traceparent", trace.as_str());

        let payload = codec::encode(progress)?.into();
        let published = self
            .bus
            .client
            .publish_with_headers(subject, headers, payload)
            .await;
        published.map_err(BusError::request(format!(
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
        let stream = self.bus.js.get_stream_no_info(subjects::PROGRESS).await;
        let stream = stream.map_err(BusError::request("open the progress stream"))?;

        let subject = subjects::progress(service, op, step);
        match stream.direct_get_last_for_subject(subject).await {
            Ok(message) => Ok(Some(codec::decode(&message.payload)?)),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(error) => Err(BusError::request(format!("read the progress of {op}"))(
                error,
            )),
        }
    }
}
