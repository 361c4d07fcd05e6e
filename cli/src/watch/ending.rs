//! How an operation ended, for people and for programs, with the exit code that says so.

use runtime::StoredResult;
use schemas::ids::{OperationId, Service};
use schemas::operation::{OperationRecord, OperationState, StepState};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use store::{Store, StoreError};

use super::step_line::brief;
use super::{Ended, Watched};
use crate::console::durations::{after, compact};
use crate::console::{Exit, Failure, Output, print_pairs};
use crate::context::{Context, DescribeResult};

/// The outcome that `service` stored in `record`; none where its step has no result of this type.
pub(crate) fn outcome_of<T: DeserializeOwned>(
    record: &OperationRecord,
    service: Service,
) -> Option<T> {
    let (_, step) = record
        .plan
        .steps()
        .zip(&record.steps)
        .find(|(spec, _)| spec.service == service)?;
    serde_json::from_value(step.result.clone()).ok()
}

/// Puts the results that had no room in a record into it, from the store. One that cannot be read
/// stays the name of its object.
pub(crate) async fn fill_results(context: &Context, record: &mut OperationRecord) {
    if let Ok(store_url) = context.store_url() {
        fill_from(&store_url, &context.output, record).await;
    }
}

async fn fill_from(store: &str, output: &Output, record: &mut OperationRecord) {
    for step in &mut record.steps {
        let Ok(StoredResult { result_object }) = serde_json::from_value(step.result.clone()) else {
            continue;
        };
        match result_of(store, &result_object).await {
            Ok(result) => step.result = result,
            Err(error) => output.note(&format!("the result {result_object} is not shown: {error}")),
        }
    }
}

async fn result_of(store: &str, object: &str) -> Result<Value, StoreError> {
    Store::open(store).await?.reports().get(object).await
}

/// The scalars of each completed step's result.
fn step_results(record: &OperationRecord) -> Vec<(String, String)> {
    let steps = record
        .plan
        .steps()
        .zip(&record.steps)
        .filter(|(_, step)| step.state == StepState::Completed);
    steps
        .map(|(spec, step)| (spec.service.to_string(), brief(&step.result)))
        .filter(|(_, text)| !text.is_empty())
        .collect()
}

/// Says how watching ended.
pub(crate) fn report(
    context: &Context,
    op: &OperationId,
    watched: &Watched,
) -> Result<Exit, Failure> {
    let output = &context.output;
    match &watched.ended {
        Ended::Reached(record) => report_record(output, record, watched, context.describe_result),
        Ended::Detached => {
            output.note(&format!(
                "Detached from operation {op}; it continues. Re-attach: ktrdr follow {op}"
            ));
            Ok(Exit::Done)
        }
        Ended::Abandoned => {
            output.note(&format!(
                "Left {op} to its worker; it has been asked to stop. Look again: ktrdr status {op}"
            ));
            Ok(Exit::Cancelled)
        }
        Ended::Terminated => {
            output.note(&format!(
                "Detached from operation {op}; it continues. Re-attach: ktrdr follow {op}"
            ));
            Ok(Exit::Terminated)
        }
        Ended::TimedOut => Err(Failure::new(
            Exit::TimedOut,
            "OPS-WaitTimeout",
            format!("operation {op} has not ended yet"),
        )
        .with_hint(format!(
            "it continues; re-attach with `ktrdr follow {op}`, stop it with `ktrdr cancel {op}`"
        ))
        .about(op)),
    }
}

fn report_record(
    output: &Output,
    record: &OperationRecord,
    watched: &Watched,
    describe: DescribeResult,
) -> Result<Exit, Failure> {
    let OperationRecord { op, kind, .. } = record;
    let took = compact(after(
        record.created_at,
        record.finished_at.unwrap_or(record.updated_at),
    ));
    match record.state {
        OperationState::Failed => Err(failure_of(record)),
        OperationState::Completed => {
            output.json(&result(record, Exit::Done));
            output.line(&format!("Completed {kind} {op} in {took}"));
            let lines = describe(record).unwrap_or_else(|| step_results(record));
            print_pairs(output, &lines);
            Ok(Exit::Done)
        }
        OperationState::Cancelled => {
            output.json(&result(record, Exit::Cancelled));
            let reason = record
                .cancel
                .as_ref()
                .map(|cancel| format!(": {}", cancel.reason))
                .unwrap_or_default();
            output.line(&format!("Cancelled {kind} {op} after {took}{reason}"));
            let last = watched.progress.values().max_by_key(|progress| progress.at);
            if let Some(last) = last.filter(|last| !last.message.is_empty()) {
                output.line(&format!(
                    "  it was at {:.1} %: {}",
                    last.percent, last.message
                ));
            }
            Ok(Exit::Cancelled)
        }
        state => {
            output.json(&result(record, Exit::Done));
            output.line(&format!("{op} is {state}"));
            Ok(Exit::Done)
        }
    }
}

/// The failure of a failed operation.
pub(crate) fn failure_of(record: &OperationRecord) -> Failure {
    let Some(failure) = &record.failure else {
        return Failure::new(
            Exit::Failed,
            "OPS-Failed",
            format!("operation {} failed", record.op),
        )
        .about(&record.op);
    };
    let service = record
        .plan
        .step(failure.step)
        .map_or("?", |spec| spec.service.as_str());
    let place = format!("step {service} ({}/{})", failure.step, record.steps.len());
    Failure::of_operation(&record.op, &place, &failure.error)
}

fn result(record: &OperationRecord, exit: Exit) -> Value {
    let steps = record
        .plan
        .steps()
        .zip(&record.steps)
        .filter(|(_, step)| !step.result.is_null());
    let results: Map<String, Value> = steps
        .map(|(spec, step)| (spec.service.to_string(), step.result.clone()))
        .collect();
    let took = after(
        record.created_at,
        record.finished_at.unwrap_or(record.updated_at),
    )
    .as_secs_f64();
    json!({
        "type": "result", "op": record.op, "kind": record.kind, "state": record.state, "duration_s": took,
        "results": results, "exit": exit.code(),
    })
}

#[cfg(test)]
mod tests {
    use schemas::commands::{FetchBars, FetchMode};
    use schemas::requests::DataLoad;

    use super::*;

    #[tokio::test]
    async fn a_result_without_room_in_the_record_is_told_from_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().display());
        let object = Store::open(&url)
            .await
            .unwrap()
            .reports()
            .put(&json!({"series": 400}))
            .await
            .unwrap();
        let fetch = FetchBars {
            provider: "file".to_owned(),
            series: Vec::new(),
            mode: FetchMode::Full,
            start: None,
            end: None,
            refetch: false,
        };
        let operation = DataLoad {
            fetch,
            labels: [].into(),
        }
        .operation();
        let op = OperationId::new("data", jiff::Timestamp::UNIX_EPOCH, 7).unwrap();
        let mut record = OperationRecord::create(op, operation, jiff::Timestamp::UNIX_EPOCH);
        let absent = json!({"result_object": format!("reports/{:064}.json", 0)});
        record.steps[0].result = json!({ "result_object": object });
        record.steps[1].result = absent.clone();
        let output = Output {
            json: false,
            quiet: true,
            style: Default::default(),
            live: false,
        };
        fill_from(&url, &output, &mut record).await;
        assert_eq!(record.steps[0].result, json!({"series": 400}));
        assert_eq!(record.steps[1].result, absent);
    }
}
