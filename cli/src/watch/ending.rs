//! How an operation ended, for people and for programs, with the exit code that says so.

use runtime::StoredResult;
use schemas::codes;
use schemas::commands::FetchOutcome;
use schemas::ids::{OperationId, Service};
use schemas::operation::{OperationRecord, OperationState, StepRecord, StepState};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use store::Store;

use super::state::current_step;
use super::step_line::summarise_fields;
use super::step_names::step_names;
use super::work_text::{cancelled_work, describe_kept, work_json};
use super::{Ended, StepProgress, Watched};
use crate::console::durations::{after, compact};
use crate::console::{Exit, Failure, Output, print_pairs};
use crate::context::Context;

/// The exit code that says how an operation ended.
pub(super) fn exit_of(record: &OperationRecord) -> Exit {
    match record.state {
        OperationState::Failed => Exit::Failed,
        OperationState::Cancelled => Exit::Cancelled,
        OperationState::Completed if is_partial(record) => Exit::Partial,
        _ => Exit::Done,
    }
}

/// Whether bars that a load asked for have not come.
fn is_partial(record: &OperationRecord) -> bool {
    outcome_of(record, Service::Fetcher).is_some_and(|outcome: FetchOutcome| outcome.is_partial())
}

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
    let has_objects = record.steps.iter().any(|step| object_of(step).is_some());
    if !has_objects {
        return;
    }

    match context.existing_store().await {
        Ok(store) => fill_from(&store, &context.output, record).await,
        Err(failure) => context
            .output
            .note(&format!("large results are not shown: {}", failure.message)),
    }
}

/// The object that holds the result of a step, if the record had no room for it.
fn object_of(step: &StepRecord) -> Option<String> {
    let stored: StoredResult = serde_json::from_value(step.result.clone()).ok()?;
    Some(stored.result_object)
}

async fn fill_from(store: &Store, output: &Output, record: &mut OperationRecord) {
    for step in &mut record.steps {
        let Some(result_object) = object_of(step) else {
            continue;
        };
        match store.reports().get(&result_object).await {
            Ok(result) => step.result = result,
            Err(error) => output.note(&format!("the result {result_object} is not shown: {error}")),
        }
    }
}

/// Reports how watching ended.
///
/// # Errors
/// The operation failed, or the wait timeout passed.
pub(crate) fn report(
    context: &Context,
    op: &OperationId,
    watched: &Watched,
) -> Result<Exit, Failure> {
    let output = &context.output;

    match &watched.ended {
        Ended::Reached(record) => report_record(context, record, watched),
        Ended::Detached => {
            print_detached(output, op);
            Ok(Exit::Done)
        }
        Ended::Terminated => {
            print_detached(output, op);
            Ok(Exit::Terminated)
        }
        Ended::Abandoned { is_stored: true } => {
            output.note(&format!(
                "Left {op} to its worker, which has been asked to stop. Look again: ktrdr status \
                 {op}"
            ));
            Ok(Exit::Cancelled)
        }
        Ended::Abandoned { is_stored: false } => {
            output.note(&format!(
                "Left {op}; the server has not confirmed the request to stop it. Ask again: \
                 ktrdr cancel {op}"
            ));
            Ok(Exit::Cancelled)
        }
        Ended::TimedOut => Err(still_running(op)),
    }
}

fn print_detached(output: &Output, op: &OperationId) {
    output.note(&format!(
        "Detached from operation {op}; it continues. Re-attach: ktrdr follow {op}"
    ));
}

fn still_running(op: &OperationId) -> Failure {
    let message = format!("operation {op} has not ended yet");
    let hint = format!(
        "it continues; re-attach with `ktrdr follow {op}`, stop it with `ktrdr cancel {op}`"
    );
    Failure::new(Exit::TimedOut, codes::OPS_WAIT_TIMEOUT, message)
        .with_hint(hint)
        .about(op)
}

