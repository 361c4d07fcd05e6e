//! The page of the error codes is generated from their table; this test fails while it is out of
//! date.
//!
//! To write it: `KTRDR_WRITE_DOCS=1 cargo test -p schemas --test it error_codes_page`.

use std::fmt::Write;
use std::path::Path;

use schemas::codes::{ALL, Family};

const HEAD: &str = "Error codes: every code that a program may meet, with its meaning.

This page is generated from `schemas/src/codes/table.rs` by the test `error_codes_page`.

A code is stable: programs may compare it. It appears as `code` in error records (`ktrdr status OP --json`), in events
and dead letters, and in the last line that `ktrdr --json` prints when a command fails. The message and the hint next to
it are for people and may change.
";

fn render_page() -> String {
    let mut page = HEAD.to_owned();

    for family in Family::ALL {
        writeln!(page, "\n## {}\n\n{}\n", family.as_str(), family.meaning()).unwrap();
        page.push_str("| code | meaning |\n|---|---|\n");
        for code in ALL.iter().filter(|code| code.family() == *family) {
            writeln!(page, "| `{code}` | {} |", code.meaning()).unwrap();
        }
    }

    page
}

#[test]
fn the_page_of_error_codes_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/error-codes.md");
    if std::env::var_os("KTRDR_WRITE_DOCS").is_some() {
        std::fs::write(&path, render_page()).unwrap();
    }

    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == render_page(),
        "docs/error-codes.md is out of date: run the command at the top of this file"
    );
}
