//! Why a stretch has no bars, in plain words, with the dates and hours of the exchange.

use std::ops::Range;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};
use schemas::gaps::GapClass;

use super::Stretch;
use super::closed::{closures, whole_dates};
use crate::calendar::{Calendar, CalendarException, ExceptionKind};
use crate::series::{DayBoundary, SeriesKey};
use crate::time::Utc;

/// Dates and closures named in a sentence, at most.
const NAMED_MAX: usize = 4;

/// Where a gap lies in relation to the stored bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapPlace {
    /// No bar is stored.
    NothingStored,
    /// Before the first stored bar.
    BeforeFirst,
    /// Between two stored bars.
    Between,
    /// After the last stored bar.
    AfterLast,
}

impl GapPlace {
    /// The place of a stretch among stored labels, which ascend.
    pub fn of(stretch: &Stretch, stored: &[Utc]) -> Self {
        let Some(first) = stored.first() else {
            return Self::NothingStored;
        };
        let Some(last) = stored.last() else {
            return Self::NothingStored;
        };

        if stretch.start < *first {
            Self::BeforeFirst
        } else if stretch.start > *last {
            Self::AfterLast
        } else {
            Self::Between
        }
    }
}

/// One sentence, without a full stop, that says why there are no bars in `stretch`.
pub fn explain_gap(
    stretch: &Stretch,
    key: &SeriesKey,
    calendar: &Calendar,
    place: GapPlace,
) -> String {
    let local = calendar.local(stretch.start)..calendar.local(stretch.end);
    let reason = match stretch.class {
        GapClass::ExpectedWeekend => explain_weekend(&local),
        GapClass::ExpectedHoliday => explain_holiday(&local, calendar),
        GapClass::ExpectedTradingHours => {
            format!("outside of trading hours: {}", hours_of(&local, calendar))
        }
        GapClass::BeforeHistory => "before the first bar that the provider has".to_owned(),
        GapClass::ProviderEmpty => format!(
            "the provider was asked for {} and had no bar",
            span_of(stretch, key, calendar)
        ),
        GapClass::UnlistedClosure => explain_sessions(stretch, key, calendar, place),
        GapClass::MissingData => {
            let span = span_of(stretch, key, calendar);
            format!("{}: {span}", place_words(place, "within trading hours"))
        }
    };

    // Without its holidays, a calendar cannot tell a closed day from a lost one.
    let is_judged = !stretch.class.is_fetched()
        || calendar.covers(local.start.date()) && calendar.covers(local.end.date());
    if is_judged {
        reason
    } else {
        let name = calendar.name();
        format!("{reason}; the calendar {name} does not know the holidays of this time")
    }
}

fn explain_weekend(local: &Range<DateTime>) -> String {
    let dates = whole_dates(local);
    if dates.is_empty() {
        "weekend".to_owned()
    } else {
        format!("weekend: no trading on {}", list_dates(&dates))
    }
}

fn explain_holiday(local: &Range<DateTime>, calendar: &Calendar) -> String {
    let closures: Vec<String> = closures(calendar, local)
        .map(|closure| describe_closure(closure, calendar))
        .collect();
    let name = calendar.name();
    format!("{} in the calendar {name}", list_names(&closures))
}

/// `holiday on Wed 2019-12-25 (Christmas)`, `early close on Tue 2019-12-24 at 13:00`.
fn describe_closure(closure: &CalendarException, calendar: &Calendar) -> String {
    let date = name_date(closure.date);
    let text = match closure.kind {
        ExceptionKind::Closed => format!("holiday on {date}"),
        ExceptionKind::ClosesAt(time) => {
            format!("early close on {date} at {}", time.strftime("%H:%M"))
        }
        ExceptionKind::OpensAt(time) => {
            format!("late open on {date} at {}", time.strftime("%H:%M"))
        }
        ExceptionKind::Hours => {
            let hours = hours_on(closure.date, calendar);
            format!("only {hours} on {date}")
        }
    };

    // A calendar may list its holidays as bare dates.
    match closure.name.as_str() {
        "" => text,
        name => format!("{text} ({name})"),
    }
}

