//! Cancel by force: work that ignores its stop token is ended after a grace period.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::CancelAsk;
use dummy::Dummy;
use jiff::Timestamp;
use runtime::StepContext;
use schemas::commands::{DummyOutcome, RunDummy};
use schemas::events::What;
use schemas::ids::{Lane, OperationId, Service};
use schemas::operation::{OperationRecord, OperationState, Said};
use schemas::progress::Progress;
use system_tests::{Act, Sandbox};

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
