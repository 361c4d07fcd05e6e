//! What help and pages promise about the command line, checked on the program.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use futures::StreamExt as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use schemas::ids::OperationId;
use schemas::subjects;
use serde_json::Value;
use tokio::time::timeout;

use crate::bad_input::STRATEGY;
use crate::program::{ktrdr_in, run_in, run_in_system, run_with_input, wait_for};
use crate::running_up::connect_to;

/// A variable that no program reads, and an address where nothing answers.
const STRAY_VARIABLES: [(&str, &str); 2] = [("KTRDR_BIN", "x"), ("KTRDR_BUS_PROFILE", "nonsense")];

fn help_of(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let ended = run_in(folder.path(), arguments);
    ended.out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_help_of_data_load_names_what_an_empty_series_gets() {
    let help = help_of(&["data", "load", "--help"]);

    assert!(
        help.contains("of an empty series the last 30 days"),
        "{help}"
    );
    assert!(!help.contains("from the first bar"), "{help}");
}

#[test]
fn tail_loads_the_last_30_days_of_an_empty_series() {
    let folder = tempfile::tempdir().unwrap();
    let commands = "ktrdr data load SPY >loaded 2>&1; ktrdr data range SPY --json";

    let ended = run_in_system(folder.path(), "fetcher,validator", commands);

    let range: Value = serde_json::from_str(&ended.out).unwrap();
    let first: jiff::Timestamp = range["first"].as_str().unwrap().parse().unwrap();
    let last: jiff::Timestamp = range["last"].as_str().unwrap().parse().unwrap();
    let days = (last - first).total(jiff::Unit::Hour).unwrap() / 24.0;
    // 30 days before the newest bar, less a weekend or a holiday at their beginning.
    assert!((25.0..=30.0).contains(&days), "{days} days: {range}");
}

#[test]
fn the_help_of_the_store_names_what_exists() {
    let help = help_of(&["up", "--help"]);

    assert!(help.contains("a folder or s3://bucket/prefix"), "{help}");
    assert!(!help.contains("gs://"), "{help}");
    assert!(!help.contains("az://"), "{help}");
}

#[test]
fn the_help_of_gpu_says_that_the_operation_waits_for_one() {
    let help = help_of(&["train", "--help"]);

    assert!(
        help.contains(
            "waits for a trainer of the lane gpu, which only a trainer with a GPU serves"
        ),
        "{help}"
    );
}

#[test]
fn the_help_of_config_says_what_it_replaces() {
    let help = help_of(&["--help"]);

    assert!(
        help.contains("Settings file, instead of ktrdr.toml and of the system that runs here"),
        "{help}"
    );
}

#[test]
fn the_help_of_models_says_how_a_version_is_named() {
    let help = help_of(&["models", "show", "--help"]);

    assert!(help.contains("NAME@3"), "{help}");
    assert!(help.contains("NAME@production"), "{help}");
}

#[test]
fn a_lane_without_a_worker_is_a_fault_that_doctor_names() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("three.yaml"), STRATEGY).unwrap();
    // The fetcher and the processor do their steps, then the command waits in the lane gpu.
    let commands = "ktrdr train three.yaml --gpu --data-mode full --wait-timeout 10s >trained 2>&1; \
                    ktrdr doctor --json";

    let ended = run_in_system(
        folder.path(),
        "fetcher,validator,processor,registry,dummy",
        commands,
    );

    assert_eq!(ended.exit, Some(1), "{}", ended.err);
    let doctor: Value = serde_json::from_str(&ended.out).unwrap();
    let checks = doctor["checks"].as_array().unwrap();
    let queues = checks
        .iter()
        .find(|check| check["name"] == "queues")
        .unwrap();
    assert_eq!(queues["verdict"], "bad", "{queues}");
    assert_eq!(
        queues["detail"],
        "1 command waits for a trainer of the lane gpu, and no worker serves this queue"
    );
    assert!(
        queues["hint"]
            .as_str()
            .unwrap()
            .contains("on a host with a GPU")
    );
}

#[test]
fn a_command_without_settings_ignores_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ktrdr.toml"), "this is not TOML").unwrap();
    let commands: [&[&str]; 5] = [
        &["indicators", "list"],
        &["indicators", "describe", "rsi"],
        &["strategies", "rules"],
        &["strategies", "new", "mine"],
        &["--help"],
    ];

    for arguments in commands {
        let ended = ktrdr_in(folder.path(), arguments)
            .envs(STRAY_VARIABLES)
            .env("KTRDR_CONTEXT", "/nowhere/context.json")
            .output()
            .unwrap();
        let error = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(0), "{arguments:?}: {error}");
        assert!(!error.contains("KTRDR_BIN"), "{arguments:?}: {error}");
    }
}

#[test]
fn decode_reads_no_settings() {
    let folder = tempfile::tempdir().unwrap();
    let mut decode = ktrdr_in(folder.path(), &["decode"]);
    decode.envs(STRAY_VARIABLES);

    let ended = run_with_input(decode, b"{\"v\": 1}");

    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    assert_eq!(ended.out, "{\"v\":1}\n");
}

