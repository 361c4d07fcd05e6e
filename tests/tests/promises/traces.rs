//! Runs of a real system, recorded revision by revision and replayed against the model of the
//! protocol: each change of a record is one that the model knows.

use dummy::Dummy;
use protocol_model::trace::{Mismatch, Trace};
use schemas::codec;
use schemas::commands::RunDummy;
use schemas::events::What;
use schemas::ids::{OperationId, Service};
use schemas::operation::{OperationRecord, OperationState};
use schemas::subjects;
use system_tests::{Housekeeper, Sandbox, Worker, new_id, steps, until};

use crate::commands::{endless, short};
use crate::families::{family_of, run_family, submit};

/// Revisions of one record that are kept.
const REVISIONS: i64 = 1_000;

/// Keeps every revision of a record from now on. Workers are there already: one that starts would
/// refuse a bucket with another setting.
async fn keep_revisions(sandbox: &Sandbox) {
    let jetstream = sandbox.jetstream();

    let stream = format!("KV_{}", subjects::OPERATIONS);
    let mut stream = jetstream.get_stream(&stream).await.unwrap();
    let mut config = stream.info().await.unwrap().config.clone();
    config.max_messages_per_subject = REVISIONS;
    jetstream.update_stream(config).await.unwrap();
}

/// A system with these workers and a housekeeper, which keeps every revision.
struct Recorded {
    sandbox: Sandbox,
    _housekeeper: Housekeeper,
    _workers: Vec<Worker>,
}

impl Recorded {
    async fn start(workers: usize) -> Self {
        let sandbox = Sandbox::start().await;
        let housekeeper = sandbox.start_housekeeper().await;
        let mut running = vec![run_family(&sandbox).await];
        for _ in 0..workers {
            running.push(sandbox.run(Dummy).await);
        }
        sandbox.until_workers(Service::Family, 1).await;
        sandbox.until_workers(Service::Dummy, workers).await;

        keep_revisions(&sandbox).await;
        Self {
            sandbox,
            _housekeeper: housekeeper,
            _workers: running,
        }
    }
}

fn subject_of(op: &OperationId) -> String {
    let key = subjects::operation_key(op);
    format!("$KV.{}.{key}", subjects::OPERATIONS)
}

/// What was recorded of an operation that is over.
async fn trace_of(sandbox: &Sandbox, op: &OperationId) -> Trace {
    let bucket = format!("KV_{}", subjects::OPERATIONS);
    let stored = sandbox.stored(&bucket, &subject_of(op)).await;
    let read = |payload: &[u8]| codec::decode(payload).unwrap();

    Trace {
        revisions: stored.iter().map(|it| read(&it.payload)).collect(),
        events: sandbox.events(op).await,
    }
}

/// The changes of an operation that is over, each of which the model knows.
async fn replay(sandbox: &Sandbox, op: &OperationId) -> Vec<&'static str> {
    sandbox.until_concluded(op).await;
    let trace = trace_of(sandbox, op).await;

    match trace.replay() {
        Ok(changes) => changes,
        Err(mismatch) => panic!("{op}: {mismatch}\n{trace:#?}"),
    }
}

fn count(changes: &[&str], name: &str) -> usize {
    changes.iter().filter(|change| **change == name).count()
}

/// Claims, also of whoever creates the record with its claim in it.
fn count_claims(changes: &[&str]) -> usize {
    changes.iter().filter(|name| name.contains("claim")).count()
}

