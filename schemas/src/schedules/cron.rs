//! Times of day on days, in the five fields that `cron` has: minute, hour, day of the month, month,
//! weekday.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

/// Days that are looked through for the next instant: February 29 returns after eight years at
/// the latest.
const DAYS_MAX: usize = 8 * 366 + 2;

/// One of the five fields: what it is called, and which values it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// What an error calls it.
    pub(super) name: &'static str,
    pub(super) min: u8,
    pub(super) max: u8,
    /// Words for the values from `min` on.
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const MINUTE: Field = field("minute", 0, 59, &[]);
const HOUR: Field = field("hour", 0, 23, &[]);
const DAY: Field = field("day of the month", 1, 31, &[]);
const MONTH: Field = field("month", 1, 12, MONTHS);
/// Sunday is 0, and 7 as well.
const WEEKDAY: Field = field("weekday", 0, 7, WEEKDAYS);

const fn field(name: &'static str, min: u8, max: u8, names: &'static [&'static str]) -> Field {
    Field {
        name,
        min,
        max,
        names,
    }
}

/// Minutes, hours and days at which something is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cron {
    text: String,
    pub(super) minutes: Values,
    pub(super) hours: Values,
    pub(super) days: Values,
    pub(super) months: Values,
    pub(super) weekdays: Values,
}

/// The values that one field allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Values {
    bits: u64,
    /// The field begins with `*`: of two fields that name days, it leaves the choice to the other.
    pub(super) is_open: bool,
}

impl Values {
    pub(super) const fn has(self, value: u8) -> bool {
        self.bits >> value & 1 == 1
    }

    /// The values in ascending order.
    pub(super) fn list(self) -> impl Iterator<Item = u8> {
        (0..64).filter(move |value| self.has(*value))
    }
}

/// Why a text is not a schedule in the fields of `cron`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// There are more or fewer than five fields.
    #[error(
        "`{text}` has {count} fields: expected five, which are minute, hour, day of the month, \
         month and weekday"
    )]
    Count {
        /// The whole text.
        text: String,
        /// Fields in it.
        count: usize,
    },
    /// A part of a field is not one of its values.
    #[error(
        "`{part}` is not valid as {field}: expected {min} to {max}{names}, as in `*`, \
         `{min}-{max}`, `{min},{max}` or `*/2`",
        names = names_of(names)
    )]
    Value {
        /// The field it is in.
        field: &'static str,
        /// The part that cannot be read.
        part: String,
        /// Least value of the field.
        min: u8,
        /// Greatest value of the field.
        max: u8,
        /// Words for the values.
        names: &'static [&'static str],
    },
    /// No date fits.
    #[error("`{0}` is never due: no month of it has such a day")]
    Never(String),
}

fn names_of(names: &[&str]) -> String {
    match (names.first(), names.last()) {
        (Some(first), Some(last)) => format!(" or {first} to {last}"),
        _ => String::new(),
    }
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(CronError::Count {
                text: text.to_owned(),
                count: fields.len(),
            });
        };

        let mut weekdays = parse_field(WEEKDAY, weekday)?;
        if weekdays.has(7) {
            weekdays.bits |= 1;
            weekdays.bits &= !(1 << 7);
        }
        let cron = Self {
            text: fields.join(" "),
            minutes: parse_field(MINUTE, minute)?,
            hours: parse_field(HOUR, hour)?,
            days: parse_field(DAY, day)?,
            months: parse_field(MONTH, month)?,
            weekdays,
        };

        let any_time = Timestamp::UNIX_EPOCH;
        match cron.next_after(any_time, &TimeZone::UTC, &|_| true) {
            Some(_) => Ok(cron),
            None => Err(CronError::Never(cron.text)),
        }
    }
}

impl TryFrom<String> for Cron {
    type Error = CronError;

    fn try_from(text: String) -> Result<Self, CronError> {
        text.parse()
    }
}

impl From<Cron> for String {
    fn from(cron: Cron) -> Self {
        cron.text
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Cron {
    /// The first instant after `after` that `is_wanted`; none within eight years.
    ///
    /// A time of day that a clock skips is due as much later; one that a clock repeats is due the
    /// first time only.
    pub fn next_after(
        &self,
        after: Timestamp,
        zone: &TimeZone,
        is_wanted: &dyn Fn(Timestamp) -> bool,
    ) -> Option<Timestamp> {
        let first = zone.to_datetime(after).date();
        let dates = first.series(1.day()).take(DAYS_MAX);

        dates
            .filter(|date| self.has_date(*date))
            .flat_map(|date| self.instants_on(date, zone))
            .find(|instant| *instant > after && is_wanted(*instant))
    }

    /// Where the day of the month and the weekday are both named, either of them is enough, as
    /// everywhere in `cron`.
    fn has_date(&self, date: Date) -> bool {
        let is_day = self.days.has(date.day().unsigned_abs());
        let weekday = date.weekday().to_sunday_zero_offset();
        let is_weekday = self.weekdays.has(weekday.unsigned_abs());

        let is_either_open = self.days.is_open || self.weekdays.is_open;
        let is_wanted_day = match is_either_open {
            true => is_day && is_weekday,
            false => is_day || is_weekday,
        };
        self.months.has(date.month().unsigned_abs()) && is_wanted_day
    }

    /// The instants on a date, in order: a clock that skips an hour can move one behind another.
    fn instants_on(&self, date: Date, zone: &TimeZone) -> Vec<Timestamp> {
        let mut instants = Vec::new();
        for hour in self.hours.list() {
            for minute in self.minutes.list() {
                let civil = date.at(hour.cast_signed(), minute.cast_signed(), 0, 0);
                instants.extend(zone.to_ambiguous_timestamp(civil).compatible().ok());
            }
        }

        instants.sort_unstable();
        instants
    }
}

/// Reads a list of ranges, each with or without a step.
fn parse_field(field: Field, text: &str) -> Result<Values, CronError> {
    let mut bits = 0;
    for part in text.split(',') {
        bits |= parse_part(field, part).ok_or_else(|| wrong_value(field, part))?;
    }

    Ok(Values {
        bits,
        is_open: text.starts_with('*'),
    })
}

fn wrong_value(field: Field, part: &str) -> CronError {
    CronError::Value {
        field: field.name,
        part: part.to_owned(),
        min: field.min,
        max: field.max,
        names: field.names,
    }
}

/// The bits of `*`, `5`, `1-5`, `*/2`, `1-5/2` or `5/2`, which runs to the end of the field.
fn parse_part(field: Field, part: &str) -> Option<u64> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step.parse::<u8>().ok().filter(|n| *n > 0)?)),
        None => (part, None),
    };

    let (first, last) = match (range, range.split_once('-')) {
        ("*", _) => (field.min, field.max),
        (_, Some((first, last))) => (parse_value(field, first)?, parse_value(field, last)?),
        (_, None) => {
            let first = parse_value(field, range)?;
            (first, if step.is_some() { field.max } else { first })
        }
    };
    if first > last {
        return None;
    }

    let values = (first..=last).step_by(usize::from(step.unwrap_or(1)));
    Some(values.fold(0, |bits, value| bits | 1 << value))
}

