//! The wire form: what other programs read is pinned, other versions are met politely, nothing
//! outgrows a message.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test that fails may panic"
)]

use insta::assert_json_snapshot;
use jiff::Timestamp;
use proptest::prelude::*;
use schemas::codec::{self, CodecError, Message, PAYLOAD_BYTES_MAX};
use schemas::commands::RunDummy;
use schemas::errors::ErrorRecord;
use schemas::events::{Event, What};
use schemas::ids::{Lane, OperationId, STEPS_MAX, Service, StepNumber, WorkerId};
use schemas::messages::{CommandMessage, DeadLetter};
use schemas::operation::NewOperation;
use schemas::operation::{
    CHECKPOINT_BYTES_MAX, Holder, OperationRecord, OperationState, REQUEST_BYTES_MAX,
    result_bytes_max,
};
use schemas::plan::Plan;
use schemas::progress::{Context, Count, Device, ProgressRecord, Waiting};
use schemas::subjects;
use schemas::worker::WorkerInfo;
use serde_json::{Value, json};

fn op() -> OperationId {
    "op_train_20260301_142233_9f3a01bc".parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    "2026-03-01T14:22:33Z".parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_secs(second)
}

fn worker() -> WorkerId {
    WorkerId::new(Service::Trainer, "gpu-host", 4711, 0xbeef)
}

fn operation() -> NewOperation {
    let step = |service, verb: &str, weight, command| schemas::plan::StepSpec {
        service,
        verb: verb.to_owned(),
        lane: Lane::Default,
        weight,
        command,
    };
    NewOperation {
        kind: "train".to_owned(),
        labels: [("symbol".to_owned(), "EUR/USD".to_owned())].into(),
        params: json!({ "seed": 7 }),
        plan: Plan {
            stages: vec![
                vec![step(
                    Service::Fetcher,
                    "fetch",
                    15.0,
                    json!({ "mode": "tail" }),
                )],
                vec![
                    step(Service::Processor, "process", 15.0, Value::Null),
                    step(Service::Dummy, "run", 1.0, Value::Null),
                ],
                vec![step(Service::Trainer, "train", 60.0, Value::Null)],
            ],
        },
    }
}

fn holder() -> Holder {
    Holder {
        worker: worker(),
        ack_subject: "$JS.ACK.KTRDR_COMMANDS.trainer_default.1.2.3.4.5".to_owned(),
        since: at(1),
    }
}

fn record() -> OperationRecord {
    let mut record = OperationRecord::create(op(), operation(), at(0));
    let [first, second, third] = [1, 2, 3].map(|number| StepNumber::new(number).unwrap());
    record.claim(first, 1, holder(), None).unwrap();
    record
        .complete(first, 1, json!({ "series": "EURUSD 1h" }), at(2))
        .unwrap();
    record.claim(second, 1, holder(), None).unwrap();
    record
        .record_checkpoint(second, 1, json!({ "segment": 3 }), at(3))
        .unwrap();
    record.claim(third, 1, holder(), None).unwrap();
    record
        .retry(third, 1, "the provider is away", at(10), at(4))
        .unwrap();
    record.see_cancel(12, "wrong symbol", at(5)).unwrap();
    record.nonce = "00000000000000ff".to_owned();
    record
}

fn error() -> ErrorRecord {
    ErrorRecord::new(
        "PROVIDER-RateLimited",
        "HTTP 429 on 5 of 5 attempts",
        "lower requests_per_minute",
    )
    .retryable()
    .with_details(json!({ "attempts": 5 }))
}

fn event() -> Event {
    Event {
        v: 1,
        op: op(),
        step: StepNumber::FIRST,
        steps: 4,
        service: Service::Fetcher,
        what: What::Failed,
        submission: 2,
        attempt: 3,
        state: OperationState::Failed,
        at: at(6),
        worker: Some(worker()),
        result: Value::Null,
        error: Some(error()),
    }
}

