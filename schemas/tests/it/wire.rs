//! The wire form: what other programs read is pinned, field by field.

use insta::assert_json_snapshot;
use schemas::ids::StepNumber;
use schemas::messages::CommandMessage;

use crate::samples::{
    dead_letter, event, op, operation, progress, record, schedule, sign_of_life, wire_form,
    worker_info,
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
    assert_json_snapshot!(wire_form(&dead_letter()));
}

#[test]
fn the_wire_form_of_a_worker() {
    assert_json_snapshot!(wire_form(&worker_info()));
}

#[test]
fn the_wire_form_of_a_sign_of_life() {
    assert_json_snapshot!(wire_form(&sign_of_life()), @r#"
    {
      "sent_ms": 3500,
      "seq": 7,
      "v": 1
    }
    "#);
}
