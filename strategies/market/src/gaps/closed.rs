//! Closed time: the stretches between sessions, and which part of the calendar closes them.

use std::ops::Range;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time};
use schemas::gaps::GapClass;

use super::Stretch;
use crate::calendar::{Calendar, CalendarException, ExceptionKind, TradingSession};
use crate::time::{DAY_MICROS, Utc};
use crate::timeframe::Timeframe;

/// The closed time of a range, in order, cut to the range. Below 1d every stretch between two
/// sessions; of days those that hold a whole date; of longer bars none, because each of them spans
/// closed time.
pub(super) fn closed_stretches(
    calendar: &Calendar,
    timeframe: Timeframe,
    sessions: &[TradingSession],
    range: &Range<Utc>,
) -> Vec<Stretch> {
    if timeframe.micros() > DAY_MICROS {
        return Vec::new();
    }

    let next_sessions = sessions.iter().skip(1);
    let stretches = sessions.iter().zip(next_sessions);
    let stretches = stretches
        .map(|(session, next)| session.close..next.open)
        .filter(|closed| closed.start < closed.end)
        .filter(|closed| closed.start < range.end && range.start < closed.end);

    let mut closed_time = Vec::new();
    for closed in stretches {
        let local = calendar.local(closed.start)..calendar.local(closed.end);
        let is_shown = timeframe.is_intraday() || !whole_dates(&local).is_empty();
        if is_shown {
            // The class is that of the whole closed time, however little of it lies in the range.
            closed_time.push(Stretch {
                class: class_of(calendar, &local),
                start: closed.start.max(range.start),
                end: closed.end.min(range.end),
                bars: 0,
            });
        }
    }
    closed_time
}

/// The class of closed time, in the local time of the calendar.
fn class_of(calendar: &Calendar, local: &Range<DateTime>) -> GapClass {
    let dates = whole_dates(local);
    let is_weekend = !dates.is_empty() && !dates.iter().any(|date| calendar.trades_weekly(*date));

    if is_weekend {
        GapClass::ExpectedWeekend
    } else if closures(calendar, local).next().is_some() {
        GapClass::ExpectedHoliday
    } else {
        GapClass::ExpectedTradingHours
    }
}

/// The dated exceptions that close a part of a stretch of local time, in order of date.
pub(super) fn closures<'c>(
    calendar: &'c Calendar,
    local: &Range<DateTime>,
) -> impl Iterator<Item = &'c CalendarException> {
    let end_date = local.end.date().saturating_add(1.day());
    let exceptions = calendar.exceptions(local.start.date()..end_date).iter();

    let local = local.clone();
    exceptions.filter(move |exception| closes_part_of(calendar, exception, &local))
}

/// True if an exception closes a part of a stretch in which nothing trades.
fn closes_part_of(
    calendar: &Calendar,
    exception: &CalendarException,
    local: &Range<DateTime>,
) -> bool {
    let date = exception.date;
    let midnight = date.to_datetime(Time::midnight());
    let next_midnight = date.saturating_add(1.day()).to_datetime(Time::midnight());

    match exception.kind {
        ExceptionKind::Closed => overlaps(&(midnight..next_midnight), local),
        ExceptionKind::ClosesAt(time) => overlaps(&(date.to_datetime(time)..next_midnight), local),
        ExceptionKind::OpensAt(time) => overlaps(&(midnight..date.to_datetime(time)), local),
        // Hours of its own close what the week would trade and this date does not.
        ExceptionKind::Hours => calendar
            .weekly_hours(date)
            .any(|hours| overlaps(&hours, local)),
    }
}

fn overlaps(one: &Range<DateTime>, other: &Range<DateTime>) -> bool {
    one.start < other.end && other.start < one.end
}

/// The dates of which the whole local day lies in the stretch.
pub(super) fn whole_dates(local: &Range<DateTime>) -> Vec<Date> {
    let begins_at_midnight = local.start.time() == Time::midnight();
    let first = if begins_at_midnight {
        local.start.date()
    } else {
        local.start.date().saturating_add(1.day())
    };

    // The date on which the stretch ends is never closed as a whole.
    let dates = first.series(1.day());
    dates.take_while(|date| *date < local.end.date()).collect()
}
