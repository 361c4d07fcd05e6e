//! Commands that nobody would ever get: they are stored, and their queue holds them to be
//! acknowledged. A server that starts from a copy of its folder, made while it wrote, has such.

use async_nats::jetstream::stream::DirectGetErrorKind;
use schemas::ids::{Lane, Service};
use schemas::subjects;

use crate::error::BusError;
use crate::handles::Commands;

impl Commands<'_> {
    /// Removes what the queue of a service and lane will never deliver; returns how many commands.
    /// A step that still waits for one of them gets another one by the next sweep.
    ///
    /// # Errors
    /// The server cannot be asked, or does not remove one.
    pub async fn remove_undeliverable(self, service: Service, lane: Lane) -> Result<u64, BusError> {
        let acknowledged = self
            .queue_info(service, lane)
            .await?
            .ack_floor
            .stream_sequence;
        let opened = self.bus.js.get_stream_no_info(subjects::COMMANDS).await;
        let stream = opened.map_err(BusError::request("open the command stream"))?;
        let queue = subjects::commands_of(service, lane);

        let mut removed = 0;
        let mut from = 1;
        while from <= acknowledged {
            let next = stream.direct_get_next_for_subject(queue.clone(), Some(from));
            match next.await {
                Ok(message) if message.sequence <= acknowledged => {
                    self.delete(message.sequence).await?;
                    removed += 1;
                    from = message.sequence + 1;
                }
                Ok(_) => break,
                Err(error) if error.kind() == DirectGetErrorKind::NotFound => break,
                Err(error) => {
                    let request = "look for commands that are never delivered";
                    return Err(BusError::request(request)(error));
                }
            }
        }
        Ok(removed)
    }
}
