//! `ktrdr ops --watch` over the death of the server.

use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::program::run_in;
use crate::running_up::{RunningUp, programs_of};
use crate::terminal::Terminal;

/// Starts a dummy and returns at once. It takes long enough for others to find a new server.
fn start_dummy(folder: &Path) -> String {
    let arguments = "dummy start --iterations 80 --duration 8 --detach --json";
    let words: Vec<&str> = arguments.split(' ').collect();
    let ended = run_in(folder, &words);
    let started: Value = serde_json::from_str(ended.out.lines().next().unwrap()).unwrap();
    started["op"].as_str().unwrap().to_owned()
}

/// Kills the server of a system, which starts another one on the same port.
fn kill_server(folder: &Path) {
    let programs = programs_of(folder);
    let is_server = |program: PathBuf| program.ends_with("nats-server");
    let mut programs = programs.iter();
    let server = programs.find(|link| link.read_link().is_ok_and(is_server));
    let server = server.unwrap();

    let pid = server.parent().unwrap().file_name().unwrap();
    let pid = pid.to_str().unwrap().parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

#[test]
fn a_watched_list_shows_what_changed_while_it_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let _system = RunningUp::start(folder.path());
    let mut list = Terminal::start(folder.path(), &["ops", "--watch"], 120);
    let op = start_dummy(folder.path());
    list.until("running");
    let last_change = ["tap", "$KV.ktrdr_active.>", "--count", "1"];
    let mut last_change = Terminal::start(folder.path(), &last_change, 80);
    last_change.until("Listening");

    // Stopped, it cannot connect to the new server before the operation has ended.
    list.send(Signal::SIGSTOP);
    kill_server(folder.path());
    assert_eq!(last_change.until_ended(), Some(0));
    assert_eq!(run_in(folder.path(), &["wait", &op]).exit, Some(0));
    list.send(Signal::SIGCONT);

    list.until("completed");
    list.type_keys("\x03");
    assert_eq!(list.until_ended(), Some(0));
}