#[test]
fn an_unknown_variable_is_a_warning_of_other_commands() {
    let folder = tempfile::tempdir().unwrap();

    let ended = ktrdr_in(folder.path(), &["data", "list"])
        .env("KTRDR_BUS_ULR", "x")
        .output()
        .unwrap();

    let error = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{error}");
    assert!(error.contains("warning: "), "{error}");
    assert!(error.contains("KTRDR_BUS_ULR"), "{error}");
    assert!(error.contains("KTRDR_BUS_URL"), "{error}");
}

/// A local system with a dummy that runs until it is dropped.
struct DummySystem {
    up: Child,
    folder: tempfile::TempDir,
}

impl DummySystem {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut up = ktrdr_in(
            folder.path(),
            &["up", "--profile", "test", "--services", "dummy"],
        )
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
        let mut lines = BufReader::new(up.stderr.take().unwrap()).lines();
        let ready = lines.any(|line| line.unwrap().starts_with("dummy         ready"));
        assert!(ready, "the dummy did not become ready");

        // The board of the system goes on writing: somebody must read it.
        std::thread::spawn(move || for _ in lines.by_ref() {});
        Self { up, folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Follows a new operation of a minute until it has reported progress.
    fn follow_dummy(&self) -> FollowedDummy {
        let arguments = "dummy start --duration 60 --iterations 1000 --json";
        let words: Vec<&str> = arguments.split(' ').collect();
        let mut child = ktrdr_in(self.path(), &words).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();

        let started: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let op = started["op"].as_str().unwrap().to_owned();
        let is_progress = |line: &String| line.contains("\"type\":\"progress\"");
        let progress = lines.by_ref().map(Result::unwrap).find(is_progress);
        assert!(progress.is_some(), "no progress came");
        FollowedDummy {
            child,
            op,
            rest: Box::new(lines.map(Result::unwrap)),
        }
    }
}

impl Drop for DummySystem {
    fn drop(&mut self) {
        send(&self.up, Signal::SIGTERM);
        self.up.wait().unwrap();
    }
}

/// `ktrdr dummy start` that follows its operation.
struct FollowedDummy {
    child: Child,
    op: String,
    /// The lines that it has still to write.
    rest: Box<dyn Iterator<Item = String> + Send>,
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

#[test]
fn the_first_ctrl_c_cancels_the_followed_operation() {
    let system = DummySystem::start();
    let followed = system.follow_dummy();

    send(&followed.child, Signal::SIGINT);

    let last: Value = serde_json::from_str(&followed.rest.last().unwrap()).unwrap();
    let ended = wait_for(followed.child);
    assert_eq!(ended.exit, Some(130), "{}", ended.err);
    assert_eq!(last["state"], "cancelled", "{last}");
    assert_eq!(last["op"], followed.op.as_str());
}

/// Sends Ctrl+C to a follower; the subject of the cancel request that passes then. It passes at once;
/// the wait is for a host that is busy with other tests.
#[tokio::main(flavor = "current_thread")]
async fn cancel_after_ctrl_c(folder: &Path, follower: &Child) -> String {
    let client = connect_to(folder).await;
    let mut cancels = client.subscribe(subjects::ALL_CANCELS).await.unwrap();
    // The server has the subscription once it has answered what was sent after it.
    let ping = client.request("$SRV.PING.ktrdr-dummy", "".into()).await;
    ping.unwrap();

    send(follower, Signal::SIGINT);

    let request = timeout(Duration::from_secs(60), cancels.next()).await;
    let request = request.expect("no cancel is published");
    request.unwrap().subject.to_string()
}

#[test]
fn ctrl_c_is_published_as_a_cancel_without_delay() {
    let system = DummySystem::start();
    let followed = system.follow_dummy();
    // A pipe that nobody reads is full after some seconds, and stops the follower.
    let rest = followed.rest;
    std::thread::spawn(move || rest.count());

    let subject = cancel_after_ctrl_c(system.path(), &followed.child);

    let op: OperationId = followed.op.parse().unwrap();
    assert_eq!(subject, subjects::cancel(&op));
    assert_eq!(wait_for(followed.child).exit, Some(130));
}

#[test]
fn sigterm_leaves_the_followed_operation_running() {
    let system = DummySystem::start();
    let followed = system.follow_dummy();

    send(&followed.child, Signal::SIGTERM);

    let ended = wait_for(followed.child);
    assert_eq!(ended.exit, Some(143), "{}", ended.err);
    let status = run_in(system.path(), &["status", &followed.op, "--json"]);
    let record: Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(record["state"], "running", "{record}");
}

#[test]
fn ctrl_c_detaches_from_the_operation_of_another_process() {
    let system = DummySystem::start();
    let followed = system.follow_dummy();
    let mut other = ktrdr_in(system.path(), &["follow", &followed.op, "--json"])
        .spawn()
        .unwrap();
    let first = BufReader::new(other.stdout.as_mut().unwrap())
        .lines()
        .next();
    assert!(first.is_some(), "the second follower sees the operation");

    send(&other, Signal::SIGINT);

    let ended = wait_for(other);
    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    let status = run_in(system.path(), &["status", &followed.op, "--json"]);
    assert!(
        status.out.contains("\"state\":\"running\""),
        "{}",
        status.out
    );
    send(&followed.child, Signal::SIGTERM);
    wait_for(followed.child);
}
