//! Whatever sequence of changes a record goes through, in whatever order, these things hold.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test that fails may panic"
)]

use jiff::Timestamp;
use proptest::prelude::*;
use schemas::commands::RunDummy;
use schemas::delivery::{Decision, decide};
use schemas::errors::ErrorRecord;
use schemas::ids::{OperationId, StepNumber, WorkerId};
use schemas::messages::CommandMessage;
use schemas::operation::{
    BARREN_ATTEMPTS_MAX, Holder, OperationRecord, OperationState, Refusal, StepState,
};
use schemas::plan::Plan;
use schemas::subjects::CommandAddress;
use serde_json::json;

/// One change that somebody tries to make; `step` counts modulo the plan, `behind` is how old the
/// writer's attempt is.
#[derive(Clone, Debug)]
enum Change {
    Claim {
        step: usize,
        worker: u16,
        submissions_behind: u32,
        lost: bool,
    },
    Complete {
        step: usize,
        behind: u32,
    },
    Fail {
        step: usize,
        behind: u32,
    },
    Retry {
        step: usize,
        behind: u32,
    },
    Stop {
        step: usize,
        behind: u32,
    },
    Release {
        step: usize,
        behind: u32,
    },
    Advance {
        step: usize,
        behind: u32,
    },
    ClearHold {
        step: usize,
        worker: u16,
    },
    SeeCancel {
        sequence: u64,
    },
    CancelUnheld {
        sequence: u64,
    },
    Resume,
    Requeue {
        step: usize,
    },
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let (step, worker) = (0..6_usize, 0..3_u16);
    let behind = prop_oneof![8 => Just(0_u32), 1 => Just(1_u32)];
    let by_attempt = (step.clone(), behind.clone());
    let change = prop_oneof![
        8 => (step.clone(), worker.clone(), behind, any::<bool>())
            .prop_map(|(step, worker, submissions_behind, lost)| Change::Claim { step, worker, submissions_behind, lost }),
        5 => by_attempt.clone().prop_map(|(step, behind)| Change::Complete { step, behind }),
        1 => by_attempt.clone().prop_map(|(step, behind)| Change::Fail { step, behind }),
        2 => by_attempt.clone().prop_map(|(step, behind)| Change::Retry { step, behind }),
        1 => by_attempt.clone().prop_map(|(step, behind)| Change::Stop { step, behind }),
        1 => by_attempt.clone().prop_map(|(step, behind)| Change::Release { step, behind }),
        2 => by_attempt.prop_map(|(step, behind)| Change::Advance { step, behind }),
        1 => (step.clone(), worker).prop_map(|(step, worker)| Change::ClearHold { step, worker }),
        1 => (0..5_u64).prop_map(|sequence| Change::SeeCancel { sequence }),
        1 => (0..5_u64).prop_map(|sequence| Change::CancelUnheld { sequence }),
        2 => Just(Change::Resume),
        1 => step.prop_map(|step| Change::Requeue { step }),
    ];
    prop::collection::vec(change, 0..60)
}

fn record_of(stages: &[usize]) -> OperationRecord {
    let spec = RunDummy::default().operation().plan.stages[0][0].clone();
    let plan = Plan {
        stages: stages
            .iter()
            .map(|steps| vec![spec.clone(); *steps])
            .collect(),
    };
    let op: OperationId = "op_dummy_20260301_142233_9f3a01bc".parse().unwrap();
    let new = schemas::operation::NewOperation {
        plan,
        ..RunDummy::default().operation()
    };
    OperationRecord::create(op, new, at(0))
}

fn at(second: usize) -> Timestamp {
    Timestamp::from_second(i64::try_from(second).unwrap()).unwrap()
}

fn worker(number: u16) -> WorkerId {
    WorkerId::new(schemas::ids::Service::Dummy, "host", 1, number)
}

fn number(step: usize, record: &OperationRecord) -> StepNumber {
    StepNumber::new(step % record.steps.len() + 1).unwrap()
}

/// The attempt that a writer claims to be, and whether it is the one in the record. There is no
/// attempt 0.
fn attempt(record: &OperationRecord, step: StepNumber, behind: u32) -> (u32, bool) {
    let current = record.step(step).unwrap().attempt;
    match current.checked_sub(behind) {
        None | Some(0) => (u32::MAX, false),
        Some(mine) => (mine, behind == 0),
    }
}