fn report_record(
    context: &Context,
    record: &OperationRecord,
    watched: &Watched,
) -> Result<Exit, Failure> {
    let output = &context.output;

    // The last arm is that of an operation that was watched until a state and goes on.
    match record.state {
        OperationState::Failed => Err(failure_of(record)),
        OperationState::Completed => {
            output.json(&result_json(record, exit_of(record)));
            print_completed(context, record);
            Ok(exit_of(record))
        }
        OperationState::Cancelled => {
            output.json(&result_json(record, Exit::Cancelled));
            print_cancelled(output, record, watched);
            Ok(Exit::Cancelled)
        }
        state => {
            output.json(&result_json(record, Exit::Done));
            output.line(&format!("{} is {state}", record.op));
            Ok(Exit::Done)
        }
    }
}

fn print_completed(context: &Context, record: &OperationRecord) {
    let OperationRecord { op, kind, .. } = record;
    let duration = compact(duration_of(record));
    let result = (context.describe_result)(record).unwrap_or_else(|| step_results(record));

    context
        .output
        .line(&format!("Completed {kind} {op} in {duration}"));
    print_pairs(&context.output, &result);
}

fn print_cancelled(output: &Output, record: &OperationRecord, watched: &Watched) {
    let OperationRecord { op, kind, .. } = record;
    let duration = compact(duration_of(record));
    let reason = match &record.cancel {
        Some(cancel) => format!(": {}", cancel.reason),
        None => String::new(),
    };
    output.sentence(&format!("Cancelled {kind} {op} after {duration}{reason}"));

    // How far it came, and what stays, decides whether it is worth resuming.
    let work = cancelled_work(record);
    if !work.is_empty() {
        print_pairs(output, &work);
        output.sentence(&format!("  {}", describe_kept(record)));
        return;
    }
    if let Some(place) = place_of_cancel(record, &watched.progress) {
        output.sentence(&format!("  {place}"));
    }
}

/// Where the step was that the cancel ended: what its worker reported last, or its queue. What
/// other steps, and earlier submissions of this one, reported is not where it was.
fn place_of_cancel(record: &OperationRecord, progress: &StepProgress) -> Option<String> {
    let number = current_step(record)?;
    let step = record.step(number)?;
    let service = record.plan.step(number)?.service;
    let (start, _) = record.plan.percent_range(number);
    // A sum of nothing is -0.
    let start = start.abs();

    let was_queued = step.attempt == 0 || record.resuming;
    if was_queued {
        let steps = record.steps.len();
        return Some(format!(
            "it waited in the queue of {service} ({number}/{steps}), at {start:.1} %"
        ));
    }

    let last = progress.get(&number)?;
    let is_of_attempt = last.attempt == step.attempt && !last.message.is_empty();
    is_of_attempt.then(|| format!("it was at {:.1} %: {}", last.percent, last.message))
}

/// The failure of a failed operation.
pub(crate) fn failure_of(record: &OperationRecord) -> Failure {
    let op = &record.op;
    let Some(failure) = &record.failure else {
        return Failure::new(
            Exit::Failed,
            codes::OPS_FAILED,
            format!("operation {op} failed"),
        )
        .with_hint(format!("`ktrdr ops logs {op}` shows what happened"))
        .about(op);
    };

    let service = match record.plan.step(failure.step) {
        Some(spec) => spec.service.as_str(),
        None => "?",
    };
    let place = format!("step {service} ({}/{})", failure.step, record.steps.len());
    Failure::of_operation(op, &place, &failure.error)
}

/// The scalars of the result of each completed step, by its name.
fn step_results(record: &OperationRecord) -> Vec<(String, String)> {
    let mut results = Vec::new();
    for (name, step) in step_names(record).into_iter().zip(&record.steps) {
        let text = summarise_fields(&step.result);
        if step.state == StepState::Completed && !text.is_empty() {
            results.push((name, text));
        }
    }
    results
}

