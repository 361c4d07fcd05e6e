//! Failures inside the handler: tried again while it may help, given up in time, told clearly.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dummy::Dummy;
use runtime::StepError;
use schemas::commands::{DummyOutcome, RunDummy};
use schemas::errors::ErrorRecord;
use schemas::ids::Service;
use schemas::operation::{OperationState, StepState};
use system_tests::{Act, Sandbox, side_by_side, steps};

use crate::commands::{endless, short};

fn away() -> StepError {
    StepError::retry(
        Duration::from_millis(20),
        ErrorRecord::new("TEST-Away", "the provider is away", "wait"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_asks_for_another_try_gets_it() {
    let sandbox = Sandbox::start().await;
    let runs = Arc::new(AtomicU64::new(0));
    let flaky = move |_, _| {
        let first = runs.fetch_add(1, Ordering::SeqCst) == 0;
        futures::future::ready(if first {
            Err(away())
        } else {
            Ok(DummyOutcome {
                iterations: 1,
                resumed_at: 0,
            })
        })
    };
    let _worker = sandbox.run(Act(flaky)).await;
    let op = sandbox.submit(&short(1).operation()).await;
    sandbox.only_completion_of(&op).await;
    assert_eq!(
        sandbox.story(&op).await,
        "1.started 1.retrying 1.started 1.completed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_without_any_advance_end_after_three() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Act(|_, _| async { Err(away()) })).await;
    let op = sandbox.submit(&short(1).operation()).await;
    let record = sandbox.until_concluded(&op).await;
    assert_eq!(
        (record.state, record.steps[0].attempt),
        (OperationState::Failed, 3)
    );
    let failure = record.failure.unwrap();
    assert_eq!(
        (failure.error.code.as_str(), failure.step.get()),
        ("TEST-Away", 1)
    );
    assert_eq!(
        sandbox.story(&op).await,
        "1.started 1.retrying 1.started 1.retrying 1.started 1.failed"
    );
    assert_eq!(sandbox.dead_letters(&op).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_panics_takes_nothing_else_with_it() {
    let sandbox = Sandbox::start().await;
    let act = |command: RunDummy, _| async move {
        assert_ne!(command.iterations, 13, "unlucky");
        Ok(DummyOutcome {
            iterations: command.iterations,
            resumed_at: 0,
        })
    };
    let _worker = sandbox.run(Act(act)).await;
    let bad = sandbox.submit(&short(13).operation()).await;
    let good = sandbox.submit(&short(1).operation()).await;
    sandbox.only_completion_of(&good).await;
    let record = sandbox.until_concluded(&bad).await;
    assert_eq!(
        (record.state, record.failure.unwrap().error.code.as_str()),
        (OperationState::Failed, "SYS-Panic")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_for_good_is_not_tried_again_and_leaves_a_dead_letter() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    let op = sandbox
        .submit(&steps(&[
            RunDummy {
                fail_at: Some(2),
                ..short(3)
            },
            short(1),
        ]))
        .await;
    let record = sandbox.until_concluded(&op).await;
    assert_eq!(
        (record.state, record.steps[0].attempt),
        (OperationState::Failed, 1)
    );
    assert_eq!(
        record.steps[1].state,
        StepState::Pending,
        "what follows was never started"
    );
    assert_eq!(sandbox.story(&op).await, "1.started 1.failed");
    let letters = sandbox.dead_letters(&op).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].error.message, "failed at iteration 2 as asked");
    assert_eq!(
        letters[0].error.hint,
        format!("leave out fail_at; then requeue with `ktrdr resume {op}`")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_step_leaves_its_running_sibling_alone_and_starts_no_other() {
    let sandbox = Sandbox::start().await;
    let _workers = [sandbox.run(Dummy).await, sandbox.run(Dummy).await];
    let failing = RunDummy {
        fail_at: Some(3),
        ..short(3)
    };
    let op = sandbox
        .submit(&side_by_side(
            &[
                RunDummy {
                    iterations: 60,
                    ..endless()
                },
                failing,
                short(1),
            ],
            short(1),
        ))
        .await;
    let record = sandbox.until_concluded(&op).await;
    assert_eq!(record.state, OperationState::Failed);
    let states: Vec<StepState> = record.steps.iter().map(|step| step.state).collect();
    assert_eq!(states[..2], [StepState::Completed, StepState::Failed]);
    assert_eq!(states[3], StepState::Pending);
    assert_eq!(record.steps[0].result["iterations"], 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_steps_that_fail_each_says_why() {
    let sandbox = Sandbox::start().await;
    let _workers = [sandbox.run(Dummy).await, sandbox.run(Dummy).await];
    sandbox.until_workers(Service::Dummy, 2).await;
    let failing = |iteration| RunDummy {
        iterations: 50,
        fail_at: Some(iteration),
        ..endless()
    };
    let op = sandbox
        .submit(&side_by_side(&[failing(30), failing(50)], short(1)))
        .await;
    assert_eq!(
        sandbox.until_concluded(&op).await.state,
        OperationState::Failed
    );
    let mut letters = sandbox.dead_letters(&op).await;
    letters.sort_by_key(|letter| letter.at);
    let told: Vec<_> = letters
        .iter()
        .map(|letter| letter.error.message.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "failed at iteration 30 as asked",
            "failed at iteration 50 as asked (DUMMY-Asked)"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_the_worker_does_not_know_fails_with_what_to_do() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    let mut unknown = short(1).operation();
    unknown.plan.stages[0][0].verb = "dance".to_owned();
    let mut misspelt = short(1).operation();
    misspelt.plan.stages[0][0].command = serde_json::json!({ "iteratoins": 3 });
    for (new, code) in [
        (unknown, "OPS-UnknownVerb"),
        (misspelt, "OPS-InvalidCommand"),
    ] {
        let op = sandbox.submit(&new).await;
        let error = sandbox.until_concluded(&op).await.failure.unwrap().error;
        assert_eq!(error.code, code);
        assert!(!error.hint.is_empty());
    }
}
