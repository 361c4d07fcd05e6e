//! The cells of a file as stamps and numbers, before anything is decided about their meaning.

use std::io::Read;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use bytes::Bytes;
use market::Utc;

use super::stamp::Stamp;
use super::{FILE_BYTES_MAX, FileError, Mapping};
use crate::StoreError;
use crate::parquet_file::Decoded;

/// Usual names, by role: time, open, high, low, close, volume.
const USUAL: [(&str, &[&str]); 6] = [
    (
        "time",
        &[
            "timestamp",
            "time",
            "datetime",
            "date",
            "ts",
            "open_time",
            "",
            "__index_level_0__",
            "unnamed: 0",
        ],
    ),
    ("open", &["open", "o"]),
    ("high", &["high", "h"]),
    ("low", &["low", "l"]),
    ("close", &["close", "c", "last"]),
    ("volume", &["volume", "v", "vol"]),
];

/// A file's rows in file order, all columns of one length.
#[derive(Debug)]
pub(super) struct Sheet {
    /// `csv` or `parquet`.
    pub(super) format: &'static str,
    /// Between cells, for CSV.
    pub(super) delimiter: Option<char>,
    /// All column names.
    pub(super) columns: Vec<String>,
    /// Line of each row.
    pub(super) lines: Vec<u64>,
    pub(super) stamps: Vec<Stamp>,
    /// Open, high, low, close; NaN = empty cell.
    pub(super) prices: [Vec<f64>; 4],
    /// NaN = empty cell or no such column.
    pub(super) volume: Vec<f64>,
}

impl Sheet {
    pub(super) fn read(name: &str, bytes: Bytes, mapping: &Mapping) -> Result<Self, FileError> {
        let lower = name.to_ascii_lowercase();
        let sheet = if lower.ends_with(".parquet") {
            Self::parquet(name, bytes, mapping)
        } else if lower.ends_with(".csv") {
            Self::csv(name, &bytes, mapping)
        } else if lower.ends_with(".csv.gz") {
            Self::csv(name, &unpack(name, &bytes)?, mapping)
        } else {
            return Err(FileError::Format {
                file: name.to_owned(),
            });
        }?;
        if sheet.stamps.is_empty() {
            Err(FileError::Empty {
                file: name.to_owned(),
            })
        } else {
            Ok(sheet)
        }
    }

    fn empty(format: &'static str, delimiter: Option<char>, columns: Vec<String>) -> Self {
        Self {
            format,
            delimiter,
            columns,
            lines: Vec::new(),
            stamps: Vec::new(),
            prices: Default::default(),
            volume: Vec::new(),
        }
    }

    fn csv(name: &str, bytes: &[u8], mapping: &Mapping) -> Result<Self, FileError> {
        let file = || name.to_owned();
        if bytes.trim_ascii().is_empty() {
            return Err(FileError::Empty { file: file() });
        }
        let delimiter = mapping.delimiter.unwrap_or_else(|| guess_delimiter(bytes));
        let byte = u8::try_from(delimiter).map_err(|_| FileError::Row {
            file: file(),
            line: 1,
            reason: format!("the delimiter `{delimiter}` is not a single byte"),
        })?;
        let broken = |error: csv::Error| FileError::Row {
            file: file(),
            line: error.position().map_or(1, csv::Position::line),
            reason: match error.kind() {
                csv::ErrorKind::UnequalLengths {
                    expected_len, len, ..
                } => {
                    format!("{len} cells where the header has {expected_len}")
                }
                _ => error.to_string(),
            },
        };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(byte)
            .trim(csv::Trim::All)
            .from_reader(bytes);
        let columns: Vec<String> = reader
            .headers()
            .map_err(broken)?
            .iter()
            .map(str::to_owned)
            .collect();
        let [time, open, high, low, close, volume] = choose(name, &columns, mapping)?;
        let mut sheet = Self::empty("csv", Some(delimiter), columns);
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(broken)? {
            let line = record.position().map_or(0, csv::Position::line);
            let cell = |column: Option<usize>| {
                column
                    .and_then(|column| record.get(column))
                    .unwrap_or_default()
            };
            let number = |column: Option<usize>, role: &str| match cell(column) {
                "" => Ok(f64::NAN),
                text => text.parse::<f64>().map_err(|_| FileError::Number {
                    file: file(),
                    line,
                    column: role.to_owned(),
                    text: text.to_owned(),
                }),
            };
            let text = cell(time);
            let stamp = Stamp::parse(text);
            sheet.stamps.push(stamp.ok_or_else(|| FileError::Time {
                file: file(),
                line,
                text: text.to_owned(),
            })?);
            for (values, (column, role)) in sheet.prices.iter_mut().zip([
                (open, "open"),
                (high, "high"),
                (low, "low"),
                (close, "close"),
            ]) {
                values.push(number(column, role)?);
            }
            sheet.volume.push(number(volume, "volume")?);
            sheet.lines.push(line);
        }
        Ok(sheet)
    }

