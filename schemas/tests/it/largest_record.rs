//! The largest legal record fits one message, whatever fills it.

use proptest::prelude::*;
use schemas::codec::{self, PAYLOAD_BYTES_MAX};
use schemas::commands::RunDummy;
use schemas::errors::{DETAILS_BYTES_MAX, ErrorRecord};
use schemas::ids::{OperationId, STEPS_MAX, Service, StepNumber, WorkerId};
use schemas::operation::{
    BY_BYTES_MAX, CHECKPOINT_BYTES_MAX, Holder, NewOperation, OperationRecord, REASON_BYTES_MAX,
    REQUEST_BYTES_MAX, Resumption, Said, result_bytes_max,
};
use schemas::plan::{Plan, StepSpec};
use serde_json::{Value, json};

use crate::samples::at;

/// What the values of a record are made of: their packed sizes follow different rules.
#[derive(Clone, Copy, Debug)]
enum Filling {
    Text,
    Numbers,
}

impl Filling {
    /// A value of at most `bytes` packed bytes: numbers of nine bytes each after a head of three,
    /// or a text after one.
    fn value(self, bytes: usize) -> Value {
        match self {
            Self::Text => json!("x".repeat(bytes - 3)),
            Self::Numbers => json!(vec![0.5; (bytes - 3) / 9]),
        }
    }
}

fn op() -> OperationId {
    "op_dummy_20260301_142233_9f3a01bc".parse().unwrap()
}

/// A request of that many steps that is as large as it may be.
fn largest_request(steps: usize) -> NewOperation {
    let mut request = RunDummy::default().operation();
    let spec = StepSpec {
        verb: "v".repeat(32),
        command: Value::Null,
        ..request.plan.stages[0][0].clone()
    };
    request.plan = Plan::sequence(vec![spec; steps]);

    let size = rmp_serde::to_vec_named(&request).unwrap().len();
    request.params = json!("x".repeat(REQUEST_BYTES_MAX - size - 4));
    request.validate(&op()).unwrap();
    request
}

fn longest_holder() -> Holder {
    Holder {
        worker: WorkerId::new(Service::Dummy, &"h".repeat(30), u32::MAX, u16::MAX),
        ack_subject: "$JS.ACK.".to_owned() + &"a".repeat(112),
        since: at(1),
    }
}

fn longest_said() -> Said {
    Said {
        by: Some("b".repeat(100)),
        reason: Some("r".repeat(300)),
    }
}

fn longest_error(filling: Filling) -> ErrorRecord {
    ErrorRecord::new("C".repeat(64), "m".repeat(2_000), "h".repeat(2_000))
        .with_details(filling.value(DETAILS_BYTES_MAX))
}

/// A record in which everything is as large as it may be: every step is held, or all but the last
/// are completed and the last one has failed.
fn largest_record(steps: usize, held: bool, filling: Filling) -> OperationRecord {
    let mut record = OperationRecord::create(op(), largest_request(steps), at(0));
    for number in record.numbers() {
        record.claim(number, 1, longest_holder(), None).unwrap();
        let checkpoint = filling.value(CHECKPOINT_BYTES_MAX);
        record
            .record_checkpoint(number, 1, checkpoint, at(2))
            .unwrap();
        if !held {
            end_step(&mut record, number, filling);
        }
    }

    if held {
        record.see_cancel(u64::MAX, &longest_said(), at(4)).unwrap();
    }
    record.resumed = Some(Resumption {
        by: Some("b".repeat(BY_BYTES_MAX)),
        reason: Some("r".repeat(REASON_BYTES_MAX)),
        at: at(5),
    });
    record.nonce = "f".repeat(16);
    record
}

fn end_step(record: &mut OperationRecord, number: StepNumber, filling: Filling) {
    let steps = record.steps.len();
    let ended = if usize::from(number.get()) == steps {
        record.fail(number, 1, longest_error(filling), at(3))
    } else {
        let result = filling.value(result_bytes_max(steps));
        record.complete(number, 1, result, at(3))
    };
    ended.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_largest_legal_record_fits_a_message(
        steps in 1..=STEPS_MAX,
        held in any::<bool>(),
        filling in prop_oneof![Just(Filling::Text), Just(Filling::Numbers)],
    ) {
        let record = largest_record(steps, held, filling);

        let size = rmp_serde::to_vec_named(&record).unwrap().len();
        prop_assert!(
            size <= PAYLOAD_BYTES_MAX,
            "{steps} steps, held: {held}, {filling:?}: {size} bytes"
        );
        let encoded = codec::encode(&record).unwrap();
        prop_assert_eq!(codec::decode::<OperationRecord>(&encoded).unwrap(), record);
    }
}
