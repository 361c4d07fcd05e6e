//! Rows of Arrow IPC, as a file (which is Feather version 2) or as a stream.

use std::io::Cursor;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::ArrowError;
use bytes::Bytes;

use super::super::{FileError, Mapping};
use super::Sheet;
use super::arrow_sizes::{check_file, check_stream};
use super::columnar::Columnar;
use super::guard::guard;

/// Reads a file called `name`, which has a footer.
pub(super) fn read_file(name: &str, bytes: Bytes, mapping: &Mapping) -> Result<Sheet, FileError> {
    guard(|| decode_file(name, bytes, mapping)).map_err(|reason| arrow_error(name, reason))?
}

/// Reads a stream called `name`, which ends with its last batch.
pub(super) fn read_stream(name: &str, bytes: Bytes, mapping: &Mapping) -> Result<Sheet, FileError> {
    guard(|| decode_stream(name, bytes, mapping)).map_err(|reason| arrow_error(name, reason))?
}

fn decode_file(name: &str, bytes: Bytes, mapping: &Mapping) -> Result<Sheet, FileError> {
    check_file(&bytes).map_err(|reason| arrow_error(name, reason))?;
    let open = |projection| {
        FileReader::try_new(Cursor::new(bytes.clone()), projection)
            .map_err(|error| arrow_error(name, error))
    };

    // Opened twice: what to read follows from the schema.
    let schema = open(None)?.schema();
    let columnar = Columnar::new(name, "arrow", &schema, mapping)?;
    let reader = open(Some(columnar.read_positions().to_vec()))?;
    add_all(name, columnar, reader)
}

fn decode_stream(name: &str, bytes: Bytes, mapping: &Mapping) -> Result<Sheet, FileError> {
    check_stream(&bytes).map_err(|reason| arrow_error(name, reason))?;
    let open = |projection| {
        StreamReader::try_new(Cursor::new(bytes.clone()), projection)
            .map_err(|error| arrow_error(name, error))
    };

    let schema = open(None)?.schema();
    let columnar = Columnar::new(name, "arrow stream", &schema, mapping)?;
    let reader = open(Some(columnar.read_positions().to_vec()))?;
    add_all(name, columnar, reader)
}

fn add_all(
    name: &str,
    mut columnar: Columnar<'_>,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<Sheet, FileError> {
    for batch in batches {
        columnar.add(&batch.map_err(|error| arrow_error(name, error))?)?;
    }
    Ok(columnar.into_sheet())
}

fn arrow_error(name: &str, reason: impl ToString) -> FileError {
    FileError::Arrow {
        file: name.to_owned(),
        reason: reason.to_string(),
    }
}