fn parse_value(field: Field, text: &str) -> Option<u8> {
    let word = text.to_ascii_lowercase();
    let named = (field.min..)
        .zip(field.names)
        .find(|entry| *entry.1 == word);
    let value = match named {
        Some((value, _)) => value,
        None => text.parse().ok()?,
    };

    (field.min..=field.max).contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The instants of a schedule that follow each other after `after`.
    fn instants(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let cron: Cron = cron.parse().unwrap();
        let zone = TimeZone::get(zone).unwrap();
        let next = |after: &Timestamp| cron.next_after(*after, &zone, &|_| true);
        let instants = std::iter::successors(next(&at(after)), next);
        instants.take(count).map(|each| each.to_string()).collect()
    }

    #[test]
    fn a_time_on_weekdays_leaves_out_the_weekend() {
        // 2026-03-06 is a Friday.
        assert_eq!(
            instants("0 22 * * 1-5", "UTC", "2026-03-06T21:00:00Z", 3),
            [
                "2026-03-06T22:00:00Z",
                "2026-03-09T22:00:00Z",
                "2026-03-10T22:00:00Z"
            ]
        );

        let sundays = ["2026-03-08T22:00:00Z"];
        for weekday in ["0", "7", "sun", "Sun"] {
            let cron = format!("0 22 * * {weekday}");
            assert_eq!(instants(&cron, "UTC", "2026-03-06T21:00:00Z", 1), sundays);
        }
    }

    #[test]
    fn an_instant_is_not_its_own_next() {
        assert_eq!(
            instants("30 8,20 * * *", "UTC", "2026-03-06T08:30:00Z", 2),
            ["2026-03-06T20:30:00Z", "2026-03-07T08:30:00Z"]
        );
    }

    #[test]
    fn a_day_of_the_month_or_a_weekday_is_enough() {
        // The 15th of March 2026 is a Sunday, the Fridays before it are the 6th and the 13th.
        assert_eq!(
            instants("0 0 15 * fri", "UTC", "2026-03-06T00:00:00Z", 3),
            [
                "2026-03-13T00:00:00Z",
                "2026-03-15T00:00:00Z",
                "2026-03-20T00:00:00Z"
            ]
        );
    }

    #[test]
    fn steps_and_ranges_name_what_is_between() {
        assert_eq!(
            instants("*/20 9-10 * * *", "UTC", "2026-03-06T09:15:00Z", 4),
            [
                "2026-03-06T09:20:00Z",
                "2026-03-06T09:40:00Z",
                "2026-03-06T10:00:00Z",
                "2026-03-06T10:20:00Z"
            ]
        );

        assert_eq!(
            instants("0 0 29 feb *", "UTC", "2024-03-01T00:00:00Z", 1),
            ["2028-02-29T00:00:00Z"]
        );
    }

    #[test]
    fn a_time_that_the_clock_skips_or_repeats_is_due_once() {
        // New York skips 02:00 to 03:00 on 2026-03-08, and repeats 01:00 to 02:00 on 2026-11-01.
        assert_eq!(
            instants("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2),
            ["2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"]
        );
        assert_eq!(
            instants("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2),
            ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]
        );
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        let fault = |text: &str| text.parse::<Cron>().unwrap_err().to_string();

        assert_eq!(
            fault("0 25 * * *"),
            "`25` is not valid as hour: expected 0 to 23, as in `*`, `0-23`, `0,23` or `*/2`"
        );
        assert_eq!(
            fault("0 22 * * monday"),
            "`monday` is not valid as weekday: expected 0 to 7 or sun to sat, as in `*`, `0-7`, \
             `0,7` or `*/2`"
        );
        assert_eq!(
            fault("0 0 22 * * 1-5"),
            "`0 0 22 * * 1-5` has 6 fields: expected five, which are minute, hour, day of the \
             month, month and weekday"
        );
        assert_eq!(
            fault("0 0 30 2 *"),
            "`0 0 30 2 *` is never due: no month of it has such a day"
        );
        for text in [
            "5-1 * * * *",
            "*/0 * * * *",
            "1- * * * *",
            ", * * * *",
            "-1 * * * *",
        ] {
            assert!(fault(text).contains("is not valid as minute"), "{text}");
        }
    }
}
