//! Rows of a Parquet file that any program may have written.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use bytes::Bytes;
use jiff::tz::TimeZone;
use market::Utc;

use super::super::stamp::Stamp;
use super::super::{DAY, FileError, Mapping};
use super::{Positions, Sheet, find_columns};
use crate::StoreError;
use crate::parquet_file::Decoded;

/// Reads the bytes of a file called `name`.
pub(super) fn read(name: &str, bytes: Bytes, mapping: &Mapping) -> Result<Sheet, FileError> {
    let decoded = Decoded::read(name, bytes).map_err(|error| match error {
        StoreError::Form { reason, .. } => parquet_error(name, reason),
        other => parquet_error(name, other.to_string()),
    })?;

    let fields = decoded.schema.fields().iter();
    let columns: Vec<String> = fields.map(|field| field.name().clone()).collect();
    let positions = find_columns(name, &columns, mapping)?;

    let mut sheet = Sheet::empty("parquet", None, columns);
    for batch in &decoded.batches {
        add_times(&mut sheet, name, batch, &positions)?;
        add_numbers(&mut sheet, batch, &positions).map_err(|reason| parquet_error(name, reason))?;
    }
    Ok(sheet)
}

fn parquet_error(name: &str, reason: String) -> FileError {
    FileError::Parquet {
        file: name.to_owned(),
        reason,
    }
}

fn add_times(
    sheet: &mut Sheet,
    name: &str,
    batch: &RecordBatch,
    positions: &Positions,
) -> Result<(), FileError> {
    let stamps = column_at(batch, positions.time)
        .and_then(read_stamps)
        .map_err(|reason| parquet_error(name, reason))?;

    // Row groups follow each other; lines count through the whole file.
    let first_line = sheet.lines.len() as u64 + 1;
    for (stamp, line) in stamps.into_iter().zip(first_line..) {
        let stamp = stamp.ok_or_else(|| FileError::Time {
            file: name.to_owned(),
            line,
            text: "empty or unreadable".to_owned(),
        })?;
        sheet.stamps.push(stamp);
        sheet.lines.push(line);
    }
    Ok(())
}

fn add_numbers(
    sheet: &mut Sheet,
    batch: &RecordBatch,
    positions: &Positions,
) -> Result<(), String> {
    // Row groups arrive one after another and are appended.
    for (values, position) in sheet.prices.iter_mut().zip(positions.prices) {
        values.extend(read_numbers(column_at(batch, position)?)?);
    }

    match positions.volume {
        Some(position) => sheet
            .volume
            .extend(read_numbers(column_at(batch, position)?)?),
        None => sheet.volume.resize(sheet.lines.len(), f64::NAN),
    }
    Ok(())
}

fn column_at(batch: &RecordBatch, position: usize) -> Result<&ArrayRef, String> {
    let column = batch.columns().get(position);
    column.ok_or_else(|| "a row group has fewer columns than the file".to_owned())
}

/// A time column as stamps; an empty or unreadable cell is `None`.
fn read_stamps(column: &ArrayRef) -> Result<Vec<Option<Stamp>>, String> {
    match column.data_type() {
        DataType::Timestamp(unit, zone) => {
            let micros = read_micros(column, *unit);
            let stamp_of = if zone.is_some() { instant } else { local_time };
            let stamps = micros.into_iter().map(|cell| cell.map(stamp_of));
            Ok(stamps.collect())
        }

        DataType::Date32 => Ok(read_cells::<Date32Type, _>(column, |days| {
            let midnight = Utc(i64::from(days).checked_mul(DAY)?);
            Some(Stamp::Date(midnight.date()))
        })),
        DataType::Int64 => Ok(read_cells::<Int64Type, _>(column, Stamp::unix)),

        // Three ways in which Arrow holds the same text.
        DataType::Utf8 => Ok(parse_all(column.as_string::<i32>().iter())),
        DataType::LargeUtf8 => Ok(parse_all(column.as_string::<i64>().iter())),
        DataType::Utf8View => Ok(parse_all(column.as_string_view().iter())),
        other => Err(format!("the time column is {other}")),
    }
}

fn instant(micros: i64) -> Stamp {
    Stamp::Instant(Utc(micros))
}

/// A timestamp without zone: the clock of a place that the file does not name.
fn local_time(micros: i64) -> Stamp {
    Stamp::Civil(TimeZone::UTC.to_datetime(Utc(micros).timestamp()))
}

/// A timestamp column in microseconds; a cell beyond their range is `None`.
fn read_micros(column: &ArrayRef, unit: TimeUnit) -> Vec<Option<i64>> {
    match unit {
        TimeUnit::Second => {
            read_cells::<TimestampSecondType, _>(column, |time| time.checked_mul(1_000_000))
        }
        TimeUnit::Millisecond => {
            read_cells::<TimestampMillisecondType, _>(column, |time| time.checked_mul(1_000))
        }
        TimeUnit::Microsecond => read_cells::<TimestampMicrosecondType, _>(column, Some),
        TimeUnit::Nanosecond => {
            read_cells::<TimestampNanosecondType, _>(column, |time| Some(time.div_euclid(1_000)))
        }
    }
}

fn parse_all<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> Vec<Option<Stamp>> {
    texts.map(|text| Stamp::parse(text?)).collect()
}

fn read_cells<T: ArrowPrimitiveType, R>(
    column: &ArrayRef,
    read: impl Fn(T::Native) -> Option<R>,
) -> Vec<Option<R>> {
    let cells = column.as_primitive::<T>().iter();
    cells.map(|cell| read(cell?)).collect()
}

/// A column as numbers; an empty cell is NaN.
fn read_numbers(column: &ArrayRef) -> Result<Vec<f64>, String> {
    // Whole volumes stay exact up to 2^53.
    let cells = match column.data_type() {
        DataType::Float64 => read_cells::<Float64Type, _>(column, Some),
        DataType::Float32 => read_cells::<Float32Type, _>(column, |cell| Some(f64::from(cell))),
        DataType::Int64 => read_cells::<Int64Type, _>(column, |cell| Some(cell as f64)),
        DataType::UInt64 => read_cells::<UInt64Type, _>(column, |cell| Some(cell as f64)),
        DataType::Int32 => read_cells::<Int32Type, _>(column, |cell| Some(f64::from(cell))),
        other => return Err(format!("a price or volume column is {other}")),
    };

    let numbers = cells.into_iter().map(|cell| cell.unwrap_or(f64::NAN));
    Ok(numbers.collect())
}
