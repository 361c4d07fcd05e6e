//! Exit codes, messages and JSON lines of the program: without a server, with an old one, with a
//! real one.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nats_test_server::Server;
use serde_json::Value;

use crate::program::{Ended, ktrdr_in, run_with_input};

const UNKNOWN: &str = "op_dummy_20260301_142233_9f3a01bc";
/// Nothing listens here.
const NO_SERVER: &str = "nats://127.0.0.1:1";

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

    fn run(&self, arguments: &str) -> Ended {
        self.run_with(arguments, &[])
    }

    fn run_with(&self, arguments: &str, input: &[u8]) -> Ended {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let mut command = ktrdr_in(self.folder.path(), &words);
        command
            .env("KTRDR_NATS_URL", &self.url)
            .env("KTRDR_PROFILE", "test");
        run_with_input(command, input)
    }

    /// Runs with `--json` and reads one value per line.
    fn run_json(&self, arguments: &str) -> JsonEnded {
        let ended = self.run(&format!("--json {arguments}"));
        assert_eq!(ended.err, "");
        let lines = ended.out.lines();
        JsonEnded {
            exit: ended.exit,
            values: lines
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
        }
    }

    /// `text` without the address, which differs from run to run.
    fn mask_url(&self, text: &str) -> String {
        text.replace(&self.url, "<url>")
    }
}

/// The end of a run with `--json`.
struct JsonEnded {
    exit: Option<i32>,
    values: Vec<Value>,
}

/// A server with the folder that it writes into.
struct RunningServer {
    process: Server,
    _folder: tempfile::TempDir,
}

/// A place with a real server that has everything but workers.
fn start_server() -> (RunningServer, Place) {
    let folder = tempfile::tempdir().unwrap();
    let server = RunningServer {
        process: Server::start(folder.path(), false),
        _folder: folder,
    };

    let place = Place::new(&server.process.url());
    let applied = place.run("infra apply --profile test");
    assert_eq!(applied.exit, Some(0), "{}", applied.err);
    (server, place)
}

/// An address at which an old server greets and says nothing more.
fn old_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        // The connections stay open for as long as the test runs.
        let mut greeted = Vec::new();
        for stream in listener.incoming() {
            greeted.push(greet(stream.unwrap()));
        }
    });
    url
}

fn greet(mut stream: TcpStream) -> TcpStream {
    let info = r#"{"server_id":"OLD","version":"2.10.4","max_payload":1048576,"jetstream":true,
        "headers":true}"#
        .replace("\n        ", "");
    stream
        .write_all(format!("INFO {info}\r\n").as_bytes())
        .unwrap();
    // Answers the client's PING, which ends its greeting.
    stream.write_all(b"PONG\r\n").unwrap();
    stream
}

