//! The children at work of a parent, as lines below its steps: a pure function of the facts of a
//! moment.

use schemas::operation::StepState;
use schemas::progress::{Context, RunningChild};

use super::waiting_reason::WaitingFacts;
use crate::console::Style;

/// The lines of the children that are at work now; none for an operation without children.
pub(super) fn child_lines(facts: &WaitingFacts<'_>, style: Style) -> Vec<String> {
    let Some(record) = facts.record else {
        return Vec::new();
    };

    let mut lines = Vec::new();
    for (number, step) in record.numbers().zip(&record.steps) {
        let progress = facts.progress.get(&number);
        let progress = progress.filter(|progress| progress.attempt == step.attempt);
        if step.state == StepState::Running
            && let Some(Context::Family { running, .. }) = progress.map(|each| &each.context)
        {
            lines.extend(
                running
                    .iter()
                    .map(|child| style.plain_lines(&child_line(child))),
            );
        }
    }
    lines
}

/// `  op_data_20260301_142233_9f3a01bd   45%  AAPL 1d`.
fn child_line(child: &RunningChild) -> String {
    let percent = child.percent.floor();
    format!("    {}  {percent:>3}%  {}", child.op, child.about)
}
