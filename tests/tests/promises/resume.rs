//! Resume: an operation that failed or was cancelled goes on, exactly once, where it stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bus::{ChangeError, ResumeError};
use dummy::Dummy;
use runtime::StepError;
use runtime::probe::Moment;
use schemas::commands::{DummyOutcome, RunDummy};
use schemas::operation::{OperationState, StepState};
use system_tests::{Act, Dies, Sandbox, steps};

use crate::commands::{endless, short};

type Handler = Act<
    Box<
        dyn Fn(
                RunDummy,
                runtime::StepContext,
            ) -> futures::future::Ready<Result<DummyOutcome, StepError>>
            + Send
            + Sync,
    >,
>;

/// Fails for good the first time, then completes; counts its runs.
fn fails_once() -> (impl Fn() -> Handler, Arc<AtomicU64>) {
    let runs = Arc::new(AtomicU64::new(0));
    let counted = runs.clone();
    let make = move || {
        let counted = counted.clone();
        let act = move |_, _| {
            futures::future::ready(match counted.fetch_add(1, Ordering::SeqCst) {
                0 => Err(StepError::permanent(
                    "TEST-First",
                    "the first run fails",
                    "resume it",
                )),
                _ => Ok(DummyOutcome {
                    iterations: 1,
                    resumed_at: 0,
                }),
            })
        };
        Act(Box::new(act) as Box<_>)
    };
    (make, runs)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_operation_runs_its_unfinished_steps_again_when_resumed() {
    let sandbox = Sandbox::start().await;
    let (handler, runs) = fails_once();
    let _worker = sandbox.run(handler()).await;
    let op = sandbox.submit(&steps(&[short(1), short(1)])).await;
    assert_eq!(
        sandbox.until_concluded(&op).await.state,
        OperationState::Failed
    );
    let resumed = sandbox.bus().resume(&op).await.unwrap();
    assert_eq!(resumed.state, OperationState::Resuming);
    sandbox.only_completion_of(&op).await;
    assert_eq!(
        sandbox.story(&op).await,
        "1.started 1.failed 1.started 1.completed 2.started 2.completed"
    );
    assert_eq!(runs.load(Ordering::SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_while_the_old_message_is_in_flight_runs_the_step_exactly_once_more() {
    let sandbox = Sandbox::start().await;
    let (handler, runs) = fails_once();
    let mut dying = sandbox
        .run_with(handler(), |options| {
            options.probe = Dies::at(Moment::Recorded)
        })
        .await;
    let op = sandbox.submit(&short(1).operation()).await;
    dying.until_left().await.unwrap_err();
    assert_eq!(sandbox.record(&op).await.state, OperationState::Failed);
    assert_eq!(
        sandbox.commands_of(&op).await.len(),
        1,
        "the message of the failed run is not settled"
    );
    sandbox.bus().resume(&op).await.unwrap();
    let (_housekeeper, _workers) = (
        sandbox.start_housekeeper().await,
        [sandbox.run(handler()).await, sandbox.run(handler()).await],
    );
    sandbox.only_completion_of(&op).await;
    let record = sandbox.record(&op).await;
    assert_eq!(
        (record.steps[0].submission, record.steps[0].attempt),
        (2, 2)
    );
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_operation_can_be_resumed_and_the_old_request_does_not_stop_it_again() {
    let sandbox = Sandbox::start().await;
    let (_housekeeper, _worker) = (sandbox.start_housekeeper().await, sandbox.run(Dummy).await);
    let op = sandbox
        .submit(
            &RunDummy {
                checkpoint_every: 1,
                iterations: 40,
                ..endless()
            }
            .operation(),
        )
        .await;
    sandbox
        .until_event(&op, "checkpointed", |event| {
            event.what == schemas::events::What::Checkpointed
        })
        .await;
    sandbox.bus().request_cancel(&op, "pause").await.unwrap();
    let cancelled = sandbox.until_concluded(&op).await;
    assert_eq!(cancelled.state, OperationState::Cancelled);
    sandbox.bus().resume(&op).await.unwrap();
    let completion = sandbox.only_completion_of(&op).await;
    assert!(
        completion.result["resumed_at"].as_u64().unwrap() > 0,
        "{}",
        completion.result
    );
    // Cancelled once more after the resume it stops again: only old requests are void.
    let again = sandbox.bus().resume(&op).await.unwrap_err();
    assert!(
        matches!(again, ResumeError::Change(ChangeError::Refused { .. })),
        "completed operations stay completed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_after_the_resume_counts() {
    let sandbox = Sandbox::start().await;
    let (_housekeeper, _worker) = (sandbox.start_housekeeper().await, sandbox.run(Dummy).await);
    let op = sandbox.submit(&endless().operation()).await;
    for attempt in 1..=3 {
        sandbox.until_working(&op, attempt).await;
        sandbox.bus().request_cancel(&op, "").await.unwrap();
        let record = sandbox.until_concluded(&op).await;
        assert_eq!(
            (record.state, record.steps[0].attempt),
            (OperationState::Cancelled, attempt)
        );
        sandbox.bus().resume(&op).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_queued_and_cancelled_can_be_resumed_before_any_worker_comes() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let op = sandbox.submit(&steps(&[short(1), short(1)])).await;
    sandbox.bus().request_cancel(&op, "").await.unwrap();
    let record = sandbox.until_concluded(&op).await;
    assert!(
        record
            .steps
            .iter()
            .all(|step| step.state == StepState::Cancelled)
    );
    sandbox.bus().resume(&op).await.unwrap();
    let _worker = sandbox.run(Dummy).await;
    sandbox.only_completion_of(&op).await;
}
