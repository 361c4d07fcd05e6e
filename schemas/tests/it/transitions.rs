//! Whatever sequence of changes a record goes through, in whatever order, these things hold.

use proptest::prelude::*;
use schemas::delivery::{Decision, decide};
use schemas::ids::{Lane, Service};
use schemas::messages::CommandMessage;
use schemas::operation::{Holder, OperationRecord, OperationState, Refusal, StepRecord, StepState};
use schemas::subjects::CommandAddress;

use crate::changes::{
    Change, WorkerWrite, apply, at, changes, is_stale, number, record_of, worker,
};

/// What must be true of any record at any time.
fn assert_sound(record: &OperationRecord) {
    assert_state_follows_from_steps(record);
    assert_ended_when_nothing_is_held(record);
    for step in &record.steps {
        assert_eq!(step.holder.is_some(), step.state == StepState::Running);
        assert_eq!(step.finished_at.is_some(), step.state.is_terminal());
        assert!(step.barren_attempts <= step.attempt);
    }
    assert_plan_is_followed(record);
}

fn assert_state_follows_from_steps(record: &OperationRecord) {
    let states = || record.steps.iter().map(|step| step.state);
    let all_completed = states().all(|state| state == StepState::Completed);
    assert_eq!(record.state == OperationState::Completed, all_completed);
    let any_failed = states().any(|state| state == StepState::Failed);
    assert_eq!(record.failure.is_some(), any_failed);

    let has_ended = record.state.is_terminal();
    assert_eq!(has_ended, record.finished_at.is_some(), "{}", record.state);
    if record.state == OperationState::Cancelled {
        assert!(
            states().all(StepState::is_terminal),
            "nothing of it may run any more"
        );
    }
}

fn assert_ended_when_nothing_is_held(record: &OperationRecord) {
    if record.state.is_terminal() {
        assert!(
            !record.is_held(),
            "an operation ends when nobody holds a step"
        );
    }
    if record.cancel.is_some() && !record.is_held() {
        assert!(
            record.state.is_terminal(),
            "a cancel that nobody holds up has happened"
        );
    }
}

/// What is outstanding is exactly the unfinished part of the first unfinished stage.
fn assert_plan_is_followed(record: &OperationRecord) {
    let outstanding = record.outstanding_commands();
    if record.state.is_terminal() || record.has_stopped_step() || record.cancel.is_some() {
        assert!(outstanding.is_empty());
        return;
    }

    let is_done = |index: usize| record.steps[index].state == StepState::Completed;
    let mut stages = record.plan.numbered_stages();
    let stage = stages
        .find(|stage| stage.clone().any(|index| !is_done(index)))
        .unwrap();
    assert!(
        (0..stage.start).all(is_done),
        "a later stage waits for all earlier ones"
    );

    let expected: Vec<usize> = stage.filter(|index| !is_done(*index)).collect();
    let steps: Vec<usize> = outstanding.iter().map(|it| it.step.index()).collect();
    assert_eq!(steps, expected);
    for command in outstanding {
        let step = record.step(command.step).unwrap();
        assert_eq!(command.submission, step.submission);
    }
}

/// What one change may do to the record that was there before.
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

    assert_only_a_resume_leaves_an_end(before, change);
    let is_claim = matches!(change, Change::Claim { .. });
    for (old, new) in before.steps.iter().zip(&after.steps) {
        assert_step_is_lawful(old, new, is_claim);
    }

    match *change {
        Change::Write {
            write,
            step,
            behind,
        } => {
            assert!(
                !is_stale(before, step, behind),
                "a fenced writer changed something"
            );
            let step = number(step, before).index();
            assert_retries_are_counted(&before.steps[step], write, &after.steps[step]);
        }
        Change::SeeCancel { sequence } | Change::CancelUnheld { sequence } => {
            assert!(sequence > before.cancel_floor);
        }
        _ => {}
    }
}

/// A failure that is followed by another try costs a retry and no barren attempt; a checkpoint gives
/// both back.
fn assert_retries_are_counted(old: &StepRecord, write: WorkerWrite, new: &StepRecord) {
    match write {
        WorkerWrite::Retry => {
            assert_eq!(new.retries, old.retries + 1);
            assert_eq!(new.barren_attempts, old.barren_attempts.saturating_sub(1));
        }
        WorkerWrite::Checkpoint => assert_eq!((new.retries, new.barren_attempts), (0, 0)),
        _ => assert_eq!(new.retries, old.retries),
    }
}

