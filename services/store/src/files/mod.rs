//! Bars from files that others wrote: text, Parquet and Arrow, packed or not, read exactly or
//! refused with file and line.
//!
//! Reading never repairs: rows come back as they are, in file order, with their line numbers, for
//! `quality` to judge. What a number or a time means is never guessed: a time without zone needs a
//! zone, an unreadable cell is an error.

mod actions;
mod clock;
mod container;
mod detect;
mod error;
mod folder;
mod labels;
mod sheet;
mod stamp;
mod symbols;
mod text;

use std::path::Path;

use jiff::tz::TimeZone;
use market::{DayBoundary, Instrument, Timeframe, Utc};
use schemas::names::MICROS_PER_DAY;
use serde::{Deserialize, Serialize};

use crate::raw_bars::RawBars;

pub use actions::FileActions;
pub use detect::{Detected, detect, timeframe_of};
pub use error::FileError;
pub use folder::{BarFolder, clear_name, parse_name, read_name};
use labels::Labels;
use sheet::Sheet;
use stamp::Place;
pub use text::{Choice, DateOrder, FileFormat, PRESETS, Preset};

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

/// Which of two equal local times is meant where clocks go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RepeatedHour {
    /// The first one, before clocks go back.
    Earlier,
    /// The second one, after clocks went back.
    Later,
}

/// Names of columns that differ from the common ones; upper and lower case are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnNames {
    /// Without it the usual names, of which an instant comes before a local time; with `date`, the
    /// time of day.
    pub time: Option<String>,
    /// Dates whose time of day has a column of its own.
    pub date: Option<String>,
    /// Without it `open`, `o` and the like.
    pub open: Option<String>,
    /// Without it `high`, `h` and the like.
    pub high: Option<String>,
    /// Without it `low`, `l` and the like.
    pub low: Option<String>,
    /// Without it `close`, `c`, `last` and the like.
    pub close: Option<String>,
    /// Without it `volume`, `vol` and the like, and counts of ticks; the file may have none.
    pub volume: Option<String>,
    /// Without it `ticker`, `symbol` and the like; the file may have none.
    pub symbol: Option<String>,
}

impl ColumnNames {
    /// Every name that is set.
    fn all(&self) -> Vec<&String> {
        let Self {
            time,
            date,
            open,
            high,
            low,
            close,
            volume,
            symbol,
        } = self;
        let names = [time, date, open, high, low, close, volume, symbol];
        names.into_iter().flatten().collect()
    }
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
    /// Between the cells of a text; by default the one of `,`, `;`, tab and `|` that cuts most rows
    /// alike.
    pub delimiter: Option<char>,
    /// Format of a vendor, where the file does not show it.
    pub format: Option<FileFormat>,
    /// Order of dates, `dmy`, `mdy` or `ymd`, or a format of `strftime`; by default the order that
    /// the dates prove.
    pub dates: Option<String>,
    /// Sign before the fraction of a number, `.` or `,`; by default the one that the numbers prove.
    pub decimal: Option<char>,
    /// Whether a text has a header; by default its first rows show it.
    pub header: Option<bool>,
    /// Which hour is meant where the order of the rows does not tell the two apart that clocks
    /// going back make.
    pub repeated_hour: Option<RepeatedHour>,
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
    /// Dividends and splits of the rows, of a text that has such columns.
    pub actions: FileActions,
    /// Values that were read otherwise than they are written, for people.
    pub notes: Vec<String>,
}

/// A file that was read once, before its bars are placed in a series.
#[derive(Debug)]
pub struct BarFile {
    name: String,
    sheet: Sheet,
    mapping: Mapping,
}

impl BarFile {
    /// Reads a local file, or a folder of Parquet files that are one table; of several symbols the
    /// rows of `instrument`.
    ///
    /// # Errors
    /// See [`FileError`]: a file that cannot be read under any zone is refused here.
    pub fn open(
        path: &Path,
        mapping: &Mapping,
        instrument: Option<&Instrument>,
    ) -> Result<Self, FileError> {
        Ok(Self {
            name: path.display().to_string(),
            sheet: Sheet::open(path, mapping, instrument)?,
            mapping: mapping.clone(),
        })
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
        instrument: Option<&Instrument>,
    ) -> Result<Self, FileError> {
        Ok(Self {
            name: name.to_owned(),
            sheet: Sheet::read(name, bytes, mapping, instrument)?,
            mapping: mapping.clone(),
        })
    }

