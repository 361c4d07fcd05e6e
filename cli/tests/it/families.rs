//! Many operations as one, from the command line: files of operations, lists, trees, and what is
//! refused before anything starts.

use serde_json::Value;

use crate::program::{Ended, run_in, run_in_system};

/// Four dummies in two stages, the third of which fails.
const OPERATIONS: &str = "\
limit: 2
stages:
  - - dummy start --iterations 2 --duration 0.02
    - dummy start: []
      iterations: 3
      duration: 0.03
    - dummy start --iterations 4 --duration 0.02 --fail-at 1
  - - dummy start --iterations 5 --duration 0.02
";

fn folder_with(name: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    folder
}

/// Runs shell commands in a system of a family service and a dummy.
fn run_commands(folder: &tempfile::TempDir, commands: &str) -> Ended {
    run_in_system(folder.path(), "family,dummy", commands)
}

/// The lines of standard output that are JSON.
fn json_lines(ended: &Ended) -> Vec<Value> {
    let lines = ended.out.lines();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[test]
fn the_operations_of_a_file_are_children_of_one() {
    let good = OPERATIONS.replace(" --fail-at 1", "");
    let folder = folder_with("operations.yaml", &good);

    let ended = run_commands(
        &folder,
        "ktrdr run operations.yaml >run.txt 2>&1 || exit 9; \
         ktrdr ops --json; ktrdr ops --json --children; \
         ktrdr ops --json --parent $(grep -o 'op_family_[0-9a-f_]*' run.txt | head -1); \
         ktrdr ops --children --limit 5 >listed.txt; ktrdr ops --children --limit 4 >listed.txt",
    );

    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    let kinds: Vec<_> = json_lines(&ended)
        .iter()
        .map(|operation| operation["kind"].as_str().unwrap().to_owned())
        .collect();
    // The parent alone, then all of them, then the children alone.
    assert_eq!(kinds.len(), 1 + 5 + 4, "{kinds:?}");
    assert_eq!(kinds[0], "family");
    assert!(kinds[6..].iter().all(|kind| kind == "dummy"), "{kinds:?}");
    // Only the list that is too short for the five says so.
    let more = "There are more operations than these";
    assert_eq!(ended.err.matches(more).count(), 1, "{}", ended.err);
    assert!(
        ended.err.contains("than these 4; --limit N"),
        "{}",
        ended.err
    );
}

#[test]
fn a_failed_child_fails_the_run_and_is_shown_in_a_tree() {
    let folder = folder_with("operations.yaml", OPERATIONS);

    let ended = run_commands(
        &folder,
        "ktrdr run operations.yaml >run.txt 2>&1; echo exit $?; \
         grep -o '1 of 3 children failed' run.txt | head -1; \
         ktrdr status $(grep -o 'op_family_[0-9a-f_]*' run.txt | head -1)",
    );

    assert!(
        ended.out.contains("exit 1\n1 of 3 children failed"),
        "{}",
        ended.out
    );
    assert!(
        ended
            .out
            .contains("\nchildren  1 failed, 2 completed\n├─ op_dummy_"),
        "{}",
        ended.out
    );
    assert!(
        ended
            .out
            .contains("iterations 4: failed at iteration 1 as asked"),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("\n└─ op_dummy_"), "{}", ended.out);
}

#[test]
fn a_dry_run_of_a_file_lists_what_it_would_start() {
    let folder = folder_with("operations.yaml", OPERATIONS);

    let ended = run_in(folder.path(), &["run", "operations.yaml", "--dry-run"]);

    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    assert_eq!(
        ended.out,
        "Would start 4 operations, at most 2 at a time:\n  \
         stage 1  dummy   iterations 2\n  \
         stage 1  dummy   iterations 3\n  \
         stage 1  dummy   iterations 4\n  \
         stage 2  dummy   iterations 5\n"
    );
}

#[test]
fn a_wrong_line_of_a_file_starts_nothing_and_is_named() {
    let folder = folder_with(
        "operations.yaml",
        "- dummy start\n- dummy start --iteration 3\n",
    );
    let ended = run_in(folder.path(), &["run", "operations.yaml"]);

    assert_eq!(ended.exit, Some(2), "{}", ended.err);
    assert!(
        ended.err.contains("line 2: `dummy start --iteration 3`: "),
        "{}",
        ended.err
    );

    // All of them, whatever stage they are in.
    let text = "stages:\n- - dummy start --iteration 3\n  - dummy start\n- - train nosuch\n";
    let folder = folder_with("operations.yaml", text);
    let ended = run_in(folder.path(), &["run", "operations.yaml"]);
    assert_eq!(ended.exit, Some(2), "{}", ended.err);
    for part in [
        "error: 2 lines of operations.yaml are wrong",
        "cause: line 2: `dummy start --iteration 3`: ",
        "cause: line 4: `train nosuch`: ",
    ] {
        assert!(ended.err.contains(part), "{}", ended.err);
    }

    // Neither a page of help nor an empty line starts anything.
    for line in ["ops list", "dummy start --help", ""] {
        let folder = folder_with("operations.yaml", &format!("- '{line}'\n"));
        let ended = run_in(folder.path(), &["run", "operations.yaml"]);
        let message = format!("`{line}`: the command starts no operation");
        assert!(ended.err.contains(&message), "{}", ended.err);
    }
}

#[test]
fn an_option_of_the_whole_in_a_line_is_refused_with_its_place() {
    let lines = [
        ("dummy start --dry-run", "--dry-run"),
        ("dummy start -d", "--detach"),
        ("dummy start --follow", "--follow"),
        ("train eurusd_events --wait-timeout 5s", "--wait-timeout"),
        ("data load AAPL MSFT --limit 2", "--limit"),
        ("data load AAPL MSFT --fail-fast", "--fail-fast"),
        ("--json dummy start", "--json"),
        ("dummy start -q", "--quiet"),
        ("dummy start --set store.url=file:///tmp/x", "--set"),
    ];

    for (line, option) in lines {
        let folder = folder_with("operations.yaml", &format!("- dummy start\n- {line}\n"));
        let ended = run_in(folder.path(), &["run", "operations.yaml", "--dry-run"]);

        assert_eq!(ended.exit, Some(2), "{line}: {}{}", ended.out, ended.err);
        let place = format!("line 2: `{line}`: {option} is for a command of its own");
        assert!(ended.err.contains(&place), "{}", ended.err);
        let advice = format!("`ktrdr run FILE {option}`");
        assert!(ended.err.contains(&advice), "{}", ended.err);
    }
}

#[test]
fn options_of_an_operation_in_a_line_are_its_own() {
    let line = "dummy start --iterations 2 --label team=a --priority low --retries 0";
    let folder = folder_with("operations.yaml", &format!("- {line}\n"));

    let ended = run_in(folder.path(), &["run", "operations.yaml", "--dry-run"]);

    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    assert!(ended.out.contains("team a"), "{}", ended.out);
}

#[test]
fn the_last_operation_is_one_that_a_person_started() {
    let good = OPERATIONS.replace(" --fail-at 1", "");
    let folder = folder_with("operations.yaml", &good);

    let ended = run_commands(
        &folder,
        "ktrdr run operations.yaml >run.txt 2>&1; ktrdr status last --json | head -1; \
         ktrdr ops --json --children",
    );

    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    let operations = json_lines(&ended);
    assert_eq!(operations.len(), 1 + 5, "{}", ended.out);
    assert_eq!(operations[0]["kind"], "family", "{}", ended.out);
}

#[test]
fn the_letter_of_a_parent_that_completed_after_all_says_so() {
    let folder = folder_with(
        "operations.yaml",
        "- dummy start --iterations 40 --duration 2\n",
    );

    // A cancelled child fails its parent, and a resume of the parent is one of the child.
    let ended = run_commands(
        &folder,
        "ktrdr run operations.yaml --detach >run.txt 2>&1; \
         parent=$(grep -o 'op_family_[0-9a-f_]*' run.txt | head -1); \
         until ktrdr ops --parent $parent --json | grep -o 'op_dummy_[0-9a-f_]*' >children.txt; \
             do sleep 0.1; done; \
         ktrdr cancel $(head -1 children.txt) --wait >cancelled.txt 2>&1; ktrdr wait $parent; \
         ktrdr ops dead --json; ktrdr resume $parent >resumed.txt 2>&1 || cat resumed.txt; \
         ktrdr ops dead --json; ktrdr ops dead; \
         ktrdr ops dead drop --completed; ktrdr ops dead drop --completed",
    );

    let states: Vec<_> = json_lines(&ended)
        .iter()
        .map(|letter| letter["state"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        states,
        ["failed", "completed"],
        "{}{}",
        ended.out,
        ended.err
    );
    assert!(
        ended.err.contains("drop --completed` deletes"),
        "{}",
        ended.err
    );
    assert!(
        ended.out.contains("letter 1: deleted op_family"),
        "{}",
        ended.out
    );
    let none = "No dead letter is of an operation that has completed";
    assert!(ended.err.contains(none), "{}", ended.err);
}

#[test]
fn children_of_a_parent_that_can_be_resumed_are_not_pruned() {
    let folder = folder_with("operations.yaml", OPERATIONS);

    let ended = run_commands(
        &folder,
        "ktrdr run operations.yaml >run.txt 2>&1; \
         ktrdr ops prune --older-than 0h --state completed --yes --json; \
         ktrdr ops prune --older-than 0h --yes --json; ktrdr ops --children --json",
    );

    // The parent failed and stays, and with it its two children that are completed.
    let prunes = json_lines(&ended);
    assert_eq!(prunes.len(), 2, "nothing is listed: {}", ended.out);
    assert_eq!(prunes[0]["ops"], serde_json::json!([]));
    assert_eq!(prunes[0]["records"], 0);
    assert_eq!(prunes[1]["records"], 4, "{}", ended.out);
    assert_eq!(prunes[1]["ops"].as_array().unwrap().len(), 4);
}

#[test]
fn each_symbol_of_a_load_is_an_operation_of_its_own() {
    let folder = folder_with("symbols.txt", "MSFT\n# remark\nAAPL  # named twice\n");
    let load = [
        "data",
        "load",
        "AAPL",
        "EURUSD",
        "--symbols-from",
        "symbols.txt",
        "--dry-run",
    ];

    let ended = run_in(folder.path(), &load);

    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    assert_eq!(
        ended.out,
        "Would start 3 operations, at most 64 at a time:\n  \
         data    AAPL 1d\n  data    EURUSD 1d\n  data    MSFT 1d\n"
    );
}

#[test]
fn an_unknown_symbol_among_many_is_named_before_anything_starts() {
    let folder = folder_with("symbols.txt", "MSFT\n???\n");
    let named = run_in(folder.path(), &["data", "load", "AAPL", "???"]);
    assert_eq!(named.exit, Some(2));
    assert!(named.err.contains("???"), "{}", named.err);

    let listed = run_in(
        folder.path(),
        &["data", "load", "--symbols-from", "symbols.txt"],
    );
    assert_eq!(listed.exit, Some(2));
    assert!(
        listed.err.contains("1 wrong line in symbols.txt: line 2: "),
        "{}",
        listed.err
    );
}
