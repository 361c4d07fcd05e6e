//! The query `health` of a worker: quick under load, and true about what the worker depends on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use runtime::{RetryClass, StepContext, StepError};
use schemas::commands::{DummyOutcome, RunDummy};
use schemas::errors::ErrorRecord;
use schemas::events::{Event, What};
use schemas::ids::Service;
use schemas::progress::Progress;
use serde_json::Value;
use system_tests::{Act, Sandbox, until};
use tokio::sync::Notify;

use crate::commands::short;

/// What a dummy answers to `health` now.
async fn ask_for_health(sandbox: &Sandbox) -> Value {
    until("an answer about the health", || async {
        let services = sandbox.bus().services();
        let answer = services.ask(Service::Dummy, "health", Vec::new()).await;
        serde_json::from_slice(&answer.ok()?).ok()
    })
    .await
}

/// Computes on a thread and reports without a pause, until it is stopped.
async fn compute(_: RunDummy, step: StepContext) -> Result<DummyOutcome, StepError> {
    let context = step.clone();
    step.blocking(move || {
        while !context.stop().is_requested() {
            context.report(Progress::default());
        }
        Err(StepError::Stopped)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_answered_within_a_second_under_load() {
    const SLOTS: u16 = 4;
    let sandbox = Sandbox::start().await;
    let worker = sandbox
        .run_with(Act(compute), |options| options.slots = SLOTS)
        .await;
    // Each slot computes, and as many commands again wait.
    let mut ops = Vec::new();
    for _ in 0..2 * SLOTS {
        ops.push(sandbox.submit(&short(1).operation()).await);
    }
    for op in &ops[..usize::from(SLOTS)] {
        sandbox.until_working(op, 1).await;
    }

    for _ in 0..20 {
        let start = Instant::now();
        let health = ask_for_health(&sandbox).await;
        assert!(start.elapsed() < Duration::from_secs(1));
        assert_eq!(health["status"], "healthy");
        let current = health["current"].as_array().unwrap();
        assert_eq!(current.len(), usize::from(SLOTS));
    }

    // Threads that compute end only where their steps are stopped.
    worker.shut_down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependency_that_is_away_degrades_until_it_is_back() {
    let sandbox = Sandbox::start().await;
    let back = Arc::new(Notify::new());
    let back_in_handler = back.clone();
    let runs = Arc::new(AtomicU64::new(0));
    let act = Act(move |_, _| {
        let back = back_in_handler.clone();
        let run = runs.fetch_add(1, Ordering::SeqCst);
        async move {
            if run == 0 {
                let away = ErrorRecord::new("TEST-Away", "the provider is away", "wait");
                return Err(StepError::retry(RetryClass::Provider, away));
            }
            back.notified().await;
            Ok(DummyOutcome {
                iterations: 1,
                resumed_at: 0,
            })
        }
    });
    let _worker = sandbox.run(act).await;
    let before = ask_for_health(&sandbox).await;
    assert_eq!(before["status"], "healthy");
    assert_eq!(before["last_success"], Value::Null);
    assert_eq!(
        before["lanes"],
        serde_json::json!(["default", "background"])
    );
    assert_eq!(before["slots"], 1);

    let op = sandbox.submit(&short(1).operation()).await;
    let is_retrying = |event: &Event| event.what == What::Retrying;
    sandbox.until_event(&op, "retrying", is_retrying).await;
    let away = ask_for_health(&sandbox).await;
    assert_eq!(away["status"], "degraded");
    assert_eq!(
        away["reason"],
        "the last attempt failed: the provider is away"
    );
    assert_eq!(away["last_failure"]["op"], op.to_string());
    assert_eq!(away["last_failure"]["code"], "TEST-Away");

    back.notify_one();
    sandbox.until_concluded(&op).await;
    let healthy = ask_for_health(&sandbox).await;
    assert_eq!(healthy["status"], "healthy");
    assert_eq!(healthy["last_success"]["op"], op.to_string());
    assert_eq!(healthy["last_failure"]["code"], "TEST-Away");
}
