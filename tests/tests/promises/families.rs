//! A family: many operations that are started, watched, stopped and counted as one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dummy::Dummy;
use family::Family as FamilyService;
use jiff::Timestamp;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use runtime::probe::Moment;
use runtime::{StepContext, StepError, StepHandler as _, cancel_unheld};
use schemas::commands::{DummyOutcome, OnFailure, RunDummy};
use schemas::events::What;
use schemas::ids::{OperationId, Service, StepNumber};
use schemas::operation::{
    CHILDREN_MAX, NewOperation, OperationRecord, OperationState, Parent, Said,
};
use schemas::progress::Context;
use schemas::requests::Family;
use schemas::subjects;
use serde_json::json;
use system_tests::{Act, Process, Sandbox, Worker, new_id, until};

use crate::commands::{endless, short};

/// `count` children of `work`, at most `limit` at a time.
pub(crate) fn family_of(work: &RunDummy, count: usize, limit: u32) -> Family {
    Family {
        stages: vec![vec![work.operation(); count]],
        limit,
        on_failure: OnFailure::KeepGoing,
        labels: [].into(),
    }
}

/// Puts the lists of children into the store and submits the parent.
pub(crate) async fn submit(sandbox: &Sandbox, family: &Family) -> OperationId {
    let op = new_id("family");
    family.validate(&op).unwrap();

    let mut keys = Vec::new();
    for stage in family.lists() {
        let mut of_stage = Vec::new();
        for list in stage {
            of_stage.push(sandbox.store().reports().put(&list).await.unwrap());
        }
        keys.push(of_stage);
    }
    let request = family.operation_with_lists(keys);
    sandbox
        .bus()
        .operations()
        .submit(&op, &request)
        .await
        .unwrap();
    op
}

pub(crate) async fn run_family(sandbox: &Sandbox) -> Worker {
    let family = FamilyService::new(sandbox.connect().await);
    sandbox.run(family).await
}

fn child_of(parent: &OperationId, index: u32) -> OperationId {
    parent.child("dummy", index).unwrap()
}

async fn records_of_children(
    sandbox: &Sandbox,
    parent: &OperationId,
    count: u32,
) -> Vec<OperationRecord> {
    let mut records = Vec::new();

    // A child that was never submitted has none.
    for index in 0..count {
        let stored = sandbox
            .bus()
            .operations()
            .get(&child_of(parent, index))
            .await;
        records.extend(stored.unwrap().map(|stored| stored.record));
    }
    records
}

