//! Waiting for a condition that says what it still waits for.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

/// How long a test waits for anything before it fails.
pub const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks again and again until `look` finds something; fails after [`PATIENCE`], saying what it
/// waited for.
pub async fn until<T, F, Looking>(what: impl Display, mut look: F) -> T
where
    F: FnMut() -> Looking,
    Looking: Future<Output = Option<T>>,
{
    let started = Instant::now();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);

    while started.elapsed() < PATIENCE {
        looks.tick().await;
        if let Some(value) = look().await {
            return value;
        }
    }

    panic!("still waiting for {what} after {} s", PATIENCE.as_secs());
}

/// Waits for a future; fails after [`PATIENCE`], saying what it waited for.
pub(crate) async fn patiently<T>(what: impl Display, waiting: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(value) => value,
        Err(_) => panic!("still waiting for {what} after {} s", PATIENCE.as_secs()),
    }
}

impl crate::Sandbox {
    /// Lets a random moment of a running system pass: the one wait for time, where the moment
    /// itself is the input.
    pub async fn after(&self, delay: Duration) {
        tokio::time::sleep(delay).await;
    }
}
