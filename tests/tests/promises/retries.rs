//! Failures inside the handler: tried again while it may help, given up in time, reported clearly.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dummy::Dummy;
use runtime::{RetryClass, StepContext, StepError};
use schemas::commands::{DummyOutcome, RunDummy};
use schemas::errors::ErrorRecord;
use schemas::events::What;
use schemas::ids::Service;
use schemas::operation::NewOperation;
use schemas::operation::{OperationRecord, OperationState, StepState};
use system_tests::{Act, Sandbox, side_by_side, steps};

use crate::commands::{endless, short};

fn away() -> StepError {
    StepError::retry(
        RetryClass::System,
        ErrorRecord::new("TEST-Away", "the provider is away", "wait"),
    )
}

fn outcome(iterations: u64) -> DummyOutcome {
    DummyOutcome {
        iterations,
        resumed_at: 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_asks_for_another_try_gets_it() {
    let sandbox = Sandbox::start().await;
    let runs = Arc::new(AtomicU64::new(0));
    let _worker = sandbox
        .run(Act(move |_, _| {
            let result = match runs.fetch_add(1, Ordering::SeqCst) {
                0 => Err(away()),
                _ => Ok(outcome(1)),
            };
            std::future::ready(result)
        }))
        .await;

    let op = sandbox.submit(&short(1).operation()).await;
    sandbox.only_completion_of(&op).await;

    assert_eq!(
        sandbox.story(&op).await,
        "1.started 1.retrying 1.started 1.completed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retrying_event_says_why_and_when() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Act(|_, _| async { Err(away()) })).await;

    let op = sandbox.submit(&short(1).operation()).await;
    let retrying = sandbox
        .until_event(&op, "retrying", |event| event.what == What::Retrying)
        .await;

    let error = retrying.error.unwrap();
    assert_eq!(error.code, "TEST-Away");
    assert_eq!(error.message, "the provider is away");
    assert!(error.retryable);
    assert!(retrying.due.unwrap() > retrying.at);
}

/// Submits a step that always fails for now, and returns its record once it is given up.
async fn given_up(retries: Option<u16>) -> OperationRecord {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Act(|_, _| async { Err(away()) })).await;
    let new = NewOperation {
        retries,
        ..short(1).operation()
    };

    let op = sandbox.submit(&new).await;
    sandbox.until_concluded(&op).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_retries_fails_at_once() {
    let record = given_up(Some(0)).await;

    assert_eq!(record.state, OperationState::Failed);
    assert_eq!(record.steps[0].attempt, 1);
    let message = record.failure.unwrap().error.message;
    assert_eq!(message, "the provider is away");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_may_ask_for_more_retries_than_its_service() {
    let record = given_up(Some(5)).await;

    assert_eq!(record.steps[0].attempt, 6);
    let message = record.failure.unwrap().error.message;
    assert_eq!(message, "the provider is away; given up after 5 retries");
}

/// Fails for now after every checkpoint, of which there are ten.
async fn checkpoint_and_fail(step: StepContext) -> Result<DummyOutcome, StepError> {
    let done = step.resume_point::<u64>().unwrap_or(0);
    if done == 10 {
        return Ok(outcome(done));
    }
    step.checkpoint(&(done + 1)).await?;
    Err(away())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_gives_all_retries_back() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Act(|_, step| checkpoint_and_fail(step))).await;

    let op = sandbox.submit(&short(1).operation()).await;
    let completion = sandbox.only_completion_of(&op).await;

    assert_eq!(completion.result["iterations"], 10);
    assert_eq!(completion.attempt, 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_of_a_takeover_names_the_lost_worker() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let worker = sandbox.run(Dummy).await;
    let op = sandbox.submit(&endless().operation()).await;
    let holder = sandbox.until_started(&op).await.worker.unwrap();

    worker.kill();
    let retrying = sandbox
        .until_event(&op, "retrying", |event| event.what == What::Retrying)
        .await;

    let error = retrying.error.unwrap();
    assert_eq!(error.code, "OPS-WorkerLost");
    assert!(error.message.contains(holder.as_str()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_without_a_checkpoint_end_after_three() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Act(|_, _| async { Err(away()) })).await;

    let op = sandbox.submit(&short(1).operation()).await;
    let record = sandbox.until_concluded(&op).await;

    assert_eq!(record.state, OperationState::Failed);
    assert_eq!(record.steps[0].attempt, 4);
    assert_eq!(record.steps[0].barren_attempts, 1, "no worker was lost");
    let failure = record.failure.unwrap();
    assert_eq!(failure.error.code, "TEST-Away");
    assert_eq!(failure.step.get(), 1);
    assert_eq!(
        sandbox.story(&op).await,
        "1.started 1.retrying 1.started 1.retrying 1.started 1.retrying 1.started 1.failed"
    );
    assert_eq!(sandbox.dead_letters(&op).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_panics_takes_nothing_else_with_it() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox
        .run(Act(|command: RunDummy, _| async move {
            assert_ne!(command.iterations, 13, "unlucky");
            Ok(outcome(command.iterations))
        }))
        .await;

    let bad = sandbox.submit(&short(13).operation()).await;
    sandbox.complete(&short(1).operation()).await;

    let record = sandbox.until_concluded(&bad).await;
    assert_eq!(record.state, OperationState::Failed);
    assert_eq!(record.failure.unwrap().error.code, "SYS-Panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_failure_is_not_tried_again() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    let failing = RunDummy {
        fail_at: Some(2),
        ..short(3)
    };

    let op = sandbox.submit(&steps(&[failing, short(1)])).await;
    let record = sandbox.until_concluded(&op).await;

    assert_eq!(record.state, OperationState::Failed);
    assert_eq!(record.steps[0].attempt, 1);
    assert_eq!(record.steps[1].state, StepState::Pending, "never started");
    assert_eq!(sandbox.story(&op).await, "1.started 1.failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dead_letter_of_a_failure_says_how_to_requeue() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    let failing = RunDummy {
        fail_at: Some(2),
        ..short(3)
    };

    let op = sandbox.submit(&failing.operation()).await;
    sandbox.until_concluded(&op).await;

    let letters = sandbox.dead_letters(&op).await;
    assert_eq!(letters.len(), 1);
    let error = &letters[0].error;
    assert_eq!(error.message, "failed at iteration 2 as asked");
    assert_eq!(
        error.hint,
        format!("leave out fail_at; then requeue with `ktrdr resume {op}`")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_step_lets_its_running_sibling_finish() {
    let sandbox = Sandbox::start().await;
    let _workers = [sandbox.run(Dummy).await, sandbox.run(Dummy).await];
    let failing = RunDummy {
        fail_at: Some(3),
        ..short(3)
    };

    let first_stage = [short(60), failing, short(1)];
    let op = sandbox.submit(&side_by_side(&first_stage, short(1))).await;
    let record = sandbox.until_concluded(&op).await;

    assert_eq!(record.state, OperationState::Failed);
    assert_eq!(record.steps[0].state, StepState::Completed);
    assert_eq!(record.steps[0].result["iterations"], 60);
    assert_eq!(record.steps[1].state, StepState::Failed);
    assert_eq!(record.steps[3].state, StepState::Pending);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_steps_that_fail_each_says_why() {
    let sandbox = Sandbox::start().await;
    let _workers = [sandbox.run(Dummy).await, sandbox.run(Dummy).await];
    sandbox.until_workers(Service::Dummy, 2).await;
    let first_stage = [30, 50].map(|iteration| RunDummy {
        fail_at: Some(iteration),
        ..short(50)
    });

    let op = sandbox.submit(&side_by_side(&first_stage, short(1))).await;
    let record = sandbox.until_concluded(&op).await;
    assert_eq!(record.state, OperationState::Failed);

    let mut letters = sandbox.dead_letters(&op).await;
    letters.sort_by_key(|letter| letter.at);
    let messages: Vec<_> = letters
        .iter()
        .map(|letter| letter.error.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "failed at iteration 30 as asked",
            "failed at iteration 50 as asked (DUMMY-Asked)"
        ]
    );
}

/// Fails an operation that the worker cannot understand, and returns the code of its failure.
async fn failure_code(new: &NewOperation) -> String {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;

    let op = sandbox.submit(new).await;
    let error = sandbox.until_concluded(&op).await.failure.unwrap().error;

    assert!(!error.hint.is_empty());
    error.code
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verb_that_the_worker_does_not_know_fails() {
    let mut unknown = short(1).operation();
    unknown.plan.stages[0][0].verb = "dance".to_owned();

    assert_eq!(failure_code(&unknown).await, "OPS-UnknownVerb");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_the_worker_does_not_know_fails() {
    let mut misspelt = short(1).operation();
    misspelt.plan.stages[0][0].command = serde_json::json!({ "iteratoins": 3 });

    assert_eq!(failure_code(&misspelt).await, "OPS-InvalidCommand");
}
