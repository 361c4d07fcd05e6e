//! The page of faults is generated from the table; this test fails while it is out of date or a row
//! is without a test or figures.
//!
//! To write it with the figures of the last runs:
//! `KTRDR_WRITE_DOCS=1 cargo test -p system-tests --test chaos page`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::fleet::is_long;
use crate::rows::{ROWS, Row, figures_file};

const HEAD: &str = "Faults: what was done to a running system on purpose, and what held.

This page is generated from `tests/tests/chaos/rows.rs` by the test `page`; the figures are those of the run that each row names.
Rows that name no run have the numbers of their tests, which lie in other rooms and always run whole.
`make test` runs a short form of every row that a machine with two cores ends in a minute and a half together. The long form of all of them:

```text
make chaos                     # the long form: half an hour or more; prints the figures as a table
SANDBOX_SEED=7 make chaos      # another order of blows
SANDBOX_LONG=1 cargo test -p system-tests --test chaos -- kills      # rows by the names of their tests
```

The system under test is a NATS server with the shipped permissions, the real service programs with a key for each role, and an object
store in a folder, all of them in a temporary folder on the loopback. The driver keeps a book of every operation that was accepted. After
the last fault it waits until all of them have ended, and reads streams and buckets itself: every operation has completed (one that was
cancelled, or failed as its row allows, is resumed first), each step has exactly one event that says so, no command is on a queue, no
operation is marked as active, and nothing that completed has a dead letter. Then `ktrdr doctor --deep` must find no fault but those that
the blow itself made, such as records that a person overwrote. Processes that end by themselves are started again, as `ktrdr up` does.

Rows 9 and 10 mount a disk, which needs the right to mount; row 14 needs `libfaketime`, and row 23 the right to make a group of processes, else
it limits the addresses of a process. Where these are missing, the test says that the row was not tried, and the command tries it elsewhere:

```text
sudo apt install faketime && sudo -E make chaos      # FAKETIME_LIBRARY names the library if it lies elsewhere
```

What did not hold at first, and what is left:

- A full disk under the logs ended the task that wrote a line, and its step stayed as it was for ever. Lines that cannot be written are dropped now.
- A server that started from a copy of its folder, made while it wrote, stored commands that were never delivered. The housekeeping removes them.
- One person who publishes 100 000 messages at once (half of them cancels, each a synced write) keeps the server from answering for about a
  minute (debug programs, two busy cores; 20 000 are not worked off within one). Steps that begin then use up their three tries, since each waits 5 s for the stream of cancels, and fail with `BUS-Unreachable`;
  `ktrdr resume` begins them again once the server answers. Tries that end before the handler runs should not count, and do.
- A parent whose worker is killed four times within its first second each time, before it makes a checkpoint, fails with
  `OPS-AttemptsExhausted`, as any step does; a resume completes it.
- The NATS server has to be started again after its disk was full.

";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page_file() -> PathBuf {
    root().join("docs/faults.md")
}

/// The figures on the page, by the number of their row.
fn written_figures() -> BTreeMap<usize, String> {
    let page = fs::read_to_string(page_file()).unwrap_or_default();
    let mut figures = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if let Ok(number) = cells[0].parse() {
            figures.insert(number, cells[4].to_owned());
        }
    }
    figures
}

fn render_row(number: usize, row: &Row, figures: &str) -> String {
    let tests: Vec<String> = row.tests.iter().map(|test| format!("`{test}`")).collect();
    format!(
        "| {number} | {} | {} | {} | {figures} | {} |",
        row.fault,
        row.done,
        row.holds,
        tests.join(", ")
    )
}

fn render_page(figures: &BTreeMap<usize, String>) -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| | Fault | What is done | What must hold | Figures | Tests |\n");
    page.push_str("|---|---|---|---|---|---|\n");
    for (index, row) in ROWS.iter().enumerate() {
        let number = index + 1;
        let figures = figures.get(&number).map_or("", String::as_str);
        writeln!(page, "{}", render_row(number, row, figures)).unwrap();
    }
    page
}

/// The newest figures: those of the last run, else those on the page, else what the table says.
fn newest_figures() -> BTreeMap<usize, String> {
    let mut figures = written_figures();
    for (index, row) in ROWS.iter().enumerate() {
        let number = index + 1;
        if let Some(said) = row.figures {
            figures.insert(number, said.to_owned());
        }
        if let Ok(measured) = fs::read_to_string(figures_file(number)) {
            figures.insert(number, measured);
        }
    }
    figures
}

#[test]
fn the_page_of_faults_is_current() {
    if std::env::var_os("KTRDR_WRITE_DOCS").is_some() {
        fs::write(page_file(), render_page(&newest_figures())).unwrap();
    }

    let written = fs::read_to_string(page_file()).unwrap_or_default();
    assert!(
        written == render_page(&written_figures()),
        "docs/faults.md is out of date: run the command at the top of this file"
    );
}

#[test]
fn every_row_has_figures_and_tests_that_exist() {
    let figures = written_figures();
    let newest = newest_figures();

    for (index, row) in ROWS.iter().enumerate() {
        let number = index + 1;
        let measured = figures.get(&number).map_or("", String::as_str);
        assert!(!measured.is_empty(), "row {number} has no figures");
        assert!(!row.tests.is_empty(), "row {number} has no test");
        for test in row.tests {
            assert!(exists(test), "row {number}: there is no `{test}`");
        }

        // What `make chaos` prints at its end.
        if is_long() {
            let newest = newest.get(&number).map_or("", String::as_str);
            eprintln!("| {number} | {} | {newest} |", row.fault);
        }
    }
}

/// Whether a test such as `tests/tests/chaos/kills.rs::a_test` exists in the checkout.
fn exists(test: &str) -> bool {
    let (path, name) = test.split_once("::").unwrap();
    let text = fs::read_to_string(root().join(path)).unwrap_or_default();
    text.contains(&format!("fn {name}("))
}
