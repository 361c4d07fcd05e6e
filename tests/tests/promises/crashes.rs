//! Crashes of whole processes: workers and the server are killed or frozen, and what was accepted
//! still ends right.

use std::time::{Duration, Instant};

use bus::Profile;
use dummy::Dummy;
use schemas::commands::RunDummy;
use schemas::events::What;
use schemas::ids::{OperationId, Service, WorkerId};
use schemas::operation::OperationState;
use system_tests::{Process, Sandbox, side_by_side, steps, until};

use crate::commands::{endless, short};

/// A killed worker is replaced within six seconds: two of silence, and what takes its step. One
/// more is for a host that is busy with other tests.
const TAKEOVER_MAX: Duration = Duration::from_secs(7);

/// A second of work in 100 iterations with a checkpoint after each tenth.
fn one_second() -> RunDummy {
    RunDummy {
        iterations: 100,
        seconds: 0.01,
        checkpoint_every: 10,
        ..RunDummy::default()
    }
}

/// The process that runs `worker`.
fn process_of<'a>(worker: &WorkerId, processes: &'a mut [Process]) -> &'a mut Process {
    processes
        .iter_mut()
        .find(|process| process.runs(worker))
        .expect("one of the processes holds it")
}

/// Waits for the first checkpoint of `op`; returns its worker.
async fn first_checkpoint(sandbox: &Sandbox, op: &OperationId) -> WorkerId {
    let event = sandbox
        .until_event(op, "checkpointed", |event| event.what == What::Checkpointed)
        .await;
    event.worker.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_is_replaced_from_its_checkpoint_on() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let mut processes = [sandbox.spawn("ktrdr-dummy"), sandbox.spawn("ktrdr-dummy")];
    sandbox.until_workers(Service::Dummy, 2).await;
    let op = sandbox.submit(&steps(&[one_second(), short(1)])).await;
    let holder = first_checkpoint(&sandbox, &op).await;

    process_of(&holder, &mut processes).kill();

    sandbox.only_completion_of(&op).await;
    let record = sandbox.record(&op).await;
    assert_eq!(record.steps[0].attempt, 2);
    assert!(record.steps[0].result["resumed_at"].as_u64().unwrap() >= 10);
    assert_eq!(record.steps[1].attempt, 1);
}

