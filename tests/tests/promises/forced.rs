//! Cancel by force: work that ignores its stop token is ended after a grace period. Threads of work
//! that is over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::CancelAsk;
use dummy::Dummy;
use jiff::Timestamp;
use runtime::{StepContext, StepError};
use schemas::commands::{DummyOutcome, RunDummy};
use schemas::events::What;
use schemas::ids::{Lane, OperationId, Service, StepNumber};
use schemas::operation::{Holder, OperationRecord, OperationState, Said};
use schemas::progress::Progress;
use system_tests::{Act, Sandbox};
use tokio::sync::Notify;

use crate::commands::{endless, short};

const GRACE: Duration = Duration::from_millis(200);

fn deaf() -> RunDummy {
    RunDummy {
        ignore_cancel: true,
        ..endless()
    }
}

async fn cancel_by_force(sandbox: &Sandbox, op: &OperationId) -> OperationRecord {
    let ask = CancelAsk {
        said: Said::default(),
        grace: Some(GRACE),
    };
    sandbox.bus().cancels().ask(op, &ask).await.unwrap();
    sandbox.until_concluded(op).await
}

fn assert_forced(record: &OperationRecord) {
    assert_eq!(record.state, OperationState::Cancelled);
    assert!(record.steps[0].forced);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_ignores_its_cancel_is_ended_by_force() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    let op = sandbox.submit(&deaf().operation()).await;
    sandbox.until_working(&op, 1).await;

    // Without force it goes on.
    sandbox
        .bus()
        .cancels()
        .request(&op, "please")
        .await
        .unwrap();
    sandbox
        .until_event(&op, "cancelling", |event| event.what == What::Cancelling)
        .await;
    assert_eq!(sandbox.record(&op).await.state, OperationState::Cancelling);

    assert_forced(&cancel_by_force(&sandbox, &op).await);
    let cancelled = sandbox
        .until_event(&op, "cancelled", |event| event.what == What::Cancelled)
        .await;
    assert_eq!(cancelled.error.unwrap().code, "OPS-ForceCancelled");
    sandbox.complete(&short(1).operation()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_stops_within_the_grace_period_is_not_forced() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    let op = sandbox.submit(&endless().operation()).await;
    sandbox.until_working(&op, 1).await;

    let record = cancel_by_force(&sandbox, &op).await;

    assert_eq!(record.state, OperationState::Cancelled);
    assert!(!record.steps[0].forced);
    let iterations = record.steps[0].done["iterations"];
    assert!(iterations.done < iterations.total, "{iterations:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_with_a_deaf_thread_takes_nothing_until_it_returns() {
    let sandbox = Sandbox::start().await;
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(Some(released)));
    let _worker = sandbox
        .run(Act(move |command: RunDummy, step: StepContext| {
            let released = released.lock().unwrap().take();
            async move {
                // The first run blocks its thread until the test lets it go.
                if let Some(released) = released {
                    step.report(Progress::default());
                    step.blocking(move || Ok(released.recv().is_ok())).await?;
                }
                Ok(DummyOutcome {
                    iterations: command.iterations,
                    resumed_at: 0,
                })
            }
        }))
        .await;
    let deaf = sandbox.submit(&endless().operation()).await;
    sandbox.until_working(&deaf, 1).await;

    assert_forced(&cancel_by_force(&sandbox, &deaf).await);
    // A free slot would ask the queue for a message.
    let commands = sandbox.bus().commands();
    let queue = commands.queue_depth(Service::Dummy, Lane::Default).await;
    assert_eq!(queue.unwrap().waiting_pulls, 0);
    let next = sandbox.submit(&short(1).operation()).await;
    let released_at = Timestamp::now();
    release.send(()).unwrap();

    sandbox.only_completion_of(&next).await;
    let started_at = sandbox.record(&next).await.started_at.unwrap();
    assert!(started_at >= released_at);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_by_force_counts_during_a_shutdown() {
    let sandbox = Sandbox::start().await;
    let asked_to_stop = Arc::new(Notify::new());
    let signal = asked_to_stop.clone();
    let worker = sandbox
        .run(Act(move |_, step: StepContext| {
            let signal = signal.clone();
            async move {
                step.report(Progress::default());
                step.stop().requested().await;
                signal.notify_one();
                std::future::pending().await
            }
        }))
        .await;
    let op = sandbox.submit(&endless().operation()).await;
    sandbox.until_working(&op, 1).await;
    let leaving = tokio::spawn(worker.shut_down());
    asked_to_stop.notified().await;

    let ask = CancelAsk {
        said: Said {
            by: None,
            reason: Some("enough".to_owned()),
        },
        grace: Some(Duration::ZERO),
    };
    sandbox.bus().cancels().ask(&op, &ask).await.unwrap();

    let record = sandbox.until_concluded(&op).await;
    assert_forced(&record);
    assert_eq!(record.cancel.unwrap().reason, "enough");
    leaving.await.unwrap().unwrap();
}

/// How long the thread of a step that is over looks for another run beside it.
const OVERLAP_MAX: Duration = Duration::from_secs(1);

/// A first run that leaves its thread behind when it is stopped, and others that end at once.
struct LeavesThread {
    /// Says to the thread that another run has begun.
    begun: Sender<()>,
    begins: Mutex<Option<Receiver<()>>>,
    /// True once another run began while the thread was still there.
    overlapped: AtomicBool,
}

impl LeavesThread {
    async fn run(self: Arc<Self>, step: StepContext) -> Result<DummyOutcome, StepError> {
        let begins = self.begins.lock().unwrap().take();
        match begins {
            Some(begins) => self.leave_thread(begins, step).await,
            None => {
                // Nobody listens any more once the thread has ended.
                let _ = self.begun.send(());
                Ok(DummyOutcome {
                    iterations: 1,
                    resumed_at: 0,
                })
            }
        }
    }

    async fn leave_thread(
        self: Arc<Self>,
        begins: Receiver<()>,
        step: StepContext,
    ) -> Result<DummyOutcome, StepError> {
        let (leaving, leaves) = mpsc::channel::<()>();
        step.report(Progress::default());
        let thread = step.blocking(move || {
            leaves.recv().unwrap();
            let has_begun = begins.recv_timeout(OVERLAP_MAX).is_ok();
            self.overlapped.store(has_begun, Ordering::SeqCst);
            Ok(())
        });

        tokio::select! {
            _ = thread => unreachable!("it waits for us to leave"),
            () = step.stop().requested() => {
                leaving.send(()).unwrap();
                Err(StepError::Stopped)
            }
        }
    }
}

/// Another worker claims the step over the one that holds it.
async fn take_step_away(sandbox: &Sandbox, op: &OperationId) {
    let holder = Holder {
        worker: "dummy-elsewhere-1-0001".parse().unwrap(),
        ack_subject: String::new(),
        since: Timestamp::now(),
    };
    let lost = sandbox.record(op).await.steps[0].holder.clone().unwrap();
    let operations = sandbox.bus().operations();
    let claimed = operations.change(op, |record| {
        record.claim(StepNumber::FIRST, 1, holder.clone(), Some(&lost.worker))
    });
    assert_eq!(claimed.await.unwrap().value.attempt, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_whose_step_was_taken_waits_for_its_thread() {
    let sandbox = Sandbox::start().await;
    let (begun, begins) = mpsc::channel();
    let work = Arc::new(LeavesThread {
        begun,
        begins: Mutex::new(Some(begins)),
        overlapped: AtomicBool::new(false),
    });
    let runs = work.clone();
    let _worker = sandbox
        .run(Act(move |_, step| runs.clone().run(step)))
        .await;
    let op = sandbox.submit(&endless().operation()).await;
    sandbox.until_working(&op, 1).await;

    take_step_away(&sandbox, &op).await;

    // The slot is the only one: what is submitted now runs when it is free.
    sandbox.complete(&short(1).operation()).await;
    assert!(!work.overlapped.load(Ordering::SeqCst));
}
