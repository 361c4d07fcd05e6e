//! `ktrdr logs` on the logs of a real system, and in a terminal.

use std::io::Write as _;

use nix::sys::signal::Signal;

use crate::program::run_in;
use crate::running_up::RunningUp;
use crate::terminal::Terminal;

#[test]
fn the_logs_of_all_programs_are_merged_by_time() {
    let folder = tempfile::tempdir().unwrap();
    RunningUp::start(folder.path()).end(Signal::SIGTERM);

    let all = run_in(folder.path(), &["logs", "--lines", "1000"]);
    assert_eq!(all.exit, Some(0), "{}", all.err);
    let place = |text: &str| {
        let place = all.out.find(text);
        place.unwrap_or_else(|| panic!("no `{text}` in\n{}", all.out))
    };
    let order = [
        "Server is ready",
        "nats-server   ready",
        "dummy         ready",
        "dummy         stopped",
        "nats-server   stopped",
    ];
    let places = order.map(place);
    assert!(places.is_sorted(), "{}", all.out);
    assert!(
        all.out
            .lines()
            .any(|line| line.starts_with("dummy        | ")),
        "{}",
        all.out
    );

    // From a folder below, of one program, and only its end.
    let below = folder.path().join("below");
    std::fs::create_dir(&below).unwrap();
    let last = run_in(&below, &["logs", "up", "-n", "1"]);
    assert!(
        last.out.ends_with("nats-server   stopped\n"),
        "{}",
        last.out
    );
    assert_eq!(last.out.lines().count(), 1);

    let later = run_in(folder.path(), &["logs", "--since", "2999-01-01"]);
    assert_eq!(later.out, "");
}

#[test]
fn an_unknown_log_is_named_with_the_nearest_one() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = run_in(folder.path(), &["logs"]);
    assert_eq!(nothing.exit, Some(4));
    insta::assert_snapshot!(nothing.err, @"
    error: no system has run in this folder or above it
    hint: `ktrdr up` starts one, --dir names the folder of another; a service that was started by itself logs to its standard error
    ");

    let logs = folder.path().join(".ktrdr/logs");
    std::fs::create_dir_all(&logs).unwrap();
    for name in ["fetcher.log", "nats-server.log", "up.log", "fetcher.log.1"] {
        std::fs::write(logs.join(name), "").unwrap();
    }
    let said = |name| {
        let ended = run_in(folder.path(), &["logs", name]);
        assert_eq!(ended.exit, Some(4), "{name}");
        let folder = folder.path().canonicalize().unwrap();
        ended.err.replace(folder.to_str().unwrap(), "<here>")
    };
    insta::assert_snapshot!(said("fetchr"), @"
    error: there is no log `fetchr` in <here>/.ktrdr/logs
    hint: did you mean `ktrdr logs fetcher`?
    ");
    insta::assert_snapshot!(said("trainer"), @"
    error: the trainer has not run in <here>/.ktrdr/logs
    hint: there are logs of fetcher, nats-server, up
    ");
}

#[test]
fn a_followed_log_goes_on_until_ctrl_c() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join(".ktrdr/logs");
    std::fs::create_dir_all(&logs).unwrap();
    let log = logs.join("fetcher.log");
    std::fs::write(&log, "2026-11-22T07:00:00Z  INFO old\n").unwrap();
    let mut screen = Terminal::start(folder.path(), &["logs", "fetcher", "-f"], 80);
    screen.until("INFO old");

    let mut file = std::fs::File::options().append(true).open(&log).unwrap();
    writeln!(file, "2026-11-22T07:00:01Z  INFO new").unwrap();
    screen.until("INFO new");
    screen.type_keys("\x03");

    assert_eq!(screen.until_ended(), Some(0));
}

#[test]
fn a_log_that_begins_later_is_followed_too() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join(".ktrdr/logs");
    std::fs::create_dir_all(&logs).unwrap();
    std::fs::write(logs.join("fetcher.log"), "2026-11-22T07:00:00Z  INFO old\n").unwrap();
    let mut screen = Terminal::start(folder.path(), &["logs", "-f"], 80);
    screen.until("fetcher      | 2026-11-22T07:00:00Z  INFO old");

    std::fs::write(logs.join("trainer.log"), "2026-11-22T07:00:01Z  INFO new\n").unwrap();
    screen.until("trainer      | 2026-11-22T07:00:01Z  INFO new");
    screen.type_keys("\x03");

    assert_eq!(screen.until_ended(), Some(0));
}
