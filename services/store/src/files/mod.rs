//! Bars from files that others wrote: CSV, Parquet and Arrow, packed or not, read exactly or
//! refused with file and line.
//!
//! Reading never repairs: rows come back as they are, in file order, with their line numbers, for
//! `quality` to judge. What a number or a time means is never guessed: a time without zone needs a
//! zone, an unreadable cell is an error.

mod container;
mod detect;
mod error;
mod folder;
mod sheet;
mod stamp;
mod symbols;

use std::path::Path;

use jiff::tz::TimeZone;
use market::{DayBoundary, Instrument, Timeframe, TimeframeUnit, Utc};
use schemas::names::MICROS_PER_DAY;
use serde::{Deserialize, Serialize};

use crate::raw_bars::{RawBar, RawBars};

pub use detect::{Detected, detect, timeframe_of};
pub use error::FileError;
pub use folder::{BarFolder, clear_name, parse_name, read_name};
use sheet::Sheet;
use stamp::{Place, Stamp, StampProblem, local_day_end};

/// Largest file that is read, in bytes after unpacking.
pub const FILE_BYTES_MAX: u64 = 4 << 30;

/// Microseconds of a day.
const DAY: i64 = MICROS_PER_DAY;

/// The end of a bar that its timestamp names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelSide {
    /// Its start, as in this system.
    #[default]
    Open,
    /// Its end: one timeframe is subtracted.
    Close,
}

/// Names of columns that differ from the common ones; upper and lower case are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnNames {
    /// Without it `timestamp`, `time`, `datetime`, `date`, `ts`, `open_time`, or an empty name.
    pub time: Option<String>,
    /// Without it `open` or `o`.
    pub open: Option<String>,
    /// Without it `high` or `h`.
    pub high: Option<String>,
    /// Without it `low` or `l`.
    pub low: Option<String>,
    /// Without it `close`, `c` or `last`.
    pub close: Option<String>,
    /// Without it `volume`, `v` or `vol`; the file may have none.
    pub volume: Option<String>,
}

/// How to read a file. The default reads what this system writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// Names of the columns that are read.
    pub columns: ColumnNames,
    /// IANA name of the zone of times that carry none, such as `America/New_York`.
    pub zone: Option<String>,
    /// The end of a bar that its timestamp names.
    pub label_side: LabelSide,
    /// The day that a daily bar covers, where it differs from the default of the instrument.
    pub day_boundary: Option<DayBoundary>,
    /// Between the cells of a CSV file; by default the most frequent of `,`, `;`, tab and `|` in
    /// the header.
    pub delimiter: Option<char>,
}

/// The series that the file should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Decides whether a volume of 0 is a number or means that there is none.
    pub instrument: Instrument,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// The day that a daily bar covers.
    pub day_boundary: DayBoundary,
}

/// The rows of a file in file order; they may be unsorted, repeated, or have prices that are
/// missing (NaN).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileBars {
    /// One bar per row.
    pub bars: RawBars,
    /// Line of each bar (the header of a CSV file is line 1); for Parquet the row, from 1.
    pub lines: Vec<u64>,
    /// Values that were read otherwise than they are written, for people.
    pub notes: Vec<String>,
}

/// Reads a local file, or a folder of Parquet files that are one table.
///
/// # Errors
/// See [`FileError`].
pub fn read_path(
    path: &Path,
    mapping: &Mapping,
    expected: &Expected,
) -> Result<FileBars, FileError> {
    let sheet = Sheet::open(path, mapping)?;
    place_rows(&path.display().to_string(), sheet, mapping, expected)
}

/// Reads the bytes of a file called `name`. What it is follows from its bytes; a text needs an
/// ending that texts of bars have, such as `.csv`.
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
    place_rows(name, sheet, mapping, expected)
}

/// Gives every row the open that its timestamp names.
fn place_rows(
    name: &str,
    sheet: Sheet,
    mapping: &Mapping,
    expected: &Expected,
) -> Result<FileBars, FileError> {
    let labels = Labels {
        zone: find_zone(name, mapping, &sheet)?,
        side: mapping.label_side,
        expected,
    };

    // Bars of another symbol are none of this series.
    let rows_to_read = match &sheet.symbols {
        Some(symbols) => symbols.rows_of(name, &expected.instrument)?,
        None => None,
    };

    let mut read = FileBars::default();
    let mut stamped_times = Vec::with_capacity(sheet.lines.len());
    let mut moved_labels = 0_usize;
    for (row, (stamp, line)) in sheet.stamps.iter().zip(&sheet.lines).enumerate() {
        if rows_to_read
            .as_ref()
            .is_some_and(|rows| rows.get(row) != Some(&true))
        {
            continue;
        }

        // The first row that cannot be placed refuses the file: a person has to look at it.
        let open = labels
            .open_of(stamp)
            .map_err(|problem| problem.at(Place::of(name, *line, stamp), expected.timeframe))?;
        stamped_times.push(open.stamped);
        moved_labels += usize::from(open.was_moved);

        // Empty cells stay empty: `quality` judges them, and nothing here repairs them.
        let cell = |column: &[f64]| column.get(row).copied().unwrap_or(f64::NAN);
        let [opens, highs, lows, closes] = &sheet.prices;
        read.bars.push(RawBar {
            open_time: open.time,
            prices: [cell(opens), cell(highs), cell(lows), cell(closes)],
            volume: known_volume(cell(&sheet.volume), expected),
        });
        read.lines.push(*line);
    }

    // Bars of another length would be stored without complaint and be wrong everywhere.
    read.notes = notes_on(&sheet, moved_labels, expected);
    check_spacing(name, &stamped_times, expected.timeframe)?;
    Ok(read)
}

