//! How long each stream and bucket keeps what it has: the table on the page for operators is made
//! from the declaration and fails while it is out of date.
//!
//! To write it: `KTRDR_WRITE_DOCS=1 cargo test -p bus --test it retention_page`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bus::topology::{Topology, TopologyOptions};
use bus::{Profile, saved_streams};

const HEADER: &str = "| Stream or bucket | Age | Messages per subject | Size | Removed by | In a backup |\n\
                      |---|---|---|---|---|---|\n";

/// Who removes what, beside age and size.
const REMOVED_BY: &[(&str, &str)] = &[
    ("KTRDR_COMMANDS", "the worker that acknowledges"),
    (
        "KTRDR_CONTROL",
        "the housekeeping, once the operation is over",
    ),
    ("KTRDR_EVENTS", "the server, oldest first"),
    ("KTRDR_PROGRESS", "the server, oldest first"),
    ("KTRDR_DEAD", "`ktrdr ops dead drop`"),
    ("KTRDR_SCHEDULES", "`ktrdr schedule remove`, or its run"),
    (
        "KV_ktrdr_operations",
        "the server 30 days after the end; `ktrdr ops prune`",
    ),
    ("KV_ktrdr_active", "whoever concludes the operation"),
    ("KV_ktrdr_workers", "the worker that leaves"),
    ("KV_ktrdr_leases", "the holder that leaves"),
    ("KV_ktrdr_timings", "nobody: one key for each kind of step"),
    ("KV_ktrdr_schedules", "`ktrdr schedule remove`"),
    ("KV_ktrdr_pacing", "the server"),
];

fn in_words(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0 => "no limit".to_owned(),
        _ if seconds.is_multiple_of(24 * 3_600) => format!("{} d", seconds / (24 * 3_600)),
        _ => format!("{seconds} s"),
    }
}

fn limit(number: i64, unit: &str) -> String {
    match number {
        -1 => "no limit".to_owned(),
        number => format!("{number}{unit}"),
    }
}

fn mebibytes(bytes: i64) -> String {
    match bytes {
        -1 => limit(-1, ""),
        bytes => limit(bytes / (1024 * 1024), " MiB"),
    }
}

fn table() -> String {
    let mut table = HEADER.to_owned();
    for stream in Topology::declare(Profile::Prod, TopologyOptions::default()).streams {
        let name = &stream.name;
        let row = REMOVED_BY.iter().find(|row| row.0 == name);
        let remover = row.map_or("", |row| row.1);
        assert!(!remover.is_empty(), "say who removes what {name} keeps");

        let age = in_words(stream.max_age);
        let count = limit(stream.max_messages_per_subject, "");
        let size = mebibytes(stream.max_bytes);
        let is_saved = match saved_streams().contains(name) {
            true => "yes",
            false => "no",
        };
        writeln!(
            table,
            "| `{name}` | {age} | {count} | {size} | {remover} | {is_saved} |"
        )
        .unwrap();
    }
    table
}

fn page_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating.md")
}

#[test]
fn the_page_says_how_long_each_stream_keeps_what_it_has() {
    let path = page_path();
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(HEADER).expect("the page has the table");
    let (_, after) = rest.split_once("\n\n").unwrap();
    let expected = format!("{before}{}\n{after}", table());
    if std::env::var_os("KTRDR_WRITE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }

    let written = std::fs::read_to_string(&path).unwrap();
    assert!(
        written == expected,
        "docs/operating.md is out of date: run the command at the top of this file"
    );
}
