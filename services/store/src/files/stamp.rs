//! The timestamps of other people's files: instants, local times, or dates.

use market::{Timeframe, Utc};

use super::text::{TimeRules, read_time};
use super::{DAY, FileError};
use crate::raw_bars::keep_rows;

/// What a cell says of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StampKind {
    /// With zone or offset, or as Unix time.
    Instant,
    /// A local time without a zone.
    Local,
    /// Without time of day.
    Date,
}

/// A time exactly as a cell states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) kind: StampKind,
    /// Microseconds since 1970 of an instant; of a local time or date, those of the same reading of
    /// a clock in UTC.
    pub(super) micros: i64,
    /// Distance of the clock that was written from UTC, in minutes, if the cell states one.
    pub(super) offset_minutes: Option<i16>,
}

impl Stamp {
    /// An instant without a clock of its own.
    pub(super) fn instant(micros: i64) -> Self {
        Self {
            kind: StampKind::Instant,
            micros,
            offset_minutes: None,
        }
    }

    /// A reading of a clock that the file does not name.
    pub(super) fn local(micros: i64) -> Self {
        Self {
            kind: StampKind::Local,
            micros,
            offset_minutes: None,
        }
    }

    /// A date by its days since 1970.
    pub(super) fn date(days: i64) -> Self {
        Self {
            kind: StampKind::Date,
            micros: days * DAY,
            offset_minutes: None,
        }
    }

    /// Reads a cell on its own: RFC 3339, `2020-01-02 09:30`, `2020-01-02`, `20200102`, or Unix
    /// time in s, ms, µs or ns by its length. A date whose order is unclear is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let cell = read_time(text.as_bytes(), &TimeRules::default())?;
        cell.zone.is_none().then_some(cell.stamp)
    }

    /// Unix time in the unit that gives a year between 1973 and 5138.
    pub(super) fn unix(number: i64) -> Option<Self> {
        let micros = match number {
            100_000_000..100_000_000_000 => number * 1_000_000,
            100_000_000_000..100_000_000_000_000 => number * 1_000,
            100_000_000_000_000..100_000_000_000_000_000 => number,
            100_000_000_000_000_000.. => number / 1_000,
            _ => return None,
        };
        Some(Self::instant(micros))
    }
}

/// The times of all rows: one kind, so that a row costs eight bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Stamps {
    /// Of the column; `None` without a row.
    kind: Option<StampKind>,
    /// One value per row, as in [`Stamp::micros`].
    micros: Vec<i64>,
    /// One value per row if the first row states an offset, else empty.
    offsets: Vec<i16>,
    /// Dates among local times, which are read as their midnight.
    pub(super) dates_among_times: usize,
}

impl Stamps {
    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.micros.len()
    }

    /// True without any row.
    pub(super) fn is_empty(&self) -> bool {
        self.micros.is_empty()
    }

    /// What all rows say.
    pub(super) fn kind(&self) -> StampKind {
        self.kind.unwrap_or(StampKind::Date)
    }

    /// The values of all rows.
    pub(super) fn micros(&self) -> &[i64] {
        &self.micros
    }

    /// The values of all rows, without a copy.
    pub(super) fn into_micros(self) -> Vec<i64> {
        self.micros
    }

    /// Makes room for `rows` more rows.
    pub(super) fn reserve(&mut self, rows: usize) {
        self.micros.reserve_exact(rows);
    }

    /// Appends a row; false, and nothing is appended, if its kind does not fit the rows before.
    #[must_use]
    pub(super) fn push(&mut self, stamp: Stamp) -> bool {
        if self.kind != Some(stamp.kind) && !self.join(stamp.kind) {
            return false;
        }

        // One clock for all rows: offsets start with the first row or not at all.
        if let Some(offset) = stamp.offset_minutes
            && self.offsets.len() == self.micros.len()
        {
            self.offsets.push(offset);
        }
        self.micros.push(stamp.micros);
        true
    }

    /// Takes `kind` into the column; a date among local times is its midnight.
    fn join(&mut self, kind: StampKind) -> bool {
        // Programs that drop a time of day of 0 write midnight as a date alone.
        let joined = match (self.kind, kind) {
            (None, kind) => kind,
            (Some(StampKind::Date), StampKind::Local) => {
                self.dates_among_times += self.micros.len();
                StampKind::Local
            }
            (Some(StampKind::Local), StampKind::Date) => {
                self.dates_among_times += 1;
                StampKind::Local
            }
            (Some(column), kind) if column == kind => column,
            _ => return false,
        };

        self.kind = Some(joined);
        true
    }

    /// Appends all rows of `other`; false if their kind does not fit.
    #[must_use]
    pub(super) fn append(&mut self, other: Self) -> bool {
        let Some(kind) = other.kind else { return true };
        let rows_before = self.dates_among_times;
        if !self.join(kind) {
            return false;
        }
        // Counted by `join` for one row, and here for all.
        if kind == StampKind::Date && self.kind == Some(StampKind::Local) {
            self.dates_among_times = rows_before + other.len();
        }

        self.dates_among_times += other.dates_among_times;
        if self.offsets.len() == self.micros.len() {
            self.offsets.extend_from_slice(&other.offsets);
        }
        self.micros.reserve_exact(other.len());
        self.micros.extend_from_slice(&other.micros);
        true
    }

    /// Leaves the rows that are marked.
    pub(super) fn keep(&mut self, rows: &[bool]) {
        if self.offsets.len() == self.micros.len() {
            keep_rows(&mut self.offsets, rows);
        }
        keep_rows(&mut self.micros, rows);
    }

    /// The reading of the clock that row `row` was written by, if all rows state an offset.
    pub(super) fn written_clock(&self, row: usize) -> Option<i64> {
        if self.offsets.len() != self.micros.len() {
            return None;
        }
        let offset = i64::from(*self.offsets.get(row)?);
        Some(self.micros.get(row)? + offset * 60_000_000)
    }

    /// Row `row` in words.
    pub(super) fn text(&self, row: usize) -> String {
        let micros = self.micros.get(row).copied().unwrap_or_default();
        match self.kind() {
            StampKind::Instant => Utc(micros).to_string(),
            StampKind::Local => local_text(micros),
            StampKind::Date => Utc(micros).date().to_string(),
        }
    }
}