/// The local hours of a trading date, as in `09:30 to 13:00`.
fn hours_on(date: Date, calendar: &Calendar) -> String {
    let time_of = |instant: Utc| calendar.local(instant).strftime("%H:%M").to_string();
    let sessions = calendar.sessions(date..date.saturating_add(1.day()));
    let hours: Vec<String> = sessions
        .iter()
        .map(|session| format!("{} to {}", time_of(session.open), time_of(session.close)))
        .collect();
    list_names(&hours)
}

fn explain_sessions(
    stretch: &Stretch,
    key: &SeriesKey,
    calendar: &Calendar,
    place: GapPlace,
) -> String {
    let sessions = whole_sessions(stretch, key, calendar);
    let plural = if sessions == 1 { "" } else { "s" };
    let span = span_of(stretch, key, calendar);
    let place_text = place_words(place, "the calendar lists no closure");

    format!("{sessions} whole session{plural} without a bar, {span}; {place_text}")
}

/// Sessions that lie in a gap as a whole.
fn whole_sessions(stretch: &Stretch, key: &SeriesKey, calendar: &Calendar) -> usize {
    // Trading dates are labels: their sessions may begin before them.
    let is_dated = !key.timeframe.is_intraday() && key.day_boundary == DayBoundary::SessionClose;
    let sessions = calendar.sessions_between(stretch.start..stretch.end);
    if is_dated {
        return sessions.len();
    }

    let is_inside = |start: Utc, end: Utc| stretch.start <= start && end <= stretch.end;
    sessions
        .iter()
        .filter(|session| is_inside(session.open, session.close))
        .count()
}

/// What the place of a gap says about it; `between` for one between stored bars.
fn place_words(place: GapPlace, between: &'static str) -> &'static str {
    match place {
        GapPlace::NothingStored => "nothing is stored",
        GapPlace::BeforeFirst => "before the first stored bar",
        GapPlace::AfterLast => "after the last stored bar",
        GapPlace::Between => between,
    }
}

/// `Mon 2019-03-04 10:00 to Mon 2019-03-04 11:30 America/New_York`, or dates alone where the labels
/// are dates.
fn span_of(stretch: &Stretch, key: &SeriesKey, calendar: &Calendar) -> String {
    if key.timeframe.is_intraday() {
        return hours_of(
            &(calendar.local(stretch.start)..calendar.local(stretch.end)),
            calendar,
        );
    }

    // The end is exclusive: a bar that ends at midnight would name the date after its own.
    let last_instant = stretch.end.plus_micros(-1);
    let first = stretch.start.date();
    let last = match key.day_boundary {
        DayBoundary::SessionClose => calendar.local(last_instant).date(),
        DayBoundary::UtcMidnight => last_instant.date(),
    };
    if first == last {
        name_date(first)
    } else {
        format!("{} to {}", name_date(first), name_date(last))
    }
}

/// Begin and end in the local time of the exchange.
fn hours_of(local: &Range<DateTime>, calendar: &Calendar) -> String {
    let pattern = "%a %Y-%m-%d %H:%M";
    format!(
        "{} to {} {}",
        local.start.strftime(pattern),
        local.end.strftime(pattern),
        calendar.zone_name()
    )
}

fn name_date(date: Date) -> String {
    date.strftime("%a %Y-%m-%d").to_string()
}

fn list_dates(dates: &[Date]) -> String {
    let names: Vec<String> = dates.iter().copied().map(name_date).collect();
    list_names(&names)
}

/// The first few names and the number of the others.
fn list_names(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    let names = names.iter().take(NAMED_MAX).cloned();
    let text = names.collect::<Vec<_>>().join(", ");

    if more > 0 {
        format!("{text} and {more} more")
    } else {
        text
    }
}
