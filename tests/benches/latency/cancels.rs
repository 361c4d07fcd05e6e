//! From the publish of a cancel to the end of a loop, and of a wait for the next try.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::RngExt as _;
use runtime::{RetryClass, RetryPolicy, StepContext, StepError, StepHandler};
use schemas::commands::{DummyOutcome, RunDummy};
use schemas::errors::ErrorRecord;
use schemas::events::What;
use schemas::operation::OperationState;
use system_tests::{Act, Sandbox, until};
use tokio::sync::mpsc;

use crate::{print_row, run};

/// Cancels of each row.
pub(crate) const MOMENTS: usize = 500;
/// The moments lie within it, from the first round of a loop.
const SPAN: Duration = Duration::from_millis(40);
const HOUR: Duration = Duration::from_secs(3_600);

/// A moment within [`SPAN`].
pub(crate) fn random_moment() -> Duration {
    SPAN.mul_f64(rand::rng().random_range(0.0..1.0))
}

/// Loops on a blocking thread, and looks at its stop token once in half a millisecond.
struct Looper {
    /// Rounds of the current operation.
    rounds: Arc<AtomicU64>,
    /// Gets the moment at which the loop is left.
    exits: mpsc::UnboundedSender<Instant>,
}

impl StepHandler for Looper {
    type Command = RunDummy;

    async fn handle(&self, _: RunDummy, step: &StepContext) -> Result<DummyOutcome, StepError> {
        let rounds = self.rounds.clone();
        let exits = self.exits.clone();
        let stop = step.stop().clone();

        step.blocking(move || {
            while !stop.is_requested() {
                std::thread::park_timeout(Duration::from_micros(500));
                rounds.fetch_add(1, Ordering::Relaxed);
            }
            exits.send(Instant::now()).unwrap();
            Err(StepError::Stopped)
        })
        .await
    }
}

/// From the publish of the request to the end of the loop.
pub(crate) async fn measure_loop() {
    let sandbox = Sandbox::start().await;
    let rounds = Arc::new(AtomicU64::new(0));
    let (exits, exited) = mpsc::unbounded_channel();
    let looper = Looper {
        rounds: rounds.clone(),
        exits,
    };
    let _worker = sandbox.run(looper).await;

    let times = cancel_at_moments(&sandbox, &rounds, exited).await;
    print_row("cancel published -> loop left, dummy", times);
}

/// Submits an operation, cancels it at a random moment after its first round, and notes how long it
/// takes until the loop is left; again and again.
pub(crate) async fn cancel_at_moments(
    sandbox: &Sandbox,
    rounds: &AtomicU64,
    mut exited: mpsc::UnboundedReceiver<Instant>,
) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..MOMENTS {
        rounds.store(0, Ordering::Relaxed);
        let op = sandbox.submit(&run(1).operation()).await;
        until("the loop", || {
            std::future::ready((rounds.load(Ordering::Relaxed) > 0).then_some(()))
        })
        .await;
        sandbox.after(random_moment()).await;

        let published = Instant::now();
        sandbox.bus().cancels().request(&op, "").await.unwrap();
        times.push(exited.recv().await.unwrap().duration_since(published));
        sandbox.until_concluded(&op).await;
    }
    times
}

/// From the publish of the request to a record that says cancelled, while the step waits an hour
/// for its next try and no worker holds it.
pub(crate) async fn measure_retry_wait() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let away = || ErrorRecord::new("BENCH-Away", "away", "wait");
    let handler = Act(move |_, _| async move { Err(StepError::retry(RetryClass::System, away())) });
    let _worker = sandbox
        .run_with(handler, |options| {
            options.retry = RetryPolicy {
                base: HOUR,
                cap: HOUR,
                ..RetryPolicy::default()
            };
        })
        .await;

    let mut times = Vec::new();
    for _ in 0..MOMENTS {
        let op = sandbox.submit(&run(1).operation()).await;
        let is_retrying = |event: &schemas::events::Event| event.what == What::Retrying;
        sandbox.until_event(&op, "retrying", is_retrying).await;
        sandbox.after(random_moment()).await;

        let published = Instant::now();
        sandbox.bus().cancels().request(&op, "").await.unwrap();
        let record = sandbox.until_ended(&op).await;
        times.push(published.elapsed());
        assert_eq!(record.state, OperationState::Cancelled);
    }

    print_row("cancel published -> follower sees it, retry wait", times);
}
