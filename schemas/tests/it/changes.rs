//! Changes that somebody may try to make to a record, in any order and by writers of any age.

use jiff::Timestamp;
use proptest::prelude::*;
use schemas::codes;
use schemas::commands::RunDummy;
use schemas::errors::ErrorRecord;
use schemas::ids::{OperationId, Service, StepNumber, WorkerId};
use schemas::operation::{Holder, NewOperation, OperationRecord, Refusal, Said, Stopped};
use schemas::plan::Plan;
use serde_json::json;

/// A write that a worker makes in the name of its attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WorkerWrite {
    Complete,
    Fail,
    Retry,
    Stop,
    Release,
    Checkpoint,
}

/// One change that somebody tries to make; `step` counts modulo the plan, `behind` is how old the
/// writer's attempt is.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Claim {
        step: usize,
        worker: u16,
        submissions_behind: u32,
        lost: bool,
    },
    Write {
        write: WorkerWrite,
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

/// Up to 60 changes. Claims and completions are frequent, so that operations get somewhere.
pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        8 => claims(),
        12 => writes(),
        1 => (steps(), workers()).prop_map(|(step, worker)| Change::ClearHold { step, worker }),
        1 => (0..5_u64).prop_map(|sequence| Change::SeeCancel { sequence }),
        1 => (0..5_u64).prop_map(|sequence| Change::CancelUnheld { sequence }),
        2 => Just(Change::Resume),
        1 => steps().prop_map(|step| Change::Requeue { step }),
    ];
    prop::collection::vec(change, 0..60)
}

fn steps() -> impl Strategy<Value = usize> {
    0..6_usize
}

fn workers() -> impl Strategy<Value = u16> {
    0..3_u16
}

/// Mostly up to date.
fn ages() -> impl Strategy<Value = u32> {
    prop_oneof![8 => Just(0_u32), 1 => Just(1_u32)]
}

fn claims() -> impl Strategy<Value = Change> {
    (steps(), workers(), ages(), any::<bool>()).prop_map(
        |(step, worker, submissions_behind, lost)| Change::Claim {
            step,
            worker,
            submissions_behind,
            lost,
        },
    )
}

fn writes() -> impl Strategy<Value = Change> {
    let write = prop_oneof![
        5 => Just(WorkerWrite::Complete),
        1 => Just(WorkerWrite::Fail),
        2 => Just(WorkerWrite::Retry),
        1 => Just(WorkerWrite::Stop),
        1 => Just(WorkerWrite::Release),
        2 => Just(WorkerWrite::Checkpoint),
    ];

    (write, steps(), ages()).prop_map(|(write, step, behind)| Change::Write {
        write,
        step,
        behind,
    })
}

/// A new record of a plan with that many steps in each stage.
pub(crate) fn record_of(stages: &[usize]) -> OperationRecord {
    let request = RunDummy::default().operation();
    let spec = request.plan.stages[0][0].clone();
    let stages = stages.iter().map(|steps| vec![spec.clone(); *steps]);
    let plan = Plan {
        stages: stages.collect(),
    };

    let op: OperationId = "op_dummy_20260301_142233_9f3a01bc".parse().unwrap();
    OperationRecord::create(op, NewOperation { plan, ..request }, at(0))
}

pub(crate) fn at(second: usize) -> Timestamp {
    Timestamp::from_second(i64::try_from(second).unwrap()).unwrap()
}

pub(crate) fn worker(number: u16) -> WorkerId {
    WorkerId::new(Service::Dummy, "host", 1, number)
}

pub(crate) fn number(step: usize, record: &OperationRecord) -> StepNumber {
    StepNumber::new(step % record.steps.len() + 1).unwrap()
}

/// The attempt that a writer claims to be. There is no attempt 0: a writer that would have it
/// gets one that never existed.
fn attempt_of(record: &OperationRecord, step: StepNumber, behind: u32) -> u32 {
    let current = record.step(step).unwrap().attempt;
    match current.checked_sub(behind) {
        None | Some(0) => u32::MAX,
        Some(attempt) => attempt,
    }
}

/// True for a writer whose attempt is not the one in the record.
pub(crate) fn is_stale(record: &OperationRecord, step: usize, behind: u32) -> bool {
    let step = number(step, record);
    attempt_of(record, step, behind) != record.step(step).unwrap().attempt
}

/// Makes the change, if the record allows it.
pub(crate) fn apply(
    record: &mut OperationRecord,
    change: &Change,
    now: Timestamp,
) -> Result<(), Refusal> {
    match *change {
        Change::Claim {
            step,
            worker: claimer,
            submissions_behind,
            lost,
        } => {
            let step = number(step, record);
            claim(record, step, claimer, submissions_behind, lost, now)
        }

        Change::Write {
            write,
            step,
            behind,
        } => {
            let step = number(step, record);
            let attempt = attempt_of(record, step, behind);
            apply_write(record, write, step, attempt, now)
        }
        Change::ClearHold { step, worker: lost } => {
            record.clear_hold(number(step, record), &worker(lost), now)
        }
        Change::SeeCancel { sequence } => record.see_cancel(sequence, &Said::default(), now),
        Change::CancelUnheld { sequence } => record.cancel_unheld(sequence, &Said::default(), now),
        Change::Resume => {
            let floor = record.cancel.as_ref().map_or(0, |cancel| cancel.sequence);
            record.resume(floor, &Said::default(), now)
        }
        Change::Requeue { step } => {
            let step = number(step, record);
            let submission = record.step(step).unwrap().submission;
            record.requeue(step, submission, now)
        }
    }
}

/// A claim that respects the holder, or takes it for lost.
fn claim(
    record: &mut OperationRecord,
    step: StepNumber,
    claimer: u16,
    submissions_behind: u32,
    lost: bool,
    now: Timestamp,
) -> Result<(), Refusal> {
    let current = record.step(step).unwrap();
    let submission = current.submission.wrapping_sub(submissions_behind);
    let current_holder = current.holder.as_ref().map(|holder| holder.worker.clone());
    let holder = Holder {
        worker: worker(claimer),
        ack_subject: "$JS.ACK.x".to_owned(),
        since: now,
    };

    let lost_holder = current_holder.as_ref().filter(|_| lost);
    record.claim(step, submission, holder, lost_holder)?;
    Ok(())
}

fn apply_write(
    record: &mut OperationRecord,
    write: WorkerWrite,
    step: StepNumber,
    attempt: u32,
    now: Timestamp,
) -> Result<(), Refusal> {
    match write {
        WorkerWrite::Complete => record.complete(step, attempt, json!({ "attempt": attempt }), now),
        WorkerWrite::Fail => {
            let error = ErrorRecord::new(codes::DUMMY_ASKED, "as asked", "");
            record.fail(step, attempt, error, now)
        }
        WorkerWrite::Retry => record.retry(step, attempt, "later", now, now),
        WorkerWrite::Stop => record.stop(step, attempt, Stopped::default(), now),
        WorkerWrite::Release => record.release(step, attempt, now),
        WorkerWrite::Checkpoint => record.record_checkpoint(step, attempt, json!(attempt), now),
    }
}
