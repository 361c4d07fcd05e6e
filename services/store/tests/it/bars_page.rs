//! The page about files of bars is generated from the table of vendors' formats; this test fails
//! while it is out of date.
//!
//! To write it: `KTRDR_WRITE_DOCS=1 cargo test -p store --test it bars_page`.

use std::fmt::Write;
use std::path::Path;

use store::files::PRESETS;

const HEAD: &str = "Files of bars: what is read, what has to be said, and the formats of vendors.

This page is generated from `services/store/src/files/text/presets.rs` by the test `bars_page`.

`ktrdr data check FILE` reads a file and says what it took everything for; `ktrdr data import FILE --yes` reads it the same
way and stores the bars. `indicators compute`, `strategies features` and `models predict` take the same options, and the
fetcher has a setting for each (`fetcher.files_zone`, `.files_format`, `.files_dates`, `.files_decimal`, `.files_columns`).

## What a text says itself

One look at the first rows decides, and what is not plain is shown as `read as …` with its reason:

| part | what is recognised |
|---|---|
| encoding | UTF-8, UTF-16, else Windows-1252; line ends of every system; a byte order mark, Ctrl-Z at the end |
| delimiter | `,` `;` `|` or tab, whichever cuts most rows alike; a line `sep=;` says it |
| above the table | web addresses, titles, comments with `#`, blank lines |
| header | none (columns by their order), one row, or the three rows of pandas; `<NAME>`, `1. open`, names in several languages |
| columns | the usual names of time, prices, volume and symbol; of two times an instant before a local time; no volume is said |
| two columns | a date and a time of day are read together |
| times | year first with `-` `.` `/` or nothing between, names of months, AM and PM, 24:00, digits of the calendar (8, 10, 12, 14, 17), Unix time in s, ms, µs, ns, with a point or an exponent |
| zones | `Z`, `UTC`, `+02:00`, `GMT+0200`, `US/Eastern`, `[America/New_York]`; `EST` is asked, as it may be two clocks |
| clocks that go back | the order of the rows tells the two passes of the hour apart; a time that never happens is refused |
| numbers | thousands, decimal comma, signs of currency, K M B, `(12.5)`, the usual words for nothing |
| several symbols | the rows of the symbol that is asked for; else the symbols are listed |
| below the table | a repeated header, empty rows and up to six rows of words, which are named |

A gzip file `.csv.gz` is unpacked. Web pages, JSON, workbooks and archives under the name of a text are refused for what
they are.

## What has to be said

| option | when |
|---|---|
| `--zone NAME` | times carry no zone: `America/New_York`, `UTC`, `EET` |
| `--dates dmy`, `mdy`, `ymd` or a format | every date can be read in two ways: `03/04/2024` and no day beyond 12 in the file |
| `--decimal ,` or `.` | every number can be read in two ways: `1,234` |
| `--column ROLE=NAME` | a column has a name of its own; the roles are time, date, open, high, low, close, volume and symbol; numbers from 1 in a file without header |
| `--label close` | times name the end of a bar |
| `--format NAME` | a file without header is in the order or the scale of a vendor (below) |
| `--no-header`, `--delimiter C` | the first rows mislead |
| `--repeated-hour earlier` or `later` | an hour that happens twice stands once in the file |

Nothing is guessed that could be wrong: a file with two readings is refused with both of them and the option that decides.

## Formats of vendors

Rows are shown as they are in the file, with `⇥` for a tab. Most are recognised by their header; `--format` is needed only
where the command has it.

| format | what the file looks like | command |
|---|---|---|
";

/// The first rows of a sample, shortened to what a table can hold.
fn show_sample(sample: &str) -> String {
    let rows = sample
        .lines()
        .take(4)
        .map(|row| format!("`{}`", row.replace('\t', "⇥")));
    rows.collect::<Vec<_>>().join("<br>")
}

fn render_page() -> String {
    let mut page = HEAD.to_owned();

    for preset in PRESETS {
        let sample = show_sample(preset.sample);
        let command = format!("`ktrdr data check FILE {}`", preset.options);
        let name = preset.name;
        writeln!(
            page,
            "| {name} | {}<br>{sample} | {command} |",
            preset.about
        )
        .unwrap();
    }
    page
}

#[test]
fn the_page_about_files_of_bars_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/bars.md");
    if std::env::var_os("KTRDR_WRITE_DOCS").is_some() {
        std::fs::write(&path, render_page()).unwrap();
    }

    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == render_page(),
        "docs/bars.md is out of date: run the command at the top of this file"
    );
}