fn apply(record: &mut OperationRecord, change: &Change, now: Timestamp) -> Result<(), Refusal> {
    let by_attempt = |record: &OperationRecord, step: usize, behind: u32| {
        let step = number(step, record);
        (step, attempt(record, step, behind).0)
    };
    let error = ErrorRecord::new("TEST-Error", "as asked", "");
    match *change {
        Change::Claim {
            step,
            worker: who,
            submissions_behind,
            lost,
        } => {
            let step = number(step, record);
            let submission = record
                .step(step)
                .unwrap()
                .submission
                .wrapping_sub(submissions_behind);
            let holder = Holder {
                worker: worker(who),
                ack_subject: "$JS.ACK.x".to_owned(),
                since: now,
            };
            let gone = record
                .step(step)
                .unwrap()
                .holder
                .as_ref()
                .map(|holder| holder.worker.clone());
            record
                .claim(step, submission, holder, gone.as_ref().filter(|_| lost))
                .map(drop)
        }
        Change::Complete { step, behind } => {
            let (step, attempt) = by_attempt(record, step, behind);
            record.complete(step, attempt, json!({ "attempt": attempt }), now)
        }
        Change::Fail { step, behind } => {
            let (step, attempt) = by_attempt(record, step, behind);
            record.fail(step, attempt, error, now)
        }
        Change::Retry { step, behind } => {
            let (step, attempt) = by_attempt(record, step, behind);
            record.retry(step, attempt, "later", now, now)
        }
        Change::Stop { step, behind } => {
            let (step, attempt) = by_attempt(record, step, behind);
            record.stop(step, attempt, now)
        }
        Change::Release { step, behind } => {
            let (step, attempt) = by_attempt(record, step, behind);
            record.release(step, attempt, now)
        }
        Change::Advance { step, behind } => {
            let (step, attempt) = by_attempt(record, step, behind);
            record.record_checkpoint(step, attempt, json!(attempt), now)
        }
        Change::ClearHold { step, worker: who } => {
            record.clear_hold(number(step, record), &worker(who), now)
        }
        Change::SeeCancel { sequence } => record.see_cancel(sequence, "", now),
        Change::CancelUnheld { sequence } => record.cancel_unheld(sequence, "", now),
        Change::Resume => record.resume(
            record.cancel.as_ref().map_or(0, |cancel| cancel.sequence),
            now,
        ),
        Change::Requeue { step } => {
            let step = number(step, record);
            record.requeue(step, record.step(step).unwrap().submission, now)
        }
    }
}

/// What must be true of any record at any time.
fn assert_sound(record: &OperationRecord) {
    let all = |state| record.steps.iter().all(|step| step.state == state);
    assert_eq!(
        record.state == OperationState::Completed,
        all(StepState::Completed)
    );
    assert_eq!(
        record.state.is_terminal(),
        record.finished_at.is_some(),
        "{}",
        record.state
    );
    assert!(
        !(record.state.is_terminal() && record.is_held()),
        "an operation ends when nobody holds a step"
    );
    assert_eq!(
        record.failure.is_some(),
        record
            .steps
            .iter()
            .any(|step| step.state == StepState::Failed)
    );
    if record.cancel.is_some() && !record.is_held() {
        assert!(
            record.state.is_terminal(),
            "a cancel that nobody holds up has happened"
        );
    }
    if record.state == OperationState::Cancelled {
        assert!(
            record.steps.iter().all(|step| step.state.is_terminal()),
            "nothing of it may run any more"
        );
    }
    for step in &record.steps {
        assert_eq!(step.holder.is_some(), step.state == StepState::Running);
        assert_eq!(step.finished_at.is_some(), step.state.is_terminal());
        assert!(step.barren_attempts <= step.attempt);
    }
    assert_plan_kept(record);
}

/// What is outstanding is exactly the unfinished part of the first unfinished stage.
fn assert_plan_kept(record: &OperationRecord) {
    let outstanding = record.outstanding_commands();
    if record.state.is_terminal() || record.has_stopped_step() || record.cancel.is_some() {
        assert!(outstanding.is_empty());
        return;
    }
    let done = |index: usize| record.steps[index].state == StepState::Completed;
    let stage = record
        .plan
        .numbered_stages()
        .find(|stage| stage.clone().any(|index| !done(index)))
        .unwrap();
    let expected: Vec<usize> = stage.clone().filter(|index| !done(*index)).collect();
    assert_eq!(
        outstanding
            .iter()
            .map(|step| step.step.index())
            .collect::<Vec<_>>(),
        expected
    );
    assert!(
        (0..stage.start).all(done),
        "a later stage waits for all earlier ones"
    );
    assert!(
        outstanding
            .iter()
            .all(|step| step.submission == record.step(step.step).unwrap().submission)
    );
}

