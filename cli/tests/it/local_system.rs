//! Specifications of `ktrdr up`: a real NATS server, the real programs, folders of their own,
//! nothing left behind.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const KTRDR: &str = env!("CARGO_BIN_EXE_ktrdr");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Runs `ktrdr` in `folder`, with the NATS server of this checkout and no settings of the caller.
fn ktrdr(folder: &Path, arguments: &[&str]) -> Output {
    ktrdr_command(folder, arguments).output().unwrap()
}

fn ktrdr_command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(KTRDR);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KTRDR_")) {
        command.env_remove(name);
    }
    command
        .env("KTRDR_DEPS", root().join(".deps"))
        .current_dir(folder)
        .args(arguments);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_command_inside_a_system_finds_it_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let up = [
        "up",
        "--profile",
        "test",
        "--services",
        "dummy",
        "--",
        KTRDR,
        "doctor",
        "--json",
    ];
    let ran = ktrdr(folder.path(), &up);
    assert_eq!(
        ran.status.code(),
        Some(0),
        "{}{}",
        text(&ran.stderr),
        text(&ran.stdout)
    );
    let doctor: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let verdict = |name: &str| {
        let checks = doctor["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == name).unwrap()["verdict"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for name in ["server", "durability", "topology", "store"] {
        assert_eq!(verdict(name), "ok", "{name}: {doctor:#}");
    }
    let system = folder.path().join(".ktrdr");
    assert!(system.join("nats.conf").is_file());
    assert!(
        !system.join("context.json").exists(),
        "the context of a system that has ended"
    );
    assert!(
        !system.join("processes").exists(),
        "the list of programs of a system that has ended"
    );
    assert!(
        text(&ran.stderr).ends_with("nats-server   stopped\n"),
        "{}",
        text(&ran.stderr)
    );
}

#[test]
fn the_exit_code_of_the_command_is_that_of_up() {
    let folder = tempfile::tempdir().unwrap();
    let ran = ktrdr(
        folder.path(),
        &[
            "up",
            "--profile",
            "test",
            "--services",
            "dummy",
            "--",
            "sh",
            "-c",
            "exit 7",
        ],
    );
    assert_eq!(ran.status.code(), Some(7), "{}", text(&ran.stderr));
}