/// `2020-01-02T14:30:00`, without a zone.
fn local_text(micros: i64) -> String {
    let text = Utc(micros).to_string();
    text.trim_end_matches('Z').to_owned()
}

/// Days from 1970 to a date; `None` for a date that does not exist or lies beyond the years 1–9999.
pub(super) fn days_of(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    if day < 1 || day > days_in_month(year, month) {
        return None;
    }

    // Years start in March here, so that the leap day is the last of a year of 400-year cycles.
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let cycle = shifted_year.div_euclid(400);
    let year_of_cycle = shifted_year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    Some(cycle * 146_097 + day_of_cycle - 719_468)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Why a stamp does not label a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StampProblem {
    /// A local time, and no zone is named.
    Naive,
    /// A local time that happens twice, and the rows around do not say which.
    Repeated,
    /// A local time that never happens, because clocks jump over it.
    Skipped,
    /// A time of day where a daily or weekly bar needs a date.
    NotADate,
    /// A date where an intraday bar needs a time of day.
    NoTimeOfDay,
    /// The day begins at a midnight of its zone and ends after the day in UTC that it would be
    /// stored as.
    EndsAfterUtcDay,
}

/// Where a stamp was read.
pub(super) struct Place {
    pub(super) file: String,
    /// Line of a text file, row of a Parquet file.
    pub(super) line: u64,
    /// The stamp in words.
    pub(super) text: String,
}

impl StampProblem {
    /// The error of a file that should hold bars of `timeframe`.
    pub(super) fn at(self, place: Place, timeframe: Timeframe) -> FileError {
        let Place { file, line, text } = place;

        // Two of these times are wrong only for their timeframe, which the error therefore names.
        match self {
            Self::Naive => FileError::Naive { file, line, text },
            Self::Repeated => FileError::Repeated { file, line, text },
            Self::Skipped => FileError::Skipped { file, line, text },
            Self::NotADate => FileError::Label {
                file,
                line,
                text,
                timeframe,
            },
            Self::NoTimeOfDay => FileError::NoTimeOfDay {
                file,
                line,
                text,
                timeframe,
            },
            Self::EndsAfterUtcDay => FileError::LateDay { file, line, text },
        }
    }
}

/// The date of a reading of a clock that is midnight, in days since 1970.
pub(super) fn day_at_midnight(micros: i64) -> Option<i64> {
    (micros.rem_euclid(DAY) == 0).then(|| micros.div_euclid(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_common_way_to_write_a_time_is_understood() {
        // 2020-01-02T14:30:00Z = 1 577 975 400 s
        for text in [
            "2020-01-02T14:30:00Z",
            "2020-01-02 09:30:00-05:00",
            "1577975400",
            "1577975400000",
            "1577975400000000",
            "1577975400000000000",
        ] {
            let stamp = Stamp::parse(text).unwrap();
            assert_eq!(stamp.kind, StampKind::Instant, "{text}");
            assert_eq!(stamp.micros, 1_577_975_400_000_000, "{text}");
        }

        let kind = |text| Stamp::parse(text).map(|stamp| stamp.kind);
        assert_eq!(kind("2020-01-02 09:30"), Some(StampKind::Local));
        assert_eq!(kind("2020-01-02"), Some(StampKind::Date));
        assert_eq!(kind("20200102"), Some(StampKind::Date));
        for text in ["", "yesterday", "02.01.2020", "2020-13-01", "12"] {
            assert_eq!(kind(text), None, "{text}");
        }
    }

    #[test]
    fn days_are_counted_through_leap_years() {
        // 1970-01-01 is day 0; 2000-03-01 is 30 years of 365 days, 7 leap days, 59 days and one.
        assert_eq!(days_of(1970, 1, 1), Some(0));
        assert_eq!(days_of(2000, 3, 1), Some(30 * 365 + 7 + 60));
        assert_eq!(days_of(1969, 12, 31), Some(-1));
        assert_eq!(days_of(1900, 2, 29), None);
        assert_eq!(days_of(2000, 2, 29), Some(30 * 365 + 7 + 59));
    }

    #[test]
    fn a_date_among_times_is_its_midnight() {
        let mut stamps = Stamps::default();
        assert!(stamps.push(Stamp::date(1)));
        assert!(stamps.push(Stamp::local(DAY + 60_000_000)));
        assert_eq!(stamps.kind(), StampKind::Local);
        assert_eq!(stamps.dates_among_times, 1);
        assert!(!stamps.push(Stamp::instant(0)));
    }
}
