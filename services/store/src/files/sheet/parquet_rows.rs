//! Rows of a Parquet file that any program may have written.

use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::super::{FileError, Mapping};
use super::Sheet;
use super::columnar::Columnar;
use super::guard::guard;

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 65_536;

/// Reads the bytes of a file called `name`.
pub(super) fn read(name: &str, bytes: Bytes, mapping: &Mapping) -> Result<Sheet, FileError> {
    guard(|| decode(name, bytes, mapping)).map_err(|reason| parquet_error(name, reason))?
}

fn decode(name: &str, bytes: Bytes, mapping: &Mapping) -> Result<Sheet, FileError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .map_err(|error| parquet_error(name, error.to_string()))?;
    let mut columnar = Columnar::new(name, "parquet", builder.schema(), mapping)?;

    // Other columns may be nested, encoded in some way or long: they are not touched.
    let positions = columnar.read_positions().iter().copied();
    let mask = ProjectionMask::roots(builder.parquet_schema(), positions);
    let reader = builder
        .with_projection(mask)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|error| parquet_error(name, error.to_string()))?;

    for batch in reader {
        columnar.add(&batch.map_err(|error| parquet_error(name, error.to_string()))?)?;
    }
    Ok(columnar.into_sheet())
}

fn parquet_error(name: &str, reason: String) -> FileError {
    FileError::Parquet {
        file: name.to_owned(),
        reason,
    }
}
