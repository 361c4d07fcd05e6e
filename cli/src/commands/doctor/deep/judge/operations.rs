//! Whether each operation has a record, and has ended or is on its way.

use jiff::Timestamp;
use schemas::ids::{OperationId, StepNumber};
use schemas::operation::{OperationState, StepState};

use super::super::facts::{Facts, OperationFacts, RecordFacts, StepFacts};
use super::super::finding::Finding;
use super::super::rules::Rule;

/// Looks at one operation.
pub(super) fn judge(
    op: &OperationId,
    operation: &OperationFacts,
    facts: &Facts,
    findings: &mut Vec<Finding>,
) {
    match &operation.record {
        // Whoever cannot read the record can say nothing else.
        None if operation.is_unreadable => {}
        None => findings.extend(judge_without_record(op, operation)),
        Some(record) => {
            findings.extend(contradiction(op, record));
            if record.state.is_terminal() {
                judge_ended(op, operation, record, findings);
            } else {
                judge_unfinished(op, operation, record, facts, findings);
            }
        }
    }
}

/// What is left of an operation that has no record.
fn judge_without_record(op: &OperationId, operation: &OperationFacts) -> Option<Finding> {
    let mut commands = operation.commands.iter();
    if commands.any(|command| command.carries_operation) {
        return None;
    }

    // A record goes 30 days after its end, and earlier where somebody prunes: not before it.
    let events = operation.last_event_at;
    if let Some(at) = events.filter(|_| !operation.has_announced_end) {
        let what = "there are events of it, none of which is its end, and no record";
        return Some(Finding::new(Rule::RecordMissing, op, what).since(at));
    }
    if let Some(command) = operation.commands.first() {
        let step = command.step;
        let what = format!("the command of its step {step} waits, and there is no record");
        return Some(Finding::new(Rule::CommandWithoutRecord, op, what).since(command.at));
    }

    let at = operation.marked_at?;
    let what = "it has an active mark, and neither a record nor a command";
    Some(Finding::new(Rule::MarkWithoutReason, op, what).since(at))
}

/// Where the record says one thing of the operation, and another one of its steps.
fn contradiction(op: &OperationId, record: &RecordFacts) -> Option<Finding> {
    let has_time = record.finished_at.is_some() == record.state.is_terminal();

    let what = if record.op != *op {
        format!("its record is that of {}", record.op)
    } else if !follows(record) {
        let steps: Vec<String> = record.steps.iter().map(word_of).collect();
        let steps = steps.join(", ");
        format!("it is {}, and its steps are {steps}", record.state)
    } else if !has_time {
        format!("it is {}, and has a wrong time of its end", record.state)
    } else {
        return None;
    };
    Some(Finding::new(Rule::RecordContradictsItself, op, what))
}

fn word_of(step: &StepFacts) -> String {
    format!("{:?}", step.state).to_lowercase()
}

/// Whether the state can be that of an operation with these steps.
fn follows(record: &RecordFacts) -> bool {
    let any = |state: StepState| record.steps.iter().any(|step| step.state == state);
    let completed = record.steps.iter();
    let all_completed = completed
        .clone()
        .all(|each| each.state == StepState::Completed);
    let is_held = record.steps.iter().any(|step| step.holder.is_some());
    let ended_but_held = |step: &StepFacts| step.state.is_terminal() && step.holder.is_some();
    if record.steps.iter().any(ended_but_held) {
        return false;
    }

    match record.state {
        OperationState::Completed => all_completed,
        OperationState::Failed => any(StepState::Failed) && !is_held,
        OperationState::Cancelled => any(StepState::Cancelled) && !is_held,
        OperationState::Cancelling => record.has_cancel && is_held,
        // One that has stopped goes on only until the last holder lets go.
        _ => {
            let has_stopped = any(StepState::Failed) || any(StepState::Cancelled);
            !all_completed && !record.has_cancel && (!has_stopped || is_held)
        }
    }
}

