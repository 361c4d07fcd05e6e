//! Whether bars trade at the hours of their instrument, and whose hours they are if not.
//!
//! A calendar ends a bar at the close of its session. Bars of a market that goes on after that
//! close would then count as known before they are over, so bars that lie outside of the sessions
//! in numbers are refused, with what they could be instead.

use crate::calendar::Calendar;
use crate::instrument::{AssetClass, Instrument};
use crate::series::SeriesKey;
use crate::time::{DAY_MICROS, Utc};
use crate::timeframe::Timeframe;

/// Share of bars outside of every session, in percent, up to which a calendar fits.
const OUTSIDE_PERCENT_MAX: usize = 20;
/// Bars outside of every session that are needed for a judgement: fewer are single mistakes.
const OUTSIDE_MIN: usize = 5;
/// The calendar that every bar fits.
const ALWAYS: &str = "always";
/// Classes that a symbol may belong to instead, those with the narrowest hours first.
const OTHER_CLASSES: [AssetClass; 6] = [
    AssetClass::Future,
    AssetClass::Index,
    AssetClass::Metal,
    AssetClass::Fx,
    AssetClass::Crypto,
    AssetClass::Perpetual,
];

/// Bars that trade when their instrument does not.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{outside} of {bars} bars lie outside of every session of {calendar}, the calendar of \
     {instrument}"
)]
pub struct WrongHours {
    /// What the bars were said to be of.
    pub instrument: Instrument,
    /// Name of the calendar that does not fit them.
    pub calendar: String,
    /// Number of bars outside of every session.
    pub outside: usize,
    /// Number of all bars.
    pub bars: usize,
    /// Instruments of the same name whose calendars fit the bars.
    pub could_be: Vec<Instrument>,
    /// Name of a calendar of the same exchange that fits them, with its longer hours.
    pub longer_hours: Option<&'static str>,
}

impl WrongHours {
    /// What to do next: the name or the calendar that fits the bars, as it is typed.
    pub fn hint(&self) -> String {
        if let Some(calendar) = self.longer_hours {
            return format!(
                "these are the hours of --calendar {calendar}, \
                 unless the zone of the times is wrong"
            );
        }

        // Where no other name fits, a wrong zone is the most likely reason.
        let symbols: Vec<String> = self.could_be.iter().map(Instrument::prefixed).collect();
        if symbols.is_empty() {
            return "check the zone of the times, or name what trades at these hours".to_owned();
        }
        let classes = self.could_be.iter().map(|one| one.class().with_article());
        format!(
            "these are the hours of {}, unless the zone of the times is wrong: name it {}",
            classes.collect::<Vec<_>>().join(" or "),
            symbols.join(" or ")
        )
    }
}

/// Checks that bars of a share, fund, index or future lie within the sessions of their calendar:
/// at most 20 % of them, or fewer than five, outside. Other markets and weeks are not judged.
/// The times are labels as [`close_times`](crate::close_times) takes them, in any order.
///
/// # Errors
/// The bars trade when their instrument does not.
pub fn check_hours(key: &SeriesKey, open_times: &[Utc]) -> Result<(), WrongHours> {
    let is_judged = matches!(
        key.instrument.class(),
        AssetClass::Stock | AssetClass::Fund | AssetClass::Index | AssetClass::Future
    );
    let calendar = Calendar::for_key(key);
    let outside = count_outside(calendar, key.timeframe, open_times);
    if !is_judged || fits(outside, open_times.len()) {
        return Ok(());
    }

    // Longer hours of the same exchange need no other name, so they are looked at as well.
    let longer_hours = longer_hours_of(calendar).filter(|longer| {
        fits(
            count_outside(longer, key.timeframe, open_times),
            open_times.len(),
        )
    });
    Err(WrongHours {
        instrument: key.instrument.clone(),
        calendar: calendar.name().to_owned(),
        outside,
        bars: open_times.len(),
        could_be: other_instruments(&key.instrument, key.timeframe, open_times),
        longer_hours: longer_hours.map(Calendar::name),
    })
}

const fn fits(outside: usize, bars: usize) -> bool {
    outside < OUTSIDE_MIN || outside * 100 <= bars * OUTSIDE_PERCENT_MAX
}

/// The calendar of the same exchange with pre-market and post-market, where it has one.
fn longer_hours_of(calendar: &Calendar) -> Option<&'static Calendar> {
    Calendar::named(&format!("{}_extended", calendar.name()))
}

/// Instruments of other classes with this name whose calendars fit the bars. One that is open
/// always fits everything, and is named only if no other does.
fn other_instruments(
    instrument: &Instrument,
    timeframe: Timeframe,
    open_times: &[Utc],
) -> Vec<Instrument> {
    let symbol = instrument.symbol();
    let others = OTHER_CLASSES.iter().filter_map(|class| {
        // A name that is no pair may be the coin of one.
        let said = Instrument::parse(&format!("{class}:{symbol}"));
        let in_dollars = || Instrument::parse(&format!("{class}:{symbol}/USD"));
        said.or_else(|_| in_dollars()).ok()
    });

    let mut fitting: Vec<Instrument> = others
        .filter(|other| other.class() != instrument.class())
        .filter(|other| {
            let calendar = Calendar::named(other.calendar_name());
            calendar.is_some_and(|calendar| {
                let outside = count_outside(calendar, timeframe, open_times);
                fits(outside, open_times.len())
            })
        })
        .collect();
    fitting.dedup();

    let is_pair_or_narrow =
        |other: &Instrument| other.calendar_name() != ALWAYS || other.pair().is_some();
    fitting.retain(is_pair_or_narrow);
    if fitting.iter().any(|other| other.calendar_name() != ALWAYS) {
        fitting.retain(|other| other.calendar_name() != ALWAYS);
    }
    fitting
}

/// How many bars lie outside of every session: intraday by their whole length, days by their date.
/// Weeks and longer bars never do.
fn count_outside(calendar: &Calendar, timeframe: Timeframe, open_times: &[Utc]) -> usize {
    let Some(&first) = open_times.iter().min() else {
        return 0;
    };
    let Some(&last) = open_times.iter().max() else {
        return 0;
    };

    let length = timeframe.micros();
    if timeframe.is_intraday() {
        let sessions = calendar.sessions_between(first..last.plus_micros(length));
        let outside = open_times.iter().filter(|open| {
            // Sessions do not overlap, so the last one that opened before the end decides.
            let close = open.plus_micros(length);
            let opened_before = sessions.partition_point(|session| session.open < close);
            let earlier = sessions.get(..opened_before).unwrap_or_default();
            earlier.last().is_none_or(|session| session.close <= **open)
        });
        return outside.count();
    }
    if length != DAY_MICROS {
        return 0;
    }

    let end = last.plus_micros(DAY_MICROS).date();
    let sessions = calendar.sessions(first.date()..end);
    let dates: Vec<_> = sessions.iter().map(|session| session.date).collect();
    let outside = open_times
        .iter()
        .filter(|open| dates.binary_search(&open.date()).is_err());
    outside.count()
}
