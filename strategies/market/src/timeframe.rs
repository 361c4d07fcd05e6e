//! The length of a bar: any whole number of minutes, hours, days or weeks, or a calendar month.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::{DAY_MICROS, EPOCH_MONDAY, Utc};

/// Microseconds of a minute.
const MINUTE_MICROS: i64 = 60_000_000;
/// Mean length of a month of the Gregorian calendar: 30.436875 days.
const MONTH_MICROS: i64 = 2_629_746_000_000;
/// Minutes of the longest intraday timeframe, `24h`.
const MINUTES_MAX: u16 = 1_440;
/// Days of the longest timeframe in days.
const DAYS_MAX: u16 = 365;
/// Weeks of the longest timeframe in weeks.
const WEEKS_MAX: u16 = 52;

/// What the length of a bar is counted in. Hours are minutes: `60m` is `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeframeUnit {
    /// Minutes on the clock, from 1 to 1 440; such a bar never leaves its session.
    Minute,
    /// Trading dates or UTC dates, from 1 to 365.
    Day,
    /// Weeks that begin on Monday, from 1 to 52.
    Week,
    /// A calendar month.
    Month,
}

/// The length of a bar, such as `1m`, `90m`, `4h`, `1d`, `2w` or `1mo`.
///
/// Ordered from the shortest to the longest; of equal lengths the one in the smaller unit comes
/// first, so that `24h` < `1d` and `7d` < `1w`: they are different timeframes. Displayed and
/// serialised in one canonical form, read in every form that `from_str` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Timeframe {
    unit: TimeframeUnit,
    count: u16,
}

impl Timeframe {
    /// One minute per bar.
    pub const MINUTE_1: Self = Self::of(TimeframeUnit::Minute, 1);
    /// Five minutes per bar.
    pub const MINUTE_5: Self = Self::of(TimeframeUnit::Minute, 5);
    /// Fifteen minutes per bar.
    pub const MINUTE_15: Self = Self::of(TimeframeUnit::Minute, 15);
    /// Thirty minutes per bar.
    pub const MINUTE_30: Self = Self::of(TimeframeUnit::Minute, 30);
    /// One hour per bar.
    pub const HOUR_1: Self = Self::of(TimeframeUnit::Minute, 60);
    /// Four hours per bar.
    pub const HOUR_4: Self = Self::of(TimeframeUnit::Minute, 240);
    /// One trading date, or one UTC date.
    pub const DAY_1: Self = Self::of(TimeframeUnit::Day, 1);
    /// One week, from Monday on.
    pub const WEEK_1: Self = Self::of(TimeframeUnit::Week, 1);
    /// One calendar month.
    pub const MONTH_1: Self = Self::of(TimeframeUnit::Month, 1);

    /// The timeframes that most providers have, shortest first.
    pub const COMMON: [Self; 8] = [
        Self::MINUTE_1,
        Self::MINUTE_5,
        Self::MINUTE_15,
        Self::MINUTE_30,
        Self::HOUR_1,
        Self::HOUR_4,
        Self::DAY_1,
        Self::WEEK_1,
    ];

    const fn of(unit: TimeframeUnit, count: u16) -> Self {
        Self { unit, count }
    }

    /// `count` units per bar, if that is within the bounds of the unit.
    pub fn new(unit: TimeframeUnit, count: u16) -> Option<Self> {
        (1..=count_max(unit))
            .contains(&count)
            .then_some(Self::of(unit, count))
    }

    /// The timeframe whose bars lie this many microseconds apart while their market trades: 28 to
    /// 31 days are a month, multiples of a week weeks, multiples of a day days. `None` for parts of
    /// a minute and beyond the bounds.
    pub fn of_spacing(micros: i64) -> Option<Self> {
        if let Some(28..=31) = whole_units(micros, DAY_MICROS) {
            return Some(Self::MONTH_1);
        }
        if let Some(weeks) = whole_units(micros, 7 * DAY_MICROS) {
            return Self::new(TimeframeUnit::Week, weeks);
        }
        if let Some(days) = whole_units(micros, DAY_MICROS) {
            return Self::new(TimeframeUnit::Day, days);
        }
        Self::new(TimeframeUnit::Minute, whole_units(micros, MINUTE_MICROS)?)
    }

    /// What its length is counted in.
    pub const fn unit(self) -> TimeframeUnit {
        self.unit
    }

    /// How many units a bar has, at least 1.
    pub const fn count(self) -> u16 {
        self.count
    }

    /// Nominal length in whole minutes; a day counts 1 440, a week 10 080 and a month 43 829,
    /// whatever the session.
    pub const fn minutes(self) -> i64 {
        self.micros() / MINUTE_MICROS
    }