/// An operation that is over must have left nothing that is worked on.
fn judge_ended(
    op: &OperationId,
    operation: &OperationFacts,
    record: &RecordFacts,
    findings: &mut Vec<Finding>,
) {
    if let Some(at) = operation.marked_at {
        let what = format!("it is {}, and its active mark is still there", record.state);
        let since = at.max(record.updated_at);
        findings.push(Finding::new(Rule::MarkWithoutReason, op, what).since(since));
    }

    for command in &operation.commands {
        let what = format!(
            "it is {}, and the command of its step {} is still on its queue",
            record.state, command.step
        );
        let since = command.at.max(record.updated_at);
        findings.push(Finding::new(Rule::CommandOfEndedStep, op, what).since(since));
    }
}

/// An operation that is not over must be on its way.
fn judge_unfinished(
    op: &OperationId,
    operation: &OperationFacts,
    record: &RecordFacts,
    facts: &Facts,
    findings: &mut Vec<Finding>,
) {
    let stuck: Vec<Finding> = record
        .open_steps()
        .filter_map(|open| stuck_step(op, operation, record, open.0, open.1, facts))
        .collect();
    if stuck.is_empty() && operation.marked_at.is_none() {
        let what = format!("it is {}, and has no active mark", record.state);
        findings.push(Finding::new(Rule::MarkMissing, op, what).since(record.updated_at));
    }
    findings.extend(stuck);

    findings.extend(left_commands(op, operation, record));
    if let Some((sequence, at)) = operation.cancel_request
        && sequence > record.cancel_floor
        && !record.has_cancel
    {
        let what = format!("it is {}, and its cancel request {sequence}", record.state);
        let what = format!("{what} is not in its record");
        findings.push(Finding::new(Rule::CancelIgnored, op, what).since(at));
    }
}

/// A step that nothing brings to its end, if this is one.
fn stuck_step(
    op: &OperationId,
    operation: &OperationFacts,
    record: &RecordFacts,
    number: StepNumber,
    step: &StepFacts,
    facts: &Facts,
) -> Option<Finding> {
    if step.state.is_terminal() {
        return None;
    }
    // Whoever does the housekeeping may have noticed only now.
    let since = match operation.marked_at {
        Some(_) => facts.read_at,
        None => record.updated_at,
    };
    if let Some(worker) = &step.holder {
        let what = format!("its step {number} is held by {worker}, which shows no life");
        let is_lost = !facts.workers.contains(worker);
        return is_lost.then(|| Finding::new(Rule::ClaimWithoutWorker, op, what).since(since));
    }

    // Siblings of a step that has failed wait for nothing.
    let mut steps = record.steps.iter();
    let has_stopped =
        steps.any(|step| matches!(step.state, StepState::Failed | StepState::Cancelled));
    let mut commands = operation.commands.iter();
    let is_queued =
        commands.any(|command| command.step == number && command.submission == step.submission);
    if is_queued || has_stopped || record.has_cancel {
        return None;
    }
    let mark = match operation.marked_at {
        None => "it has no active mark, by which a sweep would find it",
        Some(_) => "no sweep has put one there",
    };
    let what = format!("its step {number} waits without a command on a queue, and {mark}");
    Some(Finding::new(Rule::OperationStuck, op, what).since(since))
}

/// Commands of submissions that are over, or of steps that have ended.
fn left_commands(
    op: &OperationId,
    operation: &OperationFacts,
    record: &RecordFacts,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for command in &operation.commands {
        let step = record.steps.get(command.step.index());
        let is_over = step
            .is_none_or(|step| step.state.is_terminal() || command.submission < step.submission);

        if is_over {
            let number = command.step;
            let what = format!(
                "the command of submission {} of its step {number} is still on its queue",
                command.submission
            );
            let since: Timestamp = command.at.max(record.updated_at);
            findings.push(Finding::new(Rule::CommandOfEndedStep, op, what).since(since));
        }
    }
    findings
}