fn progress() -> ProgressRecord {
    ProgressRecord {
        v: 1,
        op: op(),
        step: StepNumber::new(4).unwrap(),
        steps: 4,
        service: Service::Trainer,
        worker: worker(),
        attempt: 1,
        seq: 42,
        at: at(8),
        started_at: at(7),
        percent: 45.2,
        step_percent: 42.0,
        eta_s: Some(61.5),
        message: "Training MLP model on EURUSD [1h] [epoch 5/10] (batch 120/500)".to_owned(),
        items: Some(Count {
            done: 120,
            total: 500,
        }),
        context: Context::Train {
            model_type: "mlp".to_owned(),
            strategy: "mean_reversion".to_owned(),
            symbols: vec!["EURUSD".to_owned()],
            timeframes: vec!["1h".to_owned()],
            epoch: Count { done: 5, total: 10 },
            batch: Count {
                done: 120,
                total: 500,
            },
            train_loss: Some(0.5),
            val_loss: None,
            learning_rate: 0.001,
            device: Device {
                kind: "cpu".to_owned(),
                name: String::new(),
            },
        },
        waiting: Some(Waiting {
            reason: "object store".to_owned(),
            until: None,
        }),
    }
}

/// What `ktrdr decode` shows of the encoded message.
fn wire<M: Message>(message: &M) -> Value {
    codec::to_json(&codec::encode(message).unwrap()).unwrap()
}

#[test]
fn the_wire_form_of_a_command() {
    assert_json_snapshot!(wire(&CommandMessage::new(
        &op(),
        StepNumber::FIRST,
        1,
        Some(operation())
    )));
    assert_json_snapshot!(wire(&CommandMessage::new(
        &op(),
        StepNumber::FIRST,
        2,
        None
    )));
}

#[test]
fn the_wire_form_of_an_operation_record() {
    assert_json_snapshot!(wire(&record()));
}

#[test]
fn the_wire_form_of_an_event() {
    assert_json_snapshot!(wire(&event()));
}

#[test]
fn the_wire_form_of_progress() {
    assert_json_snapshot!(wire(&progress()));
}

#[test]
fn the_wire_form_of_a_dead_letter() {
    assert_json_snapshot!(wire(&DeadLetter {
        v: 1,
        subject: subjects::command(Service::Fetcher, Lane::Default, &op(), StepNumber::FIRST),
        error: error(),
        deliveries: 4,
        command: json!({ "v": 1, "submission": 2 }),
        payload_hex: String::new(),
        at: at(9),
    }));
}

#[test]
fn the_wire_form_of_a_worker() {
    assert_json_snapshot!(wire(&WorkerInfo {
        v: 1,
        worker: worker(),
        service: Service::Trainer,
        lanes: vec![Lane::Default],
        host: "gpu-host".to_owned(),
        pid: 4711,
        version: "0.1.0".to_owned(),
        started_at: at(0),
        slots: 1,
        current: vec![op()],
        device: Some(Device {
            kind: "cuda".to_owned(),
            name: "RTX 4090".to_owned()
        }),
        draining: false,
    }));
}

/// The message with other top-level values, as JSON, which is read like MessagePack.
fn with(message: &impl Message, changes: Value) -> Vec<u8> {
    let mut json = wire(message);
    json.as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    serde_json::to_vec(&json).unwrap()
}

fn assert_versions<M: Message + PartialEq + std::fmt::Debug>(message: &M) {
    let current = M::VERSION;
    assert_eq!(
        &codec::decode::<M>(&with(message, json!({}))).unwrap(),
        message
    );
    codec::decode::<M>(&with(message, json!({ "v": current - 1 }))).unwrap();
    let error = codec::decode::<M>(&with(message, json!({ "v": current + 1 }))).unwrap_err();
    assert!(
        matches!(error, CodecError::Version { found, .. } if found == current + 1),
        "{error}"
    );
    let newer = with(message, json!({ "colour": { "deep": ["blue"] } }));
    assert_eq!(
        &codec::decode::<M>(&newer).unwrap(),
        message,
        "unknown fields are ignored"
    );
    let first_field = codec::encode(message)
        .unwrap()
        .iter()
        .skip_while(|byte| **byte != 0xa1)
        .take(2)
        .copied()
        .collect::<Vec<_>>();
    assert_eq!(
        first_field,
        [0xa1, b'v'],
        "a one-letter text `v` comes first"
    );
    let packed =
        rmp_serde::to_vec_named(&serde_json::from_slice::<Value>(&newer).unwrap()).unwrap();
    assert_eq!(
        &codec::decode::<M>(&packed).unwrap(),
        message,
        "in MessagePack too"
    );
}

#[test]
fn the_version_before_is_read_the_next_one_is_refused_and_unknown_fields_are_ignored() {
    assert_versions(&CommandMessage::new(
        &op(),
        StepNumber::FIRST,
        1,
        Some(operation()),
    ));
    assert_versions(&record());
    assert_versions(&event());
    assert_versions(&progress());
}

