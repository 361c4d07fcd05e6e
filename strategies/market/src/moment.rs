//! A date or an instant as people write it on a command line or in a strategy file.
//!
//! One rule for both places: a time of day is never dropped, and without a zone it is UTC.

use jiff::civil::{Date, Time};
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::time::Utc;

/// The two things that a text may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A whole day of UTC.
    Date(Date),
    /// One point of time.
    Instant(Utc),
}

impl Moment {
    /// What may be written, for error messages.
    pub const FORM: &'static str = "a date (2024-01-31) or an instant (2024-01-31T14:30:00Z; UTC \
                                    if it names no zone)";

    /// Reads `2024-01-31`, `2024-01-31 14:30`, `2024-01-31T14:30:00Z`, an offset instead of `Z`, or
    /// the name of a zone in brackets after it. `None` for anything else, and for years before 1,
    /// the first of which have no instant.
    pub fn parse(text: &str) -> Option<Self> {
        Self::read(text.trim()).filter(|moment| moment.start().date().year() > 0)
    }

    fn read(text: &str) -> Option<Self> {
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Some(Self::Instant(Utc::from_timestamp(instant)));
        }
        if let Ok(zoned) = text.parse::<Zoned>() {
            return Some(Self::Instant(Utc::from_timestamp(zoned.timestamp())));
        }

        // An offset or a zone that could not be applied above must not be left out here.
        let pieces = Pieces::parse(text).ok()?;
        if pieces.offset().is_some() || pieces.time_zone_annotation().is_some() {
            return None;
        }
        match pieces.time() {
            Some(time) => utc_of(pieces.date(), time).map(Self::Instant),
            None => Some(Self::Date(pieces.date())),
        }
    }

    /// As an inclusive start: the midnight UTC at which a date begins, or the instant itself.
    pub fn start(self) -> Utc {
        match self {
            Self::Date(date) => Utc::midnight(date),
            Self::Instant(instant) => instant,
        }
    }

    /// As an exclusive end: the midnight UTC after a date, because people mean a last date to be
    /// included, or the instant itself.
    pub fn end(self) -> Utc {
        match self {
            Self::Date(date) => Utc::midnight(date.saturating_add(1.day())),
            Self::Instant(instant) => instant,
        }
    }
}

fn utc_of(date: Date, time: Time) -> Option<Utc> {
    let zoned = date.to_datetime(time).to_zoned(TimeZone::UTC).ok()?;
    Some(Utc::from_timestamp(zoned.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Start and exclusive end of a text.
    fn range_of(text: &str) -> Option<(String, String)> {
        let moment = Moment::parse(text)?;
        Some((moment.start().to_string(), moment.end().to_string()))
    }

    fn both(time: &str) -> Option<(String, String)> {
        Some((time.to_owned(), time.to_owned()))
    }

    #[test]
    fn a_time_without_a_zone_is_utc_and_keeps_its_time_of_day() {
        let expected = both("2024-05-04T02:00:00Z");

        for text in [
            "2024-05-04 02:00",
            "2024-05-04T02:00",
            "2024-05-04 02:00:00",
            " 2024-05-04T02:00:00Z ",
            "2024-05-04 04:00:00+02:00",
            "2024-05-03T22:00:00[America/New_York]",
        ] {
            assert_eq!(range_of(text), expected, "{text}");
        }
    }

    #[test]
    fn a_time_of_midnight_is_no_whole_day() {
        assert_eq!(range_of("2024-05-04 00:00"), both("2024-05-04T00:00:00Z"));
    }

    #[test]
    fn a_date_is_a_whole_day_of_utc() {
        let day = (
            "2024-02-28T00:00:00Z".to_owned(),
            "2024-02-29T00:00:00Z".to_owned(),
        );

        assert_eq!(range_of("2024-02-28"), Some(day));
    }

    #[test]
    fn what_is_neither_a_date_nor_an_instant_is_refused() {
        for text in [
            "",
            "soon",
            "31.1.2024",
            "2024-02-30",
            "2024-05-04 25:00",
            "2024-05-04 02:00 MEZ",
            "2024-05-04T02:00[Europe/Atlantis]",
            "-009999-01-01",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }
}
