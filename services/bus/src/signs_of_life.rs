//! Signs of life: core messages that nobody acknowledges, two a second from each worker, each with
//! the time of its sender.

use futures::{Stream, StreamExt as _};
use schemas::codec;
use schemas::ids::WorkerId;
use schemas::subjects;
use schemas::worker::SignOfLife;

use crate::error::BusError;
use crate::handles::Workers;

impl Workers<'_> {
    /// One sign of life; core publish, nobody acknowledges it.
    pub async fn send_sign_of_life(
        self,
        worker: &WorkerId,
        sign: &SignOfLife,
    ) -> Result<(), BusError> {
        let payload = codec::encode(sign)?;

        let publish = self
            .bus
            .client
            .publish(subjects::alive(worker), payload.into())
            .await;
        publish.map_err(BusError::request(format!(
            "send a sign of life of {worker}"
        )))
    }

    /// Signs of life of all workers, as they arrive. One that cannot be read, such as the empty one
    /// of an older program, still says that its worker lives.
    pub async fn hear_signs_of_life(
        self,
    ) -> Result<impl Stream<Item = (WorkerId, Option<SignOfLife>)> + Unpin + use<>, BusError> {
        let subscriber = self.bus.client.subscribe(subjects::ALL_ALIVE).await;
        let subscriber = subscriber.map_err(BusError::request("subscribe to signs of life"))?;

        Ok(subscriber.filter_map(|message| {
            let last_token = message.subject.rsplit('.').next();
            let worker: Option<WorkerId> = last_token.and_then(|token| token.parse().ok());
            let sign = codec::decode(&message.payload).ok();
            std::future::ready(worker.map(|worker| (worker, sign)))
        }))
    }

    /// The workers whose signs of life arrive, as they do.
    pub async fn watch_signs_of_life(
        self,
    ) -> Result<impl Stream<Item = WorkerId> + Unpin + use<>, BusError> {
        let signs = self.hear_signs_of_life().await?;
        Ok(signs.map(|sign| sign.0))
    }
}
