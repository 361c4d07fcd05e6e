//! What a cancelled operation had done, and what of it stays, in words.

use schemas::ids::Service;
use schemas::operation::{OperationRecord, StepState};
use schemas::work_done::WorkDone;
use serde_json::{Map, Value, json};

use super::state::current_step;
use super::step_names::step_names;

/// `7 of 16 iterations`, `3 of 10 epochs, 92 of 400 batches`; empty where nothing was counted.
pub(crate) fn describe_work(done: &WorkDone) -> String {
    let units: Vec<String> = done
        .iter()
        .map(|(unit, count)| match count.total {
            0 => format!("{} {unit}", count.done),
            total => format!("{} of {total} {unit}", count.done),
        })
        .collect();
    units.join(", ")
}

/// The work of each cancelled step that had done any, by its name.
pub(super) fn cancelled_work(record: &OperationRecord) -> Vec<(String, String)> {
    let mut work = Vec::new();
    for (name, step) in step_names(record).into_iter().zip(&record.steps) {
        let text = describe_work(&step.done);
        if step.state == StepState::Cancelled && !text.is_empty() {
            work.push((name, text));
        }
    }
    work
}

/// What a cancelled operation leaves behind for later.
pub(super) fn describe_kept(record: &OperationRecord) -> String {
    let op = &record.op;
    let current = current_step(record);
    let step = current.and_then(|number| record.step(number));
    let service = current.and_then(|number| Some(record.plan.step(number)?.service));

    match (step, service) {
        (_, Some(Service::Fetcher)) => {
            format!("bars stored so far stay; `ktrdr resume {op}` fetches the rest")
        }
        (Some(step), _) if !step.checkpoint.is_null() => {
            format!("its checkpoint stays; `ktrdr resume {op}` goes on from it")
        }
        _ => format!("`ktrdr resume {op}` starts the step again"),
    }
}

/// The work of each step that had done any, for programs.
pub(super) fn work_json(record: &OperationRecord) -> Value {
    let mut work = Map::new();
    for (name, step) in step_names(record).into_iter().zip(&record.steps) {
        if !step.done.is_empty() {
            work.insert(name, json!(step.done));
        }
    }
    Value::Object(work)
}

#[cfg(test)]
mod tests {
    use schemas::progress::Count;

    use super::*;

    #[test]
    fn a_count_without_a_total_stands_alone() {
        let counts = [("bars", (1_500, 0)), ("segments", (15, 50))];
        let done = counts
            .map(|(unit, (done, total))| (unit.to_owned(), Count { done, total }))
            .into();

        assert_eq!(describe_work(&done), "1500 bars, 15 of 50 segments");
    }
}
