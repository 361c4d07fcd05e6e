//! Every limit of the contract, at it and one above: what is too long is refused where somebody
//! can make it shorter, and cut where it only informs.

use schemas::codec::{self, PAYLOAD_BYTES_MAX};
use schemas::commands::RunDummy;
use schemas::errors::{DETAILS_BYTES_MAX, ErrorRecord, HINT_BYTES_MAX, MESSAGE_BYTES_MAX};
use schemas::ids::{OperationId, STEPS_MAX, StepNumber};
use schemas::operation::{
    BY_BYTES_MAX, CHECKPOINT_BYTES_MAX, Holder, NewOperation, OperationRecord, REASON_BYTES_MAX,
    REQUEST_BYTES_MAX, Said,
};
use schemas::plan::{Plan, StepSpec};
use schemas::schedules::{NAME_BYTES_MAX, ScheduleName};
use schemas::timings::{DURATIONS_MAX, TimedStep, Timings};
use serde_json::{Value, json};

use crate::samples::{at, worker};

fn op() -> OperationId {
    "op_dummy_20260301_142233_00000011".parse().unwrap()
}

fn request() -> NewOperation {
    RunDummy::default().operation()
}

fn first_spec() -> StepSpec {
    request().plan.stages[0][0].clone()
}

/// A text that takes that many packed bytes, from 256 on.
fn packed_text(bytes: usize) -> Value {
    json!("x".repeat(bytes - 3))
}

#[test]
fn a_payload_may_have_64_kibibytes_and_no_more() {
    // The text of a schema that is not known is refused for what it is, not for its size.
    let longest = vec![b'{'; PAYLOAD_BYTES_MAX];
    let refusal = codec::decode::<OperationRecord>(&longest).unwrap_err();
    assert!(!refusal.to_string().contains("limit"), "{refusal}");

    let refusal = codec::decode::<OperationRecord>(&[&longest[..], b"{"].concat()).unwrap_err();
    assert!(
        refusal.to_string().contains("over the limit of 65536"),
        "{refusal}"
    );
}

#[test]
fn a_plan_may_have_32_steps_and_no_more() {
    let plan_of = |steps| Plan::sequence(vec![first_spec(); steps]);

    plan_of(STEPS_MAX).validate().unwrap();
    let refusal = plan_of(STEPS_MAX + 1).validate().unwrap_err();

    assert_eq!(
        refusal.to_string(),
        "the plan has 33 steps; at most 32 are allowed, put more work into one step over a list"
    );
}

#[test]
fn a_verb_may_have_32_bytes_and_no_more() {
    let plan_of = |length: usize| {
        let spec = first_spec();
        Plan::sequence(vec![StepSpec {
            verb: "v".repeat(length),
            ..spec
        }])
    };

    plan_of(32).validate().unwrap();
    let refusal = plan_of(33).validate().unwrap_err().to_string();

    assert!(
        refusal.ends_with("it must be 1 to 32 of [a-z0-9_]"),
        "{refusal}"
    );
}

#[test]
fn a_request_may_have_36_kibibytes_and_no_more() {
    let mut request = request();
    request.params = Value::Null;
    // The text takes the place of a null of one byte.
    let rest = rmp_serde::to_vec_named(&request).unwrap().len() - 1;

    request.params = packed_text(REQUEST_BYTES_MAX - rest);
    request.validate(&op()).unwrap();
    request.params = packed_text(REQUEST_BYTES_MAX + 1 - rest);
    let refusal = request.validate(&op()).unwrap_err();

    assert_eq!(
        refusal.to_string(),
        "the request has 36865 bytes, at most 36864 are allowed; make the strategy text or the \
         lists shorter"
    );
}

#[test]
fn a_checkpoint_may_have_160_bytes_and_no_more() {
    let mut record = OperationRecord::create(op(), request(), at(0));
    let number = StepNumber::FIRST;
    let holder = Holder {
        worker: worker(),
        ack_subject: "$JS.ACK.KTRDR_COMMANDS.dummy_default.1.2.3.4.5".to_owned(),
        since: at(1),
    };
    record.claim(number, 1, holder, None).unwrap();

    // A text of less than 256 bytes has a head of two.
    let text = |bytes: usize| json!("x".repeat(bytes - 2));
    record
        .record_checkpoint(number, 1, text(CHECKPOINT_BYTES_MAX), at(9))
        .unwrap();
    let refusal = record
        .record_checkpoint(number, 1, text(CHECKPOINT_BYTES_MAX + 1), at(9))
        .unwrap_err();

    assert!(refusal.to_string().contains("161"), "{refusal}");
    assert!(refusal.to_string().contains("160"), "{refusal}");
}

#[test]
fn who_and_why_are_cut_at_their_limits() {
    let said = |by: usize, reason: usize| Said {
        by: Some("b".repeat(by)),
        reason: Some("r".repeat(reason)),
    };
    let lengths_after = |said: Said| {
        let mut record = OperationRecord::create(op(), request(), at(0));
        record.see_cancel(1, &said, at(1)).unwrap();
        let seen = record.cancel.unwrap();
        [seen.by.unwrap().len(), seen.reason.len()]
    };

    let longest = [BY_BYTES_MAX, REASON_BYTES_MAX];
    assert_eq!(lengths_after(said(64, 200)), longest);
    assert_eq!(lengths_after(said(65, 201)), longest);
}

#[test]
fn an_error_is_cut_at_its_limits() {
    let error_of = |code: usize, message: usize, hint: usize| {
        ErrorRecord::new("C".repeat(code), "m".repeat(message), "h".repeat(hint))
    };

    let longest = error_of(64, MESSAGE_BYTES_MAX, HINT_BYTES_MAX);
    assert_eq!(longest.code.len(), 64);
    assert_eq!(longest.message.len(), MESSAGE_BYTES_MAX);
    assert_eq!(longest.hint.len(), HINT_BYTES_MAX);

    let cut = error_of(65, MESSAGE_BYTES_MAX + 1, HINT_BYTES_MAX + 1);
    assert_eq!(cut.code.len(), 64);
    assert!(cut.message.len() <= MESSAGE_BYTES_MAX && cut.message.ends_with('…'));
    assert!(cut.hint.len() <= HINT_BYTES_MAX && cut.hint.ends_with('…'));
}

#[test]
fn facts_of_an_error_are_left_out_above_their_limit() {
    let error_with = |bytes| ErrorRecord::new("C", "m", "h").with_details(packed_text(bytes));

    assert_ne!(error_with(DETAILS_BYTES_MAX).details, Value::Null);
    assert_eq!(error_with(DETAILS_BYTES_MAX + 1).details, Value::Null);
}

#[test]
fn a_schedule_may_have_a_name_of_48_bytes_and_no_more() {
    let name_of = |length| "s".repeat(length).parse::<ScheduleName>();

    name_of(NAME_BYTES_MAX).unwrap();
    let refusal = name_of(NAME_BYTES_MAX + 1).unwrap_err().to_string();

    assert!(refusal.contains("1 to 48"), "{refusal}");
}

#[test]
fn the_last_ten_durations_of_a_kind_of_step_stay() {
    let mut timings = Timings::default();
    for second in 0..=DURATIONS_MAX as i64 {
        timings.add(TimedStep {
            seconds: 1.0,
            at: at(second),
        });
    }

    let first = timings.steps.first().map(|step| step.at);
    assert_eq!((timings.steps.len(), first), (DURATIONS_MAX, Some(at(1))));
}
