//! Queues: who gets what, in which order of preference, and how much may wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dummy::Dummy;
use runtime::{StepContext, StepError, StepHandler};
use schemas::command::NewOperation;
use schemas::commands::{TrainModel, TrainOutcome};
use schemas::ids::{Lane, Service};
use schemas::operation::OperationState;
use system_tests::{Sandbox, steps};

use crate::commands::short;

/// A trainer that only counts.
struct Counting(Arc<AtomicU64>);

impl StepHandler for Counting {
    type Command = TrainModel;

    async fn handle(&self, _: TrainModel, _: &StepContext) -> Result<TrainOutcome, StepError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(TrainOutcome {
            artifact: "a".repeat(64),
            epochs: 1,
            best_epoch: 1,
            stopped_early: false,
            resumed_at: 0,
            metrics: BTreeMap::new(),
            warnings: Vec::new(),
            device: "cpu".to_owned(),
        })
    }
}

fn training(lane: Lane) -> NewOperation {
    let mut new = short(1).operation();
    let step = &mut new.plan.stages[0][0];
    (step.service, step.verb, step.lane) = (Service::Trainer, "train".to_owned(), lane);
    step.command = serde_json::Value::Null;
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trainer_with_a_gpu_goes_first_and_the_others_are_its_spare() {
    let sandbox = Sandbox::start().await;
    let (fast, spare) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let gpu = sandbox.run(Counting(fast.clone())).await;
    let _cpu = sandbox
        .run_with(Counting(spare.clone()), |options| options.priority = 5)
        .await;
    sandbox.until_workers(Service::Trainer, 2).await;
    for _ in 0..10 {
        sandbox
            .only_completion_of(&sandbox.submit(&training(Lane::Default)).await)
            .await;
    }
    assert_eq!(
        (fast.load(Ordering::SeqCst), spare.load(Ordering::SeqCst)),
        (10, 0)
    );
    gpu.shut_down().await.unwrap();
    sandbox
        .only_completion_of(&sandbox.submit(&training(Lane::Default)).await)
        .await;
    assert_eq!(spare.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_is_served_by_its_own_workers_only() {
    let sandbox = Sandbox::start().await;
    let counts = [Lane::Default, Lane::Gpu].map(|lane| (lane, Arc::new(AtomicU64::new(0))));
    let mut workers = Vec::new();
    for (lane, count) in &counts {
        workers.push(
            sandbox
                .run_with(Counting(count.clone()), |options| options.lane = *lane)
                .await,
        );
    }
    for _ in 0..3 {
        sandbox
            .only_completion_of(&sandbox.submit(&training(Lane::Gpu)).await)
            .await;
    }
    assert_eq!(
        counts.map(|(_, count)| count.load(Ordering::SeqCst)),
        [0, 3]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_operations_may_wait_and_each_runs_once() {
    const MANY: usize = 200;
    let sandbox = Sandbox::start().await;
    let mut ops = Vec::new();
    for _ in 0..MANY {
        ops.push(sandbox.submit(&steps(&[short(0), short(0)])).await);
    }
    assert_eq!(
        sandbox
            .bus()
            .queue_depth(Service::Dummy, Lane::Default)
            .await
            .unwrap()
            .pending,
        MANY as u64
    );
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(sandbox.run_with(Dummy, |options| options.slots = 3).await);
    }
    for op in &ops {
        assert_eq!(
            sandbox.only_completion_of(op).await.state,
            OperationState::Completed
        );
        let record = sandbox.record(op).await;
        assert!(
            record
                .steps
                .iter()
                .all(|step| (step.attempt, step.submission) == (1, 1)),
            "{record:#?}"
        );
    }
}
