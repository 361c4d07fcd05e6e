//! The children of one operation below its steps: how many are in which state, and the first of
//! those that matter most.

use std::collections::BTreeMap;

use bus::Bus;
use schemas::errors::shortened;
use schemas::ids::{OperationId, Service};
use schemas::operation::{OperationRecord, OperationState, about};
use schemas::progress::{Context as ProgressContext, ProgressRecord};
use serde_json::{Value, json};

use crate::console::{Failure, Output};

/// Children that are shown one by one.
const SHOWN_MAX: usize = 12;
/// Bytes of a failure's message; `ktrdr status` of the child has all of it.
const FAILURE_BYTES_MAX: usize = 60;

/// The children of an operation that has any.
pub(super) struct Children {
    parent: OperationId,
    records: Vec<OperationRecord>,
    /// Percent of those at work, as the parent last said.
    percents: BTreeMap<OperationId, f64>,
}

impl Children {
    /// Reads the children; `None` for an operation that has none by its plan.
    pub(super) async fn read<'a>(
        bus: &Bus,
        parent: &OperationRecord,
        progress: impl Iterator<Item = &'a ProgressRecord>,
    ) -> Result<Option<Self>, Failure> {
        let has_children = |service| service == Service::Family;
        if !parent.plan.steps().any(|step| has_children(step.service)) {
            return Ok(None);
        }

        let mut records = bus.operations().children(parent).await?;
        records.sort_by_key(|record| rank(record.state));
        let mut percents = BTreeMap::new();
        for message in progress {
            if let ProgressContext::Family { running, .. } = &message.context {
                percents.extend(
                    running
                        .iter()
                        .map(|child| (child.op.clone(), child.percent)),
                );
            }
        }
        Ok(Some(Self {
            parent: parent.op.clone(),
            records,
            percents,
        }))
    }

    /// The counts, as programs read them.
    pub(super) fn json(&self) -> Value {
        let counts: BTreeMap<String, usize> = self
            .counts()
            .into_iter()
            .map(|count| (count.0.to_string(), count.1))
            .collect();
        json!(counts)
    }

    /// The counts in one line, and the first children as the branches of a tree.
    pub(super) fn print(&self, output: &Output) {
        let counts: Vec<String> = self
            .counts()
            .iter()
            .map(|count| format!("{} {}", count.1, count.0))
            .collect();
        let counts = match counts.is_empty() {
            true => "none submitted yet".to_owned(),
            false => counts.join(", "),
        };
        output.line(&format!("\nchildren  {counts}"));

        let rest = self.records.len().saturating_sub(SHOWN_MAX);
        let shown_children = self.records.iter().take(SHOWN_MAX);
        for (index, child) in shown_children.enumerate() {
            let is_last = rest == 0 && index + 1 == self.records.len().min(SHOWN_MAX);
            self.print_branch(output, is_last, &self.describe(child));
        }
        if rest > 0 {
            let parent = &self.parent;
            let more = format!("{rest} more: ktrdr ops --parent {parent}");
            self.print_branch(output, true, &more);
        }
    }

    fn print_branch(&self, output: &Output, is_last: bool, text: &str) {
        let branch = match (output.style.ascii, is_last) {
            (true, false) => "|-",
            (true, true) => "`-",
            (false, false) => "├─",
            (false, true) => "└─",
        };
        output.line(&format!("{branch} {text}"));
    }

    /// `op_data_…  running   45%  AAPL 1d`.
    fn describe(&self, child: &OperationRecord) -> String {
        let percent = match self.percents.get(&child.op) {
            Some(percent) if child.state == OperationState::Running => format!("{percent:.0}%"),
            _ => String::new(),
        };

        // Why one failed is what people look for in a long list.
        let mut text = format!(
            "{}  {:<9}  {percent:>4}  {}",
            child.op,
            child.state.as_str(),
            about(&child.labels)
        );
        if let Some(failure) = &child.failure {
            let why = shortened(&failure.error.message, FAILURE_BYTES_MAX);
            text.push_str(&format!(": {why}"));
        }
        text
    }

    /// How many children are in which state, in the order in which they are shown.
    fn counts(&self) -> Vec<(OperationState, usize)> {
        let mut counts: Vec<(OperationState, usize)> = Vec::new();
        for record in &self.records {
            match counts.last_mut().filter(|count| count.0 == record.state) {
                Some(count) => count.1 += 1,
                None => counts.push((record.state, 1)),
            }
        }
        counts
    }
}

/// What needs somebody first, then what moves, then the rest.
fn rank(state: OperationState) -> u8 {
    match state {
        OperationState::Failed => 0,
        OperationState::Running => 1,
        OperationState::Cancelling => 2,
        OperationState::Retrying => 3,
        OperationState::Resuming => 4,
        OperationState::Pending => 5,
        OperationState::Cancelled => 6,
        OperationState::Completed => 7,
    }
}
