//! Requests to a provider as they are counted: how they ended, how long they took, and how long
//! they waited for a limit.

use std::time::Duration;

use runtime::meters;
use tokio::time::Instant;

/// A request under way; it is counted when this is dropped.
pub(crate) struct MeteredRequest<'a> {
    provider: &'a str,
    began: Instant,
    outcome: &'static str,
}

impl<'a> MeteredRequest<'a> {
    /// Begins; unless it is said to be answered, whoever asked has left.
    pub(crate) fn begin(provider: &'a str) -> Self {
        Self {
            provider,
            began: Instant::now(),
            outcome: "left",
        }
    }

    /// Notes that it was answered, or that it failed.
    pub(crate) fn end(&mut self, is_answered: bool) {
        self.outcome = if is_answered { "answered" } else { "failed" };
    }
}

impl Drop for MeteredRequest<'_> {
    fn drop(&mut self) {
        meters::provider_asked(self.provider, self.outcome, self.began.elapsed());
    }
}

/// The waits of a request; they are counted when this is dropped.
pub(crate) struct MeteredWaits<'a> {
    provider: &'a str,
    waiting_since: Option<Instant>,
    waited: Duration,
}

impl<'a> MeteredWaits<'a> {
    /// Of a request to a provider, which does not wait yet.
    pub(crate) const fn of(provider: &'a str) -> Self {
        Self {
            provider,
            waiting_since: None,
            waited: Duration::ZERO,
        }
    }

    /// Notes whether it waits now.
    pub(crate) fn note(&mut self, is_waiting: bool) {
        if let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
        self.waiting_since = is_waiting.then(Instant::now);
    }
}

impl Drop for MeteredWaits<'_> {
    fn drop(&mut self) {
        self.note(false);
        meters::provider_waited(self.provider, self.waited);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_add_up_and_the_rest_does_not_count() {
        let mut waits = MeteredWaits::of("kraken");

        waits.note(true);
        tokio::time::advance(Duration::from_secs(3)).await;
        waits.note(false);
        tokio::time::advance(Duration::from_secs(7)).await;
        waits.note(true);
        tokio::time::advance(Duration::from_secs(2)).await;
        waits.note(false);

        assert_eq!(waits.waited, Duration::from_secs(5));
    }
}
