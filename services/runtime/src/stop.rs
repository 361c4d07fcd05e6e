//! The stop token of an attempt: one relaxed load for hot loops, a future for everything that
//! waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tokio::sync::watch;

/// Why an attempt must leave its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody asked for the operation to be cancelled.
    Cancelled,
    /// The process shuts down: save what there is, another worker goes on.
    ShuttingDown,
    /// A higher attempt was claimed or the operation has ended: nothing that is written now will
    /// count.
    Fenced,
}

impl StopReason {
    const fn code(self) -> u8 {
        match self {
            Self::Cancelled => 1,
            Self::ShuttingDown => 2,
            Self::Fenced => 3,
        }
    }

    const fn of(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Cancelled),
            2 => Some(Self::ShuttingDown),
            3 => Some(Self::Fenced),
            _ => None,
        }
    }
}

/// The request to leave the work. Cheap to clone; all clones see the same request, and the first
/// reason is kept.
#[derive(Clone, Debug)]
pub struct StopToken {
    flag: Arc<AtomicU8>,
    /// True once the work was ended by force.
    forced: Arc<AtomicBool>,
    sender: Arc<watch::Sender<()>>,
}

impl Default for StopToken {
    fn default() -> Self {
        Self {
            flag: Arc::default(),
            forced: Arc::default(),
            sender: Arc::new(watch::Sender::new(())),
        }
    }
}

impl StopToken {
    /// True once the work must be left: one relaxed atomic load.
    pub fn is_requested(&self) -> bool {
        self.flag.load(Ordering::Relaxed) != 0
    }

    /// The first reason; `None` while nobody has asked.
    pub fn reason(&self) -> Option<StopReason> {
        StopReason::of(self.flag.load(Ordering::Relaxed))
    }

    /// Waits until the work must be left.
    pub async fn requested(&self) {
        // Subscribed before the first look, or a request in between would be slept through.
        let mut requests = self.sender.subscribe();

        while !self.is_requested() {
            if requests.changed().await.is_err() {
                return;
            }
        }
    }

    /// Notes that the work was ended by force: it did not leave when it was asked to.
    pub(crate) fn force(&self) {
        self.forced.store(true, Ordering::Relaxed);
    }

    /// True once the work was ended by force.
    pub(crate) fn is_forced(&self) -> bool {
        self.forced.load(Ordering::Relaxed)
    }

    /// Asks for the work to be left; `true` when nobody had asked before.
    pub fn request(&self, reason: StopReason) -> bool {
        let first = self
            .flag
            .compare_exchange(0, reason.code(), Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
        if first {
            self.sender.send_replace(());
        }

        first
    }
}

/// Waits until the process is asked to end.
pub(crate) async fn shutdown_requested(shutdown: &mut watch::Receiver<bool>) {
    // An error means that nobody can ask any more: the process is ending.
    let _ = shutdown.wait_for(|requested| *requested).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_wins_and_ends_the_wait() {
        let token = StopToken::default();
        let waiting = tokio::spawn({
            let token = token.clone();
            async move { token.requested().await }
        });

        token.request(StopReason::Cancelled);
        token.request(StopReason::ShuttingDown);

        waiting.await.unwrap();
        assert_eq!(token.reason(), Some(StopReason::Cancelled));
    }
}
