//! `ktrdr schedule` as a person meets it: what is added is listed, shown and removed, and what
//! cannot be scheduled is said with its reason.

use serde_json::Value;

use crate::program::{Ended, run_in, run_in_system};

fn run_with_dummy(commands: &str) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    run_in_system(folder.path(), "dummy", commands)
}

#[test]
fn a_schedule_is_added_listed_shown_and_removed() {
    let commands = "
        ktrdr schedule add '0 22 * * 1-5' --name nightly --calendar us_equities \
            --time-zone America/New_York -- dummy start --duration 1 --iterations 1
        ktrdr schedule add --every 90m --name often -- ktrdr run runs.yaml
        echo '- dummy start --iterations 1' > runs.yaml
        ktrdr schedule add --every 90m --name often -- ktrdr run runs.yaml
        ktrdr schedule list
        ktrdr schedule show nightly
        ktrdr schedule remove nightly
        ktrdr schedule
    ";

    let ended = run_with_dummy(commands);

    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    let lines: Vec<&str> = ended.out.lines().collect();
    let words = "at 22:00 on Monday to Friday, America/New_York, on trading days of us_equities";
    assert_eq!(lines[0], format!("Scheduled nightly: {words}"));
    assert_eq!(
        lines[1],
        "  command  dummy start --duration 1 --iterations 1"
    );
    assert!(lines[2].starts_with("  next     20"), "{}", ended.out);
    assert_eq!(lines[3], "Scheduled often: every 1h 30m");
    assert!(
        ended.err.contains("runs.yaml cannot be read"),
        "{}",
        ended.err
    );

    let heads = lines
        .iter()
        .position(|line| line.starts_with("NAME "))
        .unwrap();
    let nightly = lines[heads + 1];
    assert!(nightly.starts_with("nightly  0 22 * * 1-5"), "{nightly}");
    assert!(nightly.contains(words), "{nightly}");
    assert!(
        nightly.ends_with("  -         dummy start --duration 1 --iterations 1"),
        "{nightly}"
    );
    assert!(
        lines[heads + 2].starts_with("often    every 1h 30m"),
        "{}",
        ended.out
    );

    let removed = lines
        .iter()
        .position(|line| *line == "Removed the schedule nightly");
    let after = &lines[removed.unwrap() + 1..];
    assert_eq!(after.len(), 2, "{after:?}");
}

#[test]
fn a_schedule_says_what_becomes_of_runs_that_overlap() {
    let commands = "
        ktrdr schedule add --every 1h --name often --on-overlap queue -- dummy start
        ktrdr schedule add --every 1h --name rarely -- dummy start
        ktrdr schedule show often
        ktrdr schedule show rarely --json
        ktrdr doctor
    ";

    let ended = run_with_dummy(commands);

    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    let has = |start: &str| ended.out.lines().any(|line| line.trim().starts_with(start));
    assert!(has("on overlap  queue"), "{}", ended.out);
    assert!(
        ended.out.contains(r#""on_overlap":"skip""#),
        "{}",
        ended.out
    );
    let check = "ok    schedules    2 schedules; the next is often at 20";
    assert!(has(check), "{}", ended.out);
}

#[test]
fn a_schedule_for_programs_has_its_request() {
    let commands = "
        ktrdr schedule add '*/5 * * * *' --name often --json -- dummy start --iterations 3
        ktrdr schedule show often --json
        ktrdr schedule list --json
    ";

    let ended = run_with_dummy(commands);

    let lines: Vec<Value> = ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0], lines[1]);
    let schedule = &lines[0];
    assert_eq!(schedule["type"], "schedule");
    assert_eq!(schedule["times"], "*/5 * * * *");
    assert_eq!(schedule["words"], "every 5 minutes, UTC");
    assert_eq!(schedule["operation"]["labels"]["schedule"], "often");
    assert_eq!(schedule["operation"]["labels"]["iterations"], "3");
    assert!(schedule["operation"]["by"].is_string(), "{schedule}");
    assert!(schedule["next"].is_string(), "{schedule}");
    assert!(schedule["last"].is_null(), "{schedule}");

    // A strategy can be long, so a list does without requests.
    let listed = &lines[2];
    assert!(listed["operation"].is_null(), "{listed}");
    for field in ["name", "times", "words", "next", "command", "by"] {
        assert!(listed[field].is_string(), "{field}: {listed}");
    }
}