    fn parquet(name: &str, bytes: Bytes, mapping: &Mapping) -> Result<Self, FileError> {
        let wrong = |reason: String| FileError::Parquet {
            file: name.to_owned(),
            reason,
        };
        let decoded = Decoded::read(name, bytes).map_err(|error| match error {
            StoreError::Form { reason, .. } => wrong(reason),
            other => wrong(other.to_string()),
        })?;
        let columns: Vec<String> = decoded
            .schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let [time, open, high, low, close, volume] = choose(name, &columns, mapping)?;
        let mut sheet = Self::empty("parquet", None, columns);
        for batch in &decoded.batches {
            let column = |index: Option<usize>| index.and_then(|index| batch.columns().get(index));
            let before = sheet.lines.len() as u64;
            for (stamp, line) in stamps(column(time))
                .map_err(wrong)?
                .into_iter()
                .zip(before + 1..)
            {
                let unreadable = || FileError::Time {
                    file: name.to_owned(),
                    line,
                    text: "empty or unreadable".to_owned(),
                };
                sheet.stamps.push(stamp.ok_or_else(unreadable)?);
                sheet.lines.push(line);
            }
            for (values, index) in sheet.prices.iter_mut().zip([open, high, low, close]) {
                values.extend(numbers(column(index), batch.num_rows()).map_err(wrong)?);
            }
            sheet
                .volume
                .extend(numbers(column(volume), batch.num_rows()).map_err(wrong)?);
        }
        Ok(sheet)
    }
}

fn unpack(name: &str, bytes: &[u8]) -> Result<Vec<u8>, FileError> {
    let fail = |source| FileError::Unpack {
        file: name.to_owned(),
        source,
    };
    let mut text = Vec::new();
    let read = flate2::read::MultiGzDecoder::new(bytes)
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut text)
        .map_err(fail)?;
    if read as u64 == FILE_BYTES_MAX {
        return Err(fail(std::io::Error::other(format!(
            "more than {FILE_BYTES_MAX} bytes"
        ))));
    }
    Ok(text)
}

/// The most frequent of the usual delimiters in the first line.
fn guess_delimiter(bytes: &[u8]) -> char {
    let header = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let count = |delimiter: char| {
        header
            .iter()
            .filter(|byte| char::from(**byte) == delimiter)
            .count()
    };
    ['|', '\t', ';', ',']
        .into_iter()
        .max_by_key(|delimiter| count(*delimiter))
        .unwrap_or(',')
}

/// Positions of time, open, high, low, close and volume; only volume may be absent.
fn choose(
    name: &str,
    columns: &[String],
    mapping: &Mapping,
) -> Result<[Option<usize>; 6], FileError> {
    let given = &mapping.columns;
    let given = [
        &given.time,
        &given.open,
        &given.high,
        &given.low,
        &given.close,
        &given.volume,
    ];
    let position = |wanted: &str| {
        columns
            .iter()
            .position(|column| column.trim().eq_ignore_ascii_case(wanted))
    };
    let mut chosen = [None; 6];
    for ((slot, (role, usual)), given) in chosen.iter_mut().zip(USUAL).zip(given) {
        *slot = match given {
            Some(wanted) => position(wanted),
            None => usual.iter().find_map(|wanted| position(wanted)),
        };
        if slot.is_none() && (role != "volume" || given.is_some()) {
            let column = given
                .as_ref()
                .map_or_else(|| role.to_owned(), |wanted| format!("{role}, `{wanted}`"));
            return Err(FileError::Column {
                file: name.to_owned(),
                column,
                found: columns.join(", "),
            });
        }
    }
    Ok(chosen)
}

