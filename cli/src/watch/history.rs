//! What was reported about an operation, as lines of its history.

use schemas::events::Event;
use schemas::progress::ProgressRecord;

use crate::console::durations::{after, rough};

/// A report of a worker as one line of the history.
pub(crate) fn progress_text(progress: &ProgressRecord) -> String {
    let ProgressRecord {
        percent,
        service,
        step,
        steps,
        message,
        ..
    } = progress;
    let time = progress.at.strftime("%H:%M:%S");
    format!("{time}  [{percent:>5.1}%] {service} ({step}/{steps})  {message}")
}

/// An event as one line of the history.
pub(crate) fn event_text(event: &Event) -> String {
    let Event {
        service,
        step,
        steps,
        attempt,
        ..
    } = event;
    let time = event.at.strftime("%H:%M:%S");
    let mut text = format!("{time}  {} {service} ({step}/{steps})", event.what.as_str());

    if let Some(worker) = &event.worker {
        text.push_str(&format!(" by {worker}"));
    }
    // A first attempt is what everybody expects, so that only others are numbered.
    if *attempt > 1 {
        text.push_str(&format!(", attempt {attempt}"));
    }
    if let Some(error) = &event.error {
        text.push_str(&format!(": {error}"));
    }
    if let Some(due) = event.due {
        text.push_str(&format!("; next try in {}", rough(after(event.at, due))));
    }
    text
}
