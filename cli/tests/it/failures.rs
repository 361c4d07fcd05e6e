//! Failures that people handle: retries, dead letters, old records, checkpoints, cancels of many,
//! and who asked for what.

use serde_json::Value;

use crate::program::{Ended, run_in_system};

/// A run that fails at its second iteration.
const FAILING: &str = "ktrdr dummy start --iterations 3 --duration 0.03 --fail-at 2 >failed 2>&1; \
                       op=$(grep -o 'op_dummy_[0-9]*_[0-9]*_[0-9a-f]*' failed | head -1); ";

/// Runs shell commands in a system with the dummy, after a run that failed, whose id is in `$op`.
fn after_a_failure(commands: &str) -> Ended {
    in_system(&format!("{FAILING}{commands}"))
}

fn in_system(commands: &str) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    run_in_system(folder.path(), "dummy", commands)
}

/// The events of one sort.
fn events_of<'a>(events: &'a [Value], what: &str) -> Vec<&'a Value> {
    let events = events.iter();
    events.filter(|event| event["what"] == what).collect()
}

/// The JSON lines of an output.
fn json_lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

#[test]
fn a_retry_is_a_new_operation_that_names_the_first() {
    let ended = after_a_failure(
        "ktrdr retry $op --set iterations=1 --json >retried; echo \"exit $?\"; echo $op; \
         ktrdr ops list --json",
    );

    let (head, list) = ended.out.split_once('{').unwrap();
    let mut head = head.lines();
    assert_eq!(head.next(), Some("exit 0"), "{}", ended.err);
    let first = head.next().unwrap();
    let records = json_lines(&format!("{{{list}"));
    assert_eq!(records.len(), 2);
    let [retried, failed] = &records[..] else {
        unreachable!()
    };
    assert_eq!(failed["op"], first);
    assert_eq!(failed["state"], "failed");
    assert_eq!(retried["retry_of"], first);
    assert_eq!(retried["state"], "completed");
    assert_eq!(retried["labels"]["iterations"], "1");
    assert_eq!(retried["steps"][0]["result"]["iterations"], 1);
}

#[test]
fn a_retry_with_a_misspelt_parameter_names_the_nearest() {
    let ended = after_a_failure("ktrdr retry $op --set iteratons=1; echo \"exit $?\"");

    assert!(ended.out.ends_with("exit 2\n"), "{}", ended.out);
    assert!(
        ended.err.contains("did you mean `iterations`?"),
        "{}",
        ended.err
    );
}

#[test]
fn a_completed_operation_is_not_retried() {
    let ended = in_system(
        "ktrdr dummy start --iterations 1 --duration 0 >done; \
         ktrdr retry $(grep -o 'op_dummy_[0-9]*_[0-9]*_[0-9a-f]*' done | head -1); echo \"exit $?\"",
    );

    assert!(ended.out.ends_with("exit 5\n"), "{}", ended.out);
    assert!(
        ended.err.contains("only one that failed or was cancelled"),
        "{}",
        ended.err
    );
}

#[test]
fn a_dead_letter_is_listed_shown_and_requeued() {
    let ended = after_a_failure(
        "ktrdr ops dead list --json; ktrdr ops dead show 1; ktrdr ops dead requeue 1; \
         ktrdr follow $op >followed 2>&1; ktrdr ops dead show 1; echo \"exit $?\"; \
         ktrdr ops dead drop --all",
    );

    let mut lines = ended.out.lines();
    let letter: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(letter["number"], 1);
    assert_eq!(letter["error"]["code"], "DUMMY-Asked");
    let text: Vec<&str> = lines.collect();
    let text = text.join("\n");
    assert!(text.contains("delivered  1 time"), "{text}");
    assert!(text.contains("letter 1: resumed op_dummy"), "{text}");
    assert!(text.contains("exit 4"), "the letter is gone: {text}");
    // It failed once more, which made another letter.
    assert!(text.contains("letter 2: deleted op_dummy"), "{text}");
}

