//! What every kind of operation owes to whoever starts it, through the program: Ctrl+C, SIGTERM,
//! `--json`, `--quiet`, `--verbose`, and narrow screens.

use std::io::{BufRead as _, BufReader};
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::cancelling::end_by_force;
use crate::program::{Ended, ktrdr_in, root, run_in};
use crate::running_up::RunningUp;
use crate::terminal::Terminal;

/// An operation that ends only when it is stopped, and what its line on the screen says meanwhile.
struct Endless {
    kind: &'static str,
    line: &'static str,
    says: &'static str,
}

/// One of each kind, in a system without a fetcher.
const ENDLESS: [Endless; 5] = [
    Endless {
        kind: "dummy",
        line: "dummy start --duration 600 --iterations 600",
        says: "Working on iteration",
    },
    Endless {
        kind: "family",
        line: "run endless.yaml",
        says: "1 running",
    },
    Endless {
        kind: "data",
        line: "data load SPY --mode full",
        says: "no fetcher is running",
    },
    Endless {
        kind: "data",
        line: "data follow EURUSD --timeframe 1h",
        says: "no fetcher serves",
    },
    Endless {
        kind: "train",
        line: "train eurusd_rsi_macd",
        says: "no fetcher is running",
    },
];

/// Command lines of operations that complete soon.
const SHORT: [(&str, &str); 4] = [
    ("dummy", "dummy start --duration 0.1 --iterations 2"),
    ("family", "run short.yaml"),
    ("data", "data load SPY --mode full"),
    (
        "data",
        "data follow EURUSD --timeframe 1h --until 2020-01-01",
    ),
];

/// A system of these services in a folder with files of operations.
fn start_system(folder: &Path, services: &str) -> RunningUp {
    let files = [
        (
            "endless.yaml",
            "- dummy start --duration 600 --iterations 600\n",
        ),
        (
            "short.yaml",
            "- dummy start --duration 0.1\n- dummy start --duration 0.1\n",
        ),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }

    let mut up = ktrdr_in(folder, &["up", "--profile", "test", "--services", services]);
    up.env("KTRDR_FETCHER_FILES", root().join("tests/bars"));
    RunningUp::start_command(up)
}

