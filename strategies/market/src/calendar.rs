//! Trading calendars: when a market is open, from weekly hours in exchange-local time and dated
//! exceptions.
//!
//! A calendar is data: an IANA zone, sessions per trading weekday, dates from which these hours
//! changed, and exceptions. An exception closes a local calendar day wholly, from a time on (early
//! close) or until a time (late open), or gives one trading date hours of its own. Daylight saving
//! comes from the zone alone. The calendars built in are the files in `data/`;
//! [`Calendar::from_json`] reads further ones of the same form.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};

use crate::calendar_file::{CalendarError, CalendarFile, Hours, Phase, SpecialDay, Week};
use crate::series::Session;
use crate::time::{FIRST_DATE, LAST_DATE, Utc};

/// One stretch of trading, `[open, close)`, and the date it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradingSession {
    /// Exchange trading date; a session that crosses midnight belongs to the date its calendar file
    /// lists it under (FX: the date it ends on).
    pub date: Date,
    /// First instant of trading.
    pub open: Utc,
    /// First instant after trading.
    pub close: Utc,
}

/// A date on which a market trades other hours than those of its week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarException {
    /// Local calendar date; of [`ExceptionKind::Hours`] the trading date.
    pub date: Date,
    /// How its hours differ.
    pub kind: ExceptionKind,
    /// Why, as in `Christmas`; empty where the calendar file does not say.
    pub name: String,
}

/// How the hours of a date differ from those of its week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceptionKind {
    /// Nothing trades on it.
    Closed,
    /// Nothing trades from this local time on.
    ClosesAt(Time),
    /// Nothing trades before this local time.
    OpensAt(Time),
    /// The trading date has sessions of its own.
    Hours,
}

/// When a market trades.
#[derive(Clone, Debug)]
pub struct Calendar {
    name: String,
    description: String,
    sources: Vec<String>,
    zone: TimeZone,
    zone_name: String,
    hours: Session,
    covers: Option<(Date, Date)>,
    projected_from: Option<Date>,
    /// Weekly hours in the order of the dates from which they apply; the first one applies always.
    weeks: Vec<WeekHours>,
    /// Local closed stretches of at most one day, sorted.
    closed: Vec<ClosedStretch>,
    special_days: BTreeMap<Date, SpecialDay>,
    /// What is closed and special, as the file says it, sorted by date.
    exceptions: Vec<CalendarException>,
}

/// The sessions of each weekday, Monday first; sorted, disjoint.
#[derive(Clone, Debug)]
struct WeekHours {
    from: Date,
    days: [Vec<Hours>; 7],
}

impl WeekHours {
    fn new(from: Date, week: &Week) -> Self {
        let days = week.days().map(Clone::clone);
        Self { from, days }
    }
}

/// A local stretch `[from, until)` in which nothing trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ClosedStretch {
    from: DateTime,
    until: DateTime,
}

impl Calendar {
    /// Reads a calendar in the form of the files in `data/`, with regular hours. Unknown keys are
    /// refused.
    ///
    /// # Errors
    /// A text that is not JSON of that form, a name outside `[a-z0-9_]{1,32}`, an unknown zone, no
    /// session, a session that ends before it opens, overlapping sessions, changes of hours out of
    /// order, or a coverage that ends before it starts.
    pub fn from_json(text: &str) -> Result<Self, CalendarError> {
        let file = CalendarFile::parse(text)?;
        let zone = TimeZone::get(&file.exchange_time_zone).map_err(|source| {
            let zone = file.exchange_time_zone.clone();
            CalendarError::Zone { zone, source }
        })?;

        let exceptions = exceptions_of(&file);
        // The hours of a special day are looked up by its date; they close no local day.
        let closed = exceptions
            .iter()
            .filter(|exception| !file.special_sessions.contains_key(&exception.date));
        let mut closed: Vec<_> = closed.filter_map(closed_stretch).collect();
        closed.sort_unstable();

        let first_week = WeekHours::new(Date::MIN, &file.sessions);
        let changes = file.hours.iter();
        let changes = changes.map(|change| WeekHours::new(change.from, &change.sessions));
        let calendar = Self {
            name: file.name,
            description: file.description,
            sources: file.sources,
            zone,
            zone_name: file.exchange_time_zone,
            hours: Session::Regular,
            covers: file.covers.map(|covers| (covers.first, covers.last)),
            projected_from: file.projected_from,
            weeks: std::iter::once(first_week).chain(changes).collect(),
            closed,
            special_days: file.special_sessions,
            exceptions,
        };
        calendar.check_dated_hours()?;
        Ok(calendar)
    }

    /// The same market with other hours; with extended ones its name ends in `_extended`.
    #[must_use]
    pub fn with_hours(&self, hours: Session) -> Self {
        let base = self.name.strip_suffix("_extended").unwrap_or(&self.name);
        let name = match hours {
            Session::Regular => base.to_owned(),
            Session::Extended => format!("{base}_extended"),
        };
        Self {
            name,
            hours,
            ..self.clone()
        }
    }