/// The time from the kill of a worker to the claim of its step by another.
async fn takeover_time(profile: Profile) -> Duration {
    let sandbox = Sandbox::start_in(profile).await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let mut processes = [sandbox.spawn("ktrdr-dummy"), sandbox.spawn("ktrdr-dummy")];
    sandbox.until_workers(Service::Dummy, 2).await;
    let command = RunDummy {
        checkpoint_every: 1,
        seconds: 0.1,
        ..endless()
    };
    let op = sandbox.submit(&command.operation()).await;
    let holder = first_checkpoint(&sandbox, &op).await;

    // Housekeeping calls nobody silent before it has listened for ten seconds itself.
    let listens = sandbox.bus().timing().housekeeping_connected + Duration::from_secs(1);
    until("the housekeeper to be sure", || async {
        let connected_since = sandbox.bus().connection().connected_since().unwrap();
        (connected_since.elapsed() > listens).then_some(())
    })
    .await;

    process_of(&holder, &mut processes).kill();
    let killed = Instant::now();
    sandbox
        .until_record(&op, "taken over", |record| record.steps[0].attempt == 2)
        .await;
    killed.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_dev_a_killed_worker_is_replaced_in_six_seconds() {
    let time = takeover_time(Profile::Dev).await;
    assert!(time < TAKEOVER_MAX, "{time:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_prod_a_killed_worker_is_replaced_in_six_seconds() {
    let time = takeover_time(Profile::Prod).await;
    assert!(time < TAKEOVER_MAX, "{time:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_is_replaced_without_a_housekeeper() {
    let sandbox = Sandbox::start().await;
    let first = sandbox.run(Dummy).await;
    let op = sandbox.submit(&one_second().operation()).await;
    first_checkpoint(&sandbox, &op).await;

    first.kill();

    let _second = sandbox.run(Dummy).await;
    sandbox.only_completion_of(&op).await;
    assert_eq!(sandbox.record(&op).await.steps[0].attempt, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_mid_step_loses_nothing() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _process = sandbox.spawn("ktrdr-dummy");
    let running = sandbox.submit(&steps(&[one_second(), short(2)])).await;
    let queued = sandbox.submit(&steps(&[short(2), short(2)])).await;
    first_checkpoint(&sandbox, &running).await;

    for _ in 0..2 {
        sandbox.kill_server();
        sandbox.restart_server();
        until("the connection", || async {
            sandbox.bus().connection().rtt().await.ok()
        })
        .await;
    }

    for op in [&running, &queued] {
        let completion = sandbox.only_completion_of(op).await;
        assert_eq!(completion.state, OperationState::Completed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_worker_that_overslept_becomes_visible() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let mut processes = [sandbox.spawn("ktrdr-dummy"), sandbox.spawn("ktrdr-dummy")];
    sandbox.until_workers(Service::Dummy, 2).await;
    let op = sandbox.submit(&one_second().operation()).await;
    let holder = first_checkpoint(&sandbox, &op).await;

    // It sleeps through the loss of its claim.
    let sleeper = process_of(&holder, &mut processes);
    sleeper.freeze();
    sandbox
        .until_record(&op, "taken over", |record| record.steps[0].attempt == 2)
        .await;
    let events_before = sandbox.events(&op).await.len();
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
    let late_events = &sandbox.events(&op).await[events_before..];
    assert!(
        late_events.iter().all(|event| event.attempt == 2),
        "{late_events:?}"
    );
    assert_eq!(sandbox.record(&op).await.steps[0].attempt, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_ends_although_the_worker_of_a_sibling_died() {
    let sandbox = Sandbox::start().await;
    let failing = RunDummy {
        fail_at: Some(1),
        ..short(1)
    };
    let op = sandbox
        .submit(&side_by_side(&[endless(), failing], short(1)))
        .await;
    let first = sandbox.run(Dummy).await;
    sandbox.until_working(&op, 1).await;
    let _second = sandbox.run(Dummy).await;
    sandbox
        .until_event(&op, "failed", |event| event.what == What::Failed)
        .await;
    let record = sandbox.record(&op).await;
    assert_eq!(record.state, OperationState::Running, "the sibling runs");

    first.kill();

    // Nobody does the housekeeping: the hold ends with the key of the killed worker.
    let record = sandbox.until_concluded(&op).await;
    assert_eq!(record.state, OperationState::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_kills_its_workers_is_given_up() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let mut processes: Vec<Process> = (0..4).map(|_| sandbox.spawn("ktrdr-dummy")).collect();
    sandbox.until_workers(Service::Dummy, 4).await;
    let deadly = RunDummy {
        crash_at: Some(1),
        ..short(1)
    };

    let op = sandbox.submit(&deadly.operation()).await;
    let record = sandbox.until_concluded(&op).await;

    assert_eq!(record.state, OperationState::Failed);
    assert_eq!(record.steps[0].attempt, 4, "the fourth claim gives it up");
    assert_eq!(record.failure.unwrap().error.code, "OPS-AttemptsExhausted");
    assert_eq!(sandbox.dead_letters(&op).await.len(), 1);

    let mut survivors = 0;
    for process in &mut processes {
        survivors += usize::from(process.is_running());
    }
    assert_eq!(survivors, 1, "three of four were killed by it");
    sandbox.complete(&short(1).operation()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_checkpoints_may_be_interrupted_ten_times() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let command = RunDummy {
        checkpoint_every: 1,
        ..short(300)
    };
    let op = sandbox.submit(&command.operation()).await;

    for attempt in 1..=10 {
        let worker = sandbox.run(Dummy).await;
        sandbox
            .until_event(&op, "checkpointed", |event| {
                event.what == What::Checkpointed && event.attempt == attempt
            })
            .await;
        worker.kill();
    }

    let _last = sandbox.run(Dummy).await;
    sandbox.only_completion_of(&op).await;
    assert_eq!(sandbox.record(&op).await.steps[0].attempt, 11);
}
