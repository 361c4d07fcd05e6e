//! Specifications of `ktrdr up`: a real NATS server, the real programs, folders of their own,
//! nothing left behind.

use std::path::PathBuf;
use std::process::Command;

use clap::error::ErrorKind;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::program::{Ended, KTRDR, root, run_in, run_in_system};
use crate::running_up::{RunningUp, programs_of, running};

fn verdict_of(doctor: &Value, name: &str) -> String {
    let checks = doctor["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name).unwrap();
    check["verdict"].as_str().unwrap().to_owned()
}

#[test]
fn a_command_inside_a_system_finds_it_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();

    let ended = run_in_system(folder.path(), "dummy", "ktrdr doctor --json");

    assert_eq!(ended.exit, Some(0), "{}{}", ended.err, ended.out);
    let doctor: Value = serde_json::from_str(&ended.out).unwrap();
    for name in [
        "server",
        "durability",
        "topology",
        "queues",
        "records",
        "schedules",
        "store",
    ] {
        assert_eq!(verdict_of(&doctor, name), "ok", "{name}: {doctor:#}");
    }

    // What told of the system is gone with it.
    let system = folder.path().join(".ktrdr");
    assert!(system.join("nats.conf").is_file());
    assert!(!system.join("context.json").exists());
    assert!(!system.join("processes").exists());
    let last_line = "nats-server   stopped\n";
    assert!(ended.err.ends_with(last_line), "{}", ended.err);
}

#[test]
fn the_exit_code_of_the_command_is_that_of_up() {
    let folder = tempfile::tempdir().unwrap();

    let ended = run_in_system(folder.path(), "dummy", "exit 7");

    assert_eq!(ended.exit, Some(7), "{}", ended.err);
}