/// A Parquet column as stamps; an empty or unreadable cell is `None`.
fn stamps(column: Option<&ArrayRef>) -> Result<Vec<Option<Stamp>>, String> {
    let Some(column) = column else {
        return Err("it has no time column".to_owned());
    };
    let zoned = |zoned: bool, micros: i64| {
        let instant = Utc(micros);
        if zoned {
            Stamp::Instant(instant)
        } else {
            Stamp::Civil(jiff::tz::TimeZone::UTC.to_datetime(instant.timestamp()))
        }
    };
    Ok(match column.data_type() {
        DataType::Timestamp(unit, zone) => {
            let known = zone.is_some();
            match unit {
                TimeUnit::Second => cells::<TimestampSecondType, _>(column, |t| {
                    Some(zoned(known, t.checked_mul(1_000_000)?))
                }),
                TimeUnit::Millisecond => cells::<TimestampMillisecondType, _>(column, |t| {
                    Some(zoned(known, t.checked_mul(1_000)?))
                }),
                TimeUnit::Microsecond => {
                    cells::<TimestampMicrosecondType, _>(column, |t| Some(zoned(known, t)))
                }
                TimeUnit::Nanosecond => cells::<TimestampNanosecondType, _>(column, |t| {
                    Some(zoned(known, t.div_euclid(1_000)))
                }),
            }
        }
        DataType::Date32 => cells::<Date32Type, _>(column, |days| {
            let midnight = Utc(i64::from(days).checked_mul(super::DAY)?);
            Some(Stamp::Date(midnight.date()))
        }),
        DataType::Int64 => cells::<Int64Type, _>(column, Stamp::unix),
        DataType::Utf8 => column
            .as_string::<i32>()
            .iter()
            .map(|text| text.and_then(Stamp::parse))
            .collect(),
        DataType::LargeUtf8 => column
            .as_string::<i64>()
            .iter()
            .map(|text| text.and_then(Stamp::parse))
            .collect(),
        DataType::Utf8View => column
            .as_string_view()
            .iter()
            .map(|text| text.and_then(Stamp::parse))
            .collect(),
        other => return Err(format!("the time column is {other}")),
    })
}

fn cells<T: ArrowPrimitiveType, R>(
    column: &ArrayRef,
    read: impl Fn(T::Native) -> Option<R>,
) -> Vec<Option<R>> {
    column
        .as_primitive::<T>()
        .iter()
        .map(|cell| cell.and_then(&read))
        .collect()
}

/// A Parquet column as numbers; an absent column or an empty cell is NaN.
fn numbers(column: Option<&ArrayRef>, rows: usize) -> Result<Vec<f64>, String> {
    let Some(column) = column else {
        return Ok(vec![f64::NAN; rows]);
    };
    // Whole volumes stay exact up to 2^53.
    let found = match column.data_type() {
        DataType::Float64 => cells::<Float64Type, _>(column, Some),
        DataType::Float32 => cells::<Float32Type, _>(column, |value| Some(f64::from(value))),
        DataType::Int64 => cells::<Int64Type, _>(column, |value| Some(value as f64)),
        DataType::UInt64 => cells::<UInt64Type, _>(column, |value| Some(value as f64)),
        DataType::Int32 => cells::<Int32Type, _>(column, |value| Some(f64::from(value))),
        other => return Err(format!("a price or volume column is {other}")),
    };
    Ok(found
        .into_iter()
        .map(|cell| cell.unwrap_or(f64::NAN))
        .collect())
}
