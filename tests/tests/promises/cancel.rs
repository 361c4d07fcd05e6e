//! Cancel: at any moment, by anybody, at once, and for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dummy::Dummy;
use runtime::{RetryClass, RetryPolicy, StepContext, StepError, StepHandler};
use schemas::commands::{DummyOutcome, RunDummy};
use schemas::errors::ErrorRecord;
use schemas::events::What;
use schemas::ids::{OperationId, Service};
use schemas::operation::NewOperation;
use schemas::operation::{OperationRecord, OperationState, StepState};
use schemas::progress::Progress;
use schemas::subjects;
use system_tests::{Act, Sandbox, steps, until};
use tokio::sync::mpsc;

use crate::commands::{endless, short};

const HOUR: Duration = Duration::from_secs(3_600);

/// The same as `nats pub ktrdr.control.cancel.<op> ''`.
async fn publish_bare_cancel(sandbox: &Sandbox, op: &OperationId) {
    let client = sandbox.client();
    client
        .publish(subjects::cancel(op), Vec::new().into())
        .await
        .unwrap();
}

/// Waits until `op` is cancelled, with one event per cancelled step and no dead letter.
async fn assert_cancelled_for_good(sandbox: &Sandbox, op: &OperationId) -> OperationRecord {
    let record = sandbox.until_concluded(op).await;
    assert_eq!(record.state, OperationState::Cancelled);

    let events = sandbox.events(op).await;
    let announced = events
        .iter()
        .filter(|event| event.what == What::Cancelled)
        .count();
    let cancelled = record
        .steps
        .iter()
        .filter(|step| step.state == StepState::Cancelled)
        .count();
    assert_eq!(announced, cancelled);
    assert!(sandbox.dead_letters(op).await.is_empty());
    record
}

/// A failure that may pass.
fn away() -> StepError {
    StepError::retry(
        RetryClass::System,
        ErrorRecord::new("TEST-Away", "away", "wait"),
    )
}

