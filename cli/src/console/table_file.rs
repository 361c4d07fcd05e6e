//! Writes a table of columns to a file, or as CSV to standard output.

use std::io::Write as _;
use std::path::Path;

use serde_json::json;
use store::Table;

use super::{Exit, Failure, Output};

/// Writes `table`, which has `rows` rows and `columns` columns of values, to `out`; `-` is CSV on
/// standard output. `out` is relative to `folder`.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write_table(
    table: &Table,
    out: &Path,
    folder: &Path,
    rows: usize,
    columns: usize,
    output: &Output,
) -> Result<Exit, Failure> {
    if out == Path::new("-") {
        // A closed pipe is a reader that has seen enough, not an error.
        let _ = std::io::stdout().lock().write_all(&table.to_csv()?);
        return Ok(Exit::Done);
    }

    table.write(&folder.join(out))?;
    output.json(&json!({"type": "table", "file": out, "rows": rows, "columns": columns}));
    output.line(&format!(
        "{rows} rows of {columns} columns written to {}",
        out.display()
    ));
    Ok(Exit::Done)
}
