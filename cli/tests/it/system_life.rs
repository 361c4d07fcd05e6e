//! The life of a local system as people handle it: restarts, closed terminals, `down`, `--detach`,
//! folders that are moved, copied or nested.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::program::{Ended, files_under, ktrdr_in, run_in, run_in_system};
use crate::running_up::{
    RunningUp, UP, context_file, context_of, launched_by, port_of, programs_of, running, send_to,
    start_dummy, url_of,
};
use crate::terminal::Terminal;

/// What differs from run to run in a text about a system in `folder`.
macro_rules! assert_text {
    ($folder:expr, $text:expr, @$expected:literal) => {
        let folder = $folder.canonicalize().unwrap();
        let filters = [
            (folder.to_str().unwrap(), "<here>"),
            (r"process \d+", "process <pid>"),
            (r"pid \d+", "pid <pid>"),
            (r"127\.0\.0\.1:\d+", "<address>"),
            (r"port \d+", "port <port>"),
        ];
        insta::with_settings!({filters => filters}, {
            insta::assert_snapshot!($text, @$expected)
        })
    };
}

#[test]
fn the_port_stays_over_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let first = RunningUp::start(folder.path());
    let url = url_of(folder.path());
    first.end(Signal::SIGTERM);

    let second = RunningUp::start(folder.path());

    assert_eq!(url_of(folder.path()), url);
    assert!(!second.board.contains("new:"), "{}", second.board);
}

#[test]
fn a_port_that_is_taken_is_replaced_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let first = RunningUp::start(folder.path());
    let port = port_of(folder.path());
    first.end(Signal::SIGTERM);
    let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();

    let second = RunningUp::start(folder.path());

    assert_ne!(port_of(folder.path()), port);
    let remark = format!("(new: another program has {port})");
    assert!(second.board.contains(&remark), "{}", second.board);
}

#[test]
fn a_named_port_that_is_taken_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();

    let ended = run_in(folder.path(), &["up", "--port", &port]);

    assert_eq!(ended.exit, Some(2));
    let error = ended.err.replace(&port, "<number>");
    let said = error
        .lines()
        .filter(|line| !line.starts_with("nats-server"));
    insta::assert_snapshot!(said.collect::<Vec<_>>().join("\n"), @"
    error: another program listens on port <number>
    hint: leave out --port, which takes a free one and keeps it over restarts, or name another
    ");
}

#[test]
fn the_board_fits_on_80_and_on_120_columns() {
    for columns in [80, 120] {
        let folder = tempfile::tempdir().unwrap();
        let mut up = Terminal::start(folder.path(), &UP, columns);
        up.until("dummy         ready");
        up.until("housekeeping  ready");

        insta::allow_duplicates! {
            assert_text!(folder.path(), up.text(), @"
            nats-server   ready       nats://<address>, .ktrdr/logs/nats-server.log
            dummy         ready       pid <pid>, .ktrdr/logs/dummy.log
            housekeeping  ready       in this process
            ");
        }
    }
}

#[test]
fn a_follower_goes_on_when_its_system_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let first = RunningUp::start(folder.path());
    let op = start_dummy(folder.path());
    let mut follower = Terminal::start(folder.path(), &["follow", &op], 80);
    follower.until("Working on iteration");

    first.end(Signal::SIGTERM);
    follower.until("connection to NATS lost");
    let _second = RunningUp::start(folder.path());

    follower.until("Completed dummy");
    assert_eq!(follower.until_ended(), Some(0));
}

#[test]
fn a_follower_finds_a_system_that_has_moved() {
    let folder = tempfile::tempdir().unwrap();
    let first = RunningUp::start(folder.path());
    let port = port_of(folder.path());
    let op = start_dummy(folder.path());
    let mut follower = Terminal::start(folder.path(), &["follow", &op], 120);
    follower.until("Working on iteration");

    first.end(Signal::SIGTERM);
    let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let _second = RunningUp::start(folder.path());

    assert_ne!(port_of(folder.path()), port);
    follower.until("Completed dummy");
    assert_eq!(follower.until_ended(), Some(0));
}

