//! Signs of life: one core message a second and worker, which nobody acknowledges.

use futures::{Stream, StreamExt as _};
use schemas::ids::WorkerId;
use schemas::subjects;

use crate::error::BusError;
use crate::handles::Workers;

impl Workers<'_> {
    /// One sign of life; core publish, nobody acknowledges it.
    pub async fn send_sign_of_life(self, worker: &WorkerId) -> Result<(), BusError> {
        let publish = self
            .bus
            .client
            .publish(subjects::alive(worker), bytes::Bytes::new())
            .await;
        publish.map_err(BusError::request(format!(
            "send a sign of life of {worker}"
        )))
    }

    /// Signs of life of all workers, as they arrive.
    pub async fn watch_signs_of_life(
        self,
    ) -> Result<impl Stream<Item = WorkerId> + Unpin + use<>, BusError> {
        let subscriber = self.bus.client.subscribe(subjects::ALL_ALIVE).await;
        let subscriber = subscriber.map_err(BusError::request("subscribe to signs of life"))?;

        Ok(subscriber.filter_map(|message| {
            let last_token = message.subject.rsplit('.').next();
            std::future::ready(last_token.and_then(|token| token.parse().ok()))
        }))
    }
}
