//! One message of every kind, with a value in every field.

use jiff::Timestamp;
use schemas::codec::{self, Message};
use schemas::codes;
use schemas::errors::ErrorRecord;
use schemas::events::{Event, What};
use schemas::ids::{Lane, OperationId, Service, StepNumber, WorkerId};
use schemas::messages::DeadLetter;
use schemas::operation::{Holder, NewOperation, OperationRecord, OperationState, Parent, Said};
use schemas::plan::{Plan, StepSpec};
use schemas::progress::{Context, Count, Device, ProgressRecord, Waiting};
use schemas::schedules::{Overlap, Run, Schedule, Skip, When};
use schemas::subjects;
use schemas::worker::{SignOfLife, WorkerInfo};
use serde_json::{Value, json};

pub(crate) fn op() -> OperationId {
    "op_train_20260301_142233_9f3a01bc".parse().unwrap()
}

pub(crate) fn at(second: i64) -> Timestamp {
    "2026-03-01T14:22:33Z".parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_secs(second)
}

pub(crate) fn worker() -> WorkerId {
    WorkerId::new(Service::Trainer, "gpu-host", 4711, 0xbeef)
}

fn step(service: Service, verb: &str, weight: f64, command: Value) -> StepSpec {
    StepSpec {
        service,
        verb: verb.to_owned(),
        lane: Lane::Default,
        weight,
        command,
    }
}

/// A request of three stages, the second with two steps.
pub(crate) fn operation() -> NewOperation {
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
        parent: Some(Parent {
            op: "op_family_20260301_142233_9f3a01b8".parse().unwrap(),
            index: 3,
            round: 1,
            cancel_floor: 5,
        }),
        retries: Some(5),
        by: Some("ann@host".to_owned()),
        retry_of: Some("op_train_20260228_090000_00000001".parse().unwrap()),
    }
}

fn holder() -> Holder {
    Holder {
        worker: worker(),
        ack_subject: "$JS.ACK.KTRDR_COMMANDS.trainer_default.1.2.3.4.5".to_owned(),
        since: at(1),
    }
}

/// A record with a completed, a running and a waiting step, and a cancel request.
pub(crate) fn record() -> OperationRecord {
    let mut record = OperationRecord::create(op(), operation(), at(0));
    let [first, second, third] = [1, 2, 3].map(|number| StepNumber::new(number).unwrap());

    record.claim(first, 1, holder(), None).unwrap();
    let result = json!({ "series": "EURUSD 1h" });
    record.complete(first, 1, result, at(2)).unwrap();

    record.claim(second, 1, holder(), None).unwrap();
    let checkpoint = json!({ "segment": 3 });
    record
        .record_checkpoint(second, 1, checkpoint, at(3))
        .unwrap();

    record.claim(third, 1, holder(), None).unwrap();
    let note = "the provider is away";
    record.retry(third, 1, note, at(10), at(4)).unwrap();

    let said = Said {
        by: Some("ann".to_owned()),
        reason: Some("wrong symbol".to_owned()),
    };
    record.see_cancel(12, &said, at(5)).unwrap();
    record.nonce = "00000000000000ff".to_owned();
    record
}

pub(crate) fn error() -> ErrorRecord {
    ErrorRecord::new(
        codes::PROVIDER_UNREACHABLE,
        "HTTP 429 on 5 of 5 attempts",
        "lower requests_per_minute",
    )
    .retryable()
    .with_details(json!({ "attempts": 5 }))
}

pub(crate) fn event() -> Event {
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
        by: Some("ann".to_owned()),
        reason: Some("wrong symbol".to_owned()),
        done: [("epochs".to_owned(), Count { done: 3, total: 10 })].into(),
        due: Some(at(9)),
    }
}

pub(crate) fn progress() -> ProgressRecord {
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
        rate: Some(12.5),
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
                ..Device::default()
            },
        },
        waiting: Some(Waiting {
            reason: "object store".to_owned(),
            until: None,
        }),
    }
}

pub(crate) fn schedule() -> Schedule {
    Schedule {
        v: 1,
        name: "nightly".parse().unwrap(),
        when: When::Cron("0 22 * * 1-5".parse().unwrap()),
        time_zone: "America/New_York".to_owned(),
        calendar: Some("us_equities".to_owned()),
        on_overlap: Overlap::Queue,
        command: "train mean_reversion".to_owned(),
        operation: operation(),
        created: at(0),
        next: Some(at(20)),
        last: Some(Run {
            due: at(10),
            at: at(11),
            op: op(),
        }),
        skipped: Some(Skip {
            due: at(15),
            reason: "op_train_20260301_142233_9f3a01bc was still running".to_owned(),
        }),
    }
}

/// A command that its service could not carry out.
pub(crate) fn dead_letter() -> DeadLetter {
    DeadLetter {
        v: 1,
        subject: subjects::command(Service::Fetcher, Lane::Default, &op(), StepNumber::FIRST),
        error: error(),
        deliveries: 4,
        command: json!({ "v": 1, "submission": 2 }),
        payload_hex: String::new(),
        at: at(9),
    }
}

/// A worker of two cores with a GPU.
pub(crate) fn worker_info() -> WorkerInfo {
    WorkerInfo {
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
        live: 0,
        device: Some(Device {
            kind: "cuda".to_owned(),
            name: "RTX 4090".to_owned(),
            ..Device::default()
        }),
        cores: 2,
        memory_bytes: 8 << 30,
        degraded: None,
        draining: false,
    }
}

pub(crate) fn sign_of_life() -> SignOfLife {
    SignOfLife {
        v: 1,
        seq: 7,
        sent_ms: 3_500,
    }
}

/// What `ktrdr decode` shows of the encoded message.
pub(crate) fn wire_form<M: Message>(message: &M) -> Value {
    codec::to_json(&codec::encode(message).unwrap()).unwrap()
}
