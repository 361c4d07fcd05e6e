//! A request to a provider while somebody looks on: it ends with a stop, and what it waits for is
//! shown.

use std::pin::pin;
use std::time::Duration;

use runtime::{StepError, StepReporter};
use schemas::progress::{Progress, Waiting};
use tokio::sync::watch;
use tokio::time::interval;

use crate::error::FetchError;
use crate::provider::ProviderError;
use crate::waits::with_shown_waits;

/// How often a wait is reported: each report says that the work goes on.
const REPEAT: Duration = Duration::from_secs(1);

/// Waits for an answer. `progress` is what is shown of the work around it, with each wait.
///
/// # Errors
/// The work must be left, or the provider cannot answer.
pub(crate) async fn attend<T>(
    reporter: &impl StepReporter,
    progress: &Progress,
    request: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, FetchError> {
    let (sender, waits) = watch::channel(None);
    let mut request = pin!(with_shown_waits(sender, request));
    let mut ticks = interval(REPEAT);
    let mut is_shown = false;

    loop {
        tokio::select! {
            biased;
            () = reporter.until_stop() => return Err(FetchError::Step(StepError::Stopped)),
            answer = &mut request => return Ok(answer?),
            _ = ticks.tick() => {
                let waiting = waits.borrow().clone();
                // A wait that is over must not be seen any longer.
                if waiting.is_some() || is_shown {
                    is_shown = waiting.is_some();
                    reporter.report(with_wait(progress, waiting));
                }
            }
        }
    }
}

fn with_wait(progress: &Progress, waiting: Option<Waiting>) -> Progress {
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