async fn until_counted(sandbox: &Sandbox, parent: &OperationId, running: u32, queued: u32) {
    until(format!("{running} running, {queued} queued"), || async {
        let progress = sandbox.bus().progress();
        let newest = progress.newest(Service::Family, parent, StepNumber::FIRST);
        let Context::Family { counts, .. } = newest.await.ok()??.context else {
            return None;
        };
        (counts.running == running && counts.queued == queued).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_counts_its_children_and_ends_with_them() {
    let sandbox = Sandbox::start().await;
    let _family = run_family(&sandbox).await;
    let _workers = [sandbox.run(Dummy).await, sandbox.run(Dummy).await];

    let op = submit(&sandbox, &family_of(&short(2), 20, 6)).await;
    let completion = sandbox.only_completion_of(&op).await;

    assert_eq!(completion.result["completed"], 20);
    for index in 0..20 {
        let child = sandbox.only_completion_of(&child_of(&op, index)).await;
        assert_eq!(child.attempt, 1);
        let parent = sandbox.record(&child.op).await.parent.unwrap();
        assert_eq!((parent.op, parent.index), (op.clone(), index));
    }
    let last = sandbox.progress_of(&op).await.pop().unwrap();
    assert_eq!(last.items.unwrap().total, 20);
}

/// Handlers at work now, and the most that ever were.
#[derive(Clone, Default)]
struct AtWork {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl AtWork {
    /// The dummy's work, counted while it lasts.
    async fn run(self, command: RunDummy, step: StepContext) -> Result<DummyOutcome, StepError> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);

        let outcome = Dummy.handle(command, &step).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        outcome
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_children_than_the_limit_are_under_way() {
    let sandbox = Sandbox::start().await;
    let _family = run_family(&sandbox).await;
    let at_work = AtWork::default();
    let counter = at_work.clone();
    let work = Act(move |command, step| counter.clone().run(command, step));
    let _worker = sandbox.run_with(work, |options| options.slots = 8).await;

    let op = submit(&sandbox, &family_of(&short(4), 30, 3)).await;
    sandbox.only_completion_of(&op).await;

    assert_eq!(at_work.most.load(Ordering::SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_child_is_named_and_the_others_are_kept() {
    let sandbox = Sandbox::start().await;
    let _family = run_family(&sandbox).await;
    let _worker = sandbox.run(Dummy).await;
    let failing = RunDummy {
        fail_at: Some(1),
        ..short(1)
    };
    let mut family = family_of(&short(1), 5, 2);
    family.stages[0][1] = failing.operation();
    family.stages.push(vec![short(1).operation()]);

    let op = submit(&sandbox, &family).await;
    let record = sandbox.until_concluded(&op).await;

    assert_eq!(record.state, OperationState::Failed);
    let error = record.failure.unwrap().error;
    let second = child_of(&op, 1);
    assert!(
        error
            .message
            .starts_with(&format!("1 of 5 children failed: {second}")),
        "{error}"
    );
    assert_eq!(error.details["completed"], 4);
    // What comes after the stage is not begun with.
    assert_eq!(records_of_children(&sandbox, &op, 6).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_list_of_too_many_children_is_refused() {
    let sandbox = Sandbox::start().await;
    let _family = run_family(&sandbox).await;
    let mut request = family_of(&short(1), 1, 1).operation();
    request.plan.stages[0][0].command["first"] = json!(CHILDREN_MAX);

    let op = sandbox.submit(&request).await;
    let record = sandbox.until_concluded(&op).await;

    let error = record.failure.unwrap().error;
    assert_eq!(error.code, "OPS-InvalidCommand");
    assert!(error.message.contains("up to number 100001"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_whose_record_is_unreadable_counts_as_failed() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    let op = submit(&sandbox, &family_of(&short(1), 3, 2)).await;
    let second = child_of(&op, 1);
    let key = subjects::operation_key(&second);
    let subject = format!("$KV.{}.{key}", subjects::OPERATIONS);
    let stored = sandbox.jetstream().publish(subject, "damaged".into()).await;
    stored.unwrap().await.unwrap();

    let _family = run_family(&sandbox).await;
    let record = sandbox.until_concluded(&op).await;

    assert_eq!(record.state, OperationState::Failed);
    let error = record.failure.unwrap().error;
    assert_eq!(error.details["completed"], 2, "{error}");
    assert_eq!(error.details["failed"], 1, "{error}");
    assert!(
        error
            .message
            .starts_with(&format!("1 of 3 children failed: {second}: ")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fail_fast_cancels_what_has_not_ended() {
    let sandbox = Sandbox::start().await;
    let _family = run_family(&sandbox).await;
    let _worker = sandbox.run_with(Dummy, |options| options.slots = 4).await;
    let failing = RunDummy {
        fail_at: Some(100),
        ..short(100)
    };
    let family = Family {
        on_failure: OnFailure::FailFast,
        stages: vec![vec![
            endless().operation(),
            failing.operation(),
            endless().operation(),
            endless().operation(),
            endless().operation(),
        ]],
        ..family_of(&short(1), 1, 4)
    };

    let op = submit(&sandbox, &family).await;
    let record = sandbox.until_concluded(&op).await;

    assert_eq!(record.state, OperationState::Failed);
    let error = record.failure.unwrap().error;
    assert_eq!(error.details["failed"], 1, "{error}");
    assert_eq!(error.details["cancelled"], 3, "{error}");
    let reason = sandbox
        .record(&child_of(&op, 0))
        .await
        .cancel
        .unwrap()
        .reason;
    assert_eq!(
        reason,
        format!("child {} of the same parent failed", child_of(&op, 1))
    );
    // The fifth was never put on a queue.
    assert_eq!(records_of_children(&sandbox, &op, 5).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_begins_when_the_one_before_it_is_completed() {
    let sandbox = Sandbox::start().await;
    let _family = run_family(&sandbox).await;
    let _worker = sandbox.run_with(Dummy, |options| options.slots = 4).await;
    let mut family = family_of(&short(5), 4, 4);
    family.stages.push(vec![short(1).operation(); 2]);

    let op = submit(&sandbox, &family).await;
    sandbox.only_completion_of(&op).await;

    let children = records_of_children(&sandbox, &op, 6).await;
    let first_ends = children[..4].iter().map(|child| child.finished_at.unwrap());
    let second_starts = children[4..].iter().map(|child| child.created_at);
    assert!(first_ends.max() <= second_starts.min());
}

/// How many children wait when a family is cancelled: `SANDBOX_CHILDREN=1000` for the whole thing.
fn children_from_environment(default: usize) -> usize {
    std::env::var("SANDBOX_CHILDREN").map_or(default, |text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_of_a_parent_reaches_every_child() {
    let queued = children_from_environment(100);
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _family = run_family(&sandbox).await;
    let _worker = sandbox.run_with(Dummy, |options| options.slots = 4).await;
    let children = u32::try_from(queued).unwrap() + 4;
    let op = submit(&sandbox, &family_of(&endless(), queued + 10, children)).await;
    until_counted(&sandbox, &op, 4, children - 4).await;

    let asked_at = Instant::now();
    sandbox
        .bus()
        .cancels()
        .request(&op, "enough")
        .await
        .unwrap();
    let record = sandbox.until_ended(&op).await;
    let took = asked_at.elapsed();

    assert_eq!(record.state, OperationState::Cancelled);
    let children = records_of_children(&sandbox, &op, children + 6).await;
    assert_eq!(
        children.len(),
        queued + 4,
        "the others were never submitted"
    );
    for child in &children {
        assert_eq!(child.state, OperationState::Cancelled);
        let reason = &child.cancel.as_ref().unwrap().reason;
        assert_eq!(reason, "Parent operation cancelled: enough");
    }
    let mut ran = 0;
    for child in &children {
        ran += usize::from(!sandbox.progress_of(&child.op).await.is_empty());
    }
    assert_eq!(ran, 4, "no handler ran after the request");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_child_of_a_cancelled_parent_never_runs() {
    let sandbox = Sandbox::start().await;
    let parent = new_id("family");
    sandbox.bus().cancels().request(&parent, "").await.unwrap();
    let child = NewOperation {
        parent: Some(Parent {
            op: parent.clone(),
            index: 0,
            round: 1,
            cancel_floor: 0,
        }),
        ..short(1).operation()
    };

    // Neither its parent's worker nor a housekeeper is there to stop it.
    let op = child_of(&parent, 0);
    sandbox
        .bus()
        .operations()
        .submit(&op, &child)
        .await
        .unwrap();
    let _worker = sandbox.run(Dummy).await;

    let record = sandbox.until_concluded(&op).await;
    assert_eq!(record.state, OperationState::Cancelled);
    assert!(sandbox.progress_of(&op).await.is_empty(), "no handler ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_nobody_holds_is_cancelled_with_its_children() {
    let sandbox = Sandbox::start().await;
    let family = run_family(&sandbox).await;
    let op = submit(&sandbox, &family_of(&short(1), 10, 20)).await;
    until_counted(&sandbox, &op, 0, 10).await;
    family.kill();

    let _housekeeper = sandbox.start_housekeeper().await;
    sandbox.bus().cancels().request(&op, "").await.unwrap();

    sandbox.until_concluded(&op).await;
    for index in 0..10 {
        let child = sandbox.until_concluded(&child_of(&op, index)).await;
        assert_eq!(child.state, OperationState::Cancelled);
        assert_eq!(child.started_at, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_runs_only_what_did_not_complete() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _family = run_family(&sandbox).await;
    let _worker = sandbox.run_with(Dummy, |options| options.slots = 4).await;
    let op = submit(&sandbox, &family_of(&short(100), 6, 4)).await;
    until_counted(&sandbox, &op, 4, 0).await;
    sandbox.bus().cancels().request(&op, "pause").await.unwrap();
    let paused = sandbox.until_concluded(&op).await;
    assert_eq!(paused.state, OperationState::Cancelled);

    sandbox.bus().operations().resume(&op).await.unwrap();
    let completion = sandbox.only_completion_of(&op).await;

    assert_eq!(completion.result["completed"], 6);
    for child in records_of_children(&sandbox, &op, 6).await {
        assert_eq!(child.state, OperationState::Completed);
        let was_submitted_before = child.parent.as_ref().unwrap().index < 4;
        let submissions = if was_submitted_before { 2 } else { 1 };
        assert_eq!(child.steps[0].submission, submissions);
        assert_eq!(child.parent.unwrap().round, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_of_a_child_that_was_cut_off_is_finished() {
    let sandbox = Sandbox::start().await;
    let _family = run_family(&sandbox).await;
    let op = submit(&sandbox, &family_of(&short(1), 1, 1)).await;
    until_counted(&sandbox, &op, 0, 1).await;

    // Cancelled and resumed while its parent waits for news; whoever resumed it died in between.
    let child = child_of(&op, 0);
    let bus = sandbox.bus();
    bus.cancels().request(&child, "wait").await.unwrap();
    let record = sandbox.record(&child).await;
    let request = bus.cancels().in_force(&record).await.unwrap().unwrap();
    let cancelled = cancel_unheld(bus, &record, &request).await.unwrap();
    let resumed = bus.operations().change(&child, |record| {
        record.resume(request.sequence, &Said::default(), Timestamp::now())
    });
    resumed.await.unwrap();
    cancelled.unwrap().conclude(bus).await.unwrap();

    let _worker = sandbox.run(Dummy).await;
    let completion = sandbox.only_completion_of(&op).await;
    assert_eq!(completion.result["completed"], 1);
    assert_eq!(sandbox.record(&child).await.steps[0].submission, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_crashes_anywhere_counts_the_same() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    let bus = sandbox.connect().await;
    let request = family_of(&short(1), 5, 2).operation();

    sandbox
        .crash_everywhere(
            || FamilyService::new(bus.clone()),
            &request,
            async |op, moment: Moment| {
                let completion = sandbox.only_completion_of(op).await;
                assert_eq!(completion.result["completed"], 5, "{moment:?}");
                for index in 0..5 {
                    let child = sandbox.only_completion_of(&child_of(op, index)).await;
                    assert_eq!(child.submission, 1, "{moment:?}");
                }
            },
        )
        .await;
}

async fn has_ended(sandbox: &Sandbox, op: &OperationId) -> bool {
    let stored = sandbox.bus().operations().get(op).await.unwrap();
    stored.is_some_and(|stored| stored.record.state.is_terminal())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_under_random_kills_ends_once() {
    let count = children_from_environment(60);
    let seed = std::env::var("SANDBOX_SEED").map_or(1, |text| text.parse().expect("a number"));
    eprintln!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let programs = ["dummy", "dummy", "dummy", "dummy", "family"];
    let programs = programs.map(|service| format!("ktrdr-{service}"));
    let mut fleet: Vec<Process> = programs.iter().map(|name| sandbox.spawn(name)).collect();

    let work = RunDummy {
        iterations: 10,
        seconds: 0.02,
        checkpoint_every: 1,
        ..RunDummy::default()
    };
    let op = submit(&sandbox, &family_of(&work, count, 16)).await;
    let mut kills = 0;
    while !has_ended(&sandbox, &op).await {
        sandbox.after(Duration::from_millis(1_000)).await;
        let chosen = random.random_range(0..fleet.len());
        fleet[chosen].kill();
        fleet[chosen] = sandbox.spawn(&programs[chosen]);
        kills += 1;
        assert!(kills < 300, "the family does not get to its end");
    }

    let completion = sandbox.only_completion_of(&op).await;
    assert_eq!(completion.result["completed"], count);
    for index in 0..u32::try_from(count).unwrap() {
        let child = child_of(&op, index);
        sandbox.only_completion_of(&child).await;
        let events = sandbox.events(&child).await;
        let failures = events.iter().filter(|event| event.what == What::Failed);
        assert_eq!(failures.count(), 0);
    }
}