#[test]
fn one_ctrl_c_leaves_a_follower_whose_system_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let up = RunningUp::start(folder.path());
    let op = start_dummy(folder.path());
    let mut follower = Terminal::start(folder.path(), &["follow", &op], 80);
    follower.until("Working on iteration");
    up.end(Signal::SIGTERM);
    follower.until("connection to NATS lost");

    follower.type_keys("\x03");

    assert_eq!(follower.until_ended(), Some(0));
}

#[test]
fn a_closed_terminal_ends_the_system_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = Terminal::start(folder.path(), &UP, 80);
    up.until("dummy         ready");
    let programs = programs_of(folder.path());
    assert_eq!(running(&programs).len(), 2, "{}", up.text());

    assert_eq!(up.close(), Some(0));

    assert_eq!(running(&programs), Vec::<std::path::PathBuf>::new());
    let log = std::fs::read_to_string(folder.path().join(".ktrdr/logs/up.log")).unwrap();
    let stopped = |name: &str| log.find(&format!("{name:<13} stopped")).unwrap();
    assert!(stopped("dummy") < stopped("nats-server"), "{log}");
}

#[test]
fn sighup_ends_the_system_and_under_nohup_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let up = RunningUp::start(folder.path());
    let programs = programs_of(folder.path());
    assert_eq!(up.end(Signal::SIGHUP), Some(0));
    assert_eq!(running(&programs), Vec::<std::path::PathBuf>::new());

    let ignoring = ["-c", "trap '' HUP; exec \"$0\" \"$@\""];
    let nohup = launched_by("sh", &ignoring, &ktrdr_in(folder.path(), &UP));
    let up = RunningUp::start_command(nohup);
    up.send(Signal::SIGHUP);

    let status = run_in(folder.path(), &["status"]);
    assert_eq!(status.exit, Some(0), "{}", status.err);
    assert_eq!(up.end(Signal::SIGTERM), Some(0));
}

#[test]
fn ctrl_c_twice_leaves_nothing_running() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = Terminal::start(folder.path(), &UP, 80);
    up.until("dummy         ready");
    let programs = programs_of(folder.path());
    // A dummy that stands still does not end when it is asked to.
    send_to(&programs[1], Signal::SIGSTOP);

    up.type_keys("\x03");
    up.until("dummy         stopping");
    up.type_keys("\x03");

    // It was not waited for: that would end with `stopped`.
    assert_eq!(up.until_ended(), Some(0));
    let screen = up.text();
    assert!(screen.contains("dummy         stopping"), "{screen}");
    assert!(screen.contains("nats-server   stopped"), "{screen}");
    assert_eq!(running(&programs), Vec::<std::path::PathBuf>::new());
}

#[test]
fn down_stops_the_system_from_a_folder_below() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    let mut up = RunningUp::start(folder.path());
    let programs = programs_of(folder.path());

    let ended = run_in(&below, &["down"]);

    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    assert_text!(folder.path(), ended.out, @"Stopped the system of <here>/.ktrdr (process <pid>): nats-server, dummy");
    assert_eq!(up.wait(), Some(0));
    assert_eq!(running(&programs), Vec::<std::path::PathBuf>::new());

    let again = run_in(&below, &["down"]);
    assert_eq!(again.exit, Some(0));
    assert_text!(folder.path(), again.out, @"No system runs in this folder or above it: nothing to stop");
}

#[test]
fn down_ends_what_a_killed_up_left() {
    let folder = tempfile::tempdir().unwrap();
    let up = RunningUp::start(folder.path());
    let programs = programs_of(folder.path());
    up.end(Signal::SIGKILL);
    assert_eq!(running(&programs).len(), 2);

    let ended = run_in(folder.path(), &["down", "--json"]);

    let result: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(
        result["stopped"],
        serde_json::json!(["nats-server", "dummy"])
    );
    assert_eq!(running(&programs), Vec::<std::path::PathBuf>::new());
    assert!(!folder.path().join(".ktrdr/context.json").exists());
}

