//! Address, version and health of the connection.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::error::BusError;
use crate::handles::Connection;

impl<'a> Connection<'a> {
    /// The address without credentials.
    pub fn url(self) -> &'a str {
        &self.bus.url
    }

    /// Version of the server.
    pub fn server_version(self) -> String {
        self.bus.client.server_info().version
    }

    /// Since when the connection has stood without a break; none while it is down.
    pub fn connected_since(self) -> Option<Instant> {
        *self.bus.connected_since.borrow()
    }

    /// [`Self::connected_since`] as it changes.
    pub fn state(self) -> watch::Receiver<Option<Instant>> {
        self.bus.connected_since.clone()
    }

    /// Changes at every reconnect from now on: open pulls must be asked for again.
    pub fn reconnects(self) -> watch::Receiver<u64> {
        let mut reconnects = self.bus.reconnects.clone();
        reconnects.mark_unchanged();
        reconnects
    }

    /// Time of one request to JetStream and back.
    pub async fn rtt(self) -> Result<Duration, BusError> {
        let started = Instant::now();
        self.bus
            .js
            .query_account()
            .await
            .map_err(BusError::request("ask JetStream for its state"))?;
        Ok(started.elapsed())
    }
}
