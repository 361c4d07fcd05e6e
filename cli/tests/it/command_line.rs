//! The program itself: exit codes, messages and JSON lines, without a server, with an old one, with
//! a real one.

#[path = "../../../services/bus/tests/server/mod.rs"]
mod server;

use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use bus::Profile;
use bus::topology::{Topology, TopologyOptions};
use serde_json::Value;
use server::Server;

const UNKNOWN: &str = "op_dummy_20260301_142233_9f3a01bc";

/// What a run left behind.
struct Ran {
    exit: i32,
    out: String,
    err: String,
}

/// A folder without settings, and the address of a server.
struct Place {
    folder: tempfile::TempDir,
    url: String,
}

impl Place {
    fn new(url: &str) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            url: url.to_owned(),
        }
    }

    fn run(&self, arguments: &str) -> Ran {
        self.run_with(arguments, &[])
    }

    fn run_with(&self, arguments: &str, input: &[u8]) -> Ran {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ktrdr"))
            .args(arguments.split_whitespace())
            .current_dir(&self.folder)
            .env_clear()
            .env("KTRDR_NATS_URL", &self.url)
            .env("KTRDR_PROFILE", "test")
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        Ran {
            exit: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs with `--json`: one value a line.
    fn json(&self, arguments: &str) -> (i32, Vec<Value>) {
        let ran = self.run(&format!("--json {arguments}"));
        assert_eq!(ran.err, "");
        (
            ran.exit,
            ran.out
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
        )
    }
}

/// A place with a real server that has everything but workers.
async fn ready() -> (Server, Place) {
    let server = Server::start();
    let bus = server.bus().await;
    bus.infra()
        .apply(&Topology::declare(
            Profile::Test,
            TopologyOptions::default(),
        ))
        .await
        .unwrap();
    let place = Place::new(&server.url);
    (server, place)
}

/// `text` with what differs from run to run replaced.
fn stable(text: &str, place: &Place) -> String {
    text.replace(&place.url, "<url>")
}

/// An address at which an old server greets and says nothing more.
fn old_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let info = r#"{"server_id":"OLD","version":"2.10.4","max_payload":1048576,"jetstream":true,"headers":true}"#;
            stream
                .write_all(format!("INFO {info}\r\n").as_bytes())
                .unwrap();
            // Answers the client's PING, which ends its greeting.
            stream.write_all(b"PONG\r\n").unwrap();
            std::mem::forget(stream);
        }
    });
    url
}

