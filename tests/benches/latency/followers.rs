//! From a report of progress to those who follow it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bus::{Bus, FollowOptions, Update};
use futures::StreamExt;
use futures::future::join_all;
use runtime::{StepContext, StepError, StepHandler};
use schemas::commands::{DummyOutcome, RunDummy};
use schemas::ids::OperationId;
use schemas::progress::{Context, Count, Progress};
use system_tests::{Sandbox, new_id};
use tokio::sync::Barrier;
use tokio::time::timeout;

use crate::{outcome, print_row, run};

/// Reports of an operation.
const UPDATES: u64 = 1_000;
/// Longer than the 50 ms of quiet after which progress goes out at once.
const QUIET: Duration = Duration::from_millis(60);
/// Followers of one operation, while others run beside it.
const FOLLOWERS: usize = 20;
const OPERATIONS: u16 = 10;

/// When which iteration of which operation was reported.
type Reports = Arc<Mutex<Vec<(OperationId, u64, Instant)>>>;

/// Reports progress rarely, and when.
struct RareReporter {
    reports: Reports,
}

impl StepHandler for RareReporter {
    type Command = RunDummy;

    async fn handle(&self, _: RunDummy, step: &StepContext) -> Result<DummyOutcome, StepError> {
        for done in 1..=UPDATES {
            let _ = timeout(QUIET, step.stop().requested()).await;
            let report = (step.op().clone(), done, Instant::now());
            self.reports.lock().unwrap().push(report);

            let total = UPDATES;
            step.report(Progress {
                context: Context::Dummy {
                    iterations: Count { done, total },
                },
                ..Progress::default()
            });
        }

        Ok(outcome(UPDATES))
    }
}

/// From the store into the slot, after a quiet time, to the follower's stream.
pub(crate) async fn measure_one() {
    let times = measure(1, 1).await;
    print_row("progress reported, after 60 ms of quiet -> follower", times);
}

/// The same for many followers, each with a connection of its own, beside other operations that
/// report as well.
pub(crate) async fn measure_many() {
    let times = measure(FOLLOWERS, OPERATIONS).await;
    print_row("the same, 20 followers of one of 10 operations", times);
}

async fn measure(followers: usize, operations: u16) -> Vec<Duration> {
    let sandbox = Sandbox::start().await;
    let reports = Reports::default();
    let handler = RareReporter {
        reports: reports.clone(),
    };
    let _worker = sandbox
        .run_with(handler, |options| options.slots = operations)
        .await;

    let op = new_id("dummy");
    let mut following = Vec::new();
    let ready = Arc::new(Barrier::new(followers + 1));
    for _ in 0..followers {
        let bus = sandbox.connect().await;
        following.push(tokio::spawn(follow(bus, op.clone(), ready.clone())));
    }
    ready.wait().await;
    for _ in 1..operations {
        sandbox.submit(&run(1).operation()).await;
    }
    let operation = run(1).operation();
    let submitted = sandbox.bus().operations().submit(&op, &operation).await;
    submitted.unwrap();

    let arrivals = join_all(following).await.into_iter().map(Result::unwrap);
    let reports = reports.lock().unwrap();
    let arrivals = arrivals.flatten().filter_map(|(done, at)| {
        let is_of = |report: &&(OperationId, u64, Instant)| report.0 == op && report.1 == done;
        let reported = reports.iter().find(is_of)?;
        Some(at.duration_since(reported.2))
    });
    arrivals.collect()
}

/// When which iteration of the operation was seen, to its end.
async fn follow(bus: Bus, op: OperationId, ready: Arc<Barrier>) -> Vec<(u64, Instant)> {
    let updates = bus.operations().follow(&op, FollowOptions::default());
    let mut updates = updates.await.unwrap();
    ready.wait().await;

    let mut arrivals = Vec::new();
    while let Some(update) = updates.next().await {
        let at = Instant::now();
        if let Update::Progress(progress) = update
            && let Context::Dummy { iterations } = progress.context
        {
            arrivals.push((iterations.done, at));
        }
    }
    arrivals
}