#[test]
fn old_records_are_removed_once_that_is_confirmed() {
    let ended = after_a_failure(
        "ktrdr ops prune --older-than 0h; ktrdr ops prune --older-than 1h --yes; \
         ktrdr ops prune --older-than 0h --state completed --yes; \
         ktrdr ops prune --older-than 0h --yes; ktrdr ops list --json",
    );

    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines[0], "STATE   KIND   RECORDS");
    assert!(lines.contains(&"1 record can be removed"), "{lines:?}");
    assert!(
        ended.err.contains("nothing was changed; add --yes"),
        "{}",
        ended.err
    );
    let removals: Vec<&&str> = lines
        .iter()
        .filter(|line| line.contains("removed"))
        .collect();
    assert_eq!(
        removals[1..],
        [
            &"0 records removed",
            &"0 records removed",
            &"1 record removed"
        ]
    );
    assert!(
        lines.last().unwrap().contains("removed"),
        "nothing is listed"
    );
}

#[test]
fn the_events_of_a_removed_record_are_shown() {
    let ended = after_a_failure(
        "ktrdr ops prune --older-than 0h --yes; ktrdr ops logs $op; echo \"exit $?\"; \
         ktrdr ops logs op_dummy_20260301_142233_9f3a01bc; echo \"exit $?\"",
    );

    assert!(ended.out.contains("1 record removed"), "{}", ended.out);
    assert!(ended.out.contains(" failed  "), "{}", ended.out);
    assert!(ended.out.contains("exit 0\nexit 4\n"), "{}", ended.out);
    assert!(
        ended
            .err
            .contains(" was removed; these events are still stored"),
        "{}",
        ended.err
    );
}

#[test]
fn checkpoints_are_listed_and_only_deleted_when_confirmed() {
    let ended = after_a_failure(
        "put() { mkdir -p .ktrdr/objects/checkpoints/$1/1/1-1; \
                 echo '{}' >.ktrdr/objects/checkpoints/$1/1/1-1/state.json; }; \
         ktrdr dummy start --iterations 1 --duration 0 >done; \
         done=$(grep -o 'op_dummy_[0-9]*_[0-9]*_[0-9a-f]*' done | head -1); \
         put $op; put $done; ktrdr checkpoints list --json; ktrdr checkpoints show $op; \
         ktrdr checkpoints prune; ktrdr checkpoints prune --force; ktrdr checkpoints list --json; \
         ktrdr checkpoints delete $op --force; ktrdr checkpoints",
    );

    let listed: Vec<Value> = ended
        .out
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut states: Vec<&str> = listed
        .iter()
        .map(|line| line["state"].as_str().unwrap())
        .collect();
    states[..2].sort_unstable();
    assert_eq!(states, ["completed", "failed", "failed"], "{}", ended.out);
    assert!(ended.out.contains("damaged: "), "{}", ended.out);
    assert!(
        ended
            .out
            .contains("1 checkpoint of 1 operation, 3 bytes: can be deleted")
    );
    assert!(
        ended.err.contains("No checkpoints are stored"),
        "{}",
        ended.err
    );
}

#[test]
fn checkpoints_of_a_running_operation_are_not_deleted() {
    let ended = in_system(
        "ktrdr dummy start --duration 600 --detach >started; \
         op=$(grep -o 'op_dummy_[0-9]*_[0-9]*_[0-9a-f]*' started | head -1); \
         mkdir -p .ktrdr/objects/checkpoints/$op/1/1-1; \
         echo '{}' >.ktrdr/objects/checkpoints/$op/1/1-1/state.json; \
         ktrdr checkpoints delete $op --force; echo \"exit $?\"; ktrdr cancel $op --wait",
    );

    assert!(ended.out.contains("exit 5"), "{}", ended.out);
    assert!(
        ended.err.contains("its checkpoints are needed"),
        "{}",
        ended.err
    );
}

#[test]
fn all_operations_with_a_label_are_cancelled_together() {
    let ended = in_system(
        "start() { ktrdr dummy start --duration 600 --detach --label \"$@\" >>started; }; \
         start set=a; start set=a; start set=b; \
         ktrdr cancel --all --label set=a --reason 'wrong set' --wait; \
         ktrdr ops list --active --json; ktrdr cancel --all --kind train; \
         ktrdr cancel --all --kind dummy --wait --json",
    );

    assert!(
        ended
            .out
            .starts_with("Cancel requested for 2 operations (2 dummy): wrong set\n"),
        "{}",
        ended.out
    );
    let lines: Vec<&str> = ended.out.lines().collect();
    let unfinished: Vec<Value> = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["labels"].is_object())
        .collect();
    assert_eq!(unfinished.len(), 1, "{}", ended.out);
    assert_eq!(unfinished[0]["labels"]["set"], "b");
    assert!(lines.contains(&"No operation to cancel"), "{}", ended.out);
    let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(last["state"], "cancelled");
}