    /// Nominal length in microseconds: that of a month is the mean of the calendar, so that no bar
    /// ends there. [`nominal_end`](Self::nominal_end) says where one ends.
    pub const fn micros(self) -> i64 {
        let unit_micros = match self.unit {
            TimeframeUnit::Minute => MINUTE_MICROS,
            TimeframeUnit::Day => DAY_MICROS,
            TimeframeUnit::Week => 7 * DAY_MICROS,
            TimeframeUnit::Month => MONTH_MICROS,
        };
        unit_micros * self.count as i64
    }

    /// Microseconds of its longest bar: a month of 31 days; else as [`micros`](Self::micros).
    pub const fn micros_max(self) -> i64 {
        match self.unit {
            TimeframeUnit::Month => 31 * DAY_MICROS * self.count as i64,
            _ => self.micros(),
        }
    }

    /// Where a bar labelled `open` ends on a clock that knows no sessions: its length later, a
    /// month at the first of the next month in UTC.
    pub fn nominal_end(self, open: Utc) -> Utc {
        match self.unit {
            TimeframeUnit::Month => {
                let next_month = open.date().last_of_month().tomorrow();
                next_month.map_or(Utc(i64::MAX), Utc::midnight)
            }
            _ => open.plus_micros(self.micros()),
        }
    }

    /// The label of the bar of days, weeks or a month that begins around `day`, a midnight UTC:
    /// that day, the Monday of its week or the first of its month. Saturday and Sunday belong to
    /// the week after them: where weeks do not begin on Monday, they begin there, and to take such
    /// a bar for that of the week before would show it before it is over.
    pub fn label_of_first_day(self, day: Utc) -> Utc {
        let weekend = 2 * DAY_MICROS;
        match self.unit {
            TimeframeUnit::Week => monday_of(day.plus_micros(weekend)),
            TimeframeUnit::Month => Utc::midnight(day.date().first_of_month()),
            TimeframeUnit::Day | TimeframeUnit::Minute => day,
        }
    }

    /// The label of the bar of days, weeks or a month whose last day is `day`, a midnight UTC.
    pub fn label_of_last_day(self, day: Utc) -> Utc {
        let units_before = i64::from(self.count) - 1;
        match self.unit {
            TimeframeUnit::Week => monday_of(day).plus_micros(-7 * DAY_MICROS * units_before),
            TimeframeUnit::Month => Utc::midnight(day.date().first_of_month()),
            TimeframeUnit::Day | TimeframeUnit::Minute => {
                day.plus_micros(-DAY_MICROS * units_before)
            }
        }
    }

    /// True for minutes and hours: such a bar ends within its session.
    pub const fn is_intraday(self) -> bool {
        matches!(self.unit, TimeframeUnit::Minute)
    }
}

/// How many units a length has, if that is a whole number above 0.
fn whole_units(micros: i64, unit_micros: i64) -> Option<u16> {
    let is_whole = micros > 0 && micros % unit_micros == 0;
    let units = is_whole.then_some(micros / unit_micros)?;
    u16::try_from(units).ok()
}

/// Midnight UTC of the last Monday at or before an instant.
fn monday_of(instant: Utc) -> Utc {
    Utc(instant.0 - (instant.0 - EPOCH_MONDAY).rem_euclid(7 * DAY_MICROS))
}

/// The largest count of a unit.
const fn count_max(unit: TimeframeUnit) -> u16 {
    match unit {
        TimeframeUnit::Minute => MINUTES_MAX,
        TimeframeUnit::Day => DAYS_MAX,
        TimeframeUnit::Week => WEEKS_MAX,
        TimeframeUnit::Month => 1,
    }
}

impl Ord for Timeframe {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_length = self.micros().cmp(&other.micros());
        by_length.then(self.unit.cmp(&other.unit))
    }
}

impl PartialOrd for Timeframe {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Timeframe {
    /// The canonical form: whole hours as hours, everything else in its own unit.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count;
        let text = match self.unit {
            TimeframeUnit::Minute if count.is_multiple_of(60) => format!("{}h", count / 60),
            TimeframeUnit::Minute => format!("{count}m"),
            TimeframeUnit::Day => format!("{count}d"),
            TimeframeUnit::Week => format!("{count}w"),
            TimeframeUnit::Month => format!("{count}mo"),
        };
        formatter.pad(&text)
    }
}

impl From<Timeframe> for String {
    fn from(timeframe: Timeframe) -> Self {
        timeframe.to_string()
    }
}