    /// What the file seems to hold.
    pub fn detected(&self) -> Detected {
        detect::describe_sheet(&self.sheet, self.mapping.zone.is_some())
    }

    /// Its rows as bars of a series.
    ///
    /// # Errors
    /// A time labels no bar of the series, or the bars have another length.
    pub fn bars(self, expected: &Expected) -> Result<FileBars, FileError> {
        let Self {
            name,
            mut sheet,
            mapping,
        } = self;
        sheet.take_symbol(&name, &expected.instrument)?;
        let labels = Labels {
            zone: find_zone(&name, &mapping, &sheet)?,
            side: mapping.label_side,
            repeated_hour: mapping.repeated_hour,
            expected,
        };
        let opens = labels.opens(&mut sheet).map_err(|bad| {
            let place = Place {
                file: name.clone(),
                line: sheet.lines.get(bad.row).copied().unwrap_or_default(),
                text: sheet.stamps.text(bad.row),
            };
            bad.problem.at(place, expected.timeframe)
        })?;

        let mut notes = std::mem::take(&mut sheet.notes);
        notes.extend(leave_out_absent_volume(&mut sheet.volume, expected));
        notes.extend(opens.notes);
        let [open, high, low, close] = sheet.prices;
        let bars = RawBars {
            open_time: opens.times,
            open,
            high,
            low,
            close,
            volume: sheet.volume,
        };
        // Bars of another length would be stored without complaint and be wrong everywhere.
        let stamped_times = opens.stamped_times.as_ref().unwrap_or(&bars.open_time);
        check_spacing(&name, stamped_times, expected.timeframe)?;
        Ok(FileBars {
            bars,
            lines: sheet.lines,
            actions: sheet.actions,
            notes,
        })
    }
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

/// Reads a local file as bars of a series.
///
/// # Errors
/// See [`FileError`].
pub fn read_path(
    path: &Path,
    mapping: &Mapping,
    expected: &Expected,
) -> Result<FileBars, FileError> {
    BarFile::open(path, mapping, Some(&expected.instrument))?.bars(expected)
}

/// Reads the bytes of a file called `name` as bars of a series.
///
/// # Errors
/// See [`FileError`].
pub fn read(
    name: &str,
    bytes: bytes::Bytes,
    mapping: &Mapping,
    expected: &Expected,
) -> Result<FileBars, FileError> {
    BarFile::read(name, bytes, mapping, Some(&expected.instrument))?.bars(expected)
}

/// The zone that was named, or else the one that the column of times or the format names.
fn find_zone(name: &str, mapping: &Mapping, sheet: &Sheet) -> Result<Option<TimeZone>, FileError> {
    let Some(text) = &mapping.zone else {
        // An offset such as +00:00 is no zone of the tz database, and needs none.
        let zone = sheet.zone.as_ref();
        return Ok(zone.and_then(|text| TimeZone::get(text).ok()));
    };
    match TimeZone::get(text) {
        Ok(zone) => Ok(Some(zone)),
        Err(_) => Err(FileError::Zone {
            file: name.to_owned(),
            zone: text.clone(),
        }),
    }
}

/// Makes NaN of the volumes that say in their own way that there is none.
fn leave_out_absent_volume(volume: &mut [f64], expected: &Expected) -> Option<String> {
    // The trades of currencies, metals and indices are not counted anywhere, and files hold 0.
    let has_no_volume = !expected.instrument.class().has_volume();
    let mut zeros = 0_usize;

    for number in volume {
        let is_zero = *number == 0.0 && has_no_volume;
        zeros += usize::from(is_zero);
        if is_zero || *number == -1.0 {
            *number = f64::NAN;
        }
    }
    (zeros > 0).then(|| {
        format!(
            "volume 0 of {} means that there is none: stored as not available ({zeros} rows)",
            expected.instrument.class().with_article()
        )
    })
}
