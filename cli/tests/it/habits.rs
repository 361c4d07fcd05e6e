//! What people expect of a command line: short names of operations, waiting in scripts, tables in
//! other forms, completions, manual pages, the catalogue in any folder.

use serde_json::Value;

use crate::program::{Ended, ktrdr_in, run_in, run_in_system};

/// Runs shell commands inside a system with the dummy.
fn run_with_dummy(commands: &str) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    run_in_system(folder.path(), "dummy", commands)
}

/// The lines of the output as JSON.
fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn an_operation_is_found_by_the_end_of_its_id_and_as_the_last() {
    let commands = r#"
        start() { ktrdr dummy start --duration 0.1 --iterations 1 --json | head -n 1 |
            sed 's/.*"op":"\([^"]*\)".*/\1/'; }
        first=$(start); second=$(start)
        ktrdr wait "$first" "$second" > /dev/null
        for name in last "${first##*_}" "$second"; do
            ktrdr status "$name" --json | head -n 1 | sed 's/.*"op":"\([^"]*\)".*/\1/'
        done
        echo "$first $second"
        ktrdr ops logs "${first##*_}" > /dev/null; echo "logs $?"
        ktrdr resume "${first##*_}" > /dev/null 2>&1; echo "resume $?"
        ktrdr cancel last > /dev/null 2>&1; echo "cancel $?"
        ktrdr follow "${first##*_}" > /dev/null; echo "follow $?"
        ktrdr status 0000ffff
    "#;

    let ended = run_with_dummy(commands);

    let lines: Vec<&str> = ended.out.lines().collect();
    let (first, second) = lines[3].split_once(' ').unwrap();
    assert_eq!(lines[..3], [second, first, second]);
    assert_eq!(lines[4..], ["logs 0", "resume 5", "cancel 5", "follow 0"]);
    assert_eq!(ended.exit, Some(4), "{}", ended.err);
    assert!(
        ended.err.contains("no operation ends with `0000ffff`"),
        "{}",
        ended.err
    );
}

