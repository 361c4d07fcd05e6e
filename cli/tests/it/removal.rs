//! Bars deleted from the store as a user deletes them, brought back, and gone for good.

use std::path::Path;

use serde_json::Value;

use crate::program::{Ended, run_in};

const BARS: &str = "timestamp,open,high,low,close,volume\n\
    2024-01-02T10:00:00Z,1.10,1.20,1.00,1.15,0\n\
    2024-01-02T11:00:00Z,1.15,1.25,1.05,1.16,0\n\
    2024-01-02T12:00:00Z,1.16,1.26,1.06,1.17,0\n";

/// A folder with a store that holds three hours of EURUSD.
fn folder_with_bars() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("EURUSD_1h.csv"), BARS).unwrap();
    let imported = run(folder.path(), "data import EURUSD_1h.csv --yes");
    assert_eq!(imported.exit, Some(0), "{}", imported.err);
    folder
}

fn run(folder: &Path, arguments: &str) -> Ended {
    let words: Vec<&str> = arguments.split(' ').collect();
    run_in(folder, &words)
}

fn report(folder: &Path, arguments: &str) -> Value {
    let ended = run(folder, &format!("--json {arguments}"));
    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    serde_json::from_str(&ended.out).unwrap()
}

/// The command between backticks in a text.
fn command_in(text: &str) -> String {
    let command = text.split('`').nth(1).unwrap();
    command.strip_prefix("ktrdr ").unwrap().to_owned()
}

#[test]
fn a_deletion_is_shown_first_and_done_with_yes() {
    let folder = folder_with_bars();
    let delete = "data delete EURUSD -t 1h --start 2024-01-02T11:00:00Z";

    let preview = run(folder.path(), delete);
    assert_eq!(preview.out, "EURUSD 1h: would delete 2 bars of 3\n");
    assert!(preview.err.contains("add --yes"), "{}", preview.err);
    assert_eq!(report(folder.path(), "data range EURUSD -t 1h")["bars"], 3);

    let deleted = report(folder.path(), &format!("{delete} --yes"));
    assert_eq!(deleted["bars"], 2);
    assert_eq!(deleted["revision"], 2);
    assert_eq!(report(folder.path(), "data range EURUSD -t 1h")["bars"], 1);
}

#[test]
fn the_hint_after_a_deletion_brings_the_bars_back() {
    let folder = folder_with_bars();
    let deleted = run(folder.path(), "data delete EURUSD -t 1h --yes");
    assert_eq!(deleted.exit, Some(0), "{}", deleted.err);
    let undelete = command_in(&deleted.err);

    // Whoever looks for the bars reads the same command.
    let refused = run(folder.path(), "data show EURUSD -t 1h");
    assert_eq!(refused.exit, Some(4), "{}", refused.err);
    assert!(refused.err.contains("were deleted"), "{}", refused.err);
    assert_eq!(command_in(&refused.err), undelete);
    let listed = run(folder.path(), "data list");
    assert!(!listed.out.contains("EURUSD"), "{}", listed.out);

    let restored = run(folder.path(), &undelete);
    assert_eq!(restored.out, "EURUSD 1h: 3 bars brought back, revision 3\n");
    let removal = &report(folder.path(), "data range EURUSD -t 1h")["removal"];
    assert_eq!(removal["revision"], 3);
    assert_eq!(removal["is_undone"], true);
    let bars = run(folder.path(), "data show EURUSD -t 1h");
    let by = removal["by"].as_str().unwrap();
    let said = format!("deleted bars were brought back by {by} at ");
    assert!(bars.err.contains(&said), "{}", bars.err);
    assert_eq!(report(folder.path(), "data range EURUSD -t 1h")["bars"], 3);
}

#[test]
fn a_series_of_another_calendar_comes_back_by_its_hint() {
    let folder = folder_with_bars();
    let import = "data import EURUSD_1h.csv --calendar weekdays --yes";
    assert_eq!(run(folder.path(), import).exit, Some(0));

    let delete = "data delete EURUSD -t 1h --calendar weekdays --yes";
    let deleted = run(folder.path(), delete);
    let restored = run(folder.path(), &command_in(&deleted.err));
    assert!(
        restored.out.contains("3 bars brought back"),
        "{}",
        restored.err
    );
}

#[test]
fn what_was_never_stored_cannot_come_back() {
    let folder = folder_with_bars();
    let refused = run(folder.path(), "data undelete GBPUSD -t 1h");
    assert_eq!(refused.exit, Some(4), "{}", refused.err);
    assert!(refused.err.contains("no bars of GBPUSD"), "{}", refused.err);
}

#[test]
fn garbage_is_shown_first_and_deleted_with_yes() {
    let folder = folder_with_bars();
    run(folder.path(), "data delete EURUSD -t 1h --yes");

    // A deletion of today can be undone for a week.
    assert_eq!(report(folder.path(), "store gc --yes")["objects"], 0);

    let preview = report(folder.path(), "store gc --days 0");
    // A manifest with its copy, and a file of bars.
    assert_eq!(preview["objects"], 3, "{preview}");
    assert_eq!(preview["written"], false);
    let collected = report(folder.path(), "store gc --days 0 --yes");
    assert_eq!(collected["keys"], preview["keys"]);
    assert_eq!(report(folder.path(), "store gc --days 0")["objects"], 0);

    let refused = run(folder.path(), "data undelete EURUSD -t 1h");
    assert_eq!(refused.exit, Some(4), "{}", refused.err);
    assert!(refused.err.contains("is gone"), "{}", refused.err);
}
