//! Latency: how soon a command is entered, and how soon progress is seen.
//!
//! The promise is a p99 of 20 ms on an idle host, and the bench `latency` measures it. Tests share
//! their host with everything else that runs, so they look at the median and allow ten times as
//! much: what fails here is broken, not busy.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bus::{FollowOptions, Update};
use futures::StreamExt;
use runtime::{StepContext, StepError, StepHandler};
use schemas::commands::{DummyOutcome, RunDummy};
use schemas::ids::{OperationId, Service};
use schemas::progress::{Context, Count, Progress};
use system_tests::{Act, Sandbox, new_id};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::commands::short;

const ROUNDS: usize = 20;
/// Ten times the promise.
const MEDIAN_MAX: Duration = Duration::from_millis(200);

fn median_of(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn outcome() -> DummyOutcome {
    DummyOutcome {
        iterations: 1,
        resumed_at: 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submitted_command_is_entered_within_a_fifth_of_a_second() {
    let sandbox = Sandbox::start().await;
    let (entries, mut entered) = mpsc::unbounded_channel();
    let _worker = sandbox
        .run(Act(move |_, _| {
            entries.send(Instant::now()).unwrap();
            std::future::ready(Ok(outcome()))
        }))
        .await;

    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        // A worker that is still busy with the last round would make this one wait.
        sandbox.until_workers(Service::Dummy, 1).await;
        let submitted = Instant::now();
        let op = sandbox.submit(&short(1).operation()).await;
        times.push(entered.recv().await.unwrap() - submitted);
        sandbox.until_concluded(&op).await;
    }

    let median = median_of(times);
    assert!(median < MEDIAN_MAX, "{median:?}");
}

/// Reports its progress some times, each after a quiet time: then it goes out at once.
struct RareReporter {
    /// Gets the moment of each report.
    reports: mpsc::UnboundedSender<Instant>,
}

impl StepHandler for RareReporter {
    type Command = RunDummy;

    async fn handle(&self, _: RunDummy, step: &StepContext) -> Result<DummyOutcome, StepError> {
        let total = ROUNDS as u64;
        for done in 1..=total {
            stay_quiet(step).await;
            self.reports.send(Instant::now()).unwrap();
            step.report(Progress {
                context: Context::Dummy {
                    iterations: Count { done, total },
                },
                ..Progress::default()
            });
        }

        stay_quiet(step).await;
        Ok(outcome())
    }
}

/// Longer than the quiet time after which progress goes out at once; ends early with the step.
async fn stay_quiet(step: &StepContext) {
    let _ = timeout(Duration::from_millis(60), step.stop().requested()).await;
}

/// Follows an operation to its end; returns when each count of iterations was seen first.
async fn follow_iterations(sandbox: &Sandbox, op: &OperationId) -> BTreeMap<u64, Instant> {
    let live = FollowOptions { from_start: false };
    let mut updates = sandbox.bus().operations().follow(op, live).await.unwrap();
    sandbox
        .bus()
        .operations()
        .submit(op, &short(1).operation())
        .await
        .unwrap();

    let mut seen = BTreeMap::new();
    while let Some(update) = updates.next().await {
        if let Update::Progress(progress) = update
            && let Context::Dummy { iterations } = progress.context
        {
            seen.entry(iterations.done).or_insert_with(Instant::now);
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn reported_progress_is_seen_within_a_fifth_of_a_second() {
    let sandbox = Sandbox::start().await;
    let (reports, mut reported) = mpsc::unbounded_channel();
    let _worker = sandbox.run(RareReporter { reports }).await;

    let seen = follow_iterations(&sandbox, &new_id("dummy")).await;

    let mut times = Vec::new();
    for done in 1..=ROUNDS as u64 {
        let report = reported.recv().await.unwrap();
        if let Some(at) = seen.get(&done) {
            times.push(*at - report);
        }
    }
    assert!(times.len() > ROUNDS / 2, "{} of {ROUNDS} seen", times.len());
    let median = median_of(times);
    assert!(median < MEDIAN_MAX, "{median:?}");
}