#[test]
fn waiting_ends_with_the_worst_result() {
    let commands = r#"
        start() { ktrdr dummy start --json --detach "$@" | head -n 1 |
            sed 's/.*"op":"\([^"]*\)".*/\1/'; }
        good=$(start --duration 0.2 --iterations 2)
        bad=$(start --duration 0.2 --iterations 2 --fail-at 1)
        ktrdr wait "$good" "$bad"; echo "both $?"
        ktrdr wait "$good"; echo "good $?"
        long=$(start --duration 60 --iterations 60)
        ktrdr wait "$good" "$long" --any; echo "any $?"
        ktrdr wait "$long" --timeout 300ms; echo "timeout $?"
        ktrdr cancel "$long" --wait > /dev/null
        ktrdr wait "$long" "$good" --json > ends; echo "cancelled $?"
        cat ends
    "#;

    let ended = run_with_dummy(commands);

    for line in ["both 1", "good 0", "any 0", "timeout 6", "cancelled 130"] {
        assert!(ended.out.lines().any(|each| each == line), "{}", ended.out);
    }
    assert!(ended.out.contains(" failed after "), "{}", ended.out);
    assert!(
        ended.err.contains("these have not ended yet"),
        "{}",
        ended.err
    );
    assert!(
        ended.out.contains(r#""state":"cancelled""#),
        "{}",
        ended.out
    );
}

#[test]
fn several_operations_are_followed_with_one_line_each() {
    let commands = r#"
        start() { ktrdr dummy start --json --detach "$@" | head -n 1 |
            sed 's/.*"op":"\([^"]*\)".*/\1/'; }
        a=$(start --duration 0.4 --iterations 4)
        b=$(start --duration 0.4 --iterations 4 --fail-at 3)
        ktrdr follow "$a" "$b"; echo "exit $?"
        ktrdr follow "$a" "$b" --until running; echo "until $?"
    "#;

    let ended = run_with_dummy(commands);

    assert!(
        ended.err.contains("dummy (1/1) Working on iteration"),
        "{}",
        ended.err
    );
    assert!(ended.out.contains(" completed after "), "{}", ended.out);
    assert!(ended.out.contains(" failed after "), "{}", ended.out);
    assert!(ended.out.contains("exit 1\nuntil 2\n"), "{}", ended.out);
}

#[test]
fn a_tap_prints_what_passes_decoded() {
    let commands = r#"
        ktrdr tap 'ktrdr.event.>' --count 2 --json > events &
        tap=$!
        ktrdr tap 'ktrdr.progress.>' --count 1 > progress &
        sleep 1
        ktrdr dummy start --duration 0.3 --iterations 3 > /dev/null 2>&1
        wait
        cat events progress
    "#;

    let ended = run_with_dummy(commands);

    let lines: Vec<&str> = ended.out.lines().collect();
    let started: Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(started["message"]["what"], "started", "{}", ended.out);
    let completed: Value = serde_json::from_str(lines[1]).unwrap();
    assert!(
        completed["subject"]
            .as_str()
            .unwrap()
            .ends_with(".completed")
    );
    assert!(
        lines[2].contains("Working on iteration 1/3"),
        "{}",
        lines[2]
    );
}

#[test]
fn a_watched_list_changes_when_an_operation_does() {
    let commands = r#"
        ktrdr ops --watch --json > list &
        watch=$!
        sleep 1
        ktrdr dummy start --duration 0.5 --iterations 5 > /dev/null 2>&1
        sleep 1
        kill -INT $watch; wait $watch; echo "exit $?"
        cat list
    "#;

    let ended = run_with_dummy(commands);

    let (exit, list) = ended.out.split_once('\n').unwrap();
    assert_eq!(exit, "exit 0", "{}", ended.err);
    let states: Vec<Value> = json_lines(list)
        .iter()
        .map(|row| row["state"].clone())
        .collect();
    assert_eq!(states.last().unwrap(), "completed");
    assert!(states.len() > 1, "{states:?}");
}

#[test]
fn a_table_is_written_as_csv_json_and_parquet() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| run_in(folder.path(), words);

    let csv = run(&["indicators", "list", "--format", "csv"]);
    assert_eq!(csv.exit, Some(0), "{}", csv.err);
    assert!(
        csv.out.lines().next().unwrap().contains("name"),
        "{}",
        csv.out
    );
    assert!(csv.out.lines().count() > 20, "{}", csv.out);

    let json = run(&["indicators", "list", "--format", "json"]);
    assert_eq!(json.out, run(&["indicators", "list", "--json"]).out);

    let parquet = ktrdr_in(
        folder.path(),
        &["strategies", "list", "--format", "parquet"],
    )
    .output()
    .unwrap();
    assert!(parquet.stdout.starts_with(b"PAR1"));

    // A format of files is not one of tables.
    let other = run(&["indicators", "list", "--format", "xml"]);
    assert_eq!(other.exit, Some(2));
}

#[test]
fn the_catalogue_is_there_in_any_folder() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| run_in(folder.path(), words);

    let list = run(&["strategies", "list"]);
    assert!(list.out.contains("us_equities_trend"), "{}", list.out);
    let new = run(&["strategies", "new", "mine", "--from", "us_equities_trend"]);
    assert_eq!(new.exit, Some(0), "{}", new.err);

    // It is found by its name, in the list too.
    let screen = run(&["strategies", "show", "mine"]);
    assert!(screen.out.contains("mine, version"), "{}", screen.out);
    let list = run(&["strategies", "list"]);
    assert!(
        list.out.lines().any(|line| line.starts_with("mine ")),
        "{}",
        list.out
    );
    let train = run(&["train", "mine", "AAPL,SPY", "1d", "--dry-run"]);
    assert!(train.out.contains("stk:SPY"), "{} {}", train.out, train.err);
}

#[test]
fn old_spellings_are_still_understood() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        "ops list --status failed --type train",
        "ops list -t train",
        "ops --state failed --kind train",
        "data gaps AAPL -t 1h --from 2024-01-08 --to 2024-01-16",
        "calendars show tse --from 2024-11-01 --to 2024-11-05",
        "train x --symbol EURUSD --timeframe 1h",
    ] {
        let words: Vec<&str> = arguments.split(' ').collect();
        let line = [&["ktrdr"][..], &words].concat();
        assert!(cli::parse_from(line).is_ok(), "{arguments}");
    }

    let help = run_in(folder.path(), &["ops", "list", "--help"]).out;
    assert!(!help.contains("--status"), "{help}");
}