#[test]
fn what_is_scheduled_is_what_the_command_would_submit() {
    let commands = r#"
        for command in "data load AAPL --mode full --retries 2" "train eurusd_rsi_macd --label a=b"; do
            ktrdr $command --dry-run --json
            ktrdr schedule add --every 1h --json -- $command
        done
    "#;

    let ended = run_with_dummy(commands);

    let lines: Vec<Value> = ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["type"] != "plan")
        .collect();
    assert_eq!(lines.len(), 4, "{}", ended.err);
    for pair in lines.chunks(2) {
        let mut scheduled = pair[1]["operation"].clone();
        let labels = scheduled["labels"].as_object_mut().unwrap();
        assert_eq!(labels.remove("schedule").as_ref(), Some(&pair[1]["name"]));
        assert_eq!(scheduled, pair[0]);
    }
}

#[test]
fn a_name_is_taken_once_and_an_unknown_one_is_guessed() {
    let commands = "
        ktrdr schedule add --every 1h --name nightly -- dummy start
        ktrdr schedule add --every 2h --name nightly -- dummy start; echo \"again $?\"
        ktrdr schedule show nihgtly; echo \"show $?\"
        ktrdr schedule remove weekly; echo \"remove $?\"
    ";

    let ended = run_with_dummy(commands);

    for line in ["again 5", "show 4", "remove 4"] {
        assert!(ended.out.lines().any(|each| each == line), "{}", ended.out);
    }
    for text in [
        "error: there is a schedule `nightly` already\nhint: choose another name with --name",
        "error: there is no schedule `nihgtly`\nhint: did you mean `nightly`?",
        "error: there is no schedule `weekly`\nhint: `ktrdr schedule list` shows",
    ] {
        assert!(ended.err.contains(text), "{}", ended.err);
    }
}

/// What the program says about a command line that cannot be scheduled, without any server.
fn refusal(words: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let ended = run_in(folder.path(), &[&["schedule", "add"], words].concat());

    assert!(
        matches!(ended.exit, Some(2 | 4)),
        "{words:?}: {}",
        ended.err
    );
    ended.err
}

#[test]
fn what_cannot_be_scheduled_is_said_before_a_server_is_asked() {
    let dummy = ["--", "dummy", "start"];
    let with = |words: &[&'static str]| refusal(&[words, &dummy[..]].concat());

    let texts = [
        (
            with(&["0 25 * * *"]),
            "`25` is not valid as hour: expected 0 to 23",
        ),
        (with(&["0 0 22 * * 1-5"]), "has 6 fields: expected five"),
        (with(&["--every", "30s"]), "the shortest interval is 1m"),
        (
            with(&["0 1 * * *", "--time-zone", "America/NewYork"]),
            "did you mean `America/New_York`?",
        ),
        (
            with(&["0 1 * * *", "--calendar", "us_equitys"]),
            "did you mean `us_equities`?",
        ),
        (
            with(&["0 1 * * *", "--calendar", "nyse"]),
            "did you mean `us_equities`?",
        ),
        (
            with(&["0 1 * * *", "--name", "My list"]),
            "1 to 48 lower-case letters",
        ),
        (
            refusal(&["0 1 * * *", "--", "follow", "last"]),
            "`follow last`: the command starts no operation",
        ),
        (
            refusal(&["0 1 * * *", "--", "dummy", "start", "--dry-run"]),
            "--dry-run is for a command on a terminal",
        ),
        (
            refusal(&["0 1 * * *", "--", "dummy", "start", "--wait-timeout", "1m"]),
            "--wait-timeout is for a command on a terminal",
        ),
        (
            refusal(&["0 1 * * *", "--", "dummy", "start", "--set", "bus.url=x"]),
            "--set is for a command on a terminal",
        ),
        (
            refusal(&[
                "0 1 * * *",
                "--",
                "data",
                "load",
                "EURUSD",
                "--end",
                "yesterday",
            ]),
            "invalid value 'yesterday' for '--end <WHEN>'",
        ),
    ];
    for (err, text) in texts {
        assert!(err.contains(text), "{text} is not in:\n{err}");
    }
}

#[test]
fn more_operations_than_fit_one_request_are_refused() {
    let letters = || 'A'..='Z';
    let symbols: Vec<String> = letters()
        .flat_map(|first| letters().map(move |second| format!("stk:{first}{second}")))
        .take(300)
        .collect();
    let symbols = symbols.iter().map(String::as_str);
    let words: Vec<&str> = ["--every", "1h", "--", "data", "load"]
        .into_iter()
        .chain(symbols)
        .collect();

    let err = refusal(&words);

    assert!(err.contains("at most 36864 are allowed"), "{err}");
    assert!(
        err.contains("hint: put the operations into several schedules"),
        "{err}"
    );
}