#[test]
fn without_a_server_commands_fail_fast_with_a_hint() {
    let place = Place::new(NO_SERVER);

    let ended = place.run("ops list");

    assert_eq!(ended.exit, Some(3));
    assert_eq!(ended.out, "");
    insta::assert_snapshot!(place.mask_url(&ended.err), @"
    error: cannot connect to the NATS server at <url>
      cause: IO error: Connection refused (os error 111)
    hint: start a local system with `ktrdr up`, or name the server with --server or KTRDR_NATS_URL
    ");
}

#[test]
fn an_address_that_stays_silent_is_given_up_and_named() {
    // It takes connections and never says a word, as a wrong port may.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::new(&format!("nats://{}", silent.local_addr().unwrap()));

    let began = Instant::now();
    let ended = place.run("ops list");

    // 2 s are granted; a busy machine needs more to start the program.
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(ended.exit, Some(3));
    insta::assert_snapshot!(place.mask_url(&ended.err), @"
    error: cannot connect to the NATS server at <url>
      cause: timed out
    hint: start a local system with `ktrdr up`, or name the server with --server or KTRDR_NATS_URL
    ");
}

#[test]
fn a_failure_is_one_line_of_json_for_programs() {
    let place = Place::new(NO_SERVER);

    let ended = place.run_json(&format!("status {UNKNOWN}"));

    assert_eq!(ended.exit, Some(3));
    assert_eq!(ended.values.len(), 1);
    assert_eq!(ended.values[0]["type"], "error");
    assert_eq!(ended.values[0]["code"], "BUS-Unreachable");
}

#[test]
fn an_old_server_is_refused_by_version() {
    let place = Place::new(&old_server());

    let ended = place.run("workers");

    assert_eq!(ended.exit, Some(3));
    insta::assert_snapshot!(place.mask_url(&ended.err), @"
    error: the NATS server at <url> has version 2.10.4; at least 2.14 is needed
    hint: `infra/setup` fetches a server that is new enough; `ktrdr up` starts it
    ");
}

#[test]
fn wrong_words_are_usage_errors_with_the_right_ones() {
    let place = Place::new(NO_SERVER);
    assert_eq!(place.run("dummy start --iterations 0").exit, Some(2));
    assert_eq!(place.run("status op_train").exit, Some(2));

    let ended = place.run("--set bus.ulr=x ops list");

    assert_eq!(ended.exit, Some(2));
    let hint = "did you mean `bus.url`?";
    assert!(ended.err.contains(hint), "{}", ended.err);
}

#[test]
fn a_payload_from_the_bus_becomes_one_line_of_json() {
    let place = Place::new("");
    // {"v": 1, "op": "x"} as MessagePack: map of 2, str 1, 1, str 2, str 1.
    let payload = [0x82, 0xa1, b'v', 0x01, 0xa2, b'o', b'p', 0xa1, b'x'];

    let ended = place.run_with("decode", &payload);
    assert_eq!(ended.exit, Some(0));
    assert_eq!(ended.out, "{\"op\":\"x\",\"v\":1}\n");

    let ended = place.run_with("decode", &[0xc1]);
    assert_eq!(ended.exit, Some(1));
    let error = "error: cannot decode";
    assert!(ended.err.starts_with(error), "{}", ended.err);
}

#[test]
fn an_unknown_operation_is_not_found_by_any_command() {
    let (_server, place) = start_server();
    let error = format!("error: Operation not found: {UNKNOWN}\n");

    for command in ["status", "follow", "cancel", "resume", "ops logs"] {
        let ended = place.run(&format!("{command} {UNKNOWN}"));
        assert_eq!(ended.exit, Some(4), "{command}: {}", ended.err);
        assert!(ended.err.starts_with(&error), "{}", ended.err);
    }
}

#[test]
fn an_unknown_worker_cannot_be_drained() {
    let (_server, place) = start_server();

    assert_eq!(place.run("workers drain dummy-here-1-0001").exit, Some(4));
}

#[test]
fn without_a_worker_a_start_stops_waiting_after_its_timeout() {
    let (_server, place) = start_server();

    let ended = place.run("dummy start --wait-timeout 2s");

    assert_eq!(ended.exit, Some(6));
    assert_eq!(ended.out, "");
    let line = "[  0.0%] dummy (1/1)  queued: no dummy is running, see `ktrdr doctor`\n";
    assert!(ended.err.contains(line), "{}", ended.err);
    let hint = "hint: it continues; re-attach with `ktrdr follow op_dummy_";
    assert!(ended.err.contains(hint), "{}", ended.err);
}

/// Starts a dummy without waiting for it.
fn start_detached(place: &Place) -> String {
    let ended = place.run_json("dummy start --detach --label team=red");
    assert_eq!(ended.exit, Some(0));
    assert_eq!(ended.values.len(), 1);
    assert_eq!(ended.values[0]["type"], "started");
    ended.values[0]["op"].as_str().unwrap().to_owned()
}

#[test]
fn a_detached_operation_is_listed_by_its_label() {
    let (_server, place) = start_server();
    let op = start_detached(&place);

    let red = place.run("ops list --label team=red");
    assert!(red.out.contains(&op), "{}", red.out);
    assert!(red.out.contains("pending"), "{}", red.out);

    let blue = place.run("ops list --label team=blue");
    assert_eq!(blue.err, "No operations found\n");
    let resumable = place.run("ops --resumable");
    assert_eq!(resumable.err, "No resumable operations found\n");
}

#[test]
fn a_detached_operation_is_shown_and_counted() {
    let (_server, place) = start_server();
    let op = start_detached(&place);

    let one = place.run_json(&format!("status {op}"));
    assert_eq!(one.exit, Some(0));
    assert_eq!(one.values[0]["state"], "pending");
    assert_eq!(one.values[0]["labels"]["team"], "red");

    let system = place.run_json("status");
    assert_eq!(system.exit, Some(0));
    assert_eq!(system.values[0]["operations"]["pending"], 1);
}

#[test]
fn a_pending_operation_is_cancelled_but_not_resumed() {
    let (_server, place) = start_server();
    let op = start_detached(&place);

    // Pending is neither failed nor cancelled.
    let resumed = place.run(&format!("resume {op} --detach"));
    assert_eq!(resumed.exit, Some(5), "{}", resumed.err);

    let cancelled = place.run(&format!("cancel {op} --reason enough"));
    assert_eq!(cancelled.exit, Some(0), "{}", cancelled.err);
    assert_eq!(
        cancelled.out,
        format!("Cancel requested for {op}: enough\n")
    );
}

#[test]
fn a_dry_run_prints_the_operation_and_submits_nothing() {
    let (_server, place) = start_server();

    let ended = place.run_json("dummy start --dry-run --duration 10 --iterations 4");

    assert_eq!(ended.exit, Some(0));
    let command = &ended.values[0]["plan"][0][0]["command"];
    assert_eq!(command["seconds"], 2.5);
    assert_eq!(place.run("ops list").err, "No operations found\n");
}
