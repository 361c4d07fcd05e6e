//! Whether the record of each step agrees with its events, and no number has gone back.

use jiff::{SignedDuration, Timestamp};
use schemas::events::What;
use schemas::ids::{OperationId, StepNumber};
use schemas::operation::StepState;

use super::super::facts::{End, Facts, OperationFacts, RecordFacts, StepEvents, StepFacts};
use super::super::finding::Finding;
use super::super::rules::Rule;
use super::SKEW_SECONDS;

/// Looks at the steps of one operation.
pub(super) fn judge(
    op: &OperationId,
    operation: &OperationFacts,
    record: &RecordFacts,
    facts: &Facts,
    findings: &mut Vec<Finding>,
) {
    let none = StepEvents::default();

    for (number, step) in record.numbered() {
        let events = operation.events.get(&number).unwrap_or(&none);
        findings.extend(went_back(op, operation, number, step, events));
        findings.extend(end_without_event(op, record, number, step, events, facts));
        findings.extend(event_without_end(op, record, number, step, events));
        findings.extend(twice(op, number, events));
        findings.extend(after_end(op, operation, record, number, step, events));
    }
}

/// A submission or an attempt that the record is behind, or a checkpoint that it has lost.
fn went_back(
    op: &OperationId,
    operation: &OperationFacts,
    number: StepNumber,
    step: &StepFacts,
    events: &StepEvents,
) -> Option<Finding> {
    let commands = operation.commands.iter();
    let commands = commands.filter(|command| command.step == number);
    let of_commands = commands.map(|command| command.submission).max();
    let submission = events.submission_max.max(of_commands.unwrap_or(0));

    if submission > step.submission {
        let numbers = format!(
            "submission {submission}, its record has {}",
            step.submission
        );
        return Some(behind(op, number, &numbers));
    }
    if events.attempt_max > step.attempt {
        let attempt = events.attempt_max;
        let numbers = format!("attempt {attempt}, its record has {}", step.attempt);
        return Some(behind(op, number, &numbers));
    }
    if events.has_checkpoint && !step.has_checkpoint {
        let what = format!("an event says that its step {number} has a checkpoint");
        let what = format!("{what}, and the record has none");
        return Some(Finding::new(Rule::CheckpointLost, op, what));
    }
    None
}

fn behind(op: &OperationId, number: StepNumber, numbers: &str) -> Finding {
    let what = format!("events or commands of its step {number} show {numbers}");
    Finding::new(Rule::NumberWentBack, op, what)
}

/// The word of the event that a state must have.
fn event_of(state: StepState) -> Option<What> {
    match state {
        StepState::Completed => Some(What::Completed),
        StepState::Failed => Some(What::Failed),
        StepState::Cancelled => Some(What::Cancelled),
        StepState::Pending | StepState::Running | StepState::Retrying => None,
    }
}

fn end_without_event(
    op: &OperationId,
    record: &RecordFacts,
    number: StepNumber,
    step: &StepFacts,
    events: &StepEvents,
    facts: &Facts,
) -> Option<Finding> {
    let what = event_of(step.state)?;
    let is_announced = |end: &End| end.submission == step.submission && end.what == what;
    if events.ends.iter().any(is_announced) {
        return None;
    }

    // The stream forgets what is old.
    let ended_at = step.finished_at.unwrap_or(record.updated_at);
    let is_kept = facts.events_from.is_none_or(|oldest| oldest <= ended_at);
    let is_kept = is_kept || !events.ends.is_empty() || events.submission_max > 0;
    let submission = step.submission;
    let what = format!(
        "its step {number} is {} in submission {submission}, and no event says so",
        what.as_str()
    );
    is_kept.then(|| Finding::new(Rule::EndWithoutEvent, op, what).since(record.updated_at))
}

fn event_without_end(
    op: &OperationId,
    record: &RecordFacts,
    number: StepNumber,
    step: &StepFacts,
    events: &StepEvents,
) -> Option<Finding> {
    // A step that nobody had claimed was cancelled with its operation: a resume leaves its
    // submission as it was.
    let is_wrong = |end: &&End| {
        end.submission == step.submission
            && end.attempt > 0
            && Some(end.what) != event_of(step.state)
    };
    let end = events.ends.iter().find(is_wrong)?;

    let state = format!("{:?}", step.state).to_lowercase();
    let what = format!(
        "an event says that submission {} of its step {number} is {}, its record says {state}",
        end.submission,
        end.what.as_str()
    );
    Some(Finding::new(Rule::EventWithoutEnd, op, what).since(record.updated_at))
}

fn twice(op: &OperationId, number: StepNumber, events: &StepEvents) -> Option<Finding> {
    let ends = &events.ends;
    let again = ends.iter().enumerate().find(|(index, end)| {
        let mut earlier = ends.iter().take(*index);
        earlier.any(|other| contradicts(other, end))
    })?;

    let what = format!(
        "submission {} of its step {number} has more than one terminal event",
        again.1.submission
    );
    Some(Finding::new(Rule::EventTwice, op, what))
}

/// Whether a submission cannot have both ends.
fn contradicts(earlier: &End, later: &End) -> bool {
    let is_same = earlier.what == later.what;
    earlier.submission == later.submission && (is_same || earlier.attempt > 0)
}

/// A claim or a report of progress that came after the end of the operation.
fn after_end(
    op: &OperationId,
    operation: &OperationFacts,
    record: &RecordFacts,
    number: StepNumber,
    step: &StepFacts,
    events: &StepEvents,
) -> Option<Finding> {
    let ended_at = record.finished_at?;
    let is_later =
        |at: &Timestamp| at.duration_since(ended_at) > SignedDuration::from_secs(SKEW_SECONDS);
    if events.started_at.as_ref().is_some_and(is_later) {
        let what = format!(
            "it is {}, and its step {number} was started after that",
            record.state
        );
        return Some(Finding::new(Rule::WorkAfterEnd, op, what));
    }

    let progress = operation.progress.get(&number);
    let is_of_attempt = |progress: &&(u32, Timestamp)| progress.0 == step.attempt;
    let progress = progress.filter(is_of_attempt)?;
    let what = format!(
        "it is {}, and its step {number} went on after that",
        record.state
    );
    is_later(&progress.1).then(|| Finding::new(Rule::WorkAfterEnd, op, what))
}
