//! Crashes of whole processes: workers and the server are killed or frozen, and what was accepted
//! still ends right.

use std::time::{Duration, Instant};

use bus::Profile;
use dummy::Dummy;
use schemas::command::NewOperation;
use schemas::commands::RunDummy;
use schemas::events::What;
use schemas::ids::{OperationId, Service, WorkerId};
use schemas::operation::OperationState;
use system_tests::{Process, Sandbox, side_by_side, steps, until};

use crate::commands::{endless, short};

/// A second of work in 100 iterations with a checkpoint after each tenth.
fn a_second() -> RunDummy {
    RunDummy {
        iterations: 100,
        seconds: 0.01,
        checkpoint_every: 10,
        ..RunDummy::default()
    }
}

fn position_of(worker: &WorkerId, processes: &[Process]) -> usize {
    processes
        .iter()
        .position(|process| process.runs(worker))
        .expect("one of the processes holds it")
}

async fn first_checkpoint(sandbox: &Sandbox, op: &OperationId) -> WorkerId {
    let event = sandbox
        .until_event(op, "checkpointed", |event| event.what == What::Checkpointed)
        .await;
    event.worker.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_mid_step_is_replaced_and_the_step_goes_on_from_its_checkpoint() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let mut processes = [sandbox.spawn("ktrdr-dummy"), sandbox.spawn("ktrdr-dummy")];
    sandbox.until_workers(Service::Dummy, 2).await;
    let op = sandbox.submit(&steps(&[a_second(), short(1)])).await;
    let holder = first_checkpoint(&sandbox, &op).await;
    processes[position_of(&holder, &processes)].kill();
    sandbox.only_completion_of(&op).await;
    let record = sandbox.record(&op).await;
    assert_eq!(record.steps[0].attempt, 2);
    assert!(record.steps[0].result["resumed_at"].as_u64().unwrap() >= 10);
    assert_eq!(record.steps[1].attempt, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_clocks_of_a_fleet_a_killed_worker_is_replaced_within_six_seconds() {
    let sandbox = Sandbox::start_in(Profile::Prod).await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let mut processes = [sandbox.spawn("ktrdr-dummy"), sandbox.spawn("ktrdr-dummy")];
    sandbox.until_workers(Service::Dummy, 2).await;
    let op = sandbox
        .submit(
            &RunDummy {
                checkpoint_every: 1,
                seconds: 0.1,
                ..endless()
            }
            .operation(),
        )
        .await;
    let holder = first_checkpoint(&sandbox, &op).await;
    // Housekeeping calls nobody silent before it has listened for ten seconds itself.
    let listens = sandbox.bus().timing().housekeeping_connected + Duration::from_secs(1);
    until("the housekeeper to be sure", || async {
        (sandbox.bus().connected_since().unwrap().elapsed() > listens).then_some(())
    })
    .await;
    processes[position_of(&holder, &processes)].kill();
    let killed = Instant::now();
    sandbox
        .until_record(&op, "taken over", |record| record.steps[0].attempt == 2)
        .await;
    // Five seconds of silence after the last sign of life, looked for each second.
    assert!(
        killed.elapsed() < Duration::from_millis(6_500),
        "{:?}",
        killed.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_is_replaced_even_while_nobody_does_the_housekeeping() {
    let sandbox = Sandbox::start().await;
    let first = sandbox.run(Dummy).await;
    let op = sandbox.submit(&endless_then_done()).await;
    first_checkpoint(&sandbox, &op).await;
    first.kill();
    let _second = sandbox.run(Dummy).await;
    sandbox.only_completion_of(&op).await;
    assert_eq!(sandbox.record(&op).await.steps[0].attempt, 2);
}

fn endless_then_done() -> NewOperation {
    a_second().operation()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_mid_step_loses_nothing() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _process = sandbox.spawn("ktrdr-dummy");
    let running = sandbox.submit(&steps(&[a_second(), short(2)])).await;
    let queued = sandbox.submit(&steps(&[short(2), short(2)])).await;
    first_checkpoint(&sandbox, &running).await;
    for _ in 0..2 {
        sandbox.kill_server();
        sandbox.restart_server();
        until("the connection", || async {
            sandbox.bus().rtt().await.ok()
        })
        .await;
    }
    for op in [&running, &queued] {
        assert_eq!(
            sandbox.only_completion_of(op).await.state,
            OperationState::Completed
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_worker_that_slept_through_the_loss_of_its_claim_becomes_visible() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let processes = [sandbox.spawn("ktrdr-dummy"), sandbox.spawn("ktrdr-dummy")];
    sandbox.until_workers(Service::Dummy, 2).await;
    let op = sandbox.submit(&a_second().operation()).await;
    let stale = first_checkpoint(&sandbox, &op).await;
    let sleeper = &processes[position_of(&stale, &processes)];
    sleeper.freeze();
    sandbox
        .until_record(&op, "taken over", |record| record.steps[0].attempt == 2)
        .await;
    let others = sandbox.events(&op).await.len();
    sleeper.thaw();
    let completion = sandbox.only_completion_of(&op).await;
    assert_eq!(completion.attempt, 2);
    // The sleeper notices, leaves the step alone and is free for the next one, as is the other.
    let next = [
        sandbox.submit(&endless().operation()).await,
        sandbox.submit(&endless().operation()).await,
    ];
    for op in &next {
        sandbox.until_started(op).await;
    }
    let late = &sandbox.events(&op).await[others..];
    assert!(late.iter().all(|event| event.attempt == 2), "{late:?}");
    assert_eq!(sandbox.record(&op).await.steps[0].attempt, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_ends_although_the_worker_of_a_sibling_died_after_a_failure() {
    let sandbox = Sandbox::start().await;
    let op = sandbox
        .submit(&side_by_side(
            &[
                endless(),
                RunDummy {
                    fail_at: Some(1),
                    ..short(1)
                },
            ],
            short(1),
        ))
        .await;
    let first = sandbox.run(Dummy).await;
    sandbox.until_working(&op, 1).await;
    let _second = sandbox.run(Dummy).await;
    sandbox
        .until_event(&op, "failed", |event| event.what == What::Failed)
        .await;
    assert_eq!(
        sandbox.record(&op).await.state,
        OperationState::Running,
        "the sibling still runs"
    );
    first.kill();
    // Nobody does the housekeeping: the hold ends with the key of the killed worker.
    assert_eq!(
        sandbox.until_concluded(&op).await.state,
        OperationState::Failed
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_kills_its_worker_every_time_is_given_up_after_its_limit() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let mut processes: Vec<Process> = (0..4).map(|_| sandbox.spawn("ktrdr-dummy")).collect();
    sandbox.until_workers(Service::Dummy, 4).await;
    let op = sandbox
        .submit(
            &RunDummy {
                crash_at: Some(1),
                ..short(1)
            }
            .operation(),
        )
        .await;
    let record = sandbox.until_concluded(&op).await;
    assert_eq!(
        (record.state, record.steps[0].attempt),
        (OperationState::Failed, 4)
    );
    assert_eq!(record.failure.unwrap().error.code, "OPS-AttemptsExhausted");
    assert_eq!(sandbox.dead_letters(&op).await.len(), 1);
    let survivors = processes
        .iter_mut()
        .filter_map(|process| process.is_running().then_some(()))
        .count();
    assert_eq!(survivors, 1, "three of four were killed by it");
    sandbox
        .only_completion_of(&sandbox.submit(&short(1).operation()).await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_checkpoints_may_be_interrupted_ten_times() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let op = sandbox
        .submit(
            &RunDummy {
                iterations: 300,
                checkpoint_every: 1,
                ..endless()
            }
            .operation(),
        )
        .await;
    for attempt in 1..=10 {
        let worker = sandbox.run(Dummy).await;
        let of_this = |event: &schemas::events::Event| {
            event.what == What::Checkpointed && event.attempt == attempt
        };
        sandbox.until_event(&op, "checkpointed", of_this).await;
        worker.kill();
    }
    let _last = sandbox.run(Dummy).await;
    sandbox.only_completion_of(&op).await;
    assert_eq!(sandbox.record(&op).await.steps[0].attempt, 11);
}