#[test]
fn without_a_server_commands_fail_fast_with_a_hint() {
    let place = Place::new("nats://127.0.0.1:1");
    let ran = place.run("ops list");
    assert_eq!((ran.exit, ran.out.as_str()), (3, ""));
    insta::assert_snapshot!(stable(&ran.err, &place), @"
    error: cannot connect to the NATS server at <url>
      cause: IO error: Connection refused (os error 111)
    hint: start a local system with `ktrdr up`, or name the server with --server or KTRDR_NATS_URL
    ");
    let (exit, lines) = place.json(&format!("status {UNKNOWN}"));
    assert_eq!((exit, lines.len()), (3, 1));
    assert_eq!(
        (&lines[0]["type"], &lines[0]["code"]),
        (&"error".into(), &"BUS-Unreachable".into())
    );
}

#[test]
fn an_old_server_is_refused_by_version() {
    let place = Place::new(&old_server());
    let ran = place.run("workers");
    assert_eq!(ran.exit, 3);
    insta::assert_snapshot!(stable(&ran.err, &place), @"
    error: the NATS server at <url> has version 2.10.4; at least 2.14 is needed
    hint: `infra/setup` fetches a server that is new enough; `ktrdr up` starts it
    ");
}

#[test]
fn wrong_words_are_usage_errors_with_the_right_ones() {
    let place = Place::new("nats://127.0.0.1:1");
    assert_eq!(place.run("dummy start --iterations 0").exit, 2);
    assert_eq!(place.run("status op_train").exit, 2);
    let ran = place.run("--set bus.ulr=x ops list");
    assert_eq!(ran.exit, 2);
    assert!(ran.err.contains("did you mean `bus.url`?"), "{}", ran.err);
}

#[test]
fn a_payload_from_the_bus_becomes_one_line_of_json() {
    let place = Place::new("");
    // {"v": 1, "op": "x"} as MessagePack: map of 2, str 1, 1, str 2, str 1.
    let payload = [0x82, 0xa1, b'v', 0x01, 0xa2, b'o', b'p', 0xa1, b'x'];
    let ran = place.run_with("decode", &payload);
    assert_eq!(
        (ran.exit, ran.out.as_str()),
        (0, "{\"op\":\"x\",\"v\":1}\n")
    );
    let ran = place.run_with("decode", &[0xc1]);
    assert_eq!(ran.exit, 1);
    assert!(ran.err.starts_with("error: cannot decode"), "{}", ran.err);
}

#[tokio::test]
async fn an_unknown_operation_is_not_found_by_any_command() {
    let (_server, place) = ready().await;
    for command in ["status", "follow", "cancel", "resume"] {
        let ran = place.run(&format!("{command} {UNKNOWN}"));
        assert_eq!(ran.exit, 4, "{command}: {}", ran.err);
        assert!(
            ran.err
                .starts_with(&format!("error: Operation not found: {UNKNOWN}\n")),
            "{}",
            ran.err
        );
    }
    assert_eq!(place.run("workers drain dummy-here-1-0001").exit, 4);
}

#[tokio::test]
async fn without_a_worker_a_start_stops_waiting_after_its_timeout() {
    let (_server, place) = ready().await;
    let ran = place.run("dummy start --wait-timeout 2s");
    assert_eq!((ran.exit, ran.out.as_str()), (6, ""));
    assert!(
        ran.err
            .contains("[  0.0%] dummy (1/1)  queued: no dummy is running, see `ktrdr doctor`\n"),
        "{}",
        ran.err
    );
    assert!(
        ran.err
            .contains("hint: it continues; re-attach with `ktrdr follow op_dummy_"),
        "{}",
        ran.err
    );
}

#[tokio::test]
async fn a_detached_operation_is_listed_shown_and_asked_to_stop() {
    let (_server, place) = ready().await;
    let (exit, lines) = place.json("dummy start --detach --label team=red");
    assert_eq!((exit, lines.len()), (0, 1));
    assert_eq!(lines[0]["type"], "started");
    let op = lines[0]["op"].as_str().unwrap();

    let ran = place.run("ops list --label team=red");
    assert!(
        ran.out.contains(op) && ran.out.contains("pending"),
        "{}",
        ran.out
    );
    assert_eq!(
        place.run("ops list --label team=blue").err,
        "No operations found\n"
    );
    assert_eq!(
        place.run("ops --resumable").err,
        "No resumable operations found\n"
    );

    let (exit, lines) = place.json(&format!("status {op}"));
    assert_eq!(
        (exit, &lines[0]["state"], &lines[0]["labels"]["team"]),
        (0, &"pending".into(), &"red".into())
    );
    let (exit, lines) = place.json("status");
    assert_eq!((exit, &lines[0]["operations"]["pending"]), (0, &1.into()));

    // Pending is neither failed nor cancelled.
    let ran = place.run(&format!("resume {op} --detach"));
    assert_eq!(ran.exit, 5, "{}", ran.err);
    let ran = place.run(&format!("cancel {op} --reason enough"));
    assert_eq!(
        (ran.exit, ran.out),
        (0, format!("Cancel requested for {op}: enough\n"))
    );
}

#[tokio::test]
async fn a_dry_run_prints_the_operation_and_submits_nothing() {
    let (_server, place) = ready().await;
    let (exit, lines) = place.json("dummy start --dry-run --duration 10 --iterations 4");
    assert_eq!(
        (exit, &lines[0]["plan"][0][0]["command"]["seconds"]),
        (0, &2.5.into())
    );
    assert_eq!(place.run("ops list").err, "No operations found\n");
}
