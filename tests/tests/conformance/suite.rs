//! The suite: every promise in turn, for one kind after the other.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::kinds::{DATA, DUMMY, Kind, TRAIN};
use crate::program::LocalSystem;
use crate::stream::{assert_conforms, assert_monotonic};

#[test]
fn a_dummy_conforms() {
    assert_kind(&DUMMY);
}

#[test]
fn a_load_conforms() {
    assert_kind(&DATA);
}

#[test]
fn a_training_conforms() {
    assert_kind(&TRAIN);
}

fn assert_kind(kind: &Kind) {
    let system = LocalSystem::start();
    (kind.prepare)(&system);

    runs_to_its_end(&system, kind);
    is_quiet_and_verbose_as_asked(&system, kind);
    ctrl_c_cancels_and_sigterm_leaves(&system, kind);
    is_followed_from_a_second_terminal(&system, kind);
    outlives_its_worker(&system, kind);
    outlives_the_server(&system, kind);
    is_cancelled_in_its_queue(&system, kind);
}

fn runs_to_its_end(system: &LocalSystem, kind: &Kind) {
    let lines = system.values(kind.command);

    assert_eq!(lines[0]["type"], "started", "{}", lines[0]);
    assert_eq!(lines[0]["kind"], kind.name);
    lines.iter().for_each(assert_conforms);
    assert_monotonic(&lines);
    let last = lines.last().unwrap();
    assert_eq!(last["state"], "completed", "{last}");
    assert_eq!(last["exit"], 0);

    // Nothing of it is left on a queue.
    let system_lines = system.values("status");
    for queue in system_lines[0]["queues"].as_array().unwrap() {
        assert_eq!(queue["pending"], 0, "{queue}");
    }
}

fn is_quiet_and_verbose_as_asked(system: &LocalSystem, kind: &Kind) {
    let quiet = system.run(&format!("{} -q", kind.command));
    assert_eq!(quiet.exit, Some(0), "{}", quiet.err);
    assert_eq!(quiet.err, "");
    assert!(quiet.out.starts_with("Completed "), "{}", quiet.out);

    let verbose = system.run(&format!("{} -vv --detach", kind.command));
    assert_eq!(verbose.exit, Some(0), "{}", verbose.err);
    assert!(verbose.err.contains("DEBUG"), "{}", verbose.err);
    let waited = system.run("wait last --timeout 2m");
    assert_eq!(waited.exit, Some(0), "{} {}", waited.out, waited.err);
}

fn ctrl_c_cancels_and_sigterm_leaves(system: &LocalSystem, kind: &Kind) {
    let mut followed = system.follow(kind.command);
    let op = followed.until_progress_of(kind.service);
    followed.signal(Signal::SIGINT);
    let (exit, lines) = followed.end();
    assert_eq!(exit, Some(130));
    assert_eq!(lines.last().unwrap()["state"], "cancelled");
    assert_eq!(system.record(&op)["state"], "cancelled");

    let mut followed = system.follow(kind.command);
    let op = followed.until_progress_of(kind.service);
    followed.signal(Signal::SIGTERM);
    let (exit, _) = followed.end();
    assert_eq!(exit, Some(143));
    assert_ne!(system.record(&op)["state"], "cancelled");
    let waited = system.run(&format!("wait {op} --timeout 2m"));
    assert_eq!(waited.exit, Some(0), "{} {}", waited.out, waited.err);
}

fn is_followed_from_a_second_terminal(system: &LocalSystem, kind: &Kind) {
    let mut first = system.follow(kind.command);
    let op = first.until_progress_of(kind.service);

    // The second one sees where it is, leaves, and comes back.
    for _ in 0..2 {
        let mut second = system.follow(&format!("follow {op}"));
        assert!(second.next_value().is_some(), "nothing was shown");
        second.signal(Signal::SIGINT);
        let (exit, _) = second.end();
        assert_eq!(exit, Some(0));
    }

    let (exit, lines) = first.end();
    assert_eq!(exit, Some(0), "{:?}", lines.last());
}

fn outlives_its_worker(system: &LocalSystem, kind: &Kind) {
    let mut followed = system.follow(kind.command);
    let op = followed.until_progress_of(kind.service);
    for pid in system.workers(kind.service) {
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }

    let (exit, lines) = followed.end();
    assert_eq!(exit, Some(0), "{:?}", lines.last());
    assert_eq!(attempts_of(system, kind, &op), 2);
}

fn outlives_the_server(system: &LocalSystem, kind: &Kind) {
    let mut followed = system.follow(kind.command);
    let op = followed.until_progress_of(kind.service);
    system.kill_server();

    let (exit, lines) = followed.end();
    assert_eq!(exit, Some(0), "{:?}", lines.last());
    assert_eq!(system.record(&op)["state"], "completed");
}

/// The attempts of the step of the service that was killed.
fn attempts_of(system: &LocalSystem, kind: &Kind, op: &str) -> u64 {
    let record = system.record(op);
    let services = plan_services(&record);
    let index = services.iter().position(|service| service == kind.service);
    record["steps"][index.unwrap()]["attempt"].as_u64().unwrap()
}

/// The service of each step of the plan, in order.
fn plan_services(record: &Value) -> Vec<String> {
    let stages = record["plan"].as_array().unwrap();
    let steps = stages.iter().flat_map(|stage| stage.as_array().unwrap());
    steps
        .map(|step| step["service"].as_str().unwrap().to_owned())
        .collect()
}

/// A stopped service leaves the command in its queue, where the cancel finds it.
fn is_cancelled_in_its_queue(system: &LocalSystem, kind: &Kind) {
    let first = system.record_of_last();
    let first_service = plan_services(&first).remove(0);
    let workers = system.workers(&first_service);
    for pid in &workers {
        kill(Pid::from_raw(*pid), Signal::SIGSTOP).unwrap();
    }

    let started = system.values(&format!("{} --detach", kind.command));
    let op = started[0]["op"].as_str().unwrap();
    let cancelled = system.run(&format!("cancel {op} --wait --wait-timeout 20s"));
    for pid in &workers {
        kill(Pid::from_raw(*pid), Signal::SIGCONT).unwrap();
    }

    assert_eq!(
        cancelled.exit,
        Some(0),
        "{} {}",
        cancelled.out,
        cancelled.err
    );
    assert!(
        cancelled.out.contains("it waited in the queue of"),
        "{}",
        cancelled.out
    );
    assert_eq!(system.record(op)["steps"][0]["attempt"], 0);
}
