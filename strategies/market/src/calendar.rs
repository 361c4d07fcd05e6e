//! Trading calendars: when a market is open, from weekly hours in exchange-local time and dated
//! exceptions.
//!
//! A calendar is data: an IANA zone, sessions per trading weekday, and dates on which the local
//! calendar day is closed wholly, from a time on (early close) or until a time (late open).
//! Daylight saving comes from the zone alone. The calendars built in are the files in `data/`;
//! [`Calendar::from_json`] reads further ones of the same form.

use std::ops::Range;
use std::sync::LazyLock;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};

use crate::calendar_file::{CalendarError, CalendarFile, LocalTime, Phase};
use crate::instrument::AssetClass;
use crate::series::{SeriesKey, Session};
use crate::time::{FIRST_DATE, LAST_DATE, Utc};

static US_EQUITIES: LazyLock<Calendar> =
    LazyLock::new(|| built_in(include_str!("../data/us_equities.json")));
static US_EQUITIES_EXTENDED: LazyLock<Calendar> =
    LazyLock::new(|| US_EQUITIES.with_hours(Session::Extended));
static FX: LazyLock<Calendar> = LazyLock::new(|| built_in(include_str!("../data/fx.json")));
static ALWAYS: LazyLock<Calendar> = LazyLock::new(|| built_in(include_str!("../data/always.json")));

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

/// When a market trades.
#[derive(Clone, Debug)]
pub struct Calendar {
    name: String,
    zone: TimeZone,
    hours: Session,
    covers: Option<(Date, Date)>,
    /// Monday first; sorted, disjoint.
    week: [Vec<(LocalTime, LocalTime, Phase)>; 7],
    /// Local closed stretches `[from, until)` of at most one day, sorted.
    closed: Vec<(DateTime, DateTime)>,
}

impl Calendar {
    /// The regular hours of a class: US equities for shares, funds and indices (other exchanges:
    /// [`from_json`](Self::from_json)), the New York week for currencies and metals, every hour for
    /// crypto and for futures.
    pub fn for_class(class: AssetClass) -> &'static Self {
        match class {
            AssetClass::Stock | AssetClass::Fund | AssetClass::Index => &US_EQUITIES,
            AssetClass::Fx | AssetClass::Metal => &FX,
            AssetClass::Future | AssetClass::Crypto | AssetClass::Perpetual => &ALWAYS,
        }
    }

    /// The default calendar of a series: that of its class, with pre-market and post-market if the
    /// series has them.
    pub fn for_key(key: &SeriesKey) -> &'static Self {
        match (key.instrument.class(), key.session) {
            (AssetClass::Stock, Session::Extended) => &US_EQUITIES_EXTENDED,
            (class, _) => Self::for_class(class),
        }
    }

    /// Reads a calendar in the form of the files in `data/`, with regular hours. Unknown keys are
    /// refused.
    ///
    /// # Errors
    /// A text that is not JSON of that form, an unknown zone, no session, a session that ends
    /// before it opens, overlapping sessions, or a coverage that ends before it starts.
    pub fn from_json(text: &str) -> Result<Self, CalendarError> {
        let file = CalendarFile::parse(text)?;
        let zone = TimeZone::get(&file.exchange_time_zone).map_err(|source| {
            let zone = file.exchange_time_zone.clone();
            CalendarError::Zone { zone, source }
        })?;

        // A holiday, an early close and a late open are all stretches in which nothing trades.
        let holidays = file
            .holidays
            .iter()
            .map(|date| (midnight(*date), next_midnight(*date)));
        let early_closes = file.early_closes.iter();
        let early_closes =
            early_closes.map(|(date, time)| (date.to_datetime(*time), next_midnight(*date)));
        let late_opens = file.late_opens.iter();
        let late_opens = late_opens.map(|(date, time)| (midnight(*date), date.to_datetime(*time)));
        let mut closed: Vec<_> = holidays.chain(early_closes).chain(late_opens).collect();
        closed.sort_unstable();

        let covers = file
            .covers
            .as_ref()
            .map(|covers| (covers.first, covers.last));
        let week = file.sessions.days().map(|day| {
            let hours = day
                .iter()
                .map(|hours| (hours.open, hours.close, hours.phase));
            hours.collect()
        });
        Ok(Self {
            name: file.name,
            zone,
            hours: Session::Regular,
            covers,
            week,
            closed,
        })
    }

    /// The same market with other hours.
    #[must_use]
    pub fn with_hours(&self, hours: Session) -> Self {
        Self {
            hours,
            ..self.clone()
        }
    }

    /// Its name, from its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True where the dated exceptions of `date` are known. Elsewhere the weekly hours still apply,
    /// holidays do not.
    pub fn covers(&self, date: Date) -> bool {
        self.covers
            .is_none_or(|(first, last)| first <= date && date <= last)
    }

    /// The sessions of the trading dates in `dates` (half-open), in order, disjoint. Touching
    /// sessions of one date are one. Dates before 1970 and after 2099 have none.
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

    fn push_sessions(&self, date: Date, sessions: &mut Vec<TradingSession>) {
        let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or_default();
        for (open, close, phase) in self.week.get(weekday).into_iter().flatten() {
            if *phase != Phase::Regular && self.hours == Session::Regular {
                continue;
            }

            for (from, until) in self.open_parts(open.on(date), close.on(date)) {
                let open = self.instant(from);
                let close = self.instant(until);
                match sessions.last_mut() {
                    // Pre-market, regular hours and post-market touch: they are one session.
                    Some(last) if last.date == date && last.close == open => last.close = close,
                    _ if open < close => sessions.push(TradingSession { date, open, close }),
                    _ => {}
                }
            }
        }
    }

    /// What the closed stretches leave of `[open, close)`.
    fn open_parts(&self, open: DateTime, close: DateTime) -> Vec<(DateTime, DateTime)> {
        // A closed stretch lasts a day at most, so earlier ones cannot reach this session.
        let earliest = open.saturating_sub(Span::new().days(1));
        let first = self.closed.partition_point(|(from, _)| *from < earliest);
        let stretches = self.closed.iter().skip(first);

        let mut parts = Vec::with_capacity(1);
        let mut open = open;
        for (from, until) in stretches.take_while(|(from, _)| *from < close) {
            if *until > open {
                if open < *from {
                    parts.push((open, *from));
                }
                open = *until;
            }
        }

        if open < close {
            parts.push((open, close));
        }
        parts
    }

    /// A local time in a gap of the clock is moved forward, an ambiguous one is the earlier of the
    /// two (RFC 5545).
    fn instant(&self, local: DateTime) -> Utc {
        self.zone
            .to_timestamp(local)
            .map_or(Utc(i64::MAX), Utc::from_timestamp)
    }

    /// The local time of an instant.
    pub(crate) fn local(&self, instant: Utc) -> DateTime {
        self.zone.to_datetime(instant.timestamp())
    }
}

fn midnight(date: Date) -> DateTime {
    date.to_datetime(Time::midnight())
}

fn next_midnight(date: Date) -> DateTime {
    midnight(date.saturating_add(1.day()))
}

#[expect(
    clippy::panic,
    reason = "the text is compiled in, and a test reads every built-in calendar"
)]
fn built_in(text: &str) -> Calendar {
    Calendar::from_json(text).unwrap_or_else(|error| panic!("built-in calendar: {error:?}"))
}
