//! What is known of every child, and what its parent shows of it: values in, values out.

use std::collections::BTreeMap;

use schemas::codes;
use schemas::errors::{ErrorRecord, shortened};
use schemas::ids::OperationId;
use schemas::operation::{OperationRecord, OperationState, about};
use schemas::progress::{ChildCounts, Context, Count, Progress, RunningChild};
use serde_json::json;

/// Failed children whose errors are kept: the message of the parent names as many as fit.
const FAILURES_NAMED_MAX: usize = 10;
/// Failed children in the details of the parent's error, which programs read.
const FAILURES_LISTED_MAX: usize = 5;
/// Children at work that a progress message names.
const RUNNING_SHOWN_MAX: usize = 8;
/// Characters of one child's error in the message of its parent.
const FAILURE_CHARS_MAX: usize = 160;

/// All children of one step.
pub(crate) struct Roster {
    counts: ChildCounts,
    /// Children that have begun and not ended, by their place.
    unfinished: BTreeMap<u32, Option<RunningChild>>,
    /// Places of completed children behind the first one that is not.
    completed: Vec<bool>,
    /// All children before this place are completed.
    completed_to: u32,
    failures: Vec<Failure>,
}

/// A child that failed.
struct Failure {
    op: OperationId,
    text: String,
}

impl Roster {
    /// The children of a step, of which those before `completed_to` need not be looked at again.
    pub(crate) fn new(total: u32, completed_to: u32) -> Self {
        let completed_to = completed_to.min(total);
        let counts = ChildCounts {
            total,
            completed: completed_to,
            ..ChildCounts::default()
        };

        Self {
            counts,
            unfinished: BTreeMap::new(),
            completed: vec![false; total as usize],
            completed_to,
            failures: Vec::new(),
        }
    }

    /// How many children are in which state.
    pub(crate) fn counts(&self) -> ChildCounts {
        let running = self.unfinished.values().flatten().count();
        let running = u32::try_from(running).unwrap_or(u32::MAX);
        let unfinished = u32::try_from(self.unfinished.len()).unwrap_or(u32::MAX);

        ChildCounts {
            running,
            queued: unfinished - running,
            ..self.counts
        }
    }

    /// All children before this place are completed for good.
    pub(crate) fn completed_to(&self) -> u32 {
        self.completed_to
    }

    /// A child is on its queue, or waits for another attempt.
    pub(crate) fn note_waiting(&mut self, place: u32) {
        self.unfinished.insert(place, None);
    }

    /// A worker has begun with a child.
    pub(crate) fn note_running(&mut self, place: u32, record: &OperationRecord) {
        let percent = match self.unfinished.get(&place) {
            Some(Some(running)) => running.percent,
            _ => 0.0,
        };
        let running = RunningChild {
            op: record.op.clone(),
            about: about(&record.labels),
            percent,
        };
        self.unfinished.insert(place, Some(running));
    }

    /// A child says how far it is.
    pub(crate) fn note_percent(&mut self, place: u32, percent: f64) {
        if let Some(Some(running)) = self.unfinished.get_mut(&place) {
            running.percent = percent;
        }
    }

    /// A child has ended.
    pub(crate) fn note_end(&mut self, place: u32, record: &OperationRecord) {
        self.unfinished.remove(&place);
        match record.state {
            OperationState::Completed => self.note_completion(place),
            OperationState::Failed => {
                self.counts.failed += 1;
                self.name_failure(&record.op, describe_failure(record));
            }
            _ => self.counts.cancelled += 1,
        }
    }

    /// A child cannot be brought to its end, and nothing is known of how it stands.
    pub(crate) fn note_lasting_trouble(
        &mut self,
        place: u32,
        op: &OperationId,
        error: &ErrorRecord,
    ) {
        self.unfinished.remove(&place);
        self.counts.failed += 1;
        self.name_failure(op, format!("{op}: {error}"));
    }

    /// A child was never submitted, and will not be.
    pub(crate) fn note_never_begun(&mut self, place: u32) {
        self.unfinished.remove(&place);
    }

    fn note_completion(&mut self, place: u32) {
        self.counts.completed += 1;
        if let Some(completed) = self.completed.get_mut(place as usize) {
            *completed = true;
        }
        while self.completed.get(self.completed_to as usize) == Some(&true) {
            self.completed_to += 1;
        }
    }

    fn name_failure(&mut self, op: &OperationId, text: String) {
        if self.failures.len() < FAILURES_NAMED_MAX {
            let op = op.clone();
            let text = shortened(&text, FAILURE_CHARS_MAX);
            self.failures.push(Failure { op, text });
        }
    }

    /// What the parent shows.
    pub(crate) fn progress(&self) -> Progress {
        let counts = self.counts();
        let running: Vec<&RunningChild> = self.unfinished.values().flatten().collect();
        let begun: f64 = running.iter().map(|child| child.percent / 100.0).sum();
        let fraction = (f64::from(counts.finished()) + begun) / f64::from(counts.total.max(1));

        let shown_children = running.into_iter().take(RUNNING_SHOWN_MAX).cloned();
        let items = Count {
            done: u64::from(counts.finished()),
            total: u64::from(counts.total),
        };
        Progress {
            fraction,
            message: describe_counts(&counts),
            items: Some(items),
            context: Context::Family {
                counts,
                running: shown_children.collect(),
            },
            waiting: None,
        }
    }

