//! Workers that leave in order: drained or told to end, they lose nothing and cost nothing.

use std::time::Duration;

use dummy::Dummy;
use runtime::{StepContext, WorkerError};
use schemas::commands::RunDummy;
use schemas::events::What;
use schemas::ids::Service;
use schemas::progress::Progress;
use system_tests::{Act, Sandbox, until};

use crate::commands::{endless, short};

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_worker_finishes_its_step_takes_nothing_new_and_leaves() {
    let sandbox = Sandbox::start().await;
    let mut worker = sandbox.run(Dummy).await;
    let running = sandbox
        .submit(
            &RunDummy {
                iterations: 100,
                ..endless()
            }
            .operation(),
        )
        .await;
    let holder = sandbox.until_started(&running).await.worker.unwrap();
    sandbox.bus().request_drain(&holder).await.unwrap();
    until("the key to say that it drains", || async {
        sandbox
            .bus()
            .workers()
            .await
            .unwrap()
            .iter()
            .any(|worker| worker.draining)
            .then_some(())
    })
    .await;
    let waiting = sandbox.submit(&short(1).operation()).await;
    worker.until_left().await.unwrap();
    sandbox.only_completion_of(&running).await;
    assert!(
        sandbox.bus().workers().await.unwrap().is_empty(),
        "it signed off"
    );
    let record = sandbox.record(&waiting).await;
    assert_eq!(
        (
            record.steps[0].attempt,
            sandbox.commands_of(&waiting).await.len()
        ),
        (0, 1)
    );
    let _next = sandbox.run(Dummy).await;
    sandbox.only_completion_of(&waiting).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_reaches_a_leaving_worker_is_handed_to_another() {
    let sandbox = Sandbox::start().await;
    for _ in 0..5 {
        let leaving = sandbox.run(Dummy).await;
        sandbox.until_workers(Service::Dummy, 1).await;
        let new = short(1).operation();
        let (left, op) = tokio::join!(leaving.shut_down(), sandbox.submit(&new));
        left.unwrap();
        let next = sandbox.run(Dummy).await;
        sandbox.only_completion_of(&op).await;
        assert_eq!(sandbox.record(&op).await.steps[0].barren_attempts, 1);
        next.shut_down().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_hands_the_step_over_at_once_and_counts_no_attempt() {
    let sandbox = Sandbox::start().await;
    let op = sandbox
        .submit(
            &RunDummy {
                iterations: 100,
                ..endless()
            }
            .operation(),
        )
        .await;
    // More often than the three attempts that a step without any advance has.
    for attempt in 1..=5 {
        let worker = sandbox.run(Dummy).await;
        sandbox.until_working(&op, attempt).await;
        worker.shut_down().await.unwrap();
        let record = sandbox.record(&op).await;
        assert_eq!(
            (record.steps[0].attempt, record.steps[0].barren_attempts),
            (attempt, 0)
        );
        assert!(record.steps[0].holder.is_none());
    }
    let _worker = sandbox.run(Dummy).await;
    sandbox.only_completion_of(&op).await;
    assert_eq!(sandbox.record(&op).await.steps[0].attempt, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_told_to_end_saves_its_checkpoint_and_exits_with_success() {
    let sandbox = Sandbox::start().await;
    let mut process = sandbox.spawn("ktrdr-dummy");
    let op = sandbox
        .submit(
            &RunDummy {
                iterations: 100,
                checkpoint_every: 1,
                ..endless()
            }
            .operation(),
        )
        .await;
    sandbox
        .until_event(&op, "checkpointed", |event| {
            event.what == What::Checkpointed
        })
        .await;
    process.terminate();
    assert!(process.until_ended().await.success(), "{}", process.log());
    let _next = sandbox.spawn("ktrdr-dummy");
    let completion = sandbox.only_completion_of(&op).await;
    assert!(completion.result["resumed_at"].as_u64().unwrap() > 0);
    assert_eq!(completion.attempt, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_does_not_stop_in_time_is_left_to_another_worker() {
    let sandbox = Sandbox::start().await;
    let deaf = Act(|_, step: StepContext| async move {
        step.report(Progress::default());
        std::future::pending().await
    });
    let worker = sandbox
        .run_with(deaf, |options| {
            options.drain_timeout = Duration::from_millis(100)
        })
        .await;
    let op = sandbox.submit(&short(1).operation()).await;
    sandbox.until_working(&op, 1).await;
    let left = worker.shut_down().await;
    assert!(
        matches!(left, Err(WorkerError::DrainTimeout(1))),
        "{left:?}"
    );
    let _next = sandbox.run(Dummy).await;
    assert_eq!(sandbox.only_completion_of(&op).await.attempt, 2);
}
