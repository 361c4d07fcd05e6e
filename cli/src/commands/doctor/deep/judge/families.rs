//! Whether parents and children agree.

use schemas::ids::OperationId;
use schemas::operation::OperationState;

use super::super::facts::{Facts, RecordFacts};
use super::super::finding::Finding;
use super::super::rules::Rule;

/// Looks at one operation as a parent and as a child.
pub(super) fn judge(
    op: &OperationId,
    record: &RecordFacts,
    facts: &Facts,
    findings: &mut Vec<Finding>,
) {
    // As a parent it has an end to answer for, as a child somebody who waits.
    if record.state == OperationState::Completed {
        findings.extend(completed_early(op, record, facts));
    }

    if let Some((parent, index)) = &record.parent
        && !record.state.is_terminal()
    {
        findings.extend(judge_child(op, record, parent, *index, facts));
    }
}

/// The first child that is not completed although its parent is.
fn completed_early(op: &OperationId, record: &RecordFacts, facts: &Facts) -> Option<Finding> {
    let children = record
        .spreads
        .iter()
        .flat_map(|spread| spread.child_ids(op));
    let (child, state) = children.map(|child| child.1).find_map(|child| {
        let state = state_of_child(&child, op, facts)?;
        (state != OperationState::Completed).then_some((child, state))
    })?;

    let what = format!("it is completed, and its child {child} is {state}");
    Some(Finding::new(Rule::ParentCompletedEarly, op, what).since(record.updated_at))
}

/// The state of a child; none where its record is gone, as that of an end may be.
fn state_of_child(
    child: &OperationId,
    parent: &OperationId,
    facts: &Facts,
) -> Option<OperationState> {
    let record = facts.operations.get(child)?.record.as_ref()?;
    let its_parent = record.parent.as_ref()?;
    (its_parent.0 == *parent).then_some(record.state)
}

/// A child that has not ended needs a parent that waits for it.
fn judge_child(
    op: &OperationId,
    record: &RecordFacts,
    parent: &OperationId,
    index: u32,
    facts: &Facts,
) -> Option<Finding> {
    let of_parent = facts.operations.get(parent);
    if of_parent.is_some_and(|parent| parent.is_unreadable) {
        return None;
    }
    let since = record.updated_at;
    let Some(its_parent) = of_parent.and_then(|parent| parent.record.as_ref()) else {
        let what = format!(
            "it is {}, and its parent {parent} has no record",
            record.state
        );
        return Some(Finding::new(Rule::ChildWithoutParent, op, what).since(since));
    };

    if !is_place_of(op, parent, index, its_parent) {
        let what = format!("its parent {parent} has no child {index} of this id");
        return Some(Finding::new(Rule::ChildWithoutParent, op, what).since(since));
    }
    // One that has noted the cancel stops as fast as its work lets it.
    let is_left = its_parent.state == OperationState::Cancelled && !record.has_cancel;
    let what = format!(
        "it is {}, and its parent {parent} is cancelled",
        record.state
    );
    let since = since.max(its_parent.updated_at);
    is_left.then(|| Finding::new(Rule::ChildOutlivesCancel, op, what).since(since))
}

/// Whether the parent's plan has a child of this id at this place.
fn is_place_of(op: &OperationId, parent: &OperationId, index: u32, record: &RecordFacts) -> bool {
    let of_place = parent.child(op.kind(), index);
    let mut spreads = record.spreads.iter();
    let is_planned = spreads.any(|spread| {
        let end = spread.first.saturating_add(spread.total());
        (spread.first..end).contains(&index)
    });
    is_planned && of_place.is_ok_and(|child| child == *op)
}
