//! An instant: microseconds since the Unix epoch, UTC.
//!
//! The only time type inside the system. Civil time and zones exist in calendars and in display
//! code.

use std::fmt;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Microseconds in 24 hours.
pub(crate) const DAY_MICROS: i64 = 86_400_000_000;
/// Monday 1969-12-29, the Monday on or before the epoch, in microseconds.
pub(crate) const EPOCH_MONDAY: i64 = -3 * DAY_MICROS;
/// The date whose midnight is zero.
const EPOCH_DATE: Date = Date::constant(1970, 1, 1);
/// First date of every grid: daily prices of exchanges reach back into the nineteenth century.
pub(crate) const FIRST_DATE: Date = Date::constant(1850, 1, 1);
/// First date that no calendar knows any more; bounds every grid.
pub(crate) const LAST_DATE: Date = Date::constant(2100, 1, 1);

/// Microseconds since 1970-01-01T00:00:00Z. Serialised as that integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[repr(transparent)]
pub struct Utc(pub i64);

impl Utc {
    /// The instant of a [`Timestamp`], truncated to the microsecond.
    pub fn from_timestamp(timestamp: Timestamp) -> Self {
        Self(timestamp.as_microsecond())
    }

    /// The same instant as a [`Timestamp`]; instants outside jiff's range (years −9999 to 9999) are
    /// clamped to it.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_microsecond(self.0).unwrap_or(if self.0 < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
    }

    /// 00:00 UTC of a date.
    pub fn midnight(date: Date) -> Self {
        Self(i64::try_from(date.duration_since(EPOCH_DATE).as_micros()).unwrap_or(i64::MAX))
    }

    /// The UTC date of this instant, within jiff's range.
    pub fn date(self) -> Date {
        EPOCH_DATE.saturating_add(SignedDuration::from_micros(
            self.0.div_euclid(DAY_MICROS).saturating_mul(DAY_MICROS),
        ))
    }

    /// This instant moved by `microseconds`, saturating.
    pub const fn plus_micros(self, microseconds: i64) -> Self {
        Self(self.0.saturating_add(microseconds))
    }
}

impl fmt::Display for Utc {
    /// RFC 3339 with `Z`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.timestamp())
    }
}

/// How many instants of an ascending column, from position `from` on, are passed: those up to the
/// first one for which `is_passed` does not hold. They are usually few, so the search begins near.
pub(crate) fn count_passed(column: &[Utc], from: usize, is_passed: impl Fn(Utc) -> bool) -> usize {
    let rest = column.get(from..).unwrap_or_default();
    let mut reach = 1;
    while rest.get(reach).is_some_and(|instant| is_passed(*instant)) {
        reach *= 2;
    }

    let near = rest.get(..=reach).unwrap_or(rest);
    near.partition_point(|instant| is_passed(*instant))
}
