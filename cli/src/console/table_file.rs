//! Writes a table of columns to a file, or as CSV to standard output.

use std::path::Path;

use schemas::codes;
use serde_json::json;
use store::Table;

use super::{Exit, Failure, Output, path_json, standard_output};
use crate::arguments::OutFile;

/// Writes `table`, which has `rows` rows and `columns` columns of values, to `out`, which is
/// relative to `folder`.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write_table(
    table: &Table,
    out: &OutFile,
    folder: &Path,
    rows: usize,
    columns: usize,
    output: &Output,
) -> Result<Exit, Failure> {
    let OutFile::File(file) = out else {
        standard_output::write_bytes(&table.to_csv()?);
        return Ok(Exit::Done);
    };

    // Only a file is reported: on standard output the report would end up in the table.
    table.write(&folder.join(file))?;
    let report = json!({
        "type": "table",
        "file": path_json(file),
        "rows": rows,
        "columns": columns,
    });
    output.json(&report);
    output.line(&format!(
        "{rows} rows of {columns} columns written to {}",
        file.display()
    ));
    Ok(Exit::Done)
}

/// How remarks are written next to a table that goes to `out`: for people where standard output
/// holds the table, which JSON lines would break.
pub(crate) fn remarks_beside(out: &OutFile, output: &Output) -> Output {
    Output {
        json: output.json && *out != OutFile::Standard,
        ..output.clone()
    }
}

/// Refuses an output that would replace one of the files that are read for it.
///
/// # Errors
/// `out` is another name of an input, or the same.
pub(crate) fn require_other_file<'a>(
    out: &OutFile,
    inputs: impl IntoIterator<Item = &'a Path>,
    folder: &Path,
) -> Result<(), Failure> {
    let Some(input) = out.replaced_input(inputs, folder) else {
        return Ok(());
    };
    let message = format!("--out would replace the bars in {}", input.display());
    Err(Failure::new(Exit::Usage, codes::DATA_OUTPUT, message)
        .with_hint("give --out the name of another file"))
}