/// Refuses rows that are spaced as bars of another timeframe.
fn check_spacing(name: &str, times: &[Utc], timeframe: Timeframe) -> Result<(), FileError> {
    match detect::find_other_spacing(times, timeframe) {
        Some(micros) => Err(FileError::Timeframe {
            file: name.to_owned(),
            expected: timeframe,
            actual: detect::describe(micros),
        }),
        None => Ok(()),
    }
}

/// The zone that was named, or else the one that the column of times names.
fn find_zone(name: &str, mapping: &Mapping, sheet: &Sheet) -> Result<Option<TimeZone>, FileError> {
    let Some(text) = &mapping.zone else {
        // An offset such as +00:00 is no zone of the tz database, and needs none.
        let named = sheet.zone.as_ref();
        return Ok(named.and_then(|text| TimeZone::get(text).ok()));
    };
    match TimeZone::get(text) {
        Ok(zone) => Ok(Some(zone)),
        Err(_) => Err(FileError::Zone {
            file: name.to_owned(),
            zone: text.clone(),
        }),
    }
}

/// A volume as it is stored; NaN where the file says in its own way that there is none.
fn known_volume(volume: f64, expected: &Expected) -> f64 {
    let is_absent = volume == -1.0 || (volume == 0.0 && has_no_volume(expected));
    if is_absent { f64::NAN } else { volume }
}

/// True for currencies, metals and indices: their trades are not counted anywhere, and files hold
/// 0.
fn has_no_volume(expected: &Expected) -> bool {
    !expected.instrument.class().has_volume()
}

/// What was read otherwise than written, for people.
fn notes_on(sheet: &Sheet, moved_labels: usize, expected: &Expected) -> Vec<String> {
    let mut notes = sheet.notes.clone();
    let symbols = sheet.symbols.as_ref();
    if let Some(symbols) = symbols.filter(|symbols| symbols.are_several()) {
        let symbol = expected.instrument.symbol();
        notes.push(format!(
            "{}: only the rows of {symbol} are read",
            symbols.describe()
        ));
    }

    let zero_volumes = sheet.volume.iter().filter(|volume| **volume == 0.0).count();
    if zero_volumes > 0 && has_no_volume(expected) {
        notes.push(format!(
            "volume 0 of {} means that there is none: \
             stored as not available ({zero_volumes} rows)",
            expected.instrument.class().with_article()
        ));
    }

    if moved_labels > 0 {
        let label = match expected.timeframe.unit() {
            TimeframeUnit::Month => "monthly bars are labelled by the first of their month",
            _ => "weekly bars are labelled by their Monday",
        };
        notes.push(format!("{label}: {moved_labels} rows moved to it"));
    }
    notes
}

/// How the timestamps of a file name its bars.
struct Labels<'a> {
    /// Zone of times that carry none.
    zone: Option<TimeZone>,
    side: LabelSide,
    expected: &'a Expected,
}

/// The open of a bar as its timestamp gives it.
struct Open {
    time: Utc,
    /// The time or the day that the timestamp names, before it was moved to a label.
    stamped: Utc,
    /// A bar of weeks or a month was labelled by another day than its first one.
    was_moved: bool,
}

impl Labels<'_> {
    /// The open of the bar that a timestamp labels.
    fn open_of(&self, stamp: &Stamp) -> Result<Open, StampProblem> {
        let timeframe = self.expected.timeframe;
        if timeframe.is_intraday() {
            let instant = stamp.instant(self.zone.as_ref())?;
            let time = match self.side {
                LabelSide::Open => instant,
                LabelSide::Close => instant.plus_micros(-timeframe.micros()),
            };
            return Ok(Open {
                time,
                stamped: time,
                was_moved: false,
            });
        }

        // A trading date is itself, whichever end is meant; a day in UTC ends at the next midnight.
        let midnight = stamp.midnight(self.zone.as_ref());
        let midnight = midnight.ok_or(StampProblem::NotADate)?;
        if self.ends_after_utc_day(stamp, midnight) {
            return Err(StampProblem::EndsAfterUtcDay);
        }
        let names_the_next_day =
            self.side == LabelSide::Close && self.expected.day_boundary == DayBoundary::UtcMidnight;
        let day = if names_the_next_day {
            midnight.plus_micros(-DAY)
        } else {
            midnight
        };

        let time = match self.side {
            LabelSide::Open => timeframe.label_of_first_day(day),
            LabelSide::Close => timeframe.label_of_last_day(day),
        };
        let nominal_day = match self.side {
            LabelSide::Open => time,
            LabelSide::Close => timeframe.nominal_end(time).plus_micros(-DAY),
        };
        Ok(Open {
            time,
            stamped: day,
            was_moved: day != nominal_day,
        })
    }

    /// A day of UTC is known at the next midnight UTC. Where a zone west of Greenwich counts the
    /// days, that is hours before the bar is over.
    fn ends_after_utc_day(&self, stamp: &Stamp, midnight: Utc) -> bool {
        if self.expected.day_boundary != DayBoundary::UtcMidnight {
            return false;
        }
        // An instant that is midnight in UTC says itself which day it means.
        if matches!(stamp, Stamp::Instant(instant) if *instant == midnight) {
            return false;
        }
        let end = self
            .zone
            .as_ref()
            .and_then(|zone| local_day_end(midnight, zone));
        end.is_some_and(|end| end > midnight.plus_micros(DAY))
    }
}