#[test]
fn down_signals_no_process_that_does_not_hold_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let system = folder.path().join(".ktrdr");
    std::fs::create_dir(&system).unwrap();
    let lock = std::fs::File::create(system.join("lock")).unwrap();
    lock.lock().unwrap();
    // The number of a `ktrdr up` that has ended, which another program has by now.
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    std::fs::write(system.join("lock"), other.id().to_string()).unwrap();

    let ended = run_in(folder.path(), &["down"]);

    assert_eq!(ended.exit, Some(1));
    assert_text!(folder.path(), ended.err, @"
    error: another process holds <here>/.ktrdr, and its lock does not say which
    hint: it may be another `ktrdr down`: try again; `fuser <here>/.ktrdr/lock` names the process
    ");
    assert!(other.try_wait().unwrap().is_none(), "it still runs");
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn a_system_in_the_background_is_ready_when_up_returns() {
    let folder = tempfile::tempdir().unwrap();

    let ended = run_in(folder.path(), &[&UP[..], &["--detach"]].concat());

    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    assert_text!(folder.path(), ended.out, @"
    nats-server   ready       nats://<address>, .ktrdr/logs/nats-server.log
    dummy         ready       pid <pid>, .ktrdr/logs/dummy.log
    housekeeping  ready       in this process
    ");
    assert_text!(folder.path(), ended.err, @"
    The system of <here>/.ktrdr runs in the background (process <pid>)
    hint: `ktrdr logs -f` shows what it does, `ktrdr down` stops it
    ");
    let worked = run_in(
        folder.path(),
        &["dummy", "start", "--iterations", "1", "--duration", "0"],
    );
    assert_eq!(worked.exit, Some(0), "{}", worked.err);

    let programs = programs_of(folder.path());
    let down = run_in(folder.path(), &["down"]);
    assert_eq!(down.exit, Some(0), "{}", down.err);
    assert_eq!(running(&programs), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_service_that_is_not_ready_is_named_with_its_log() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ktrdr.toml"), "[dummy]\nslots = 0\n").unwrap();

    let ended = run_in(folder.path(), &[&UP[..], &["--detach"]].concat());
    run_in(folder.path(), &["down"]);

    assert_eq!(ended.exit, Some(1));
    assert_text!(folder.path(), ended.err, @"
      | error: 1 setting is wrong
      |   <here>/ktrdr.toml: dummy.slots: invalid value: integer `0`, expected a nonzero u16
      | hint: correct them, then look at the result with `ktrdr config check`
    error: the dummy is absent: it refuses its settings, see .ktrdr/logs/dummy.log
    hint: the other parts run (process <pid>); `ktrdr logs dummy` shows its log, `ktrdr down` stops the system
    ");
}

#[test]
fn a_refused_start_in_the_background_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let _up = RunningUp::start(folder.path());

    let ended = run_in(folder.path(), &[&UP[..], &["--detach"]].concat());

    assert_eq!(ended.exit, Some(5));
    assert_text!(folder.path(), ended.err, @"
    error: a system already runs in <here>/.ktrdr (process <pid>)
    hint: use it from here (`ktrdr status`), stop it with `ktrdr down`, or choose another place with --dir
    ");
}

#[test]
fn up_below_a_running_system_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("below");
    std::fs::create_dir(&below).unwrap();
    let _up = RunningUp::start(folder.path());

    let refused = run_in(&below, &["up"]);

    assert_eq!(refused.exit, Some(5));
    assert_text!(folder.path(), refused.err, @"
    error: a system runs in <here>/.ktrdr (process <pid>), above this folder
    hint: use it from here (`ktrdr status`) or stop it with `ktrdr down`; `ktrdr up --dir .ktrdr` starts one of its own in this folder
    ");
    assert!(!below.join(".ktrdr").exists());

    let arguments = [&UP[..], &["--dir", ".ktrdr", "--", "ktrdr", "data", "list"]].concat();
    let ended = run_in(&below, &arguments);
    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    assert!(below.join(".ktrdr/lock").exists());

    // A folder that has had a system of its own may have it again.
    let arguments = [&UP[..], &["--", "ktrdr", "data", "list"]].concat();
    let ended = run_in(&below, &arguments);
    assert_eq!(ended.exit, Some(0), "{}", ended.err);
}

#[test]
fn a_folder_that_is_moved_while_its_system_runs_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let before = root.path().join("before");
    let after = root.path().join("after");
    std::fs::create_dir(&before).unwrap();
    let mut up = RunningUp::start(&before);
    std::fs::rename(&before, &after).unwrap();

    let ended = run_in(&after, &["data", "list"]);

    assert_eq!(ended.exit, Some(5));
    assert_text!(root.path(), ended.err, @"
    error: <here>/after/.ktrdr/context.json was moved from <here>/before/.ktrdr while its system ran
    hint: `ktrdr down` stops it, then `ktrdr up` starts it from here
    ");
    assert!(!before.exists(), "nothing was created where it was");

    let down = run_in(&after, &["down"]);
    assert_eq!(down.exit, Some(0), "{}", down.err);
    up.wait();
    assert!(!context_file(&after).exists());
    let _again = RunningUp::start(&after);
    let status = run_in(&after, &["status"]);
    assert_eq!(status.exit, Some(0), "{}", status.err);
}

#[test]
fn a_copied_folder_does_not_lead_to_the_other_system() {
    let root = tempfile::tempdir().unwrap();
    let original = root.path().join("original");
    let copy = root.path().join("copy");
    std::fs::create_dir(&original).unwrap();
    let _up = RunningUp::start(&original);
    let copied = Command::new("cp")
        .args(["-r", original.to_str().unwrap(), copy.to_str().unwrap()])
        .status();
    assert!(copied.unwrap().success());

    let ended = run_in(&copy, &["dummy", "start"]);

    assert_eq!(ended.exit, Some(5));
    assert_text!(root.path(), ended.err, @"
    error: <here>/copy/.ktrdr/context.json is a copy: it announces the system of <here>/original/.ktrdr
    hint: `ktrdr down` removes the copy, `ktrdr up` starts a system of this folder; for the other system work in its folder
    ");

    let second = RunningUp::start(&copy);
    assert_ne!(url_of(&copy), url_of(&original));
    let stores = [&copy, &original].map(|folder| context_of(folder)["store_url"].clone());
    assert_ne!(stores[0], stores[1]);
    drop(second);
    let status = run_in(&original, &["status"]);
    assert_eq!(status.exit, Some(0), "the original runs on: {}", status.err);
}

#[test]
fn a_command_that_does_not_exist_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();

    let ended = run_in(folder.path(), &["up", "--", "nosuchcmd"]);

    assert_eq!(ended.exit, Some(2));
    assert_text!(folder.path(), ended.err, @"
    error: there is no command `nosuchcmd`
    hint: check its spelling and PATH; as in `ktrdr up -- ktrdr doctor`
    ");
    assert!(!folder.path().join(".ktrdr").exists());
}

#[test]
fn what_may_hold_a_secret_is_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let _up = RunningUp::start(folder.path());
    let system = folder.path().join(".ktrdr");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;

    assert_eq!(mode(&system), 0o700);
    assert_eq!(mode(&system.join("logs")), 0o700);
    for name in [
        "context.json",
        "nats-context.json",
        "nats.conf",
        "processes",
        "ports.json",
        "lock",
    ] {
        assert_eq!(mode(&system.join(name)), 0o600, "{name}");
    }
    let logs = files_under(&system.join("logs"));
    assert_eq!(logs.len(), 3, "{logs:?}");
    for log in logs {
        assert_eq!(mode(&log), 0o600, "{}", log.display());
    }
}

#[test]
fn a_second_up_says_how_to_use_the_first() {
    let folder = tempfile::tempdir().unwrap();

    let ended: Ended = run_in_system(folder.path(), "dummy", "ktrdr up 2>&1; exit 0");

    assert_text!(folder.path(), ended.out, @"
    error: a system already runs in <here>/.ktrdr (process <pid>)
    hint: use it from here (`ktrdr status`), stop it with `ktrdr down`, or choose another place with --dir
    ");
}

#[test]
fn a_missing_folder_of_bars_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let up = ["up", "--profile", "test", "--services", "fetcher", "--"];
    let load = ["ktrdr", "data", "load", "EURUSD", "--mode", "full"];

    let ended = run_in(folder.path(), &[&up[..], &load].concat());

    assert_eq!(ended.exit, Some(1), "{}", ended.err);
    let hint = ended.err.lines().find(|line| line.starts_with("hint: "));
    insta::assert_snapshot!(hint.unwrap(), @"hint: put files such as EURUSD_1h.csv into data/bars, or name the folder that has them and start the fetcher again: KTRDR_FETCHER_FILES=FOLDER, or `files` in the section [fetcher] of ktrdr.toml");
}
