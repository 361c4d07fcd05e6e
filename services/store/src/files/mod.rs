//! Bars from files that others wrote: CSV, gzipped CSV and Parquet, read exactly or refused with
//! file and line.
//!
//! Reading never repairs: rows come back as they stand, in file order, with their line numbers, for
//! `quality` to judge. What a number or a time means is never guessed: a time without zone needs a
//! zone, an unreadable cell is an error.

mod detect;
mod error;
mod folder;
mod sheet;
mod stamp;

use std::path::Path;

use jiff::tz::TimeZone;
use market::{AssetClass, DayBoundary, Instrument, Timeframe, Utc};
use serde::{Deserialize, Serialize};

use crate::raw_bars::{RawBar, RawBars};

pub use detect::{Detected, detect, timeframe_of};
pub use error::FileError;
pub use folder::{BarFolder, parse_name};
use sheet::Sheet;
use stamp::Stamp;

/// Largest file that is read, in bytes after unpacking.
pub const FILE_BYTES_MAX: u64 = 4 << 30;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Which end of a bar its timestamp names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelSide {
    /// Its start, as in this system.
    #[default]
    Open,
    /// Its end: one timeframe is subtracted.
    Close,
}

/// Names of columns where they are not the usual ones; upper and lower case are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnNames {
    /// Usually `timestamp`, `time`, `datetime`, `date`, `ts`, `open_time` or nothing.
    pub time: Option<String>,
    /// Usually `open` or `o`.
    pub open: Option<String>,
    /// Usually `high` or `h`.
    pub high: Option<String>,
    /// Usually `low` or `l`.
    pub low: Option<String>,
    /// Usually `close`, `c` or `last`.
    pub close: Option<String>,
    /// Usually `volume`, `v` or `vol`; may be absent.
    pub volume: Option<String>,
}

/// How to read a file. The default reads what this system writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// Column names.
    pub columns: ColumnNames,
    /// IANA name of the zone of times that carry none, such as `America/New_York`.
    pub zone: Option<String>,
    /// What a timestamp names.
    pub label_side: LabelSide,
    /// What a daily bar stands for, where it is not the usual thing for the instrument.
    pub day_boundary: Option<DayBoundary>,
    /// Between the cells of a CSV file; by default the most frequent of `,`, `;`, tab and `|` in
    /// the header.
    pub delimiter: Option<char>,
}

/// What the bars of the file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// What is traded: decides whether a volume of 0 can be meant.
    pub instrument: Instrument,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// What a daily bar stands for.
    pub day_boundary: DayBoundary,
}

/// The rows of a file in file order; they may be unsorted, repeated, or have prices that are
/// missing (NaN).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileBars {
    /// The bars.
    pub bars: RawBars,
    /// Line of each bar (the header of a CSV file is line 1); for Parquet the row, from 1.
    pub lines: Vec<u64>,
    /// What was read otherwise than written, for people.
    pub notes: Vec<String>,
}

/// Reads a local file.
///
/// # Errors
/// See [`FileError`].
pub fn read_path(
    path: &Path,
    mapping: &Mapping,
    expected: &Expected,
) -> Result<FileBars, FileError> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| FileError::Open {
        file: name.clone(),
        source,
    })?;
    read(&name, bytes.into(), mapping, expected)
}

/// Reads the bytes of a file called `name`, which ends in `.csv`, `.csv.gz` or `.parquet`.
///
/// # Errors
/// See [`FileError`].
pub fn read(
    name: &str,
    bytes: bytes::Bytes,
    mapping: &Mapping,
    expected: &Expected,
) -> Result<FileBars, FileError> {
    let sheet = Sheet::read(name, bytes, mapping)?;
    let zone = zone(name, mapping)?;
    let mut read = FileBars::default();
    let (mut unknown, mut moved) = (0_usize, 0_usize);
    for ((stamp, line), row) in sheet.stamps.iter().zip(&sheet.lines).zip(0..) {
        let open = label(
            name,
            *line,
            stamp,
            mapping.label_side,
            zone.as_ref(),
            expected,
        )?;
        let (open_time, shifted) = open;
        moved += usize::from(shifted);
        let cell = |column: &[f64]| column.get(row).copied().unwrap_or(f64::NAN);
        let [open, high, low, close] = &sheet.prices;
        let volume = match cell(&sheet.volume) {
            0.0 if expected.instrument.class() == AssetClass::Fx => {
                unknown += 1;
                f64::NAN
            }
            -1.0 => f64::NAN,
            volume => volume,
        };
        read.bars.push(RawBar {
            open_time,
            prices: [cell(open), cell(high), cell(low), cell(close)],
            volume,
        });
        read.lines.push(*line);
    }
    if unknown > 0 {
        let note = "volume 0 of a currency pair means that there is none: stored as not available";
        read.notes.push(format!("{note} ({unknown} rows)"));
    }
    if moved > 0 {
        read.notes.push(format!(
            "weekly bars are labelled by their Monday: {moved} rows moved to it"
        ));
    }
    match timeframe_of(&read.bars.open_time) {
        Some(micros) if micros != expected.timeframe.micros() => Err(FileError::Timeframe {
            file: name.to_owned(),
            asked: expected.timeframe,
            found: detect::describe(micros),
        }),
        _ => Ok(read),
    }
}

fn zone(name: &str, mapping: &Mapping) -> Result<Option<TimeZone>, FileError> {
    let Some(text) = &mapping.zone else {
        return Ok(None);
    };
    let found = TimeZone::get(text).map_err(|_| FileError::Zone {
        file: name.to_owned(),
        zone: text.clone(),
    });
    found.map(Some)
}

/// The open of the bar that a timestamp labels, and whether a weekly one had to be moved to its
/// Monday.
fn label(
    name: &str,
    line: u64,
    stamp: &Stamp,
    side: LabelSide,
    zone: Option<&TimeZone>,
    expected: &Expected,
) -> Result<(Utc, bool), FileError> {
    let place = || (name.to_owned(), line, stamp.to_string());
    let timeframe = expected.timeframe;
    if timeframe.is_intraday() {
        let instant = stamp.instant(zone).map_err(|why| why.at(place()))?;
        let shift = if side == LabelSide::Close {
            -timeframe.micros()
        } else {
            0
        };
        return Ok((instant.plus_micros(shift), false));
    }
    let midnight = stamp.midnight(zone).ok_or_else(|| {
        let (file, line, text) = place();
        FileError::Label {
            file,
            line,
            text,
            timeframe,
        }
    })?;
    let ends_next = side == LabelSide::Close && expected.day_boundary == DayBoundary::UtcMidnight;
    let start = if ends_next {
        midnight.plus_micros(-timeframe.micros())
    } else {
        midnight
    };
    if timeframe == Timeframe::Day1 {
        return Ok((start, false));
    }
    // 1970-01-05 was a Monday.
    let monday = Utc(start.0 - (start.0 - 4 * DAY).rem_euclid(7 * DAY));
    Ok((monday, monday != start))
}
