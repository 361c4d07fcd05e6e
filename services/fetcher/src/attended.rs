//! A request to a provider while somebody looks on: it ends with a stop, and what it waits for is
//! shown.

use std::pin::pin;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use runtime::{StepError, StepReporter};
use schemas::progress::{Progress, Waiting};
use tokio::sync::watch;
use tokio::time::interval;

use crate::error::FetchError;
use crate::waits::with_shown_waits;

/// How often a wait is reported again: each report says that the work goes on, and work that
/// reports nothing for ten minutes loses its message.
pub(crate) const REPEAT: Duration = Duration::from_secs(60);
/// A wait that ends sooner is over before anybody has read of it.
const SHORT: SignedDuration = SignedDuration::from_secs(1);

/// Waits for an answer. `progress` is what is shown of the work around it, with each wait.
///
/// # Errors
/// The work must be left.
pub(crate) async fn attend<T>(
    reporter: &impl StepReporter,
    progress: &Progress,
    request: impl Future<Output = T>,
) -> Result<T, FetchError> {
    let (sender, mut waits) = watch::channel(None);
    let mut request = pin!(with_shown_waits(sender, request));
    let mut stop = pin!(reporter.until_stop());
    let mut repeats = interval(REPEAT);
    let mut is_shown = false;

    loop {
        tokio::select! {
            biased;
            () = &mut stop => return Err(FetchError::Step(StepError::Stopped)),
            answer = &mut request => return Ok(answer),
            Ok(()) = waits.changed() => {}
            _ = repeats.tick() => {}
        }

        let waiting = waits.borrow_and_update().clone().filter(is_worth_showing);
        // A wait that is over must not be seen any longer.
        if waiting.is_some() || is_shown {
            is_shown = waiting.is_some();
            reporter.report(with_wait(progress, waiting));
        }
    }
}

/// True for a wait that lasts, or of which nobody knows how long it does.
pub(crate) fn is_worth_showing(waiting: &Waiting) -> bool {
    let now = Timestamp::now();
    waiting
        .until
        .is_none_or(|until| until.duration_since(now) >= SHORT)
}

/// Progress that shows a wait, or that there is none any more.
pub(crate) fn with_wait(progress: &Progress, waiting: Option<Waiting>) -> Progress {
    let message = match &waiting {
        Some(waiting) => format!("Waiting: {}", waiting.reason),
        None => "The wait is over".to_owned(),
    };
    Progress {
        message,
        waiting,
        ..progress.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::Notify;
    use tokio::time::Instant;

    use super::*;
    use crate::waits::wait_until;

    /// What was shown after how many seconds, and a stop.
    struct Onlooker {
        began: Instant,
        reports: Mutex<Vec<(u64, String)>>,
        stop: Notify,
    }

    impl Onlooker {
        fn new() -> Self {
            Self {
                began: Instant::now(),
                reports: Mutex::default(),
                stop: Notify::new(),
            }
        }
    }

    impl StepReporter for Onlooker {
        fn report(&self, progress: Progress) {
            let seconds = self.began.elapsed().as_secs();
            self.reports
                .lock()
                .unwrap()
                .push((seconds, progress.message));
        }

        fn check_stop(&self) -> Result<(), StepError> {
            Ok(())
        }

        async fn until_stop(&self) {
            self.stop.notified().await;
        }
    }

    async fn wait_for(seconds: u64) {
        wait_until(Instant::now() + Duration::from_secs(seconds), "a limit").await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_shown_when_it_begins_and_each_minute() {
        let onlooker = Onlooker::new();
        let progress = Progress::default();

        let request = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            wait_for(130).await;
            tokio::time::sleep(Duration::from_secs(5)).await;
        };
        attend(&onlooker, &progress, request).await.unwrap();

        let reports = onlooker.reports.into_inner().unwrap();
        let waiting = "Waiting: a limit".to_owned();
        let mut expected: Vec<(u64, String)> = [5, 60, 120]
            .map(|seconds| (seconds, waiting.clone()))
            .into();
        expected.push((135, "The wait is over".to_owned()));
        assert_eq!(reports, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_a_wait_at_once() {
        let onlooker = Onlooker::new();
        let progress = Progress::default();
        let stop = async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            onlooker.stop.notify_one();
        };

        let attended = attend(&onlooker, &progress, wait_for(3600));
        let (ended, ()) = tokio::join!(attended, stop);

        assert!(matches!(ended, Err(FetchError::Step(StepError::Stopped))));
        assert_eq!(onlooker.began.elapsed(), Duration::from_secs(100));
    }
}