#[test]
fn whoever_started_cancelled_and_resumed_is_named() {
    let ended = in_system(
        "export USER=ann; ktrdr dummy start --iterations 600 --duration 600 --detach >started; \
         op=$(grep -o 'op_dummy_[0-9]*_[0-9]*_[0-9a-f]*' started | head -1); \
         export USER=bob; ktrdr follow $op --until running >/dev/null 2>&1; \
         ktrdr cancel $op --reason 'wrong symbol' --wait; \
         export USER=cleo; ktrdr resume $op --reason 'right after all' --detach >/dev/null 2>&1; \
         ktrdr follow $op --until running >/dev/null 2>&1; \
         ktrdr status $op; ktrdr ops logs $op --json; ktrdr cancel $op --wait >/dev/null",
    );

    assert!(ended.out.contains("ago) by ann@"), "{}", ended.out);
    assert!(ended.out.contains(" by cleo@"), "{}", ended.out);
    let events: Vec<Value> = ended
        .out
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let cancelled = events_of(&events, "cancelled")[0];
    assert!(cancelled["by"].as_str().unwrap().starts_with("bob@"));
    assert_eq!(cancelled["reason"], "wrong symbol");
    let starters: Vec<&str> = events_of(&events, "started")
        .iter()
        .map(|event| event["by"].as_str().unwrap())
        .collect();
    assert!(starters[0].starts_with("ann@"), "{starters:?}");
    assert!(starters[1].starts_with("cleo@"), "{starters:?}");
}

#[test]
fn a_newest_manifest_that_is_gone_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let commands = "ktrdr data load SPY --mode full >loaded 2>&1; \
                    rm $(find .ktrdr/objects/bars -name 'manifest.*.json' | sort -V | tail -1); \
                    ktrdr data show SPY --rows 1 >shown; ktrdr data load SPY --mode local >again; \
                    ktrdr ops logs last --json";

    let ended = run_in_system(folder.path(), "fetcher,validator", commands);

    assert!(
        ended.err.contains("is gone from the store"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("STORE-ManifestLost"), "{}", ended.err);
    let events = json_lines(&ended.out);
    let warned = events.iter().find(|event| event["what"] == "warned");
    assert_eq!(warned.unwrap()["error"]["code"], "STORE-ManifestLost");
}

#[test]
fn a_deaf_operation_is_ended_by_force_and_says_so() {
    let ended = in_system(
        "ktrdr dummy start --duration 600 --iterations 600 --ignore-cancel --detach >started; \
         op=$(grep -o 'op_dummy_[0-9]*_[0-9]*_[0-9a-f]*' started | head -1); \
         ktrdr follow $op --until running >/dev/null 2>&1; \
         ktrdr cancel $op --force --grace 1s --wait; echo \"exit $?\"; ktrdr status $op; \
         ktrdr ops logs $op",
    );

    assert!(ended.out.contains("exit 0"), "{}\n{}", ended.out, ended.err);
    assert!(ended.out.contains(" of 600 iterations"), "{}", ended.out);
    assert!(
        ended.out.contains("ended by force (OPS-ForceCancelled)"),
        "{}",
        ended.out
    );
    assert!(
        ended.out.contains("did not stop within its grace period"),
        "{}",
        ended.out
    );
}

#[test]
fn the_number_of_retries_is_part_of_the_request() {
    let ended = in_system(
        "ktrdr dummy start --iterations 1 --duration 0 --retries 7 --dry-run --json; \
         ktrdr dummy start --retries many; echo \"exit $?\"",
    );

    let request: Value = serde_json::from_str(ended.out.lines().next().unwrap()).unwrap();
    assert_eq!(request["retries"], 7);
    assert!(ended.out.ends_with("exit 2\n"), "{}", ended.out);
}
