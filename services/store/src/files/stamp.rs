//! The timestamps of other people's files: an instant, a local time, or a date.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use market::Utc;

use super::FileError;

/// What a cell says about time, no more and no less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// With zone or offset, or as Unix time.
    Instant(Utc),
    /// Without zone.
    Civil(DateTime),
    /// Without time of day.
    Date(Date),
}

/// Why a stamp is no instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoInstant {
    Naive,
    Ambiguous,
}

impl NoInstant {
    pub(super) fn at(self, (file, line, text): (String, u64, String)) -> FileError {
        match self {
            Self::Naive => FileError::Naive { file, line, text },
            Self::Ambiguous => FileError::Ambiguous { file, line, text },
        }
    }
}

impl Stamp {
    /// Reads RFC 3339, `2020-01-02 09:30`, `2020-01-02`, `20200102`, or Unix time in s, ms, µs or
    /// ns by its length.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok().and_then(Self::unix);
        }
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Some(Self::Instant(Utc::from_timestamp(instant)));
        }
        let civil = text.parse::<DateTime>().ok()?;
        Some(if text.len() <= 10 {
            Self::Date(civil.date())
        } else {
            Self::Civil(civil)
        })
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
    pub(super) fn instant(&self, zone: Option<&TimeZone>) -> Result<Utc, NoInstant> {
        let civil = match self {
            Self::Instant(instant) => return Ok(*instant),
            Self::Civil(civil) => *civil,
            Self::Date(date) => date.to_datetime(jiff::civil::Time::midnight()),
        };
        let local = zone.ok_or(NoInstant::Naive)?.to_ambiguous_timestamp(civil);
        local
            .unambiguous()
            .map(Utc::from_timestamp)
            .map_err(|_| NoInstant::Ambiguous)
    }

    /// 00:00 UTC of the date that the stamp names: a date, a local midnight, or an instant that is
    /// midnight in UTC or in `zone`.
    pub(super) fn midnight(&self, zone: Option<&TimeZone>) -> Option<Utc> {
        let whole =
            |civil: DateTime| (civil.time() == jiff::civil::Time::midnight()).then(|| civil.date());
        let date = match self {
            Self::Date(date) => *date,
            Self::Civil(civil) => whole(*civil)?,
            Self::Instant(instant) => {
                let there = |zone: &TimeZone| whole(zone.to_datetime(instant.timestamp()));
                zone.and_then(there).or_else(|| there(&TimeZone::UTC))?
            }
        };
        Some(Utc::midnight(date))
    }
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
        assert_eq!(stamp.instant(Some(&zone)), Err(NoInstant::Ambiguous));
        assert_eq!(stamp.instant(None), Err(NoInstant::Naive));
    }
}
