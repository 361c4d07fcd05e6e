//! What is said of following: the reports of each small load, in the place of a step that goes on
//! for days.

use jiff::Timestamp;
use market::{Slot, Utc};
use runtime::{StepError, StepReporter};
use schemas::errors::ErrorRecord;
use schemas::progress::{Context, Progress, Waiting};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Passes the reports of a load on, with the share and the context of the whole step. Its
/// checkpoints are not those of the step.
pub(super) struct LoadReporter<'a, R> {
    pub(super) reporter: &'a R,
    pub(super) progress: Progress,
}

impl<R: StepReporter> StepReporter for LoadReporter<'_, R> {
    fn report(&self, progress: Progress) {
        self.reporter.report(Progress {
            message: progress.message,
            waiting: progress.waiting,
            ..self.progress.clone()
        });
    }

    fn check_stop(&self) -> Result<(), StepError> {
        self.reporter.check_stop()
    }

    async fn until_stop(&self) {
        self.reporter.until_stop().await;
    }

    async fn warn(&self, warning: &ErrorRecord) {
        self.reporter.warn(warning).await;
    }

    fn resume_point<T: DeserializeOwned>(&self) -> Option<T> {
        None
    }

    async fn checkpoint<T: Serialize + Sync>(&self, _: &T) -> Result<(), StepError> {
        Ok(())
    }
}

/// The share of the step, and what it is about.
pub(super) fn progress_of(fraction: f64, context: Context) -> Progress {
    Progress {
        fraction,
        context,
        ..Progress::default()
    }
}

/// Why nothing moves until a bar closes; `others` series have a bar that closes with it.
pub(super) fn wait_for_close(
    title: &str,
    slot: Slot,
    due: Utc,
    others: usize,
    now: Utc,
) -> Waiting {
    let more = match others {
        0 => String::new(),
        1 => " and 1 other series".to_owned(),
        others => format!(" and {others} other series"),
    };
    let open = clock_text(slot.open, now);
    let close = clock_text(slot.close, now);

    Waiting {
        reason: format!("the bar {open} of {title}{more}, which closes at {close} UTC"),
        until: Some(due.timestamp()),
    }
}

/// Why a bar that has closed is asked for again.
pub(super) fn wait_for_bar(title: &str, slot: Slot, until: Utc, now: Utc) -> Waiting {
    let open = clock_text(slot.open, now);
    Waiting {
        reason: format!("the bar {open} of {title}, which the provider does not have yet"),
        until: Some(until.timestamp()),
    }
}

/// Why a provider that is away is asked again later.
pub(super) fn wait_for_provider(provider: &str, until: Utc) -> Waiting {
    Waiting {
        reason: format!("the provider {provider}, which could not be asked"),
        until: Some(until.timestamp()),
    }
}

/// `14:00`, with the date where it is not that of `now`.
pub(super) fn clock_text(instant: Utc, now: Utc) -> String {
    let text = |instant: Timestamp, form| instant.strftime(form).to_string();
    if instant.date() == now.date() {
        text(instant.timestamp(), "%H:%M")
    } else {
        text(instant.timestamp(), "%Y-%m-%d %H:%M")
    }
}
