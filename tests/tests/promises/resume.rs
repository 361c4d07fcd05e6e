//! Resume: an operation that failed or was cancelled goes on, exactly once, where it stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bus::{ChangeError, ResumeError};
use dummy::Dummy;
use futures::StreamExt as _;
use runtime::probe::Moment;
use runtime::{StepContext, StepError, StepHandler, cancel_unheld};
use schemas::commands::{DummyOutcome, RunDummy};
use schemas::events::What;
use schemas::ids::OperationId;
use schemas::operation::{NewOperation, OperationState, Parent, StepState};
use schemas::subjects;
use system_tests::{Dies, Sandbox, Slowness, new_id, steps};
use tokio::task::JoinHandle;

use crate::commands::{endless, short};

/// Fails for good the first time, then completes; counts its runs.
#[derive(Clone, Default)]
struct FailsOnce {
    runs: Arc<AtomicU64>,
}

impl FailsOnce {
    fn runs(&self) -> u64 {
        self.runs.load(Ordering::SeqCst)
    }
}

impl StepHandler for FailsOnce {
    type Command = RunDummy;

    async fn handle(&self, _: RunDummy, _: &StepContext) -> Result<DummyOutcome, StepError> {
        match self.runs.fetch_add(1, Ordering::SeqCst) {
            0 => Err(StepError::permanent(
                "TEST-First",
                "the first run fails",
                "resume it",
            )),
            _ => Ok(DummyOutcome {
                iterations: 1,
                resumed_at: 0,
            }),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_runs_the_unfinished_steps_of_a_failure() {
    let sandbox = Sandbox::start().await;
    let handler = FailsOnce::default();
    let _worker = sandbox.run(handler.clone()).await;
    let op = sandbox.submit(&steps(&[short(1), short(1)])).await;
    let record = sandbox.until_concluded(&op).await;
    assert_eq!(record.state, OperationState::Failed);

    let resumed = sandbox.bus().operations().resume(&op).await.unwrap();
    assert_eq!(resumed.state, OperationState::Resuming);

    sandbox.only_completion_of(&op).await;
    assert_eq!(
        sandbox.story(&op).await,
        "1.started 1.failed 1.started 1.completed 2.started 2.completed"
    );
    assert_eq!(handler.runs(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_with_the_old_message_in_flight_is_one_run() {
    let sandbox = Sandbox::start().await;
    let handler = FailsOnce::default();
    let mut dying = sandbox
        .run_with(handler.clone(), |options| {
            options.probe = Dies::at(Moment::Recorded);
        })
        .await;
    let op = sandbox.submit(&short(1).operation()).await;
    dying.until_left().await.unwrap_err();

    // The message of the failed run is not acknowledged.
    assert_eq!(sandbox.record(&op).await.state, OperationState::Failed);
    assert_eq!(sandbox.commands_of(&op).await.len(), 1);

    sandbox.bus().operations().resume(&op).await.unwrap();
    let _housekeeper = sandbox.start_housekeeper().await;
    let _workers = [
        sandbox.run(handler.clone()).await,
        sandbox.run(handler.clone()).await,
    ];

    sandbox.only_completion_of(&op).await;
    let step = &sandbox.record(&op).await.steps[0];
    assert_eq!((step.submission, step.attempt), (2, 2));
    assert_eq!(handler.runs(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_voids_the_request_that_cancelled_the_work() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _worker = sandbox.run(Dummy).await;
    let command = RunDummy {
        checkpoint_every: 1,
        ..short(40)
    };
    let op = sandbox.submit(&command.operation()).await;
    sandbox
        .until_event(&op, "checkpointed", |event| {
            event.what == What::Checkpointed
        })
        .await;
    sandbox.bus().cancels().request(&op, "pause").await.unwrap();
    let cancelled = sandbox.until_concluded(&op).await;
    assert_eq!(cancelled.state, OperationState::Cancelled);

    sandbox.bus().operations().resume(&op).await.unwrap();

    let completion = sandbox.only_completion_of(&op).await;
    let resumed_at = completion.result["resumed_at"].as_u64().unwrap();
    assert!(resumed_at > 0, "{}", completion.result);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_operation_cannot_be_resumed() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    let op = sandbox.submit(&short(1).operation()).await;
    sandbox.only_completion_of(&op).await;

    let refused = sandbox.bus().operations().resume(&op).await.unwrap_err();

    assert!(
        matches!(refused, ResumeError::Change(ChangeError::Refused { .. })),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_after_the_resume_counts() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _worker = sandbox.run(Dummy).await;
    let op = sandbox.submit(&endless().operation()).await;

    for attempt in 1..=3 {
        sandbox.until_working(&op, attempt).await;
        sandbox.bus().cancels().request(&op, "").await.unwrap();

        let record = sandbox.until_concluded(&op).await;
        assert_eq!(record.state, OperationState::Cancelled);
        assert_eq!(record.steps[0].attempt, attempt);
        sandbox.bus().operations().resume(&op).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_cancelled_on_its_queue_can_be_resumed() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let op = sandbox.submit(&steps(&[short(1), short(1)])).await;
    sandbox.bus().cancels().request(&op, "").await.unwrap();
    let record = sandbox.until_concluded(&op).await;
    for step in &record.steps {
        assert_eq!(step.state, StepState::Cancelled);
    }

    // Before any worker comes.
    sandbox.bus().operations().resume(&op).await.unwrap();

    let _worker = sandbox.run(Dummy).await;
    sandbox.only_completion_of(&op).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_end_of_a_cancel_leaves_the_resumed_command() {
    let sandbox = Sandbox::start().await;
    let op = sandbox.submit(&short(1).operation()).await;
    let bus = sandbox.bus();
    bus.cancels().request(&op, "wait").await.unwrap();
    let record = sandbox.record(&op).await;
    let request = bus.cancels().in_force(&record).await.unwrap().unwrap();
    let cancelled = cancel_unheld(bus, &record, &request).await.unwrap();

    // Resumed before whoever cancelled it has done what follows from the cancel.
    bus.operations().resume(&op).await.unwrap();
    cancelled.unwrap().conclude(bus).await.unwrap();

    assert_eq!(sandbox.commands_of(&op).await.len(), 1);
    let _worker = sandbox.run(Dummy).await;
    let completion = sandbox.only_completion_of(&op).await;
    assert_eq!(completion.submission, 2);
}

/// A child of `parent` that was cancelled before anybody held it, and its mark taken away.
async fn cancelled_child(sandbox: &Sandbox, parent: &OperationId) -> OperationId {
    let child = parent.child("dummy", 0).unwrap();
    let place = Parent {
        op: parent.clone(),
        index: 0,
        round: 1,
        cancel_floor: 0,
    };
    let request = NewOperation {
        parent: Some(place),
        ..short(1).operation()
    };

    let operations = sandbox.bus().operations();
    operations.submit(&child, &request).await.unwrap();
    cancel_and_conclude(sandbox, &child).await;
    child
}

async fn cancel_and_conclude(sandbox: &Sandbox, op: &OperationId) {
    let bus = sandbox.bus();
    bus.cancels().request(op, "").await.unwrap();
    let request = bus.cancels().newest(op).await.unwrap().unwrap();

    let record = sandbox.record(op).await;
    let cancelled = cancel_unheld(bus, &record, &request).await.unwrap();
    cancelled.unwrap().conclude(bus).await.unwrap();
}

/// Concludes the end before as soon as the mark of a resume is put, the first `times` times: what a
/// worker may do that was late to conclude.
async fn conclude_late(sandbox: &Sandbox, times: usize) -> JoinHandle<()> {
    let bus = sandbox.connect().await;
    let client = sandbox.client();
    let mut marks = client.subscribe(subjects::all_marks()).await.unwrap();
    client.flush().await.unwrap();

    tokio::spawn(async move {
        let mut concluded = 0;
        while concluded < times {
            let mark = marks.next().await.unwrap();
            // One that is removed has headers.
            if mark.headers.is_none() {
                let op = mark.subject.rsplit('.').next().unwrap();
                bus.active().unmark(&op.parse().unwrap()).await.unwrap();
                concluded += 1;
            }
        }
    })
}

/// The client is slow, so that the end before is concluded between its mark and its write; that it
/// dies right after the write makes no difference to the mark.
#[tokio::test(flavor = "multi_thread")]
async fn a_resume_is_marked_whoever_concludes_the_end_before() {
    let sandbox = Sandbox::start().await;
    let parent = new_id("family");
    let child = cancelled_child(&sandbox, &parent).await;
    let op = sandbox.submit(&endless().operation()).await;
    cancel_and_conclude(&sandbox, &op).await;
    let link = sandbox
        .slow_link(Slowness::of(Duration::from_millis(50)))
        .await;
    let slow = sandbox.connect_over(&link).await;

    let concluding = conclude_late(&sandbox, 2).await;
    slow.operations().resume(&op).await.unwrap();
    concluding.abort();
    let concluding = conclude_late(&sandbox, 2).await;
    slow.operations().resume_child(&child, 2, 0).await.unwrap();
    concluding.abort();

    let marked = sandbox.bus().active().list().await.unwrap();
    for op in [op, child] {
        assert_eq!(sandbox.record(&op).await.state, OperationState::Resuming);
        assert!(marked.contains(&op), "{op} is not among {marked:?}");
    }
}
