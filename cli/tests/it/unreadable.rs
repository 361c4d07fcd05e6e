//! What no program can read, among much that can be read: records of operations and dead letters.

use std::path::Path;

use serde_json::Value;

use crate::program::{Ended, run_in};
use crate::running_up::{RunningUp, connect_to};

/// Bytes that are neither JSON nor MessagePack.
const NONSENSE: &[u8] = b"\xc1\xff\x00";
/// An operation whose record is nonsense.
const UNREADABLE: &str = "op_dummy_20260301_142233_9f3a01bc";

/// Stores nonsense on a subject, as a program of another version might.
#[tokio::main(flavor = "current_thread")]
async fn store_nonsense(folder: &Path, subject: &str) {
    let client = connect_to(folder).await;
    let stored = client.request(subject.to_owned(), NONSENSE.into()).await;

    let answer = String::from_utf8(stored.unwrap().payload.to_vec()).unwrap();
    assert!(answer.contains("\"seq\""), "{answer}");
}

fn run_line(folder: &Path, line: &str) -> Ended {
    let words: Vec<&str> = line.split(' ').collect();
    run_in(folder, &words)
}

/// Writes the folder of a checkpoint.
fn write_checkpoint(folder: &Path, op: &str) {
    let path = folder.join(format!(".ktrdr/objects/checkpoints/{op}/1/1-1"));
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join("state.json"), "{}").unwrap();
}

/// The values of a field in lines of JSON, sorted.
fn field_of_lines(ended: &Ended, field: &str) -> Vec<String> {
    let lines = ended.out.lines();
    let values = lines.map(|line| serde_json::from_str::<Value>(line).unwrap()[field].clone());
    let mut values: Vec<String> = values.map(|value| value.to_string()).collect();
    values.sort_unstable();
    values
}

#[test]
fn an_unreadable_record_does_not_stop_a_list_of_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let _system = RunningUp::start(folder);
    run_line(folder, "dummy start --duration 0");
    let completed = run_line(folder, "status last --json");
    let completed: Value = serde_json::from_str(&completed.out).unwrap();
    let completed = completed["op"].as_str().unwrap();
    store_nonsense(
        folder,
        &format!("$KV.ktrdr_operations.20260301.{UNREADABLE}"),
    );
    for op in [completed, UNREADABLE] {
        write_checkpoint(folder, op);
    }

    let listed = run_line(folder, "checkpoints list --json");
    assert_eq!(listed.exit, Some(0), "{}", listed.err);
    let states = field_of_lines(&listed, "state");
    assert_eq!(states, ["\"completed\"", "\"unreadable\""]);

    // Nobody knows whether its checkpoint is needed.
    let refused = run_line(folder, &format!("checkpoints delete {UNREADABLE} --force"));
    assert_eq!(refused.exit, Some(1), "{}", refused.err);
    assert!(refused.err.contains(UNREADABLE), "{}", refused.err);
    let deleted = run_line(folder, &format!("checkpoints delete {completed} --force"));
    assert_eq!(deleted.exit, Some(0), "{}", deleted.err);
    let pruned = run_line(folder, "checkpoints prune --older-than 0h --force");
    assert_eq!(
        pruned.out,
        "0 checkpoints of 0 operations, 0 bytes: deleted\n"
    );
}

#[test]
fn a_dead_letter_that_cannot_be_read_can_be_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let _system = RunningUp::start(folder);
    for _ in 0..2 {
        store_nonsense(folder, "ktrdr.dead.dummy.unreadable.0");
    }
    run_line(folder, "dummy start --duration 0 --fail-at 1");

    let listed = run_line(folder, "ops dead");
    assert!(listed.out.contains("cannot be read"), "{}", listed.out);
    let requeued = run_line(folder, "ops dead requeue 1");
    assert_eq!(requeued.exit, Some(1), "{}", requeued.err);
    assert!(
        requeued.err.contains("`ktrdr ops dead drop 1`"),
        "{}",
        requeued.err
    );
    let dropped = run_line(folder, "ops dead drop 1");
    assert_eq!(dropped.out, "letter 1: deleted\n", "{}", dropped.err);

    let all = run_line(folder, "ops dead drop --all --json");
    assert_eq!(all.exit, Some(0), "{}", all.err);
    assert_eq!(field_of_lines(&all, "number"), ["2", "3"]);
    assert_eq!(field_of_lines(&all, "done"), ["\"deleted\"", "\"deleted\""]);
    assert!(all.out.contains("\"op\":\"op_dummy_"), "{}", all.out);
    assert_eq!(run_line(folder, "ops dead drop 1").exit, Some(4));
}

#[test]
fn commands_of_an_unknown_service_are_a_fault_for_doctor() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let _system = RunningUp::start(folder);
    store_nonsense(
        folder,
        "ktrdr.cmd.baker.default.op_bread_20260301_142233_9f3a01bc.1",
    );

    let doctor = run_line(folder, "doctor");

    assert_eq!(doctor.exit, Some(1), "{}", doctor.err);
    let fault =
        "BAD   queues       1 command waits for baker.default, and there is no such service";
    assert!(doctor.out.contains(fault), "{}", doctor.out);
}

#[test]
fn a_letter_that_is_requeued_is_named_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let _system = RunningUp::start(folder);
    run_line(folder, "dummy start --duration 0 --fail-at 1");

    let requeued = run_line(folder, "ops dead requeue 1 --json");

    let line: Value = serde_json::from_str(&requeued.out).unwrap();
    assert_eq!(line["number"], 1);
    assert_eq!(line["done"], "resumed");
    assert!(line["op"].as_str().unwrap().starts_with("op_dummy_"));
}
