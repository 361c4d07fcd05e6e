//! The rules that hold for every change of a record, in the model and in recorded runs alike.

use schemas::operation::{OperationRecord, OperationState, StepRecord, StepState};
use serde_json::Value;

use crate::change::Change;

/// What has ended stays so, unless it is resumed; what is completed, for good.
pub const ENDS_ONCE: &str = "an operation ends once, and only a resume begins it again";
/// A result that counts is never taken back nor replaced.
pub const APPLIED_ONCE: &str = "the result of a step is applied once";
/// Only the newest attempt may write.
pub const FENCED: &str = "what a stale attempt writes is refused";
/// The next attempt never goes on from an earlier place.
pub const FORWARD: &str = "a resume point never goes back";
/// A request that was noted is in force until a resume.
pub const CANCEL_STAYS: &str = "a cancel that was noted is only ended by a resume";

/// The rule that a change from one revision of a record to the next breaks, if it breaks one.
pub fn broken_by(
    before: &OperationRecord,
    after: &OperationRecord,
    change: &Change,
) -> Option<&'static str> {
    let may_begin_again = change.is_resume() && before.state != OperationState::Completed;
    if before.state.is_terminal() && after.state != before.state && !may_begin_again {
        return Some(ENDS_ONCE);
    }
    if before.cancel.is_some() && after.cancel != before.cancel && !change.is_resume() {
        return Some(CANCEL_STAYS);
    }

    if let Change::Write { step, attempt, .. } = change
        && before.step(*step).map(|step| step.attempt) != Some(*attempt)
    {
        return Some(FENCED);
    }
    let mut steps = before.steps.iter().zip(&after.steps).enumerate();
    steps.find_map(|step| {
        let is_claimed =
            matches!(change, Change::Claim { step: claimed, .. } if claimed.index() == step.0);
        broken_in_step(step.1.0, step.1.1, is_claimed)
    })
}

fn broken_in_step(
    before: &StepRecord,
    after: &StepRecord,
    is_claimed: bool,
) -> Option<&'static str> {
    let is_unchanged = after.state == StepState::Completed && after.result == before.result;
    if before.state == StepState::Completed && !is_unchanged {
        return Some(APPLIED_ONCE);
    }

    // Every claim is a new attempt, and nothing else is one.
    let attempt = before.attempt + u32::from(is_claimed);
    let is_taken = after.holder != before.holder && after.holder.is_some();
    let is_stale = after.attempt != attempt || after.submission < before.submission;
    if is_stale || (is_taken && !is_claimed) {
        return Some(FENCED);
    }

    let place_before = place_of(&before.checkpoint);
    (place_of(&after.checkpoint) < place_before).then_some(FORWARD)
}

/// How far a checkpoint is: a number, or the number that it holds; nothing before the first.
fn place_of(checkpoint: &Value) -> Option<u64> {
    match checkpoint {
        Value::Null => None,
        Value::Object(fields) => fields.values().find_map(Value::as_u64).or(Some(0)),
        number => number.as_u64().or(Some(0)),
    }
}
