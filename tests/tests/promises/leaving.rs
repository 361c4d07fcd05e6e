//! Workers that leave in order: drained or asked to end, they lose nothing and cost nothing.

use std::time::Duration;

use dummy::Dummy;
use runtime::{StepContext, WorkerError};
use schemas::commands::RunDummy;
use schemas::events::What;
use schemas::ids::{Service, WorkerId};
use schemas::progress::Progress;
use system_tests::{Act, Sandbox, until};

use crate::commands::short;

/// Asks a worker to drain, and waits until its key says so.
async fn drain(sandbox: &Sandbox, worker: &WorkerId) {
    sandbox.bus().workers().request_drain(worker).await.unwrap();

    until("the key to say that it drains", || async {
        let workers = sandbox.bus().workers().list().await.unwrap();
        workers.iter().any(|worker| worker.draining).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_worker_finishes_its_step_and_takes_no_other() {
    let sandbox = Sandbox::start().await;
    let mut worker = sandbox.run(Dummy).await;
    let running = sandbox.submit(&short(100).operation()).await;
    let holder = sandbox.until_started(&running).await.worker.unwrap();

    drain(&sandbox, &holder).await;
    let waiting = sandbox.submit(&short(1).operation()).await;
    worker.until_left().await.unwrap();

    sandbox.only_completion_of(&running).await;
    let workers = sandbox.bus().workers().list().await.unwrap();
    assert!(workers.is_empty(), "it signed off");
    assert_eq!(sandbox.record(&waiting).await.steps[0].attempt, 0);
    assert_eq!(sandbox.commands_of(&waiting).await.len(), 1);

    let _next = sandbox.run(Dummy).await;
    sandbox.only_completion_of(&waiting).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_for_a_leaving_worker_goes_to_another() {
    let sandbox = Sandbox::start().await;

    for _ in 0..5 {
        let leaving = sandbox.run(Dummy).await;
        sandbox.until_workers(Service::Dummy, 1).await;
        let new = short(1).operation();
        let (shut_down, op) = tokio::join!(leaving.shut_down(), sandbox.submit(&new));
        shut_down.unwrap();

        let next = sandbox.run(Dummy).await;
        sandbox.only_completion_of(&op).await;
        assert_eq!(sandbox.record(&op).await.steps[0].barren_attempts, 1);
        next.shut_down().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_hands_the_step_over_and_counts_no_attempt() {
    let sandbox = Sandbox::start().await;
    let op = sandbox.submit(&short(100).operation()).await;

    // More often than the three attempts that a step has without a checkpoint.
    for attempt in 1..=5 {
        let worker = sandbox.run(Dummy).await;
        sandbox.until_working(&op, attempt).await;
        worker.shut_down().await.unwrap();

        let step = &sandbox.record(&op).await.steps[0];
        assert_eq!((step.attempt, step.barren_attempts), (attempt, 0));
        assert!(step.holder.is_none());
    }

    let _worker = sandbox.run(Dummy).await;
    sandbox.only_completion_of(&op).await;
    assert_eq!(sandbox.record(&op).await.steps[0].attempt, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_asked_to_end_saves_its_checkpoint() {
    let sandbox = Sandbox::start().await;
    let mut process = sandbox.spawn("ktrdr-dummy");
    let command = RunDummy {
        checkpoint_every: 1,
        ..short(100)
    };
    let op = sandbox.submit(&command.operation()).await;
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
async fn a_step_that_does_not_stop_goes_to_another_worker() {
    let sandbox = Sandbox::start().await;
    let deaf = Act(|_, step: StepContext| async move {
        step.report(Progress::default());
        std::future::pending().await
    });
    let worker = sandbox
        .run_with(deaf, |options| {
            options.drain_timeout = Duration::from_millis(100);
        })
        .await;
    let op = sandbox.submit(&short(1).operation()).await;
    sandbox.until_working(&op, 1).await;

    let shut_down = worker.shut_down().await;

    assert!(
        matches!(shut_down, Err(WorkerError::DrainTimeout(1))),
        "{shut_down:?}"
    );
    let _next = sandbox.run(Dummy).await;
    assert_eq!(sandbox.only_completion_of(&op).await.attempt, 2);
}
