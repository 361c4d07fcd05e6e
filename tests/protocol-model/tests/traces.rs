//! Traces that no system following the protocol writes are refused, and the one beside them is not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails may panic"
)]

use jiff::Timestamp;
use protocol_model::ONE_END_EVENT;
use protocol_model::rules::ENDS_ONCE;
use protocol_model::trace::{Mismatch, Trace};
use schemas::commands::RunDummy;
use schemas::events::{Event, What};
use schemas::ids::{OperationId, Service, StepNumber, WorkerId};
use schemas::operation::{Holder, OperationRecord, OperationState, Said, StepState};
use serde_json::json;

const STEP: StepNumber = StepNumber::FIRST;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + second).unwrap()
}

fn holder(number: u16, second: i64) -> Holder {
    Holder {
        worker: WorkerId::new(Service::Dummy, "host", 1, number),
        ack_subject: "ack".to_owned(),
        since: at(second),
    }
}

fn event(record: &OperationRecord, what: What, worker: Option<WorkerId>) -> Event {
    let step = &record.steps[0];

    Event {
        v: 1,
        op: record.op.clone(),
        step: STEP,
        steps: 1,
        service: Service::Dummy,
        what,
        submission: step.submission,
        attempt: step.attempt,
        state: record.state,
        at: record.updated_at,
        worker,
        result: step.result.clone(),
        error: None,
        by: None,
        reason: None,
        done: [].into(),
        due: None,
    }
}

/// Created, claimed, taken over by another worker, and completed by it.
fn takeover() -> Trace {
    let op = OperationId::new("dummy", at(0), 1).unwrap();
    let mut record = OperationRecord::create(op, RunDummy::default().operation(), at(0));
    let mut trace = Trace::default();
    trace.revisions.push(record.clone());

    for number in [1, 2] {
        let second = i64::from(number) * 10;
        let worker = holder(number, second).worker;
        record.claim(STEP, 1, holder(number, second), None).unwrap();
        trace.revisions.push(record.clone());
        let started = event(&record, What::Started, Some(worker.clone()));
        trace.events.push(started);
        if number == 1 {
            record.clear_hold(STEP, &worker, at(15)).unwrap();
            trace.revisions.push(record.clone());
        }
    }
    record.complete(STEP, 2, json!("two"), at(30)).unwrap();
    trace.revisions.push(record.clone());
    trace.events.push(event(&record, What::Completed, None));
    // The mark is taken away.
    trace.revisions.push(record);
    trace
}

#[test]
fn a_takeover_is_a_trace_of_the_protocol() {
    let names = takeover().replay().unwrap();
    assert_eq!(
        names,
        [
            "create",
            "claim",
            "take over",
            "claim",
            "complete",
            "last term"
        ]
    );
}

#[test]
fn a_result_that_a_lost_worker_wrote_late_is_refused() {
    let mut trace = takeover();
    let last = trace.revisions.last_mut().unwrap();
    last.steps[0].result = json!("one");

    assert_eq!(trace.replay(), Err(Mismatch::NoTransition(6)));
}

#[test]
fn a_claim_under_the_old_attempt_is_refused() {
    let mut trace = takeover();
    for revision in &mut trace.revisions[3..] {
        revision.steps[0].attempt = 1;
    }

    assert_eq!(trace.replay(), Err(Mismatch::NoTransition(4)));
}

#[test]
fn a_completed_operation_that_runs_again_is_refused() {
    let mut trace = takeover();
    let mut again = trace.revisions[4].clone();
    again.state = OperationState::Cancelled;
    again.resume(0, &Said::default(), at(40)).unwrap();
    again.steps[0].state = StepState::Pending;
    trace.revisions.push(again);

    assert_eq!(trace.replay(), Err(Mismatch::NoTransition(7)));
}

#[test]
fn a_revision_that_is_missing_is_refused() {
    let mut trace = takeover();
    trace.revisions.remove(1);

    assert_eq!(trace.replay(), Err(Mismatch::NoTransition(2)));
}

#[test]
fn a_record_that_begins_ended_is_refused() {
    let mut trace = takeover();
    trace.revisions.drain(..4);

    assert_eq!(trace.replay(), Err(Mismatch::Beginning));
}

#[test]
fn an_event_of_a_worker_that_claimed_nothing_is_refused() {
    let mut trace = takeover();
    trace.events[1].worker = Some(holder(3, 0).worker);

    assert_eq!(trace.replay(), Err(Mismatch::Event(2)));
}

#[test]
fn an_end_that_is_announced_twice_or_never_is_refused() {
    let mut twice = takeover();
    twice.events.push(twice.events[2].clone());
    assert_eq!(twice.replay(), Err(Mismatch::Events(ONE_END_EVENT)));

    let mut never = takeover();
    never.events.pop();
    let mismatch = never.replay().unwrap_err();
    let text = mismatch.to_string();
    assert!(text.ends_with("has announced its end"), "{text}");
}

#[test]
fn a_mismatch_says_which_revision_and_rule() {
    let mismatch = Mismatch::Broken(3, ENDS_ONCE);
    assert_eq!(
        mismatch.to_string(),
        "revision 3 breaks: an operation ends once, and only a resume begins it again"
    );
}