/// What one change may do to what was there before.
fn assert_lawful(
    before: &OperationRecord,
    change: &Change,
    result: &Result<(), Refusal>,
    after: &OperationRecord,
) {
    if result.is_err() {
        assert_eq!(before, after, "a refused change changes nothing");
        return;
    }
    let resumed = matches!(change, Change::Resume);
    assert!(
        !before.state.is_terminal() || resumed,
        "{:?} left {}",
        change,
        before.state
    );
    assert!(
        !resumed
            || matches!(
                before.state,
                OperationState::Failed | OperationState::Cancelled
            )
    );
    let claimed = matches!(change, Change::Claim { .. });
    for (old, new) in before.steps.iter().zip(&after.steps) {
        assert!(new.attempt == old.attempt || (claimed && new.attempt == old.attempt + 1));
        assert!(new.submission >= old.submission);
        assert!(
            old.state != StepState::Completed || old == new,
            "a completed step stays as it is"
        );
        if new.attempt > old.attempt {
            let exhausted = new.barren_attempts > BARREN_ATTEMPTS_MAX;
            assert_eq!(exhausted, old.barren_attempts >= BARREN_ATTEMPTS_MAX);
        }
    }
    let stale = |step: usize, behind: u32| !attempt(before, number(step, before), behind).1;
    match *change {
        Change::Complete { step, behind }
        | Change::Fail { step, behind }
        | Change::Retry { step, behind }
        | Change::Stop { step, behind }
        | Change::Release { step, behind }
        | Change::Advance { step, behind } => {
            assert!(!stale(step, behind), "a fenced writer changed something")
        }
        Change::SeeCancel { sequence } | Change::CancelUnheld { sequence } => {
            assert!(sequence > before.cancel_floor)
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_changes_breaks_a_record(stages in prop::collection::vec(1..=3_usize, 1..=3), changes in changes()) {
        let mut record = record_of(&stages);
        for (second, change) in changes.iter().enumerate() {
            let before = record.clone();
            let result = apply(&mut record, change, at(second + 1));
            assert_lawful(&before, change, &result, &record);
            assert_sound(&record);
        }
    }

    #[test]
    fn what_is_decided_on_a_delivery_can_be_done(
        stages in prop::collection::vec(1..=3_usize, 1..=3),
        changes in changes(),
        step in 0..6_usize,
        submissions_behind in 0..2_u32,
        alive in any::<bool>(),
    ) {
        let mut record = record_of(&stages);
        for (second, change) in changes.iter().enumerate() {
            drop(apply(&mut record, change, at(second + 1)));
        }
        let step = number(step, &record);
        let current = record.step(step).unwrap().clone();
        let submission = current.submission.saturating_sub(submissions_behind);
        let address = CommandAddress {
            service: schemas::ids::Service::Dummy, lane: schemas::ids::Lane::Default, op: record.op.clone(), step,
        };
        let message = CommandMessage::new(&record.op, step, submission, None);
        let holder = Holder { worker: worker(9), ack_subject: "$JS.ACK.y".to_owned(), since: at(100) };
        match decide(&address, &message, Some(&record), |_| alive) {
            Decision::Claim { lost } => {
                prop_assert!(!(alive && current.holder.is_some()), "a live holder is respected");
                let claim = record.claim(step, submission, holder, lost.as_ref()).unwrap();
                prop_assert_eq!(claim.attempt, current.attempt + 1);
            }
            Decision::Conclude => prop_assert!(current.state.is_terminal() || record.state.is_terminal()),
            Decision::Continue => prop_assert_eq!(current.state, StepState::Completed),
            Decision::ClearHold { lost } => {
                prop_assert!(!alive && record.has_stopped_step());
                record.clear_hold(step, &lost, at(100)).unwrap();
            }
            Decision::HandBack => prop_assert!(alive && current.holder.is_some()),
            Decision::Void => prop_assert!(submission < current.submission || record.has_stopped_step()),
            other => prop_assert!(false, "{other:?} on a record that knows the step"),
        }
    }

    #[test]
    fn the_percent_ranges_of_a_plan_follow_each_other_from_zero_to_a_hundred(weights in prop::collection::vec(0.01..100.0_f64, 1..=32)) {
        let mut record = record_of(&vec![1; weights.len()]);
        for (stage, weight) in record.plan.stages.iter_mut().zip(&weights) {
            stage[0].weight = *weight;
        }
        let ranges: Vec<_> = record.numbers().map(|number| record.plan.percent_range(number)).collect();
        prop_assert_eq!(ranges[0].0, 0.0);
        prop_assert!((ranges[ranges.len() - 1].1 - 100.0).abs() < 1e-9);
        prop_assert!(ranges.windows(2).all(|pair| pair[0].1 == pair[1].0 && pair[0].0 < pair[0].1));
    }
}
