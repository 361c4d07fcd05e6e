//! Following operations on a screen: several at once, and where their system comes back on another
//! port.

use std::net::TcpListener;
use std::path::Path;

use jiff::Timestamp;
use nix::sys::signal::Signal;
use schemas::codes;
use schemas::errors::ErrorRecord;
use schemas::events::{Event, What};
use schemas::ids::{OperationId, Service, StepNumber};
use schemas::operation::OperationState;
use schemas::{codec, subjects};
use serde_json::Value;

use crate::program::ktrdr_in;
use crate::running_up::{
    RunningUp, connect_to, context_file, port_of, start_dummy, start_operation,
};
use crate::terminal::Terminal;

/// A dummy that works for longer than any test.
const LONG_DUMMY: &str = "dummy start --iterations 6000 --duration 600 --checkpoint-every 1";

/// A program that has the port of the system in `folder`, which has just ended.
fn take_port(port: u16) -> TcpListener {
    TcpListener::bind(("127.0.0.1", port)).unwrap()
}

#[test]
fn a_cancel_on_its_way_reaches_a_system_that_moves() {
    let folder = tempfile::tempdir().unwrap();
    let first = RunningUp::start(folder.path());
    let port = port_of(folder.path());
    // The starter reads a copy, so that the test decides when it learns of the new place.
    let announced = folder.path().join("announced.json");
    std::fs::copy(context_file(folder.path()), &announced).unwrap();
    let words: Vec<&str> = LONG_DUMMY.split(' ').collect();
    let mut command = ktrdr_in(folder.path(), &words);
    command.env("KTRDR_CONTEXT", &announced);
    let mut starter = Terminal::start_command(&command, 120);
    starter.until("Working on iteration");

    first.end(Signal::SIGTERM);
    let _taken = take_port(port);
    let _second = RunningUp::start(folder.path());
    starter.until("connection to NATS lost");
    starter.type_keys("\x03");
    starter.until("Cancelling");
    std::fs::copy(context_file(folder.path()), &announced).unwrap();

    starter.until("Cancelled dummy");
    assert_eq!(starter.until_ended(), Some(130));
}

#[test]
fn a_follower_of_several_finds_a_system_that_has_moved() {
    let folder = tempfile::tempdir().unwrap();
    let first = RunningUp::start(folder.path());
    let port = port_of(folder.path());
    let ops = [start_dummy(folder.path()), start_dummy(folder.path())];
    let mut follower = Terminal::start(folder.path(), &["follow", &ops[0], &ops[1]], 120);
    follower.until("Working on iteration");

    first.end(Signal::SIGTERM);
    let _taken = take_port(port);
    let _second = RunningUp::start(folder.path());

    for op in &ops {
        follower.until(&format!("{op} completed after"));
    }
    assert_eq!(follower.until_ended(), Some(0));
}

/// Publishes a warning about the step of a dummy, as its worker does.
#[tokio::main(flavor = "current_thread")]
async fn warn_of(folder: &Path, op: &OperationId) {
    let error = ErrorRecord::new(codes::OPS_CHECKPOINT_CORRUPT, "a damaged checkpoint", "");
    let event = Event {
        v: 1,
        op: op.clone(),
        step: StepNumber::new(1).unwrap(),
        steps: 1,
        service: Service::Dummy,
        what: What::Warned,
        submission: 1,
        attempt: 1,
        state: OperationState::Running,
        at: Timestamp::now(),
        worker: None,
        result: Value::Null,
        error: Some(error),
        by: None,
        reason: None,
        done: [].into(),
        due: None,
    };

    let subject = subjects::event(event.service, op, event.step, event.what.as_str());
    let client = connect_to(folder).await;
    let payload = codec::encode(&event).unwrap();
    client.publish(subject, payload.into()).await.unwrap();
    client.flush().await.unwrap();
}

#[test]
fn a_warning_about_one_of_several_operations_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let _up = RunningUp::start(folder.path());
    let ops = [LONG_DUMMY, LONG_DUMMY].map(|command| start_operation(folder.path(), command));
    let mut follower = Terminal::start(folder.path(), &["follow", &ops[0], &ops[1]], 120);
    follower.until("Working on iteration");

    warn_of(folder.path(), &ops[1].parse().unwrap());

    follower.until("a damaged checkpoint");
    let screen = follower.text();
    let warning = screen.lines().find(|line| line.contains("warned")).unwrap();
    let end = ops[1].rsplit('_').next().unwrap();
    assert!(warning.starts_with(&format!("dummy {end}  ")), "{screen}");
    follower.type_keys("\x03");
    assert_eq!(follower.until_ended(), Some(0));
}