#[test]
fn a_version_that_cannot_be_read_names_those_that_can() {
    let error = codec::decode::<Event>(&with(&event(), json!({ "v": 9 }))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the event message has version 9; this program reads 0 and 1"
    );
}

#[test]
fn progress_of_a_kind_nobody_knows_yet_is_still_progress() {
    let newer = with(
        &progress(),
        json!({ "context": { "kind": "backtest", "trades": 3 } }),
    );
    assert_eq!(
        codec::decode::<ProgressRecord>(&newer).unwrap().context,
        Context::Other
    );
}

#[test]
fn what_is_no_message_says_what_is_wrong_with_it() {
    let told = |payload: &[u8]| {
        codec::decode::<CommandMessage>(payload)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        told(b""),
        "cannot decode the command message: the payload is empty"
    );
    assert_eq!(
        told(b"{"),
        "cannot decode the command message: EOF while parsing an object at line 1 column 1"
    );
    assert_eq!(
        told(br#"{"v":"one"}"#),
        "cannot decode the command message: invalid type: string \"one\", expected u16 at line 1 column 10"
    );
    assert!(told(&[0xc1; 10]).starts_with("cannot decode the command message: "));
    let large = told(&vec![b'{'; PAYLOAD_BYTES_MAX + 1]);
    assert_eq!(
        large,
        "the command message of 65537 bytes is over the limit of 65536"
    );
}

/// A value of at most `bytes` packed bytes: numbers of nine bytes each after a head of three, or a
/// text after one.
fn filling(bytes: usize, numbers: bool) -> Value {
    if numbers {
        json!(vec![0.5; (bytes - 3) / 9])
    } else {
        json!("x".repeat(bytes - 3))
    }
}

/// A record in which everything is as large as it may be.
fn largest(steps: usize, held: bool, numbers: bool) -> OperationRecord {
    let mut new = RunDummy::default().operation();
    let spec = schemas::plan::StepSpec {
        verb: "v".repeat(32),
        command: Value::Null,
        ..new.plan.stages[0][0].clone()
    };
    new.plan = Plan::sequence(vec![spec; steps]);
    new.params = Value::Null;
    let op: OperationId = "op_dummy_20260301_142233_9f3a01bc".parse().unwrap();
    let room = REQUEST_BYTES_MAX - rmp_serde::to_vec_named(&new).unwrap().len();
    new.params = json!("x".repeat(room - 4));
    new.validate(&op).unwrap();
    let mut record = OperationRecord::create(op, new, at(0));
    let holder = Holder {
        worker: WorkerId::new(Service::Dummy, &"h".repeat(30), u32::MAX, u16::MAX),
        ack_subject: "$JS.ACK.".to_owned() + &"a".repeat(112),
        since: at(1),
    };
    for number in record.numbers() {
        record.claim(number, 1, holder.clone(), None).unwrap();
        record
            .record_checkpoint(number, 1, filling(CHECKPOINT_BYTES_MAX, numbers), at(2))
            .unwrap();
        let last = number.get() as usize == steps;
        match (held, last) {
            (true, _) => {}
            (false, true) => {
                let worst = ErrorRecord::new(&"C".repeat(64), "m".repeat(2_000), "h".repeat(2_000))
                    .with_details(filling(600, numbers));
                record.fail(number, 1, worst, at(3)).unwrap();
            }
            (false, false) => record
                .complete(number, 1, filling(result_bytes_max(steps), numbers), at(3))
                .unwrap(),
        }
    }
    if held {
        record
            .see_cancel(u64::MAX, &"r".repeat(300), at(4))
            .unwrap();
    }
    record.nonce = "f".repeat(16);
    record
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_largest_legal_record_fits_a_message(steps in 1..=STEPS_MAX, held in any::<bool>(), numbers in any::<bool>()) {
        let record = largest(steps, held, numbers);
        let size = rmp_serde::to_vec_named(&record).unwrap().len();
        prop_assert!(size <= PAYLOAD_BYTES_MAX, "{steps} steps, held: {held}, numbers: {numbers}: {size} bytes");
        prop_assert_eq!(codec::decode::<OperationRecord>(&codec::encode(&record).unwrap()).unwrap(), record);
    }
}