/// Two steps, the second for a service that has no worker.
fn stuck_after_the_first_step() -> NewOperation {
    let mut new = steps(&[short(1), short(1)]);
    new.plan.stages[1][0].service = Service::Registry;
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn work_on_its_queue_is_cancelled_and_never_runs() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let op = sandbox.submit(&short(1).operation()).await;

    sandbox
        .bus()
        .cancels()
        .request(&op, "not needed")
        .await
        .unwrap();

    let record = assert_cancelled_for_good(&sandbox, &op).await;
    assert_eq!(record.cancel.unwrap().reason, "not needed");

    // A worker that comes later finds nothing of it.
    let _worker = sandbox.run(Dummy).await;
    sandbox.complete(&short(1).operation()).await;
    assert_eq!(sandbox.story(&op).await, "1.cancelled");
    assert_eq!(sandbox.record(&op).await.steps[0].attempt, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_housekeeper_waits_for_the_next_one() {
    let sandbox = Sandbox::start().await;
    let op = sandbox.submit(&short(1).operation()).await;
    publish_bare_cancel(&sandbox, &op).await;
    sandbox.bus().flush().await.unwrap();

    let _housekeeper = sandbox.start_housekeeper().await;

    assert_cancelled_for_good(&sandbox, &op).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_between_two_steps_keeps_the_first_result() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _worker = sandbox.run(Dummy).await;
    let op = sandbox.submit(&stuck_after_the_first_step()).await;
    sandbox
        .until_event(&op, "completed", |event| event.what == What::Completed)
        .await;

    sandbox.bus().cancels().request(&op, "").await.unwrap();

    let record = assert_cancelled_for_good(&sandbox, &op).await;
    assert_eq!(record.steps[0].state, StepState::Completed);
    assert_eq!(record.steps[0].result["iterations"], 1);
    assert_eq!(record.steps[1].state, StepState::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_does_not_wait_for_the_next_try_of_a_step() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let handler = Act(|_, _| async { Err(away()) });
    let _worker = sandbox
        .run_with(handler, |options| {
            options.retry = RetryPolicy {
                base: HOUR,
                cap: HOUR,
                ..RetryPolicy::default()
            };
        })
        .await;
    let op = sandbox.submit(&short(1).operation()).await;
    sandbox
        .until_event(&op, "retrying", |event| event.what == What::Retrying)
        .await;

    sandbox.bus().cancels().request(&op, "").await.unwrap();

    assert_cancelled_for_good(&sandbox, &op).await;
    assert_eq!(sandbox.story(&op).await, "1.started 1.retrying 1.cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_running_work_stops_it_and_says_so() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _worker = sandbox.run(Dummy).await;
    let op = sandbox.submit(&steps(&[endless(), short(1)])).await;
    sandbox.until_working(&op, 1).await;

    sandbox
        .bus()
        .cancels()
        .request(&op, "wrong symbol")
        .await
        .unwrap();

    let record = assert_cancelled_for_good(&sandbox, &op).await;
    assert_eq!(record.cancel.unwrap().reason, "wrong symbol");
    assert_eq!(
        sandbox.story(&op).await,
        "1.started 1.cancelling 1.cancelled 2.cancelled"
    );

    // The worker is free again.
    sandbox.complete(&short(1).operation()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_message_on_the_control_subject_is_a_request() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _worker = sandbox.run(Dummy).await;
    let running = sandbox.submit(&endless().operation()).await;
    sandbox.until_working(&running, 1).await;
    let queued = sandbox.submit(&short(1).operation()).await;

    for op in [&queued, &running] {
        publish_bare_cancel(&sandbox, op).await;
        assert_cancelled_for_good(&sandbox, op).await;
    }

    assert_eq!(sandbox.record(&queued).await.steps[0].attempt, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_older_than_the_claim_stops_the_work_first() {
    let sandbox = Sandbox::start().await;
    let runs = Arc::new(AtomicU64::new(0));
    let counter = runs.clone();
    let op = sandbox.submit(&short(1).operation()).await;
    sandbox.bus().cancels().request(&op, "").await.unwrap();

    let _worker = sandbox
        .run(Act(move |_, _| {
            counter.fetch_add(1, Ordering::Relaxed);
            async { Err(StepError::Stopped) }
        }))
        .await;

    assert_cancelled_for_good(&sandbox, &op).await;
    assert_eq!(runs.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_a_completed_operation_changes_nothing() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let worker = sandbox.run(Dummy).await;
    let done = sandbox.submit(&short(1).operation()).await;
    sandbox.only_completion_of(&done).await;
    let before = sandbox.record(&done).await;
    worker.shut_down().await.unwrap();

    sandbox
        .bus()
        .cancels()
        .request(&done, "too late")
        .await
        .unwrap();

    // Housekeeping obeys requests in their order: once the second is done, the first was looked at.
    let queued = sandbox.submit(&short(1).operation()).await;
    sandbox.bus().cancels().request(&queued, "").await.unwrap();
    assert_cancelled_for_good(&sandbox, &queued).await;
    assert_eq!(sandbox.record(&done).await, before);
    assert_eq!(sandbox.story(&done).await, "1.started 1.completed");
}

/// Works in a loop on a blocking thread and reports every half millisecond, until it is stopped.
struct HotLoop {
    /// Rounds of the current operation.
    rounds: Arc<AtomicU64>,
    /// Gets the moment at which the loop is left.
    exits: mpsc::UnboundedSender<Instant>,
}

impl StepHandler for HotLoop {
    type Command = RunDummy;

    async fn handle(&self, _: RunDummy, step: &StepContext) -> Result<DummyOutcome, StepError> {
        let rounds = self.rounds.clone();
        let exits = self.exits.clone();
        let context = step.clone();

        step.blocking(move || {
            while !context.stop().is_requested() {
                std::thread::park_timeout(Duration::from_micros(500));
                rounds.fetch_add(1, Ordering::Relaxed);
                context.report(Progress::default());
            }
            exits.send(Instant::now()).unwrap();
            Err(StepError::Stopped)
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_loop_is_left_50_ms_after_the_request() {
    const MOMENTS: usize = 20;
    let sandbox = Sandbox::start().await;
    let rounds = Arc::new(AtomicU64::new(0));
    let (exits, mut exited) = mpsc::unbounded_channel();
    let hot_loop = HotLoop {
        rounds: rounds.clone(),
        exits,
    };
    let _worker = sandbox.run(hot_loop).await;

    let mut times = Vec::new();
    for _ in 0..MOMENTS {
        rounds.store(0, Ordering::Relaxed);
        let moment = rand::random_range(1..100);
        let op = sandbox.submit(&short(1).operation()).await;
        until("the loop", || {
            std::future::ready((rounds.load(Ordering::Relaxed) >= moment).then_some(()))
        })
        .await;

        let published = Instant::now();
        sandbox.bus().cancels().request(&op, "").await.unwrap();
        times.push(exited.recv().await.unwrap() - published);
        let record = sandbox.until_ended(&op).await;
        assert_eq!(record.state, OperationState::Cancelled);
    }

    // The promise itself, of all but the slowest: the host may be busy with other tests.
    times.sort();
    assert!(times[MOMENTS - 2] < Duration::from_millis(50), "{times:?}");
}
