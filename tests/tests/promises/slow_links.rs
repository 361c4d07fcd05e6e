//! A slow link is no silence: workers and housekeeper behind a proxy that holds each chunk of bytes,
//! and no healthy work is taken from anybody.

use std::time::{Duration, Instant};

use bus::Profile;
use dummy::Dummy;
use futures::future::join_all;
use schemas::commands::RunDummy;
use schemas::events::What;
use schemas::ids::{OperationId, Service};
use schemas::operation::OperationState;
use system_tests::{Process, Sandbox, SlowLink, Slowness, Worker, until};

/// Steps that run side by side.
const STEPS: usize = 28;
/// Longer than the silence after which a step is taken, and than every wait for an acknowledgement
/// in `dev`. A longer one is for a hand, as in `SLOW_LINK_STEP_S=60`.
const STEP_S: f64 = 15.0;
/// From the kill to the next claim without a slow link, twice the promise: a host that runs other
/// tests is busy.
const TAKEOVER_MAX: Duration = Duration::from_secs(12);

fn step_length() -> f64 {
    let chosen = std::env::var("SLOW_LINK_STEP_S").ok();
    chosen.map_or(STEP_S, |text| text.parse().unwrap())
}

/// Reports ten times a second, and makes no checkpoint.
fn long_step() -> RunDummy {
    RunDummy {
        iterations: (step_length() * 10.0) as u64,
        seconds: 0.1,
        ..RunDummy::default()
    }
}

async fn start_four_workers(sandbox: &Sandbox, link: &SlowLink) -> Vec<Worker> {
    let mut workers = Vec::new();
    for _ in 0..4 {
        let bus = sandbox.connect_over(link).await;
        workers.push(sandbox.run_on(bus, Dummy, |options| options.slots = 8));
    }
    sandbox.until_workers(Service::Dummy, 4).await;
    workers
}

/// Waits for the end of an operation, however long its steps are.
async fn until_completed(sandbox: &Sandbox, op: &OperationId) {
    let patience = Duration::from_secs_f64(step_length() * 4.0);
    let started = Instant::now();

    while started.elapsed() < patience {
        sandbox.after(Duration::from_millis(500)).await;
        if sandbox.record(op).await.state.is_terminal() {
            break;
        }
    }
    let record = sandbox.record(op).await;
    assert_eq!(record.state, OperationState::Completed, "{record:#?}");
}

/// Every step runs once, behind a link that holds each chunk for `hold`.
async fn work_behind(hold: Duration, profile: Profile) {
    let sandbox = Sandbox::start_in(profile).await;
    let link = sandbox.slow_link(Slowness::of(hold)).await;
    let _housekeeper = sandbox.keep_house_on(sandbox.connect_over(&link).await);
    let _workers = start_four_workers(&sandbox, &link).await;

    let request = long_step().operation();
    let ops = join_all((0..STEPS).map(|_| sandbox.submit(&request))).await;
    let started = Instant::now();
    join_all(ops.iter().map(|op| until_completed(&sandbox, op))).await;
    eprintln!(
        "{profile:?}, {hold:?}: {STEPS} steps completed in {:?}",
        started.elapsed()
    );

    for op in &ops {
        let record = sandbox.record(op).await;
        assert_eq!(record.steps[0].attempt, 1, "{:?}", sandbox.story(op).await);
        sandbox.only_completion_of(op).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_300_ms_a_chunk_in_dev_each_step_runs_once() {
    work_behind(Duration::from_millis(300), Profile::Dev).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_300_ms_a_chunk_in_prod_each_step_runs_once() {
    work_behind(Duration::from_millis(300), Profile::Prod).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_25_ms_a_chunk_in_dev_each_step_runs_once() {
    work_behind(Duration::from_millis(25), Profile::Dev).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_25_ms_a_chunk_in_prod_each_step_runs_once() {
    work_behind(Duration::from_millis(25), Profile::Prod).await;
}

/// The time from the kill of a worker to the claim of its step by another, all of them and the
/// housekeeper behind the link.
async fn takeover_time(hold: Duration, profile: Profile) -> Duration {
    let sandbox = Sandbox::start_in(profile).await;
    let link = sandbox.slow_link(Slowness::of(hold)).await;
    let _housekeeper = sandbox.keep_house_on(sandbox.connect_over(&link).await);
    let spawn = || sandbox.spawn_at(link.url(), "ktrdr-dummy", &[]);
    let mut processes: [Process; 2] = [spawn(), spawn()];
    sandbox.until_workers(Service::Dummy, 2).await;
    let op = sandbox.submit(&long_step().operation()).await;
    let started = sandbox.until_started(&op).await;

    // Housekeeping calls nobody silent before it has listened for ten seconds itself.
    let listens = sandbox.bus().timing().housekeeping_connected + Duration::from_secs(3);
    until("the housekeeper to be sure", || async {
        let connected_since = sandbox.bus().connection().connected_since().unwrap();
        (connected_since.elapsed() > listens).then_some(())
    })
    .await;

    let holder = started.worker.unwrap();
    let process = processes.iter_mut().find(|process| process.runs(&holder));
    process.expect("one of the processes holds it").kill();
    let killed = Instant::now();
    until("the next claim", || async {
        (sandbox.record(&op).await.steps[0].attempt == 2).then_some(())
    })
    .await;
    let time = killed.elapsed();
    eprintln!("{profile:?}, {hold:?}: taken over after {time:?}");
    time
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_behind_300_ms_is_replaced() {
    for profile in [Profile::Dev, Profile::Prod] {
        let hold = Duration::from_millis(300);
        let time = takeover_time(hold, profile).await;
        let round_trip = 2 * hold;
        assert!(
            time < TAKEOVER_MAX + 2 * round_trip,
            "{profile:?}: {time:?}"
        );
    }
}

/// A worker that seemed to be lost, and lives: its step was taken over, but not in vain.
#[tokio::test(flavor = "multi_thread")]
async fn takeovers_of_workers_that_live_do_not_fail_the_step() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let processes = [sandbox.spawn("ktrdr-dummy"), sandbox.spawn("ktrdr-dummy")];
    sandbox.until_workers(Service::Dummy, 2).await;
    let step = RunDummy {
        iterations: 10_000,
        seconds: 0.05,
        ..RunDummy::default()
    };
    let op = sandbox.submit(&step.operation()).await;

    // Five times: without forgiveness the fourth claim would give it up.
    for attempt in 1..=5 {
        let started = sandbox
            .until_event(&op, "started", |event| {
                event.what == What::Started && event.attempt == attempt
            })
            .await;
        let holder = started.worker.unwrap();
        let sleeper = processes.iter().find(|process| process.runs(&holder));
        let sleeper = sleeper.expect("one of the processes holds it");

        sleeper.freeze();
        sandbox
            .until_record(&op, "taken over", |record| {
                record.steps[0].attempt == attempt + 1
            })
            .await;
        sleeper.thaw();
        until("the takeover to be forgiven", || async {
            (sandbox.record(&op).await.steps[0].barren_attempts == 1).then_some(())
        })
        .await;
    }
}
