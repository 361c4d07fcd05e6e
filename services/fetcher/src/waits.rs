//! Waits of a provider's own making, such as those for a limit: they are seen by whoever asked, and
//! end when that one stops asking.

use std::cell::Cell;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use schemas::progress::Waiting;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

tokio::task_local! {
    /// Where the waits of this request are shown.
    static SHOWN_WAITS: watch::Sender<Option<Waiting>>;
    /// How long this request has waited.
    static WAITED: Cell<Duration>;
}

/// Runs a request; what it waits for is seen in the other end of `sender` while it waits.
pub async fn with_shown_waits<F: Future>(
    sender: watch::Sender<Option<Waiting>>,
    request: F,
) -> F::Output {
    let request = WAITED.scope(Cell::new(Duration::ZERO), request);
    SHOWN_WAITS.scope(sender, request).await
}

/// Waits until an instant, and shows why. Dropping it ends the wait.
pub async fn wait_until(until: Instant, reason: &str) {
    let rest = until.saturating_duration_since(Instant::now());
    let _shown = ShownWait::begin(reason, rest);
    sleep_until(until).await;
}

/// A wait that is shown until it is dropped.
struct ShownWait {
    began: Instant,
}

impl ShownWait {
    fn begin(reason: &str, rest: Duration) -> Self {
        let rest = SignedDuration::try_from(rest).unwrap_or(SignedDuration::MAX);
        let waiting = Waiting {
            reason: reason.to_owned(),
            until: Timestamp::now().checked_add(rest).ok(),
        };

        show(Some(waiting));
        Self {
            began: Instant::now(),
        }
    }
}

impl Drop for ShownWait {
    fn drop(&mut self) {
        show(None);
        let _ = WAITED.try_with(|waited| waited.set(waited.get() + self.began.elapsed()));
    }
}

/// How long the request has waited so far; nothing outside of [`with_shown_waits`].
pub(crate) fn waited() -> Duration {
    WAITED.try_with(Cell::get).unwrap_or_default()
}

/// Nobody looks at the waits of a request outside of [`with_shown_waits`].
fn show(waiting: Option<Waiting>) {
    let _ = SHOWN_WAITS.try_with(|sender| sender.send_replace(waiting));
}