#[test]
fn ops_logs_shows_the_events_of_an_operation() {
    let folder = tempfile::tempdir().unwrap();
    let inner = format!(
        "op=$('{KTRDR}' dummy start --iterations 3 --duration 0.03 --checkpoint-every 1 --fail-at 2 --json \\
         | sed -n 's/.*\"op\":\"\\([a-z0-9_]*\\)\".*/\\1/p' | head -n 1); \\
         '{KTRDR}' ops logs \"$op\"; '{KTRDR}' ops logs op_dummy_20260301_142233_9f3a01bc 2>&1; echo \"exit $?\""
    );
    let ran = ktrdr(
        folder.path(),
        &[
            "up",
            "--profile",
            "test",
            "--services",
            "dummy",
            "--",
            "sh",
            "-c",
            &inner,
        ],
    );
    let filters = [
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z", "<time>"),
        (r"dummy-\S+-\d+-[0-9a-f]{4}", "<worker>"),
        (" +\n", "\n"),
        ("  +", "  "),
    ];
    insta::with_settings!({filters => filters}, { insta::assert_snapshot!(text(&ran.stdout), @"
    TIME  STEP  WHAT  ATTEMPT  WORKER  DETAIL
    <time>  1/1 dummy  started  1  <worker>
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
    let inner =
        format!("'{KTRDR}' up; echo \"second: $?\"; '{KTRDR}' ops --json; echo \"first: $?\"");
    let ran = ktrdr(
        folder.path(),
        &[
            "up",
            "--profile",
            "test",
            "--services",
            "dummy",
            "--",
            "sh",
            "-c",
            &inner,
        ],
    );
    assert!(
        text(&ran.stderr).contains("error: a system already runs in"),
        "{}",
        text(&ran.stderr)
    );
    assert!(
        text(&ran.stdout).contains("second: 5"),
        "{}",
        text(&ran.stdout)
    );
    assert!(
        text(&ran.stdout).contains("first: 0"),
        "{}",
        text(&ran.stdout)
    );
}

#[test]
fn the_next_up_ends_what_a_killed_one_left_running() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = ktrdr_command(
        folder.path(),
        &["up", "--profile", "test", "--services", "dummy"],
    )
    .stderr(Stdio::piped())
    .stdout(Stdio::null())
    .spawn()
    .unwrap();
    let mut lines = BufReader::new(first.stderr.take().unwrap()).lines();
    let server = lines.find(|line| line.as_ref().unwrap().starts_with("nats-server   ready"));
    assert!(server.is_some(), "the server never got ready");
    let list = std::fs::read_to_string(folder.path().join(".ktrdr/processes")).unwrap();
    let pid = list
        .lines()
        .next()
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    first.kill().unwrap();
    first.wait().unwrap();
    let exe = || std::fs::read_link(format!("/proc/{pid}/exe"));
    assert!(
        exe().is_ok(),
        "a server in a group of its own outlives the program that started it"
    );
    let second = ktrdr(
        folder.path(),
        &[
            "up",
            "--profile",
            "test",
            "--services",
            "dummy",
            "--",
            "true",
        ],
    );
    assert_eq!(second.status.code(), Some(0), "{}", text(&second.stderr));
    assert!(exe().is_err(), "the old server still runs");
}

#[test]
fn a_missing_server_program_is_reported_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let bare = Command::new(KTRDR)
        .env_clear()
        .env("KTRDR_BIN_DIR", folder.path())
        .current_dir(folder.path())
        .arg("up")
        .output()
        .unwrap();
    assert_eq!(bare.status.code(), Some(2));
    insta::assert_snapshot!(text(&bare.stderr), @"
    error: there is no nats-server in .deps/nats/bin nor on PATH
    hint: run `infra/setup nats` in the checkout, or put nats-server 2.14 or newer on PATH
    ");
}

#[test]
fn bars_are_imported_listed_and_shown_without_a_service() {
    let folder = tempfile::tempdir().unwrap();
    let bars = root().join("tests/bars/IBM_1d.csv.gz");
    let bars = bars.to_str().unwrap();
    let dry = ktrdr(folder.path(), &["data", "import", bars]);
    assert!(
        text(&dry.stderr).contains("add --yes"),
        "{}",
        text(&dry.stderr)
    );
    assert!(text(&ktrdr(folder.path(), &["data", "list", "--json"]).stdout).is_empty());
    for (new, round) in [(3_335_u64, "first"), (0, "second")] {
        let ran = ktrdr(folder.path(), &["data", "import", bars, "--yes", "--json"]);
        let lines = text(&ran.stdout);
        let import: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        // The file has 3 335 rows below its header.
        assert_eq!(import["new"], new, "{round}: {import}");
    }
    let shown = ktrdr(
        folder.path(),
        &["data", "show", "IBM", "--rows", "1", "--json"],
    );
    let bar: Value = serde_json::from_slice(&shown.stdout).unwrap();
    // A daily bar stands for its trading date and is known at the session's close, 16:00 in New
    // York.
    assert_eq!(
        (&bar["open_time"], &bar["known_at"]),
        (
            &"2021-03-31T00:00:00Z".into(),
            &"2021-03-31T20:00:00Z".into()
        )
    );
}

/// Every `$ ktrdr …` line and every `ktrdr …` line of the blocks for a shell in the pages for
/// users.
fn documented_commands() -> Vec<(String, String)> {
    let pages = [
        "README.md",
        "docs/tapping.md",
        "docs/operating.md",
        "docs/adding-a-service.md",
        "infra/demo",
    ];
    let mut commands = Vec::new();
    for page in pages {
        let text = std::fs::read_to_string(root().join(page)).unwrap();
        let lines = text.lines().map(|line| {
            line.trim()
                .trim_start_matches("$ ")
                .trim_start_matches("run ")
        });
        let typed = lines
            .filter(|line| line.starts_with("ktrdr "))
            .map(|line| line.split(['#', '|']).next().unwrap());
        commands.extend(typed.map(|line| (page.to_owned(), line.trim().to_owned())));
    }
    commands
}

#[test]
fn every_documented_command_is_understood() {
    use clap::Parser as _;
    let commands = documented_commands();
    assert!(
        commands.len() > 20,
        "only {} commands found",
        commands.len()
    );
    for (page, line) in commands {
        let some_operation = "op_dummy_20261122_075407_bf025e43";
        let words = line
            .replace("\"$op\"", some_operation)
            .replace("\"$trained\"", some_operation)
            .replace("'shown in the demo'", "shown")
            .replace('\'', "");
        let words = words
            .split_whitespace()
            .take_while(|word| !["||", "\\", "{"].contains(word));
        let parsed = cli::CommandLine::try_parse_from(words);
        if let Err(error) = parsed {
            let help = matches!(
                error.kind(),
                clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion
            );
            assert!(help, "{page}: {line}\n{error}");
        }
    }
}
