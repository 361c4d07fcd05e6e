//! `ktrdr cancel` while it asks and while it waits: signals, one time for all, the worst exit code,
//! and families.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::program::{Ended, ktrdr_in, run_in, run_in_system};
use crate::running_up::{RunningUp, UP};
use crate::terminal::Terminal;

/// A system whose dummy works on two steps at a time.
fn system_of_two_slots(folder: &Path) -> RunningUp {
    let mut up = ktrdr_in(folder, &UP);
    up.env("KTRDR_DUMMY_SLOTS", "2");
    RunningUp::start_command(up)
}

/// Starts an operation that ignores a cancel, and waits until it runs.
pub(crate) fn start_deaf(folder: &Path) -> String {
    let line = "dummy start --duration 600 --iterations 600 --ignore-cancel --detach --json";
    let words: Vec<&str> = line.split(' ').collect();
    let started = run_in(folder, &words);
    let first = started.out.lines().next().unwrap();
    let started: Value = serde_json::from_str(first).unwrap();

    let op = started["op"].as_str().unwrap().to_owned();
    let followed = run_in(folder, &["follow", &op, "--until", "running"]);
    assert_eq!(followed.exit, Some(0), "{}", followed.err);
    op
}

/// Ends deaf operations, so that their system can end.
pub(crate) fn end_by_force(folder: &Path, ops: &[&str]) {
    let cancel = [&["cancel"], ops, &["--force", "--grace", "1ms", "--wait"]].concat();
    let ended = run_in(folder, &cancel);
    assert_eq!(ended.exit, Some(0), "{}", ended.err);
}

/// Sends a signal to `ktrdr cancel` of these operations once it waits for them.
fn signal_while_waiting(folder: &Path, ops: &[&str], signal: Signal) -> Ended {
    let cancel = [&["cancel"], ops, &["--wait", "-v"]].concat();
    let mut child = ktrdr_in(folder, &cancel)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let waits = lines.any(|line| line.unwrap().contains("waiting for the stop"));
    assert!(waits, "it does not wait");

    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    Ended {
        exit: child.wait().unwrap().code(),
        out: String::new(),
        err: rest.join("\n"),
    }
}

#[test]
fn a_signal_ends_the_waiting_for_all_operations() {
    let folder = tempfile::tempdir().unwrap();
    let _system = system_of_two_slots(folder.path());
    let first = start_deaf(folder.path());
    let second = start_deaf(folder.path());
    let ops = [first.as_str(), second.as_str()];

    for (signal, exit) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let ended = signal_while_waiting(folder.path(), &ops, signal);

        assert_eq!(ended.exit, Some(exit), "{}", ended.err);
        assert!(
            ended.err.contains("No longer waiting for 2 operations"),
            "{}",
            ended.err
        );
    }
    end_by_force(folder.path(), &ops);
}

#[test]
fn the_exit_code_of_a_cancel_is_that_of_the_worst_end() {
    let folder = tempfile::tempdir().unwrap();
    let _system = RunningUp::start(folder.path());
    let done = run_in(folder.path(), &["dummy", "start", "--duration", "0"]);
    assert_eq!(done.exit, Some(0), "{}", done.err);
    let completed = run_in(folder.path(), &["status", "last", "--json"]);
    let completed: Value = serde_json::from_str(&completed.out).unwrap();
    let completed = completed["op"].as_str().unwrap();
    let deaf = start_deaf(folder.path());

    // One that has ended is refused, which is worse than one that takes too long to stop.
    let waiting = ["--wait", "--wait-timeout", "100ms"];
    let cancel = [&["cancel", &deaf, completed], &waiting[..]].concat();
    let ended = run_in(folder.path(), &cancel);

    assert_eq!(ended.exit, Some(5), "{}", ended.err);
    assert!(ended.err.contains("has not ended yet"), "{}", ended.err);
    let alone = run_in(folder.path(), &[&["cancel", &deaf], &waiting[..]].concat());
    assert_eq!(alone.exit, Some(6), "{}", alone.err);
    end_by_force(folder.path(), &[&deaf]);
}

#[test]
fn ctrl_c_at_the_question_ends_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let _system = RunningUp::start(folder.path());
    let op = start_deaf(folder.path());

    let mut screen = Terminal::start(folder.path(), &["cancel", "--all"], 80);
    screen.until("Cancel 1 operation (1 dummy)?");
    screen.type_keys("\x03");

    // The signal itself ends it: there is nothing to put in order.
    assert_eq!(screen.until_ended(), None);
    let status = run_in(folder.path(), &["status", &op, "--json"]);
    assert!(
        status.out.contains("\"state\":\"running\""),
        "{}",
        status.out
    );
    end_by_force(folder.path(), &[&op]);
}

#[test]
fn a_cancel_of_all_names_parents_without_their_children() {
    let folder = tempfile::tempdir().unwrap();
    let file = "- dummy start --duration 600\n- dummy start --duration 600\n";
    std::fs::write(folder.path().join("two.yaml"), file).unwrap();
    let commands = "ktrdr run two.yaml --detach >/dev/null; \
         for look in $(seq 300); do \
             ktrdr ops --parent last --state running --json | grep -q op_dummy && break; done; \
         ktrdr dummy start --duration 600 --detach >/dev/null; \
         ktrdr cancel --all --wait --json; echo \"exit $?\"; ktrdr ops --active --children";

    let ended = run_in_system(folder.path(), "family,dummy", commands);

    let mut lines = ended.out.lines();
    let cancelled: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    let ops = cancelled["ops"].as_array().unwrap();
    let mut kinds: Vec<&str> = ops
        .iter()
        .map(|op| op.as_str().unwrap().split('_').nth(1).unwrap())
        .collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["dummy", "family"], "{}", ended.out);
    assert!(ended.out.ends_with("exit 0\n"), "{}", ended.out);
    assert!(ended.err.contains("No active operations"), "{}", ended.err);
}