    /// The error of a step whose children have ended, but are not all completed.
    pub(crate) fn error(&self, parent: &OperationId) -> ErrorRecord {
        let counts = self.counts();
        let mut message = describe_losses(&counts);
        for (index, failure) in self.failures.iter().enumerate() {
            message.push_str(if index == 0 { ": " } else { "; " });
            message.push_str(&failure.text);
        }

        let listed = self.failures.iter().take(FAILURES_LISTED_MAX);
        let listed: Vec<&OperationId> = listed.map(|failure| &failure.op).collect();
        let hint = format!(
            "`ktrdr ops --parent {parent}` lists the children, `ktrdr resume {parent}` runs those \
             again that are not completed"
        );
        ErrorRecord::new(codes::OPS_CHILDREN_FAILED, message, hint).with_details(json!({
            "total": counts.total,
            "completed": counts.completed,
            "failed": counts.failed,
            "cancelled": counts.cancelled,
            "first_failed": listed,
        }))
    }
}

fn describe_failure(record: &OperationRecord) -> String {
    let about = about(&record.labels);
    let why = match &record.failure {
        Some(failure) => failure.error.to_string(),
        None => "failed".to_owned(),
    };
    format!("{} ({about}): {why}", record.op)
}

/// `37 of 1000 ended, 2 failed, 4 running`.
fn describe_counts(counts: &ChildCounts) -> String {
    let mut text = format!("{} of {} ended", counts.ended(), counts.total);
    let parts = [
        (counts.failed, "failed"),
        (counts.cancelled, "cancelled"),
        (counts.running, "running"),
        (counts.queued, "queued"),
    ];

    for (count, word) in parts {
        if count > 0 {
            text.push_str(&format!(", {count} {word}"));
        }
    }
    text
}

/// `2 of 1000 children failed, 1 was cancelled`.
fn describe_losses(counts: &ChildCounts) -> String {
    let total = counts.total;
    let begun = counts.ended();
    let mut text = format!("{} of {total} children failed", counts.failed);
    match counts.cancelled {
        0 => {}
        1 => text.push_str(", 1 was cancelled"),
        count => text.push_str(&format!(", {count} were cancelled")),
    }

    match total.saturating_sub(begun) {
        0 => {}
        1 => text.push_str(", 1 was not started"),
        count => text.push_str(&format!(", {count} were not started")),
    }
    text
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use schemas::commands::RunDummy;

    use super::*;

    fn child(place: u32, state: OperationState) -> OperationRecord {
        let parent: OperationId = "op_family_20260301_142233_00000010".parse().unwrap();
        let op = parent.child("dummy", place).unwrap();
        let request = RunDummy::default().operation();
        let mut record = OperationRecord::create(op, request, Timestamp::UNIX_EPOCH);
        record.state = state;
        record
    }

    #[test]
    fn what_is_completed_from_the_front_need_not_be_looked_at_again() {
        let mut roster = Roster::new(4, 0);
        for place in [1, 0, 3] {
            roster.note_end(place, &child(place, OperationState::Completed));
        }

        // Place 2 is open: the completion of place 3 has to be looked up again.
        assert_eq!(roster.completed_to(), 2);
        assert_eq!(Roster::new(4, 2).counts().completed, 2);
    }

    #[test]
    fn half_of_one_child_of_four_is_an_eighth() {
        let mut roster = Roster::new(4, 0);
        roster.note_running(0, &child(0, OperationState::Running));
        roster.note_percent(0, 50.0);
        roster.note_waiting(1);

        let progress = roster.progress();

        assert_eq!(progress.fraction, 0.125);
        assert_eq!(progress.message, "0 of 4 ended, 1 running, 1 queued");
    }

    #[test]
    fn the_work_of_a_cancelled_child_is_not_done() {
        let mut roster = Roster::new(4, 0);
        roster.note_end(0, &child(0, OperationState::Completed));
        roster.note_end(1, &child(1, OperationState::Failed));
        for place in [2, 3] {
            roster.note_end(place, &child(place, OperationState::Cancelled));
        }

        let progress = roster.progress();

        assert_eq!(progress.fraction, 0.5);
        assert!(progress.message.starts_with("4 of 4 ended"), "{progress:?}");
    }

    #[test]
    fn the_error_counts_all_and_names_those_that_failed() {
        let mut roster = Roster::new(4, 1);
        roster.note_end(1, &child(1, OperationState::Failed));
        roster.note_end(2, &child(2, OperationState::Cancelled));

        let parent = "op_family_20260301_142233_00000010".parse().unwrap();
        let error = roster.error(&parent);

        assert_eq!(
            error.message,
            "1 of 4 children failed, 1 was cancelled, 1 was not started: \
             op_dummy_20260301_142233_f0000012 (iterations 100): failed"
        );
        assert_eq!(
            error.details,
            json!({
                "total": 4,
                "completed": 1,
                "failed": 1,
                "cancelled": 1,
                "first_failed": ["op_dummy_20260301_142233_f0000012"],
            })
        );
    }
}
