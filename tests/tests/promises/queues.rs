//! Queues: who gets what, in which order of preference, and how much may wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bus::Profile;
use dummy::Dummy;
use runtime::{StepContext, StepError, StepHandler};
use schemas::commands::{DummyOutcome, RunDummy, TrainModel, TrainOutcome};
use schemas::ids::{Lane, Service, WorkerId};
use schemas::operation::NewOperation;
use schemas::operation::OperationState;
use serde_json::Value;
use system_tests::{Act, Sandbox, steps, until};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::commands::{endless, short};

/// Iterations of a dummy that works for as long as its test wants.
const LONG: u64 = 1_000;

/// A trainer that only counts its runs.
#[derive(Clone, Default)]
struct CountingTrainer {
    runs: Arc<AtomicU64>,
}

impl CountingTrainer {
    fn runs(&self) -> u64 {
        self.runs.load(Ordering::SeqCst)
    }
}

impl StepHandler for CountingTrainer {
    type Command = TrainModel;

    async fn handle(&self, _: TrainModel, _: &StepContext) -> Result<TrainOutcome, StepError> {
        self.runs.fetch_add(1, Ordering::SeqCst);

        Ok(TrainOutcome {
            decisions: [].into(),
            windows: None,
            artifact: "a".repeat(64),
            epochs: 1,
            best_epoch: 1,
            stopped_early: false,
            ending: None,
            resumed_at: 0,
            parameters: 0,
            metrics: BTreeMap::new(),
            classes: Vec::new(),
            warnings: Vec::new(),
            device: "cpu".to_owned(),
            bundle: Vec::new(),
            gpu_memory_peak_bytes: None,
        })
    }
}

