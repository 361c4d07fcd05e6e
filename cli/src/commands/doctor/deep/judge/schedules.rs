//! Whether schedules are started, and announced by the server.

use schemas::ids::OperationId;

use super::super::facts::Facts;
use super::super::finding::Finding;
use super::super::rules::Rule;

/// Looks at every schedule.
pub(super) fn judge(facts: &Facts, findings: &mut Vec<Finding>) {
    for (name, schedule) in &facts.schedules {
        let Some(due) = schedule.next else { continue };
        let is_at_work = |op: &OperationId| is_unfinished(op, facts);

        // A run that is due while the one before works may wait for its end.
        if schedule.last.as_ref().is_some_and(is_at_work) {
            continue;
        }
        if !schedule.has_timer {
            let what = format!("the server will not say that it is due at {due}");
            findings.push(Finding::new(Rule::ScheduleWithoutTimer, name, what));
        }
        if due > facts.read_at {
            continue;
        }
        let what = format!("it was due at {due}, and nobody has started it");
        findings.push(Finding::new(Rule::ScheduleOverdue, name, what).since(due));
    }
}

fn is_unfinished(op: &OperationId, facts: &Facts) -> bool {
    let operation = facts.operations.get(op);
    let record = operation.and_then(|operation| operation.record.as_ref());
    record.is_some_and(|record| !record.state.is_terminal())
}