    /// Its name, from its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is, in a line; empty where the file does not say.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Where its hours and exceptions were published, as its file says.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// Which of its hours this calendar has.
    pub const fn hours(&self) -> Session {
        self.hours
    }

    /// IANA name of the zone of its local times.
    pub fn zone_name(&self) -> &str {
        &self.zone_name
    }

    /// First and last date whose exceptions are known, both included; none if there is no limit.
    pub const fn coverage(&self) -> Option<(Date, Date)> {
        self.covers
    }

    /// First date from which the exceptions follow from rules and were not published yet.
    pub const fn projected_from(&self) -> Option<Date> {
        self.projected_from
    }

    /// True if the market has hours before or after its regular ones.
    pub fn has_extended_hours(&self) -> bool {
        let mut hours = self
            .weeks
            .iter()
            .flat_map(|week| week.days.iter().flatten());
        hours.any(|hours| hours.phase != Phase::Regular)
    }

    /// True where the dated exceptions of `date` are known. Elsewhere the weekly hours still apply,
    /// holidays do not.
    pub fn covers(&self, date: Date) -> bool {
        self.covers
            .is_none_or(|(first, last)| first <= date && date <= last)
    }

    /// The exceptions of the dates in `dates` (half-open), in order of date.
    pub fn exceptions(&self, dates: Range<Date>) -> &[CalendarException] {
        let start = self
            .exceptions
            .partition_point(|exception| exception.date < dates.start);
        let end = self
            .exceptions
            .partition_point(|exception| exception.date < dates.end);
        self.exceptions.get(start..end).unwrap_or_default()
    }

    /// The sessions of the trading dates in `dates` (half-open), in order, disjoint. Touching
    /// sessions of one date are one. Dates before 1850 and after 2099 have none.
    pub fn sessions(&self, dates: Range<Date>) -> Vec<TradingSession> {
        let mut date = dates.start.max(FIRST_DATE);
        let end = dates.end.min(LAST_DATE);

        let mut sessions = Vec::new();
        while date < end {
            self.push_sessions(date, &mut sessions);
            date = date.saturating_add(1.day());
        }
        sessions
    }

    /// The sessions that overlap `[range.start, range.end)`, uncut.
    pub fn sessions_between(&self, range: Range<Utc>) -> Vec<TradingSession> {
        // A session lies within a day of its date, and zones are within a day of UTC.
        let first = range.start.date().saturating_sub(2.days());
        let mut sessions = self.sessions(first..range.end.date().saturating_add(3.days()));
        sessions.retain(|session| session.open < range.end && range.start < session.close);
        sessions
    }

    /// The first local midnight after the local calendar day `date`.
    pub fn day_end(&self, date: Date) -> Utc {
        self.instant(next_midnight(date))
    }

    /// The local time of an instant at the exchange.
    pub fn local(&self, instant: Utc) -> DateTime {
        self.zone.to_datetime(instant.timestamp())
    }

    /// True if the day of an instant has a session, by the clock of the exchange.
    pub fn trades_at(&self, instant: Timestamp) -> bool {
        let date = self.zone.to_datetime(instant).date();
        let next = date.saturating_add(1.day());
        !self.sessions(date..next).is_empty()
    }

    fn push_sessions(&self, date: Date, sessions: &mut Vec<TradingSession>) {
        for part in self.local_sessions(date) {
            let open = self.instant(part.from);
            let close = self.instant(part.until);
            match sessions.last_mut() {
                // Pre-market, regular hours and post-market touch: they are one session.
                Some(last) if last.date == date && last.close == open => last.close = close,
                _ if open < close => sessions.push(TradingSession { date, open, close }),
                _ => {}
            }
        }
    }

    /// What is traded on one trading date, in local time.
    fn local_sessions(&self, date: Date) -> Vec<LocalSession> {
        let special_day = self.special_days.get(&date);
        let hours = special_day.map_or_else(|| self.week_hours(date), |day| &day.sessions);

        let mut parts = Vec::with_capacity(2);
        for hours in hours {
            if hours.phase != Phase::Regular && self.hours == Session::Regular {
                continue;
            }
            let session = LocalSession {
                from: hours.open.on(date),
                until: hours.close.on(date),
            };

            // Hours that were published for this very date need no exception any more.
            if special_day.is_some() {
                parts.push(session);
            } else {
                self.push_open_parts(session, &mut parts);
            }
        }
        parts
    }

    /// The hours of the weekday of `date` that applied on it.
    fn week_hours(&self, date: Date) -> &[Hours] {
        let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or_default();
        let started = self.weeks.partition_point(|week| week.from <= date);
        let current = started.checked_sub(1);
        current
            .and_then(|index| self.weeks.get(index)?.days.get(weekday))
            .map_or(&[], Vec::as_slice)
    }

