//! How much one request may ask for, and how that is written.
//!
//! A duration counts back from its end: `S` in seconds, `D` in trading days with the one that holds
//! the end, `Y` in calendar years. Hours are refused (error 321). A duration that is rounded down
//! loses the oldest bars without an error, so each one is rounded up and the answer is cut.

use std::fmt;
use std::ops::Range;

use market::{Timeframe, TimeframeUnit, Utc};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// What one request may cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestSpan {
    /// Days that are asked for.
    pub days: i64,
    /// Days that are asked for where the provider refuses those, or trades around the clock.
    pub fallback_days: i64,
}

impl RequestSpan {
    /// The span for bars of a length; absent where the provider has no such bars.
    pub const fn of(timeframe: Timeframe) -> Option<Self> {
        use TimeframeUnit::{Day, Minute, Month, Week};

        let days = match (timeframe.unit(), timeframe.count()) {
            (Minute, 1) => (1, 1),
            (Minute, 2) => (2, 2),
            (Minute, 3) => (3, 3),
            (Minute, 5) => (7, 6),
            (Minute, 10) => (7, 7),
            (Minute, 15 | 20) => (14, 7),
            (Minute, 30 | 60) => (30, 30),
            (Minute, 120) => (60, 30),
            (Minute, 180) => (90, 30),
            (Minute, 240) => (120, 30),
            (Minute, 480) => (240, 30),
            (Day, 1) => (365, 365),
            (Week, 1) => (730, 365),
            (Month, 1) => (3650, 365),
            _ => return None,
        };
        Some(Self {
            days: days.0,
            fallback_days: days.1,
        })
    }

    /// Microseconds of a whole request.
    pub const fn micros(self) -> i64 {
        self.days * DAY
    }

    /// Microseconds of a request where a whole one is refused.
    pub const fn fallback_micros(self) -> i64 {
        self.fallback_days * DAY
    }
}

/// The timeframes that the provider has, shortest first.
pub fn timeframes() -> Vec<Timeframe> {
    const MINUTES: [u16; 12] = [1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 180, 240];
    let minutes = MINUTES.into_iter().chain([480]);
    let intraday = minutes.filter_map(|count| Timeframe::new(TimeframeUnit::Minute, count));
    intraday
        .chain([Timeframe::DAY_1, Timeframe::WEEK_1, Timeframe::MONTH_1])
        .collect()
}

/// The unit of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DurationUnit {
    /// Seconds, up to a day.
    Seconds,
    /// Trading days, up to 365.
    Days,
    /// Years of the calendar.
    Years,
}

/// How far a request reaches back from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryDuration {
    /// At least 1.
    pub count: i32,
    /// What is counted.
    pub unit: DurationUnit,
}

impl fmt::Display for HistoryDuration {
    /// As on the wire: `86400 S`, `31 D`, `2 Y`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            DurationUnit::Seconds => 'S',
            DurationUnit::Days => 'D',
            DurationUnit::Years => 'Y',
        };
        write!(formatter, "{} {unit}", self.count)
    }
}

/// One request: it ends at an instant and reaches back far enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryWindow {
    /// The end, exclusive.
    pub end: Utc,
    /// How far back.
    pub duration: HistoryDuration,
}

impl HistoryWindow {
    /// The request whose answer holds every bar with a label in `range`.
    ///
    /// A label of a day, a week or a month is the midnight of its first date; the bar ends later.
    /// The request reaches that much further, so that no answer ends within a bar, but
    /// never beyond now.
    pub fn covering(range: &Range<Utc>, timeframe: Timeframe, now: Utc) -> Self {
        let is_intraday = timeframe.unit() == TimeframeUnit::Minute;
        let beyond = if is_intraday {
            0
        } else {
            timeframe.micros_max()
        };
        let end = range.end.plus_micros(beyond).min(now);

        let micros = end.0.saturating_sub(range.start.0);
        Self {
            end,
            duration: duration_of(micros, is_intraday),
        }
    }
}

/// The shortest duration that covers a time whatever the hours of its market.
fn duration_of(micros: i64, is_intraday: bool) -> HistoryDuration {
    let whole = |unit: i64| i32::try_from((micros.max(1) + unit - 1) / unit).unwrap_or(i32::MAX);
    let days = whole(DAY);

    // A day that begins before the time does counts as well.
    if is_intraday && micros <= DAY {
        HistoryDuration {
            count: whole(SECOND),
            unit: DurationUnit::Seconds,
        }
    } else if days <= 364 {
        HistoryDuration {
            count: days + 1,
            unit: DurationUnit::Days,
        }
    } else {
        HistoryDuration {
            count: whole(365 * DAY),
            unit: DurationUnit::Years,
        }
    }
}

/// Cuts a range into pieces of at most `micros`, oldest first.
pub fn pieces(range: &Range<Utc>, micros: i64) -> Vec<Range<Utc>> {
    let mut pieces = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let end = start.plus_micros(micros.max(1)).min(range.end);
        pieces.push(start..end);
        start = end;
    }
    pieces
}
