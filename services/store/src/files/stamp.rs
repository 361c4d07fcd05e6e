//! The timestamps of other people's files: an instant, a local time, or a date.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use market::{Timeframe, Utc};

use super::FileError;

/// A time exactly as a cell states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// With zone or offset, or as Unix time.
    Instant(Utc),
    /// A local time without a zone.
    Civil(DateTime),
    /// Without time of day.
    Date(Date),
}

/// Why a stamp does not label a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StampProblem {
    /// A local time, and no zone is named.
    Naive,
    /// A local time that happens twice or never, when clocks change.
    Ambiguous,
    /// A time of day where a daily or weekly bar needs a date.
    NotADate,
    /// The day begins at a midnight of its zone and ends after the day in UTC that it would be
    /// stored as.
    EndsAfterUtcDay,
}

/// Where a stamp was read.
pub(super) struct Place {
    pub(super) file: String,
    /// Line of a CSV file, row of a Parquet file.
    pub(super) line: u64,
    /// The stamp in words.
    pub(super) text: String,
}

impl Place {
    pub(super) fn of(file: &str, line: u64, stamp: &Stamp) -> Self {
        Self {
            file: file.to_owned(),
            line,
            text: stamp.to_string(),
        }
    }
}

impl StampProblem {
    /// The error of a file that should hold bars of `timeframe`.
    pub(super) fn at(self, place: Place, timeframe: Timeframe) -> FileError {
        let Place { file, line, text } = place;
        match self {
            Self::Naive => FileError::Naive { file, line, text },
            Self::Ambiguous => FileError::Ambiguous { file, line, text },
            Self::NotADate => FileError::Label {
                file,
                line,
                text,
                timeframe,
            },
            Self::EndsAfterUtcDay => FileError::LateDay { file, line, text },
        }
    }
}

impl Stamp {
    /// Reads RFC 3339, `2020-01-02 09:30`, `2020-01-02`, `20200102`, or Unix time in s, ms, µs or
    /// ns by its length.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();

        // Eight digits are a date, 20200102; Unix time has more.
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number && text.len() > 8 {
            return text.parse().ok().and_then(Self::unix);
        }
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Some(Self::Instant(Utc::from_timestamp(instant)));
        }

        // `2020-01-02` has ten characters; whatever is longer has a time of day.
        let civil = text.parse::<DateTime>().ok()?;
        if text.len() <= 10 {
            Some(Self::Date(civil.date()))
        } else {
            Some(Self::Civil(civil))
        }
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
        Some(Self::Instant(Utc(micros)))
    }

    /// The instant; a local time needs a zone in which it happens exactly once.
    pub(super) fn instant(&self, zone: Option<&TimeZone>) -> Result<Utc, StampProblem> {
        let civil = match self {
            Self::Instant(instant) => return Ok(*instant),
            Self::Civil(civil) => *civil,
            Self::Date(date) => date.to_datetime(Time::midnight()),
        };
        let local = zone
            .ok_or(StampProblem::Naive)?
            .to_ambiguous_timestamp(civil);
        local
            .unambiguous()
            .map(Utc::from_timestamp)
            .map_err(|_| StampProblem::Ambiguous)
    }

    /// 00:00 UTC of the date that the stamp names: a date, a local midnight, or an instant that is
    /// midnight in UTC or in `zone`.
    pub(super) fn midnight(&self, zone: Option<&TimeZone>) -> Option<Utc> {
        let date = match self {
            Self::Date(date) => *date,
            Self::Civil(civil) => date_at_midnight(*civil)?,

            // Midnight where the instrument trades, or else in UTC: programs write both.
            Self::Instant(instant) => {
                let local_date =
                    |zone: &TimeZone| date_at_midnight(zone.to_datetime(instant.timestamp()));
                zone.and_then(local_date)
                    .or_else(|| local_date(&TimeZone::UTC))?
            }
        };
        Some(Utc::midnight(date))
    }
}

/// When the local day ends whose date is that of `midnight`, which is 00:00 UTC.
pub(super) fn local_day_end(midnight: Utc, zone: &TimeZone) -> Option<Utc> {
    let next_date = midnight.date().tomorrow().ok()?;
    let end = zone.to_timestamp(next_date.to_datetime(Time::midnight()));
    end.ok().map(Utc::from_timestamp)
}

/// The date of a local time that is midnight, `None` for any other.
fn date_at_midnight(civil: DateTime) -> Option<Date> {
    (civil.time() == Time::midnight()).then(|| civil.date())
}

impl fmt::Display for Stamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instant(instant) => instant.fmt(formatter),
            Self::Civil(civil) => civil.fmt(formatter),
            Self::Date(date) => date.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_common_way_to_write_a_time_is_understood() {
        // 2020-01-02T14:30:00Z = 1 577 975 400 s
        let instant = Some(Stamp::Instant(Utc(1_577_975_400_000_000)));
        for text in [
            "2020-01-02T14:30:00Z",
            "2020-01-02 09:30:00-05:00",
            "1577975400",
            "1577975400000",
            "1577975400000000",
            "1577975400000000000",
        ] {
            assert_eq!(Stamp::parse(text), instant, "{text}");
        }

        assert!(matches!(
            Stamp::parse("2020-01-02 09:30"),
            Some(Stamp::Civil(_))
        ));
        assert!(matches!(Stamp::parse("2020-01-02"), Some(Stamp::Date(_))));
        assert!(matches!(Stamp::parse("20200102"), Some(Stamp::Date(_))));

        for text in ["", "yesterday", "02.01.2020", "2020-13-01", "12"] {
            assert_eq!(Stamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_local_time_that_happens_twice_is_no_instant() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let stamp = Stamp::parse("2020-11-01 01:30:00").unwrap();
        assert_eq!(stamp.instant(Some(&zone)), Err(StampProblem::Ambiguous));
        assert_eq!(stamp.instant(None), Err(StampProblem::Naive));
    }
}