#[test]
fn each_shell_gets_a_script_with_commands_and_operations() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, checker) in [("bash", Some("bash")), ("zsh", None), ("fish", None)] {
        let script = run_in(folder.path(), &["completions", shell]);
        assert_eq!(script.exit, Some(0), "{}", script.err);
        assert!(script.out.contains("strategies"), "{shell}");
        assert!(script.out.contains("ktrdr ops list"), "{shell}");

        if let Some(checker) = checker {
            let file = folder.path().join("script");
            std::fs::write(&file, &script.out).unwrap();
            let checked = std::process::Command::new(checker)
                .arg("-n")
                .arg(&file)
                .output()
                .unwrap();
            assert!(checked.status.success(), "{checked:?}");
        }
    }
}

#[test]
fn bash_completes_operations_after_a_command_that_takes_one() {
    let commands = r#"
        ktrdr dummy start --duration 0.1 --iterations 1 > /dev/null 2>&1
        ktrdr completions bash > script
        bash -c '. ./script; COMP_WORDS=(ktrdr status op_); COMP_CWORD=2; _ktrdr_names ktrdr op_ status
            echo "${COMPREPLY[*]}"
            COMP_WORDS=(ktrdr st); COMP_CWORD=1; _ktrdr_names ktrdr st ktrdr; echo "${COMPREPLY[*]}"'
    "#;

    let ended = run_with_dummy(commands);

    let lines: Vec<&str> = ended.out.lines().collect();
    assert!(
        lines[0].starts_with("op_dummy_"),
        "{} {}",
        ended.out,
        ended.err
    );
    assert!(lines[1].contains("status"), "{}", ended.out);
}

#[test]
fn bash_completes_a_retry_with_each_operation_once() {
    let commands = r#"
        start() { ktrdr "$@" --json 2>/dev/null | head -n 1 | sed 's/.*"op":"\([^"]*\)".*/\1/'; }
        first=$(start dummy start --duration 0.1 --iterations 1 --fail-at 1)
        second=$(start retry "$first")
        ktrdr wait "$second" > /dev/null 2>&1
        ktrdr completions bash > script
        bash -c '. ./script; COMP_WORDS=(ktrdr retry op_); COMP_CWORD=2; _ktrdr_names ktrdr op_ retry
            echo "${COMPREPLY[*]}"'
        echo "$second $first"
    "#;

    let ended = run_with_dummy(commands);

    let lines: Vec<&str> = ended.out.lines().collect();
    assert!(lines[1].contains(" op_dummy_"), "{}", ended.out);
    assert_eq!(lines[0], lines[1], "{}", ended.err);
}

#[test]
fn bash_completes_the_names_of_schedules() {
    let commands = r#"
        for name in nightly hourly; do
            ktrdr schedule add --every 1h --name $name -- dummy start > /dev/null
        done
        ktrdr completions bash > script
        complete() { bash -c '. ./script; COMP_WORDS=(ktrdr "$@"); COMP_CWORD=$#
            _ktrdr_names ktrdr "${@: -1}" "${@: -2:1}"; echo "${COMPREPLY[*]}"' bash "$@"; }
        complete schedule remove n
        complete schedule show ''
        complete schedule s
    "#;

    let ended = run_with_dummy(commands);

    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(
        lines,
        ["nightly", "hourly nightly", "show"],
        "{}",
        ended.err
    );
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();

    let ended = run_in(folder.path(), &["man", "--out", "pages"]);

    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    let page = std::fs::read_to_string(folder.path().join("pages/ktrdr-data-load.1")).unwrap();
    assert!(page.contains("ktrdr data load EURUSD"), "{page}");
    assert!(page.contains("Exit codes"), "{page}");
    assert!(folder.path().join("pages/ktrdr.1").is_file());
}
