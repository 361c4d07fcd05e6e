//! The judgement: findings from what was read, without looking at anything else.

mod families;
mod operations;
mod schedules;
mod steps;
#[cfg(test)]
mod tests;

use super::facts::Facts;
use super::finding::Finding;

/// Clocks of hosts may differ by so much: only what is later than that comes after.
const SKEW_SECONDS: i64 = 5;

/// Every finding, sorted by rules and subjects.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let of_readers = facts.faults.iter().cloned();
    let mut findings: Vec<Finding> = of_readers
        .map(|(rule, subject, what)| Finding::new(rule, subject, what))
        .collect();

    for (op, operation) in &facts.operations {
        operations::judge(op, operation, facts, &mut findings);
        if let Some(record) = &operation.record {
            steps::judge(op, operation, record, facts, &mut findings);
            families::judge(op, record, facts, &mut findings);
        }
    }
    schedules::judge(facts, &mut findings);
    findings.sort();
    findings
}