/// A step that makes a checkpoint every 5 ms.
fn with_checkpoints(iterations: u64) -> RunDummy {
    RunDummy {
        checkpoint_every: 1,
        ..short(iterations)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_a_cancel_and_a_resume_is_one_of_the_model() {
    let recorded = Recorded::start(1).await;
    let sandbox = &recorded.sandbox;
    let op = sandbox
        .submit(&steps(&[with_checkpoints(60), short(1)]))
        .await;
    sandbox
        .until_event(&op, "checkpointed", |it| it.what == What::Checkpointed)
        .await;

    sandbox.bus().cancels().request(&op, "pause").await.unwrap();
    let cancelled = sandbox.until_concluded(&op).await;
    assert_eq!(cancelled.state, OperationState::Cancelled);
    sandbox.bus().operations().resume(&op).await.unwrap();

    let changes = replay(sandbox, &op).await;
    assert_eq!(count(&changes, "see cancel"), 1, "{changes:?}");
    assert_eq!(count(&changes, "resume"), 1, "{changes:?}");
    assert_eq!(count_claims(&changes), 3, "{changes:?}");
    assert_eq!(count(&changes, "complete"), 2, "{changes:?}");
    assert!(count(&changes, "checkpoint") > 10, "{changes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_killed_and_taken_over_is_one_of_the_model() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let mut processes = [sandbox.spawn("ktrdr-dummy"), sandbox.spawn("ktrdr-dummy")];
    sandbox.until_workers(Service::Dummy, 2).await;
    keep_revisions(&sandbox).await;
    let op = sandbox.submit(&with_checkpoints(200).operation()).await;
    let checkpointed = sandbox
        .until_event(&op, "checkpointed", |it| it.what == What::Checkpointed)
        .await;

    let holder = checkpointed.worker.unwrap();
    let mut runs = processes.iter_mut();
    runs.find(|process| process.runs(&holder)).unwrap().kill();

    let changes = replay(&sandbox, &op).await;
    assert_eq!(count_claims(&changes), 2, "{changes:?}");
    assert_eq!(count(&changes, "complete"), 1, "{changes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_and_one_nobody_held_are_of_the_model() {
    let unserved = Recorded::start(0).await;
    let sandbox = &unserved.sandbox;
    let op = sandbox.submit(&endless().operation()).await;
    sandbox.bus().cancels().request(&op, "").await.unwrap();
    let changes = replay(sandbox, &op).await;
    assert_eq!(changes, ["create", "cancel", "last term"]);

    let recorded = Recorded::start(1).await;
    let sandbox = &recorded.sandbox;
    let failing = RunDummy {
        fail_at: Some(3),
        ..with_checkpoints(5)
    };
    let failed = sandbox.submit(&failing.operation()).await;
    let changes = replay(sandbox, &failed).await;
    assert_eq!(count(&changes, "fail"), 1, "{changes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_that_is_cancelled_and_resumed_is_of_the_model() {
    let recorded = Recorded::start(2).await;
    let sandbox = &recorded.sandbox;
    let parent = submit(sandbox, &family_of(&with_checkpoints(40), 3, 2)).await;
    let child = |index| parent.child("dummy", index).unwrap();
    sandbox.until_working(&child(0), 1).await;

    sandbox
        .bus()
        .cancels()
        .request(&parent, "pause")
        .await
        .unwrap();
    sandbox.until_concluded(&parent).await;
    sandbox.bus().operations().resume(&parent).await.unwrap();

    let changes = replay(sandbox, &parent).await;
    assert_eq!(count(&changes, "resume"), 1, "{changes:?}");
    let mut resumed = 0;
    for index in 0..3 {
        let changes = replay(sandbox, &child(index)).await;
        resumed += count(&changes, "resume in round");
        assert_eq!(count(&changes, "complete"), 1, "{changes:?}");
    }
    assert!(resumed > 0);
}

/// Somebody who may write records says that a failed operation is completed.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_forged_is_refused() {
    let recorded = Recorded::start(1).await;
    let sandbox = &recorded.sandbox;
    let failing = RunDummy {
        fail_at: Some(1),
        ..short(2)
    };
    let op = new_id("dummy");
    let request = failing.operation();
    let submitted = sandbox.bus().operations().submit(&op, &request).await;
    submitted.unwrap();
    sandbox.until_concluded(&op).await;

    let forged = OperationRecord {
        state: OperationState::Completed,
        ..sandbox.record(&op).await
    };
    let payload = codec::encode(&forged).unwrap();
    let jetstream = sandbox.jetstream();
    let written = jetstream.publish(subject_of(&op), payload.into()).await;
    written.unwrap().await.unwrap();

    let revisions = until("the forged revision", || async {
        let trace = trace_of(sandbox, &op).await;
        let is_there = trace.revisions.last() == Some(&forged);
        is_there.then_some(trace.revisions.len())
    })
    .await;
    let trace = trace_of(sandbox, &op).await;
    assert_eq!(trace.replay(), Err(Mismatch::NoTransition(revisions)));
}
