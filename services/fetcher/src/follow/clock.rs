//! The clock by which following waits: that of the host, or one of a test.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use market::Utc;
use tokio::time::{Instant, sleep_until};

/// Says what time it is, and lets time pass.
#[async_trait]
pub trait Clock: Sync {
    /// The present instant.
    fn now(&self) -> Utc;

    /// Returns after some time. Dropping it ends the wait.
    async fn pass(&self, time: Duration);
}

/// The clock of the host.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostClock;

#[async_trait]
impl Clock for HostClock {
    fn now(&self) -> Utc {
        Utc::from_timestamp(Timestamp::now())
    }

    async fn pass(&self, time: Duration) {
        sleep_until(Instant::now() + time).await;
    }
}