fn assert_only_a_resume_leaves_an_end(before: &OperationRecord, change: &Change) {
    use OperationState::{Cancelled, Failed};
    let can_be_resumed = matches!(before.state, Failed | Cancelled);
    if matches!(change, Change::Resume) {
        assert!(can_be_resumed, "resumed from {}", before.state);
    } else {
        assert!(
            !before.state.is_terminal(),
            "{change:?} left {}",
            before.state
        );
    }
}

fn assert_step_is_lawful(old: &StepRecord, new: &StepRecord, is_claim: bool) {
    assert!(new.submission >= old.submission);
    if old.state == StepState::Completed {
        assert_eq!(old, new, "a completed step stays as it is");
    }

    if new.attempt != old.attempt {
        assert!(is_claim);
        assert_eq!(new.attempt, old.attempt + 1);
        // Unless the worker that seemed to be lost is the one that claims it again.
        let claimer = new.holder.as_ref().map(|holder| &holder.worker);
        let lives = old.holder.is_none() && claimer == old.taken_from.as_ref();
        let barren_before = old.barren_attempts.saturating_sub(u32::from(lives));
        assert_eq!(new.barren_attempts, barren_before + 1);
    }
}

/// Decides on a delivery of a command and does what the decision says.
fn follow_decision(
    record: &mut OperationRecord,
    step: usize,
    submissions_behind: u32,
    is_alive: bool,
) {
    let step = number(step, record);
    let current = record.step(step).unwrap().clone();
    let submission = current.submission.saturating_sub(submissions_behind);
    let address = CommandAddress {
        service: Service::Dummy,
        lane: Lane::Default,
        op: record.op.clone(),
        step,
    };
    let message = CommandMessage::new(&record.op, step, submission, None);

    match decide(&address, &message, Some(record), |_| is_alive) {
        Decision::Claim { lost } => {
            assert!(
                !(is_alive && current.holder.is_some()),
                "a live holder is respected"
            );
            let holder = Holder {
                worker: worker(9),
                ack_subject: "$JS.ACK.y".to_owned(),
                since: at(100),
            };
            let claim = record.claim(step, submission, holder, lost.as_ref());
            assert_eq!(claim.unwrap().attempt, current.attempt + 1);
        }
        Decision::ClearHold { lost } => {
            assert!(!is_alive && record.has_stopped_step());
            record.clear_hold(step, &lost, at(100)).unwrap();
        }
        Decision::Conclude => assert!(current.state.is_terminal() || record.state.is_terminal()),
        Decision::Continue => assert_eq!(current.state, StepState::Completed),
        Decision::HandBack => assert!(is_alive && current.holder.is_some()),
        Decision::Void => assert!(submission < current.submission || record.has_stopped_step()),
        other => panic!("{other:?} on a record that has the step"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_sequence_of_changes_breaks_a_record(
        stages in prop::collection::vec(1..=3_usize, 1..=3),
        changes in changes(),
    ) {
        let mut record = record_of(&stages);
        for (second, change) in (1..).zip(&changes) {
            let before = record.clone();
            let result = apply(&mut record, change, at(second));
            assert_lawful(&before, change, &result, &record);
            assert_sound(&record);
        }
    }

    #[test]
    fn every_decision_on_a_delivery_can_be_followed(
        stages in prop::collection::vec(1..=3_usize, 1..=3),
        changes in changes(),
        step in 0..6_usize,
        submissions_behind in 0..2_u32,
        is_alive in any::<bool>(),
    ) {
        let mut record = record_of(&stages);
        for (second, change) in (1..).zip(&changes) {
            // Refused changes belong to the history, too.
            let _ = apply(&mut record, change, at(second));
        }
        follow_decision(&mut record, step, submissions_behind, is_alive);
    }

    #[test]
    fn the_percent_ranges_of_a_plan_cover_zero_to_a_hundred(
        weights in prop::collection::vec(0.01..100.0_f64, 1..=32),
    ) {
        let mut record = record_of(&vec![1; weights.len()]);
        for (stage, weight) in record.plan.stages.iter_mut().zip(&weights) {
            stage[0].weight = *weight;
        }

        let mut end_before = 0.0;
        for number in record.numbers() {
            let (start, end) = record.plan.percent_range(number);
            prop_assert_eq!(start, end_before);
            prop_assert!(end > start);
            end_before = end;
        }
        prop_assert!((end_before - 100.0).abs() < 1e-9);
    }
}
