//! The exit codes that a signal or a timeout gives each command that waits, against those that its
//! help names.

use std::path::Path;
use std::process::Child;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cancelling::{end_by_force, start_deaf};
use crate::program::{ktrdr_in, run_in, wait_for};
use crate::running_up::{RunningUp, UP};

/// How a command that waits is ended.
enum End {
    /// Its own timeout passes.
    Timeout,
    /// Ctrl+C at its terminal.
    CtrlC,
    /// SIGTERM from anybody.
    Terminate,
}

/// The codes that the help of a command names.
fn codes_of_help(command: &str) -> Vec<i32> {
    let folder = tempfile::tempdir().unwrap();
    let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
    let help = run_in(folder.path(), &words).out;

    let (_, codes) = help.split_once("Exit codes:").unwrap();
    let lines = codes.trim_start().lines();
    let first_words = lines.map_while(|line| line.split_whitespace().next());
    first_words.map(|word| word.parse().unwrap()).collect()
}

/// Waits until a program handles signals instead of being ended by them.
fn wait_until_it_listens(child: &Child) {
    let status = format!("/proc/{}/status", child.id());
    loop {
        let text = std::fs::read_to_string(&status).unwrap();
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = u64::from_str_radix(mask.unwrap().trim(), 16).unwrap();

        // Bit n - 1 is that of signal n: the two are listened for one after the other.
        let bits = [Signal::SIGINT, Signal::SIGTERM].map(|signal| 1 << (signal as i32 - 1));
        if bits.iter().all(|bit| mask & bit != 0) {
            return;
        }
        assert!(!text.contains("State:\tZ"), "it has ended:\n{text}");
        std::thread::yield_now();
    }
}

/// Runs a command until `end`; its exit code.
fn exit_of(folder: &Path, words: &[&str], end: &End) -> Option<i32> {
    let child = ktrdr_in(folder, words).spawn().unwrap();
    let signal = match end {
        End::Timeout => None,
        End::CtrlC => Some(Signal::SIGINT),
        End::Terminate => Some(Signal::SIGTERM),
    };
    if let Some(signal) = signal {
        wait_until_it_listens(&child);
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
    }
    wait_for(child).exit
}

#[test]
fn help_names_the_exit_code_of_every_way_to_end() {
    use End::{CtrlC, Terminate, Timeout};

    let folder = tempfile::tempdir().unwrap();
    let _system = RunningUp::start(folder.path());
    let op = start_deaf(folder.path());
    let with_op = |line: &str| line.replace("OP", &op);

    // To look on until Ctrl+C is what was wished for; to wait for an end is not.
    let cases = [
        ("logs", "logs --follow", CtrlC, 0),
        ("logs", "logs --follow", Terminate, 143),
        ("tap", "tap OP", CtrlC, 0),
        ("tap", "tap OP", Terminate, 143),
        ("ops", "ops --watch", CtrlC, 0),
        ("ops", "ops --watch", Terminate, 143),
        ("ops list", "ops list --watch", Terminate, 143),
        ("follow", "follow OP", CtrlC, 0),
        ("follow", "follow OP", Terminate, 143),
        ("follow", "follow OP --wait-timeout 1ms", Timeout, 6),
        ("wait", "wait OP", CtrlC, 130),
        ("wait", "wait OP", Terminate, 143),
        ("wait", "wait OP --timeout 1ms", Timeout, 6),
        ("cancel", "cancel OP --wait", CtrlC, 130),
        ("cancel", "cancel OP --wait", Terminate, 143),
        ("cancel", "cancel OP --wait --wait-timeout 1ms", Timeout, 6),
    ];
    for (command, line, end, exit) in cases {
        let line = with_op(line);
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(exit_of(folder.path(), &words, &end), Some(exit), "{line}");
        let named = codes_of_help(command);
        assert!(named.contains(&exit), "`{command}` names {named:?}");
    }
    end_by_force(folder.path(), &[&op]);
}

#[test]
fn a_system_that_is_slow_to_stop_is_in_the_help_of_down() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = ktrdr_in(folder.path(), &UP);
    up.env("KTRDR_DUMMY_DRAIN_TIMEOUT", "1s");
    let mut system = RunningUp::start_command(up);
    start_deaf(folder.path());

    // The worker of deaf work takes its whole second to stop.
    let ended = run_in(folder.path(), &["down", "--timeout", "1ms"]);

    assert_eq!(ended.exit, Some(6), "{}", ended.err);
    assert!(codes_of_help("down").contains(&6));
    system.wait();
}