/// A training of one step on a lane.
fn training(lane: Lane) -> NewOperation {
    let mut new = short(1).operation();
    let step = &mut new.plan.stages[0][0];
    step.service = Service::Trainer;
    step.verb = "train".to_owned();
    step.lane = lane;
    step.command = Value::Null;
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trainer_of_priority_0_goes_before_one_of_5() {
    let sandbox = Sandbox::start().await;
    let preferred = CountingTrainer::default();
    let spare = CountingTrainer::default();
    let preferred_worker = sandbox.run(preferred.clone()).await;
    let _spare_worker = sandbox
        .run_with(spare.clone(), |options| options.priority = 5)
        .await;
    sandbox.until_workers(Service::Trainer, 2).await;

    for _ in 0..10 {
        sandbox.complete(&training(Lane::Default)).await;
    }
    assert_eq!((preferred.runs(), spare.runs()), (10, 0));

    preferred_worker.shut_down().await.unwrap();
    sandbox.complete(&training(Lane::Default)).await;
    assert_eq!(spare.runs(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_is_served_by_its_own_workers_only() {
    let sandbox = Sandbox::start().await;
    let on_default = CountingTrainer::default();
    let on_gpu = CountingTrainer::default();
    let _workers = [
        sandbox.run(on_default.clone()).await,
        sandbox
            .run_with(on_gpu.clone(), |options| options.lanes = vec![Lane::Gpu])
            .await,
    ];

    for _ in 0..3 {
        sandbox.complete(&training(Lane::Gpu)).await;
    }

    assert_eq!((on_default.runs(), on_gpu.runs()), (0, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_serves_every_lane_the_preferred_one_first() {
    let sandbox = Sandbox::start().await;
    let submit = async |lane: Lane| sandbox.submit(&training(lane)).await;
    let background = [
        submit(Lane::Background).await,
        submit(Lane::Background).await,
    ];
    let urgent = [submit(Lane::Default).await, submit(Lane::Default).await];

    let _worker = sandbox.run(CountingTrainer::default()).await;

    let mut begins = Vec::new();
    for op in urgent.iter().chain(&background) {
        sandbox.only_completion_of(op).await;
        begins.push(sandbox.record(op).await.started_at);
    }
    assert!(begins.is_sorted(), "{begins:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_worker_holds_no_command_of_another_lane() {
    // A command that was held would come again only after the minute that this profile allows.
    const SOON: Duration = Duration::from_secs(20);
    let sandbox = Sandbox::start_in(Profile::Prod).await;
    let _busy = sandbox.run(Dummy).await;
    let running = sandbox.submit(&endless().operation()).await;
    sandbox.until_started(&running).await;
    let op = sandbox.submit(&short(1).operation().in_background()).await;

    // The pull that the busy worker had open may have brought it the command.
    let _idle = sandbox.run(Dummy).await;

    let completion = timeout(SOON, sandbox.only_completion_of(&op)).await;
    assert!(completion.is_ok(), "a busy worker held the command");
    let record = sandbox.record(&op).await;
    assert_eq!(record.steps[0].attempt, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_host_is_at_fault_takes_nothing_new() {
    let sandbox = Sandbox::start().await;
    let mut broken = sandbox
        .run(Act(|_, _| async { panic!("the device is gone") }))
        .await;
    let mut ops = Vec::new();
    for _ in 0..4 {
        ops.push(sandbox.submit(&short(1).operation()).await);
    }

    let (worker, reason) = until_degraded(&sandbox).await;

    assert!(reason.contains("the device is gone"), "{reason}");
    let health = sandbox
        .bus()
        .services()
        .ask(Service::Dummy, "health", Vec::new());
    let health = String::from_utf8(health.await.unwrap()).unwrap();
    assert!(health.contains(r#""status":"degraded""#), "{health}");
    sandbox
        .bus()
        .workers()
        .request_drain(&worker)
        .await
        .unwrap();
    broken.until_left().await.unwrap();

    let _healthy = sandbox.run(Dummy).await;
    for op in &ops {
        sandbox.only_completion_of(op).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_degraded_worker_that_drains_finishes_its_steps() {
    let sandbox = Sandbox::start().await;
    let finish = Arc::new(Notify::new());
    let finish_in_handler = finish.clone();
    let act = Act(move |command: RunDummy, _| {
        let finish = finish_in_handler.clone();
        async move {
            assert_eq!(command.iterations, LONG, "the device is gone");
            finish.notified().await;
            Ok(DummyOutcome {
                iterations: LONG,
                resumed_at: 0,
            })
        }
    });
    let mut worker = sandbox.run_with(act, |options| options.slots = 2).await;
    let long = RunDummy {
        iterations: LONG,
        ..RunDummy::default()
    };
    let op = sandbox.submit(&long.operation()).await;
    sandbox.until_started(&op).await;
    for _ in 0..3 {
        sandbox.submit(&short(1).operation()).await;
    }
    let (id, _) = until_degraded(&sandbox).await;

    sandbox.bus().workers().request_drain(&id).await.unwrap();
    sandbox.bus().flush().await.unwrap();
    finish.notify_one();

    sandbox.only_completion_of(&op).await;
    worker.until_left().await.unwrap();
}

/// The first worker that takes nothing new because of its host, and why.
async fn until_degraded(sandbox: &Sandbox) -> (WorkerId, String) {
    until("the worker gives up", || async {
        let workers = sandbox.bus().workers().list().await.unwrap();
        let mut degraded = workers
            .into_iter()
            .filter_map(|info| Some((info.worker, info.degraded?)));
        degraded.next()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_operations_may_wait_and_each_runs_once() {
    const MANY: usize = 200;
    let sandbox = Sandbox::start().await;
    let mut ops = Vec::new();
    for _ in 0..MANY {
        ops.push(sandbox.submit(&steps(&[short(0), short(0)])).await);
    }
    let depth = sandbox
        .bus()
        .commands()
        .queue_depth(Service::Dummy, Lane::Default)
        .await
        .unwrap();
    assert_eq!(depth.pending, MANY as u64);

    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(sandbox.run_with(Dummy, |options| options.slots = 3).await);
    }

    for op in &ops {
        let completion = sandbox.only_completion_of(op).await;
        assert_eq!(completion.state, OperationState::Completed);
        for step in sandbox.record(op).await.steps {
            assert_eq!((step.attempt, step.submission), (1, 1), "{op}");
        }
    }
}