    /// True if the weekday of a date has hours of trading, whatever is closed on that date.
    pub(crate) fn trades_weekly(&self, date: Date) -> bool {
        !self.week_hours(date).is_empty()
    }

    /// The local time in which the week of `date` would trade on it, whatever is closed or special.
    pub(crate) fn weekly_hours(&self, date: Date) -> impl Iterator<Item = Range<DateTime>> {
        let hours = self.week_hours(date).iter();
        let hours =
            hours.filter(|hours| hours.phase == Phase::Regular || self.hours == Session::Extended);
        hours.map(move |hours| hours.open.on(date)..hours.close.on(date))
    }

    /// What the closed stretches leave of a session.
    fn push_open_parts(&self, session: LocalSession, parts: &mut Vec<LocalSession>) {
        // A closed stretch lasts a day at most, so earlier ones cannot reach this session.
        let earliest = session.from.saturating_sub(Span::new().days(1));
        let first = self
            .closed
            .partition_point(|stretch| stretch.from < earliest);
        let stretches = self.closed.iter().skip(first);

        let mut from = session.from;
        for stretch in stretches.take_while(|stretch| stretch.from < session.until) {
            if stretch.until > from {
                if from < stretch.from {
                    let until = stretch.from;
                    parts.push(LocalSession { from, until });
                }
                from = stretch.until;
            }
        }

        if from < session.until {
            let until = session.until;
            parts.push(LocalSession { from, until });
        }
    }

    /// Special days and changes of hours must not overlap with the dates around them either.
    fn check_dated_hours(&self) -> Result<(), CalendarError> {
        // With pre-market and post-market, since hours may overlap in those alone.
        let everything = self.with_hours(Session::Extended);
        let changes = self.weeks.iter().skip(1).map(|week| week.from);

        for date in self.special_days.keys().copied().chain(changes) {
            let around = [
                date.saturating_sub(1.day()),
                date,
                date.saturating_add(1.day()),
            ];

            let mut last_until = DateTime::MIN;
            for session in around
                .iter()
                .flat_map(|each| everything.local_sessions(*each))
            {
                if session.from < last_until || session.until <= session.from {
                    return Err(CalendarError::Dated { date });
                }
                last_until = session.until;
            }
        }
        Ok(())
    }

    /// A local time in a gap of the clock is moved forward, an ambiguous one is the earlier of the
    /// two (RFC 5545).
    fn instant(&self, local: DateTime) -> Utc {
        self.zone
            .to_timestamp(local)
            .map_or(Utc(i64::MAX), Utc::from_timestamp)
    }
}

/// A stretch of trading `[from, until)` in local time.
#[derive(Clone, Copy)]
struct LocalSession {
    from: DateTime,
    until: DateTime,
}

/// Every exception of a file, sorted by date.
fn exceptions_of(file: &CalendarFile) -> Vec<CalendarException> {
    let holidays = file.holidays.0.iter();
    let holidays = holidays.map(|(date, name)| exception(*date, ExceptionKind::Closed, name));
    let early_closes = file
        .early_closes
        .iter()
        .map(|(date, close)| exception(*date, ExceptionKind::ClosesAt(close.time), &close.reason));

    let late_opens = file.late_opens.iter();
    let late_opens = late_opens
        .map(|(date, open)| exception(*date, ExceptionKind::OpensAt(open.time), &open.reason));

    // A special day without sessions is a holiday to everyone who asks why nothing trades.
    let special_days = file.special_sessions.iter().map(|(date, day)| {
        let kind = if day.sessions.is_empty() {
            ExceptionKind::Closed
        } else {
            ExceptionKind::Hours
        };
        exception(*date, kind, &day.name)
    });

    let exceptions = holidays.chain(early_closes).chain(late_opens);
    let mut exceptions: Vec<_> = exceptions.chain(special_days).collect();
    exceptions.sort_by_key(|exception| exception.date);
    exceptions
}

fn exception(date: Date, kind: ExceptionKind, name: &str) -> CalendarException {
    CalendarException {
        date,
        kind,
        name: name.to_owned(),
    }
}

/// The stretch that an exception closes: a holiday, an early close and a late open are all
/// stretches in which nothing trades; hours of a date are looked up by that date.
fn closed_stretch(exception: &CalendarException) -> Option<ClosedStretch> {
    let date = exception.date;
    let (from, until) = match exception.kind {
        ExceptionKind::Closed => (midnight(date), next_midnight(date)),
        ExceptionKind::ClosesAt(time) => (date.to_datetime(time), next_midnight(date)),
        ExceptionKind::OpensAt(time) => (midnight(date), date.to_datetime(time)),
        ExceptionKind::Hours => return None,
    };
    Some(ClosedStretch { from, until })
}

fn midnight(date: Date) -> DateTime {
    date.to_datetime(Time::midnight())
}

fn next_midnight(date: Date) -> DateTime {
    midnight(date.saturating_add(1.day()))
}
