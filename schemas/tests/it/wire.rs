//! The wire form: what other programs read is pinned, field by field.

use insta::assert_json_snapshot;
use schemas::ids::{Lane, Service, StepNumber};
use schemas::messages::{CommandMessage, DeadLetter};
use schemas::progress::Device;
use schemas::subjects;
use schemas::worker::{SignOfLife, WorkerInfo};
use serde_json::json;

use crate::samples::{
    at, error, event, op, operation, progress, record, schedule, wire_form, worker,
};

#[test]
fn the_wire_form_of_a_command() {
    let first = CommandMessage::new(&op(), StepNumber::FIRST, 1, Some(operation()));
    assert_json_snapshot!(wire_form(&first));

    let second = CommandMessage::new(&op(), StepNumber::FIRST, 2, None);
    assert_json_snapshot!(wire_form(&second));
}

#[test]
fn the_wire_form_of_an_operation_record() {
    assert_json_snapshot!(wire_form(&record()));
}

#[test]
fn the_wire_form_of_an_event() {
    assert_json_snapshot!(wire_form(&event()));
}

#[test]
fn the_wire_form_of_progress() {
    assert_json_snapshot!(wire_form(&progress()));
}

#[test]
fn the_wire_form_of_a_schedule() {
    assert_json_snapshot!(wire_form(&schedule()));
}

#[test]
fn the_wire_form_of_a_dead_letter() {
    let letter = DeadLetter {
        v: 1,
        subject: subjects::command(Service::Fetcher, Lane::Default, &op(), StepNumber::FIRST),
        error: error(),
        deliveries: 4,
        command: json!({ "v": 1, "submission": 2 }),
        payload_hex: String::new(),
        at: at(9),
    };

    assert_json_snapshot!(wire_form(&letter));
}

#[test]
fn the_wire_form_of_a_worker() {
    let info = WorkerInfo {
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
    };

    assert_json_snapshot!(wire_form(&info));
}

#[test]
fn the_wire_form_of_a_sign_of_life() {
    let sign = SignOfLife {
        v: 1,
        seq: 7,
        sent_ms: 3_500,
    };

    assert_json_snapshot!(wire_form(&sign), @r#"
    {
      "sent_ms": 3500,
      "seq": 7,
      "v": 1
    }
    "#);
}