#[test]
fn ops_logs_shows_the_events_of_an_operation() {
    let folder = tempfile::tempdir().unwrap();
    let commands = "op=$(ktrdr dummy start --iterations 3 --duration 0.03 --checkpoint-every 1 \
         --fail-at 2 --json | sed -n 's/.*\"op\":\"\\([a-z0-9_]*\\)\".*/\\1/p' | head -n 1); \
         ktrdr ops logs $op; \
         ktrdr ops logs op_dummy_20260301_142233_9f3a01bc 2>&1; echo exit $?";

    let ended = run_in_system(folder.path(), "dummy", commands);

    let filters = [
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z", "<time>"),
        (r"dummy-\S+-\d+-[0-9a-f]{4}", "<worker>"),
        (r"asked for by \S+", "asked for by <person>"),
        (" +\n", "\n"),
        ("  +", "  "),
    ];
    insta::with_settings!({filters => filters}, { insta::assert_snapshot!(ended.out, @"
    TIME  STEP  WHAT  ATTEMPT  WORKER  DETAIL
    <time>  1/1 dummy  started  1  <worker>  asked for by <person>
    <time>  1/1 dummy  checkpointed  1  <worker>
    <time>  1/1 dummy  failed  1  -  failed at iteration 2 as asked (DUMMY-Asked); leave out fail_at
    error: Operation not found: op_dummy_20260301_142233_9f3a01bc
    hint: `ktrdr ops list` shows the operations that exist
    exit 4
    ") });
}

#[test]
fn a_second_system_in_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let commands = "ktrdr up; echo second: $?; ktrdr ops --json; echo first: $?";

    let ended = run_in_system(folder.path(), "dummy", commands);

    let error = "error: a system already runs in";
    assert!(ended.err.contains(error), "{}", ended.err);
    assert!(ended.out.contains("second: 5"), "{}", ended.out);
    assert!(ended.out.contains("first: 0"), "{}", ended.out);
}

#[test]
fn the_next_up_ends_what_a_killed_one_left_running() {
    let folder = tempfile::tempdir().unwrap();
    let first = RunningUp::start(folder.path());
    let programs = programs_of(folder.path());
    first.end(Signal::SIGKILL);
    // A server in a process group of its own outlives the program that started it.
    assert_eq!(running(&programs), programs);

    let second = run_in_system(folder.path(), "dummy", "true");

    assert_eq!(second.exit, Some(0), "{}", second.err);
    assert_eq!(running(&programs), Vec::<PathBuf>::new());
}

#[test]
fn a_missing_server_program_is_reported_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = Command::new(KTRDR);
    up.env_clear()
        .env("KTRDR_BIN_DIR", folder.path())
        .current_dir(folder.path())
        .arg("up");

    let ended: Ended = up.output().unwrap().into();

    assert_eq!(ended.exit, Some(2));
    insta::assert_snapshot!(ended.err, @"
    error: there is no nats-server beside ktrdr, in .deps/nats/bin or on PATH
    hint: run `infra/setup nats` in the checkout, or put nats-server 2.14 or newer on PATH
    ");
}

#[test]
fn a_second_import_of_the_same_bars_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bars = root().join("tests/bars/IBM_1d.csv.gz");
    let bars = bars.to_str().unwrap();
    let dry = run_in(folder.path(), &["data", "import", bars]);
    assert!(dry.err.contains("add --yes"), "{}", dry.err);
    let list = run_in(folder.path(), &["data", "list", "--json"]);
    assert_eq!(list.out, "");

    // The file has 3 335 rows below its header.
    for (round, new) in [("first", 3_335), ("second", 0)] {
        let ended = run_in(folder.path(), &["data", "import", bars, "--yes", "--json"]);
        let import: Value = serde_json::from_str(ended.out.lines().last().unwrap()).unwrap();
        assert_eq!(import["new"], new, "{round}: {import}");
    }
}

#[test]
fn a_daily_bar_is_known_when_its_session_closes() {
    let folder = tempfile::tempdir().unwrap();
    let bars = root().join("tests/bars/IBM_1d.csv.gz");
    let import = ["data", "import", bars.to_str().unwrap(), "--yes"];
    assert_eq!(run_in(folder.path(), &import).exit, Some(0));

    let ended = run_in(
        folder.path(),
        &["data", "show", "IBM", "--rows", "1", "--json"],
    );

    // Its label is its trading date; the session closes at 16:00 in New York.
    let bar: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(bar["timestamp"], "2021-03-31T00:00:00Z");
    assert_eq!(bar["known_at"], "2021-03-31T20:00:00Z");
}

/// The pages for users that show commands.
const PAGES: [&str; 8] = [
    "README.md",
    "docs/tapping.md",
    "docs/operating.md",
    "docs/adding-a-service.md",
    "docs/families.md",
    "docs/gaps.md",
    "docs/gpu-hosts.md",
    "infra/demo",
];

/// A command as a page shows it.
struct DocumentedCommand {
    page: &'static str,
    line: String,
}

/// Every `$ ktrdr …` line and every `ktrdr …` line of the blocks for a shell.
fn documented_commands() -> Vec<DocumentedCommand> {
    let mut commands = Vec::new();

    for page in PAGES {
        let text = std::fs::read_to_string(root().join(page)).unwrap();
        for line in text.lines() {
            let line = line
                .trim()
                .trim_start_matches("$ ")
                .trim_start_matches("run ");
            if line.starts_with("ktrdr ") {
                let command = line.split(['#', '|']).next().unwrap();
                commands.push(DocumentedCommand {
                    page,
                    line: command.trim().to_owned(),
                });
            }
        }
    }
    commands
}

/// Parses a command as the program does; help and version are answers, not errors.
fn parse_documented(command: &DocumentedCommand) -> Result<(), String> {
    let some_operation = "op_dummy_20261122_075407_bf025e43";
    let line = command
        .line
        .trim_end_matches('\\')
        .replace("\"$op\"", some_operation)
        .replace("\"$trained\"", some_operation);
    let words = shlex::split(&line).unwrap_or_else(|| panic!("{}: {line}", command.page));
    let words = words
        .into_iter()
        .take_while(|word| !["||", "{"].contains(&word.as_str()));

    match cli::parse_from(words) {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(()),
            _ => Err(format!("{}: {}\n{error}", command.page, command.line)),
        },
    }
}

#[test]
fn every_documented_command_is_understood() {
    let commands = documented_commands();
    assert!(commands.len() > 20, "the pages are read");

    for command in commands {
        if let Err(mistake) = parse_documented(&command) {
            panic!("{mistake}");
        }
    }
}
