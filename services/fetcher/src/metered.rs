//! A request to a provider as it is counted: how it ended, how long it took, and how much of that
//! it waited for a limit.

use std::time::Duration;

use runtime::{meters, traces};
use tokio::time::Instant;

use crate::waits::waited;

/// A request under way; it is counted when this is dropped.
pub(crate) struct MeteredRequest<'a> {
    provider: &'a str,
    began: Instant,
    waited_before: Duration,
    outcome: &'static str,
}

impl<'a> MeteredRequest<'a> {
    /// Begins; unless it is said to be answered, whoever asked has left.
    pub(crate) fn begin(provider: &'a str) -> Self {
        Self {
            provider,
            began: Instant::now(),
            waited_before: waited(),
            outcome: "left",
        }
    }

    /// Notes that it was answered, or that it failed.
    pub(crate) fn end(&mut self, is_answered: bool) {
        self.outcome = if is_answered { "answered" } else { "failed" };
    }

    /// How long it has waited so far.
    fn waited(&self) -> Duration {
        waited().saturating_sub(self.waited_before)
    }
}

impl Drop for MeteredRequest<'_> {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let waited = self.waited();
        meters::provider_asked(self.provider, self.outcome, took);
        meters::provider_waited(self.provider, waited);
        traces::provider_asked(self.provider, self.outcome, took, waited);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;
    use tokio::time::sleep;

    use super::*;
    use crate::waits::{wait_until, with_shown_waits};

    #[tokio::test(start_paused = true)]
    async fn waits_add_up_and_the_rest_does_not_count() {
        let (sender, _waits) = watch::channel(None);
        let request = async {
            wait_until(Instant::now() + Duration::from_secs(1), "before").await;
            let request = MeteredRequest::begin("kraken");
            wait_until(Instant::now() + Duration::from_secs(3), "limit").await;
            sleep(Duration::from_secs(7)).await;
            wait_until(Instant::now() + Duration::from_secs(2), "limit").await;
            request.waited()
        };

        let waited = with_shown_waits(sender, request).await;

        assert_eq!(waited, Duration::from_secs(5));
    }
}
