//! Cancel: at any moment, by anybody, at once, and for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dummy::Dummy;
use runtime::StepError;
use schemas::command::NewOperation;
use schemas::errors::ErrorRecord;
use schemas::events::What;
use schemas::ids::{OperationId, Service};
use schemas::operation::{OperationRecord, OperationState, StepState};
use schemas::progress::Progress;
use schemas::subjects;
use system_tests::{Act, Sandbox, new_id, steps, until};
use tokio::sync::mpsc;

use crate::commands::{endless, short};

/// What `nats pub ktrdr.control.cancel.<op> ''` does.
async fn publish_bare_cancel(sandbox: &Sandbox, op: &OperationId) {
    sandbox
        .bus()
        .client()
        .publish(subjects::cancel(op), Vec::new().into())
        .await
        .unwrap();
}

async fn assert_cancelled_for_good(sandbox: &Sandbox, op: &OperationId) -> OperationRecord {
    let record = sandbox.until_concluded(op).await;
    assert_eq!(record.state, OperationState::Cancelled);
    let ends: Vec<What> = sandbox
        .events(op)
        .await
        .iter()
        .map(|event| event.what)
        .filter(|what| what.is_terminal())
        .collect();
    assert_eq!(
        ends.iter().filter(|what| **what == What::Cancelled).count(),
        record
            .steps
            .iter()
            .filter(|step| step.state == StepState::Cancelled)
            .count()
    );
    assert!(sandbox.dead_letters(op).await.is_empty());
    record
}