fn words_of(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// Runs a command line to its end.
fn run_line(folder: &Path, line: &str) -> Ended {
    run_in(folder, &words_of(line))
}

/// The state of the operation that was started last.
fn state_of_last(folder: &Path) -> String {
    let status = run_line(folder, "status last --json");
    let record: Value = serde_json::from_str(status.out.lines().next().unwrap()).unwrap();
    record["state"].as_str().unwrap().to_owned()
}

fn json_lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

#[test]
fn ctrl_c_cancels_every_kind_on_every_screen() {
    let folder = tempfile::tempdir().unwrap();
    let _system = start_system(folder.path(), "family,dummy");

    for Endless { kind, line, says } in ENDLESS {
        for columns in [80, 120] {
            let mut screen = Terminal::start(folder.path(), &words_of(line), columns);
            screen.until(&format!("Started {kind}: op_{kind}_"));
            screen.until(says);
            assert_eq!(screen.broken_lines(), Vec::<String>::new(), "{line}");

            screen.type_keys("\x03");
            screen.until(&format!("Cancelled {kind} op_{kind}_"));
            assert_eq!(screen.until_ended(), Some(130), "{}", screen.text());
            assert_eq!(state_of_last(folder.path()), "cancelled", "{line}");
        }
    }
}

#[test]
fn ctrl_c_ends_a_follower_that_waits_for_a_close() {
    let folder = tempfile::tempdir().unwrap();
    let _system = start_system(folder.path(), "dummy,fetcher");

    for columns in [80, 120] {
        let line = "data follow EURUSD --timeframe 1h";
        let mut screen = Terminal::start(folder.path(), &words_of(line), columns);
        screen.until(" for the bar ");
        let status = run_line(folder.path(), "status last");
        // Instants as people read them, in UTC.
        let today = jiff::Timestamp::now().strftime("%Y-%m-%dT").to_string();
        let said = format!("checkpoint: announced {today}");
        assert!(status.out.contains(&said), "{}", status.out);

        screen.type_keys("\x03");
        screen.until("Cancelled data op_data_");
        assert_eq!(screen.until_ended(), Some(130), "{}", screen.text());
        assert_eq!(state_of_last(folder.path()), "cancelled");
    }
}

#[test]
fn a_second_ctrl_c_leaves_the_operation_to_its_worker() {
    let folder = tempfile::tempdir().unwrap();
    let _system = start_system(folder.path(), "dummy");
    let line = "dummy start --duration 600 --iterations 600 --ignore-cancel";
    let mut screen = Terminal::start(folder.path(), &words_of(line), 120);
    screen.until("Working on iteration");

    screen.type_keys("\x03");
    screen.until("press Ctrl+C again to leave it to the worker");
    screen.until("waiting for the worker to confirm");
    screen.type_keys("\x03");

    assert_eq!(screen.until_ended(), Some(130), "{}", screen.text());
    assert!(
        screen.text().contains("Left op_dummy_"),
        "{}",
        screen.text()
    );
    // It was asked to stop, and does not hear it.
    assert_ne!(state_of_last(folder.path()), "cancelled");
    end_by_force(folder.path(), &["last"]);
}

#[test]
fn sigterm_leaves_every_kind_to_the_system() {
    let folder = tempfile::tempdir().unwrap();
    let _system = start_system(folder.path(), "family,dummy");

    for Endless { kind, line, says } in ENDLESS {
        let mut screen = Terminal::start(folder.path(), &words_of(line), 80);
        screen.until(says);

        screen.send(Signal::SIGTERM);

        assert_eq!(screen.until_ended(), Some(143), "{}", screen.text());
        let text = screen.text();
        assert!(text.contains("it continues"), "{text}");
        assert!(text.contains("ktrdr follow"), "{text}");
        assert_ne!(state_of_last(folder.path()), "cancelled", "{kind}");
        let cancelled = run_line(folder.path(), "cancel last --wait");
        assert_eq!(cancelled.exit, Some(0), "{}", cancelled.err);
    }
}

#[test]
fn ctrl_c_ends_json_lines_with_the_cancelled_result() {
    let folder = tempfile::tempdir().unwrap();
    let _system = start_system(folder.path(), "family,dummy");

    for Endless { kind, line, .. } in ENDLESS {
        let words = [&words_of(line)[..], &["--json"]].concat();
        let mut child = ktrdr_in(folder.path(), &words).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let started: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(started["type"], "started", "{line}");

        kill(
            Pid::from_raw(child.id().try_into().unwrap()),
            Signal::SIGINT,
        )
        .unwrap();

        let last = lines.map(Result::unwrap).last().unwrap();
        let last: Value = serde_json::from_str(&last).unwrap();
        assert_eq!(last["op"], started["op"], "{line}");
        assert_eq!(last["kind"], kind);
        assert_eq!(last["state"], "cancelled");
        assert_eq!(last["exit"], 130);
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
}

#[test]
fn every_kind_says_how_it_ended_in_each_form() {
    let folder = tempfile::tempdir().unwrap();
    let _system = start_system(folder.path(), "family,dummy,fetcher,validator");

    for (kind, line) in SHORT {
        let plain = run_line(folder.path(), line);
        assert_eq!(plain.exit, Some(0), "{}", plain.err);
        let completed = format!("Completed {kind} op_{kind}_");
        assert!(plain.out.starts_with(&completed), "{}", plain.out);
        let started = format!("Started {kind}: op_{kind}_");
        assert!(plain.err.contains(&started), "{}", plain.err);

        // Results alone.
        let quiet = run_line(folder.path(), &format!("{line} -q"));
        assert_eq!(quiet.exit, Some(0), "{}", quiet.err);
        assert!(quiet.out.starts_with(&completed), "{}", quiet.out);
        assert_eq!(quiet.err, "", "{line}");

        // Logs beside the remarks, and never among the results.
        let verbose = run_line(folder.path(), &format!("{line} -vv"));
        assert_eq!(verbose.exit, Some(0), "{}", verbose.err);
        assert!(verbose.out.starts_with(&completed), "{}", verbose.out);
        assert!(verbose.err.contains(" INFO "), "{}", verbose.err);
    }
}

#[test]
fn every_kind_is_told_in_json_lines_from_start_to_result() {
    let folder = tempfile::tempdir().unwrap();
    let _system = start_system(folder.path(), "family,dummy,fetcher,validator");

    for (kind, line) in SHORT {
        let ended = run_line(folder.path(), &format!("{line} --json"));
        assert_eq!(ended.exit, Some(0), "{}", ended.err);
        assert_eq!(ended.err, "", "{line}");

        let lines = json_lines(&ended.out);
        let types: Vec<&str> = lines
            .iter()
            .map(|line| line["type"].as_str().unwrap())
            .collect();
        assert_eq!(types[0], "started", "{}", ended.out);
        assert_eq!(types.last(), Some(&"result"), "{}", ended.out);
        let between = &types[1..types.len() - 1];
        let is_known = |name: &&str| ["progress", "event", "record"].contains(name);
        assert!(between.iter().all(is_known), "{types:?}");

        let result = lines.last().unwrap();
        assert_eq!(result["op"], lines[0]["op"]);
        assert_eq!(result["kind"], kind);
        assert_eq!(result["state"], "completed");
        assert_eq!(result["exit"], 0);
        let percents = lines.iter().filter_map(|line| line["percent"].as_f64());
        let percents: Vec<f64> = percents.collect();
        assert!(percents.is_sorted(), "{line}: {percents:?}");
    }
}