/// The result as programs read it.
pub(super) fn result_json(record: &OperationRecord, exit: Exit) -> Value {
    let mut results = Map::new();
    for (name, step) in step_names(record).into_iter().zip(&record.steps) {
        // A step that did not run has no result, and an entry of null would look like one.
        if !step.result.is_null() {
            results.insert(name, step.result.clone());
        }
    }

    json!({
        "type": "result",
        "op": record.op,
        "kind": record.kind,
        "state": record.state,
        "duration_s": duration_of(record).as_secs_f64(),
        "results": results,
        "done": work_json(record),
        "exit": exit.code(),
    })
}

/// From the submission to the end, waiting included.
pub(super) fn duration_of(record: &OperationRecord) -> std::time::Duration {
    let end = record.finished_at.unwrap_or(record.updated_at);
    after(record.created_at, end)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use schemas::commands::{FetchBars, FetchMode, OnFailure, RunDummy};
    use schemas::operation::Said;
    use schemas::progress::Count;
    use schemas::requests::{DataLoad, Family};

    use super::*;

    fn data_load() -> OperationRecord {
        let fetch = FetchBars {
            provider: "file".to_owned(),
            series: Vec::new(),
            mode: FetchMode::Full,
            start: None,
            end: None,
            refetch: false,
            calendar: None,
            accept_finer: false,
            accept_stored: false,
        };

        let operation = DataLoad {
            fetch,
            labels: [].into(),
        }
        .operation();
        let op = OperationId::new("data", Timestamp::UNIX_EPOCH, 7).unwrap();

        OperationRecord::create(op, operation, Timestamp::UNIX_EPOCH)
    }

    /// A family of two stages with a dummy each.
    fn family_of_two_stages() -> OperationRecord {
        let stage = vec![RunDummy::default().operation()];
        let family = Family {
            stages: vec![stage.clone(), stage],
            limit: 1,
            on_failure: OnFailure::KeepGoing,
            labels: [].into(),
        };
        let op = OperationId::new("family", Timestamp::UNIX_EPOCH, 7).unwrap();
        OperationRecord::create(op, family.operation(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn each_stage_of_a_family_has_its_own_entry() {
        let mut record = family_of_two_stages();
        for (number, step) in (1..).zip(&mut record.steps) {
            step.state = StepState::Completed;
            step.result = json!({ "completed": number });
            step.done = [("children".to_owned(), count(number))].into();
        }

        let json = result_json(&record, Exit::Done);

        let of_stages = json!({"family (1/2)": {"completed": 1}, "family (2/2)": {"completed": 2}});
        assert_eq!(json["results"], of_stages);
        assert_eq!(json["done"]["family (1/2)"]["children"]["done"], 1);
        assert_eq!(json["done"]["family (2/2)"]["children"]["done"], 2);
        let texts = step_results(&record);
        assert_eq!(
            texts[0],
            ("family (1/2)".to_owned(), "completed 1".to_owned())
        );
    }

    fn count(done: u64) -> Count {
        Count { done, total: 2 }
    }

    fn cancelled(mut record: OperationRecord) -> OperationRecord {
        record
            .cancel_unheld(1, &Said::default(), Timestamp::UNIX_EPOCH)
            .unwrap();
        record
    }

    #[test]
    fn a_cancel_in_the_queue_is_at_the_start_of_its_step() {
        let record = cancelled(data_load());

        assert_eq!(
            place_of_cancel(&record, &StepProgress::new()),
            Some("it waited in the queue of fetcher (1/2), at 0.0 %".to_owned())
        );
    }

    #[tokio::test]
    async fn a_result_without_room_in_the_record_comes_from_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().display());
        let store = Store::open(&url).await.unwrap();
        let object = store.reports().put(&json!({"series": 400})).await.unwrap();
        let absent = json!({"result_object": format!("reports/{:064}.json", 0)});
        let mut record = data_load();
        record.steps[0].result = json!({ "result_object": object });
        record.steps[1].result = absent.clone();
        let output = Output {
            json: false,
            quiet: true,
            style: Default::default(),
            live: false,
            rows: None,
        };

        fill_from(&store, &output, &mut record).await;

        assert_eq!(record.steps[0].result, json!({"series": 400}));
        assert_eq!(record.steps[1].result, absent);
    }
}