/// Two steps, the second for a service that has no worker.
fn stuck_after_the_first_step() -> NewOperation {
    let mut new = steps(&[short(1), short(1)]);
    new.plan.stages[1][0].service = Service::Registry;
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_worker_has_taken_is_cancelled_at_once_and_never_runs() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let op = sandbox.submit(&short(1).operation()).await;
    sandbox
        .bus()
        .request_cancel(&op, "not needed")
        .await
        .unwrap();
    let record = assert_cancelled_for_good(&sandbox, &op).await;
    assert_eq!(record.cancel.unwrap().reason, "not needed");
    let _worker = sandbox.run(Dummy).await;
    sandbox
        .only_completion_of(&sandbox.submit(&short(1).operation()).await)
        .await;
    assert_eq!(sandbox.story(&op).await, "1.cancelled");
    assert_eq!(sandbox.record(&op).await.steps[0].attempt, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_published_while_no_housekeeper_lives_is_obeyed_by_the_next_one() {
    let sandbox = Sandbox::start().await;
    let op = sandbox.submit(&short(1).operation()).await;
    publish_bare_cancel(&sandbox, &op).await;
    sandbox.bus().flush().await.unwrap();
    let _housekeeper = sandbox.start_housekeeper().await;
    assert_cancelled_for_good(&sandbox, &op).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_between_two_steps_keeps_the_result_of_the_first() {
    let sandbox = Sandbox::start().await;
    let (_housekeeper, _worker) = (sandbox.start_housekeeper().await, sandbox.run(Dummy).await);
    let op = sandbox.submit(&stuck_after_the_first_step()).await;
    sandbox
        .until_event(&op, "completed", |event| event.what == What::Completed)
        .await;
    sandbox.bus().request_cancel(&op, "").await.unwrap();
    let record = assert_cancelled_for_good(&sandbox, &op).await;
    assert_eq!(record.steps[0].state, StepState::Completed);
    assert_eq!(record.steps[0].result["iterations"], 1);
    assert_eq!(record.steps[1].state, StepState::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_while_a_step_waits_for_its_next_try_does_not_wait_with_it() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let hour = Duration::from_secs(3_600);
    let _worker = sandbox
        .run(Act(move |_, _| async move {
            Err(StepError::retry(
                hour,
                ErrorRecord::new("TEST-Away", "away", "wait"),
            ))
        }))
        .await;
    let op = sandbox.submit(&short(1).operation()).await;
    sandbox
        .until_event(&op, "retrying", |event| event.what == What::Retrying)
        .await;
    sandbox.bus().request_cancel(&op, "").await.unwrap();
    assert_cancelled_for_good(&sandbox, &op).await;
    assert_eq!(sandbox.story(&op).await, "1.started 1.retrying 1.cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_running_work_stops_it_and_says_so() {
    let sandbox = Sandbox::start().await;
    let (_housekeeper, _worker) = (sandbox.start_housekeeper().await, sandbox.run(Dummy).await);
    let op = sandbox.submit(&steps(&[endless(), short(1)])).await;
    sandbox.until_working(&op, 1).await;
    sandbox
        .bus()
        .request_cancel(&op, "wrong symbol")
        .await
        .unwrap();
    let record = assert_cancelled_for_good(&sandbox, &op).await;
    assert_eq!(
        sandbox.story(&op).await,
        "1.started 1.cancelling 1.cancelled 2.cancelled"
    );
    assert_eq!(record.cancel.unwrap().reason, "wrong symbol");
    // The worker is free again.
    sandbox
        .only_completion_of(&sandbox.submit(&short(1).operation()).await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_message_on_the_control_subject_is_a_request_whoever_publishes_it() {
    let sandbox = Sandbox::start().await;
    let (_housekeeper, _worker) = (sandbox.start_housekeeper().await, sandbox.run(Dummy).await);
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
async fn a_request_older_than_the_claim_is_seen_before_the_work_begins() {
    let sandbox = Sandbox::start().await;
    let ran = Arc::new(AtomicU64::new(0));
    let counter = ran.clone();
    let op = sandbox.submit(&short(1).operation()).await;
    sandbox.bus().request_cancel(&op, "").await.unwrap();
    let _worker = sandbox
        .run(Act(move |_, _| {
            counter.fetch_add(1, Ordering::Relaxed);
            async { Err(StepError::Stopped) }
        }))
        .await;
    assert_cancelled_for_good(&sandbox, &op).await;
    assert_eq!(ran.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_what_has_ended_changes_nothing() {
    let sandbox = Sandbox::start().await;
    let (_housekeeper, worker) = (sandbox.start_housekeeper().await, sandbox.run(Dummy).await);
    let done = sandbox.submit(&short(1).operation()).await;
    sandbox.only_completion_of(&done).await;
    let before = sandbox.record(&done).await;
    worker.shut_down().await.unwrap();
    sandbox
        .bus()
        .request_cancel(&done, "too late")
        .await
        .unwrap();
    // Housekeeping obeys requests in their order: once the second is done, the first was looked at.
    let queued = sandbox.submit(&short(1).operation()).await;
    sandbox.bus().request_cancel(&queued, "").await.unwrap();
    assert_cancelled_for_good(&sandbox, &queued).await;
    assert_eq!(sandbox.record(&done).await, before);
    assert_eq!(sandbox.story(&done).await, "1.started 1.completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_loop_is_left_within_fifty_milliseconds_of_the_request() {
    const MOMENTS: usize = 20;
    let sandbox = Sandbox::start().await;
    let (told, mut left) = mpsc::unbounded_channel();
    let rounds = Arc::new(AtomicU64::new(0));
    let counted = rounds.clone();
    let hot = move |_, step: runtime::StepContext| {
        let (told, rounds) = (told.clone(), counted.clone());
        async move {
            let own = step.clone();
            step.blocking(move || {
                while !own.stop().is_requested() {
                    std::thread::park_timeout(Duration::from_micros(500));
                    rounds.fetch_add(1, Ordering::Relaxed);
                    own.report(Progress::default());
                }
                told.send(Instant::now()).unwrap();
                Err(StepError::Stopped)
            })
            .await
        }
    };
    let _worker = sandbox.run(Act(hot)).await;
    let mut took = Vec::new();
    for _ in 0..MOMENTS {
        let op = new_id("dummy");
        rounds.store(0, Ordering::Relaxed);
        let moment = rand::random_range(1..100);
        sandbox
            .bus()
            .submit(&op, &short(1).operation())
            .await
            .unwrap();
        until("the loop", || {
            std::future::ready((rounds.load(Ordering::Relaxed) >= moment).then_some(()))
        })
        .await;
        let published = Instant::now();
        sandbox.bus().request_cancel(&op, "").await.unwrap();
        took.push(left.recv().await.unwrap() - published);
        assert_eq!(
            sandbox.until_ended(&op).await.state,
            OperationState::Cancelled
        );
    }
    took.sort();
    assert!(took[MOMENTS - 1] < Duration::from_millis(50), "{took:?}");
}
