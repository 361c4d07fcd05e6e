//! The grid: which bars a calendar lets us expect, when a bar becomes known, and which expected
//! bars are missing.
//!
//! | timeframe | boundary | label (`open`) | known (`close`) |
//! |---|---|---|---|
//! | minutes, hours | any | [`HourAnchor`] + k × timeframe | label + timeframe, capped |
//! | days | session close | the first date at 00:00 UTC | close of the last session of its dates |
//! | days | UTC midnight | the first UTC date at 00:00 | midnight UTC after the last one |
//! | weeks | session close | Monday 00:00 UTC | close of the last session of its weeks |
//! | weeks | UTC midnight | Monday 00:00 UTC | Monday 00:00 UTC after the last one |
//! | a month | session close | the first of the month 00:00 UTC | close of its last session |
//! | a month | UTC midnight | the first of the month 00:00 UTC | the first of the next one |
//!
//! "Capped": at most the close of the bar's session. Bars of several days are counted from
//! 1970-01-01, bars of several weeks from Monday 1969-12-29. A timeframe that does not divide a day
//! begins again at each midnight of its clock, so that the last bar of a day is short. Under UTC
//! midnight an FX Sunday evening ends the week. A stretch without trading has no slot, so nothing
//! in it can be missing.

use std::ops::Range;

use crate::calendar::{Calendar, TradingSession};
use crate::gaps::walk::{SlotState, walk_slots};
use crate::series::{DayBoundary, SeriesKey};
use crate::slot_runs::{Clock, SlotRun, SlotRuns};
use crate::time::{DAY_MICROS, EPOCH_MONDAY, FIRST_DATE, LAST_DATE, Utc};
use crate::timeframe::{Timeframe, TimeframeUnit};

/// No exchange was closed for longer in the years of the calendars, New York in 1914 aside.
const CLOSURE_MAX: i64 = 30 * DAY_MICROS;

/// Where intraday bars of a session are anchored; a property of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HourAnchor {
    /// Multiples of the timeframe on the clock: exchange-local under [`DayBoundary::SessionClose`],
    /// UTC under [`DayBoundary::UtcMidnight`]; counted from midnight, each day again. The first bar
    /// of a session may be labelled before
    /// the session opens: on the NYSE the hour labelled 09:00 holds 09:30–10:00.
    ClockHour,
    /// The open of the session: 09:30, 10:30, … on the NYSE; the last bar of a session may be
    /// short.
    SessionOpen,
}

impl HourAnchor {
    /// What bars are counted from where nothing else is known: the open of the session, or the
    /// clock where days end at midnight UTC.
    pub const fn of_boundary(boundary: DayBoundary) -> Self {
        match boundary {
            DayBoundary::SessionClose => Self::SessionOpen,
            DayBoundary::UtcMidnight => Self::ClockHour,
        }
    }
}

/// One expected bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Label of the bar.
    pub open: Utc,
    /// Instant from which it is known; half-open end of the labels that fall into the slot.
    pub close: Utc,
}

/// A maximal run of missing slots with no stored bar between them, as the half-open range of labels
/// that fills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Label of the first missing bar.
    pub start: Utc,
    /// Close of the last missing bar.
    pub end: Utc,
    /// Number of missing bars.
    pub bars: usize,
}

/// The bars expected with labels in `[range.start, range.end)`, in order. There are none before
/// 1850 or after 2099.
pub fn expected(
    calendar: &Calendar,
    timeframe: Timeframe,
    boundary: DayBoundary,
    anchor: HourAnchor,
    range: Range<Utc>,
) -> Vec<Slot> {
    let runs = expected_runs(calendar, timeframe, boundary, anchor, range);
    let mut slots = Vec::with_capacity(runs.iter().map(SlotRun::len).sum());
    for run in runs {
        slots.extend(run.slots());
    }
    slots
}

/// The bars of [`expected`] as runs, for those who count them.
pub(crate) fn expected_runs(
    calendar: &Calendar,
    timeframe: Timeframe,
    boundary: DayBoundary,
    anchor: HourAnchor,
    range: Range<Utc>,
) -> Vec<SlotRun> {
    let start = range.start.max(Utc::midnight(FIRST_DATE));
    let end = range.end.min(Utc::midnight(LAST_DATE));
    if start >= end {
        return Vec::new();
    }

    // A label may lie a whole bar before its session, and a session a day away from its date.
    let reach = timeframe.micros_max() + 2 * DAY_MICROS;
    let around = start.plus_micros(-reach)..end.plus_micros(reach);
    let clock = match anchor {
        HourAnchor::SessionOpen => Clock::Session,
        HourAnchor::ClockHour if boundary == DayBoundary::UtcMidnight => Clock::Utc,
        HourAnchor::ClockHour => Clock::Local(calendar),
    };

    // The first bar of a session may be shared with the session before.
    let mut runs = SlotRuns::default();
    for session in calendar.sessions_between(around) {
        if timeframe.is_intraday() {
            clock.push_session(timeframe, &session, &mut runs);
        } else {
            for slot in date_slots(timeframe, boundary, &session) {
                runs.push(SlotRun::single(slot));
            }
        }
    }
    runs.within(&(start..end))
}

/// The bars of days, weeks or a month that one session touches.
fn date_slots(timeframe: Timeframe, boundary: DayBoundary, session: &TradingSession) -> Vec<Slot> {
    if boundary == DayBoundary::SessionClose {
        return vec![Slot {
            open: date_label(Utc::midnight(session.date), timeframe),
            close: session.close,
        }];
    }

    // Under UTC midnight a bar ends at its boundary, whenever its sessions do.
    let first = date_label(session.open, timeframe);
    let labels = std::iter::successors(Some(first), |label| Some(date_end(*label, timeframe)));
    let labels = labels.take_while(|label| *label < session.close);
    let slots = labels.map(|open| Slot {
        open,
        close: date_end(open, timeframe),
    });
    slots.collect()
}

/// The label of the bar of days, weeks or a month that the UTC date of `instant` falls into.
pub(crate) fn date_label(instant: Utc, timeframe: Timeframe) -> Utc {
    let origin = match timeframe.unit() {
        TimeframeUnit::Month => return Utc::midnight(instant.date().first_of_month()),
        TimeframeUnit::Week => EPOCH_MONDAY,
        TimeframeUnit::Day | TimeframeUnit::Minute => 0,
    };
    Utc(instant.0 - (instant.0 - origin).rem_euclid(timeframe.micros()))
}

/// The label that follows that of a bar of days, weeks or a month.
pub(crate) fn date_end(label: Utc, timeframe: Timeframe) -> Utc {
    timeframe.nominal_end(label)
}

/// When each bar of a series became known.
///
/// Intraday: label + timeframe, but no later than the close of the session that the bar is in.
/// Days, weeks and months: as in the table above. A bar outside of every session (a Saturday, a
/// print after an early close) is taken to be known only when it must be: intraday at label +
/// timeframe; per trading date when the last of its days has ended both in UTC and at the exchange.
/// `quality` reports such bars.
///
/// Where it is not certain when a bar ends, the later instant is taken. Providers count the days of
/// a `2d` bar with or without weekends and holidays, from a day of their own: a bar of several days
/// is known when as many trading dates have ended, its label included, and as many days.
///
/// # Errors
/// A label of a daily or longer bar that is not midnight UTC, of a weekly one that is not a Monday,
/// or of a monthly one that is not the first of its month: nobody can say which date it means.
pub fn close_times(
    calendar: &Calendar,
    key: &SeriesKey,
    open_times: &[Utc],
) -> Result<Vec<Utc>, CloseTimeError> {
    let timeframe = key.timeframe;
    if !timeframe.is_intraday() {
        check_date_labels(timeframe, open_times)?;
    }

    let Some(&first) = open_times.iter().min() else {
        return Ok(Vec::new());
    };
    let Some(&last) = open_times.iter().max() else {
        return Ok(Vec::new());
    };

    // The sessions are listed once: a series has far more bars than its calendar has sessions.
    let range = first..reach_of(timeframe, last);
    if timeframe.is_intraday() {
        let sessions = calendar.sessions_between(range);
        let closes = open_times
            .iter()
            .map(|open| intraday_close(*open, timeframe, &sessions));
        return Ok(closes.collect());
    }

    let sessions = calendar.sessions(range.start.date()..range.end.date());
    let closes = open_times.iter().map(|open| match key.day_boundary {
        DayBoundary::SessionClose => session_date_close(*open, timeframe, &sessions, calendar),
        DayBoundary::UtcMidnight => utc_date_close(*open, timeframe, &sessions),
    });
    Ok(closes.collect())
}

/// An instant after every session that may decide when the bar labelled `last` is known.
fn reach_of(timeframe: Timeframe, last: Utc) -> Utc {
    let length = timeframe.micros_max();
    match timeframe.unit() {
        // As many trading dates are at most twice as many days, and a long closure.
        TimeframeUnit::Day if timeframe.count() > 1 => last.plus_micros(2 * length + CLOSURE_MAX),
        TimeframeUnit::Minute => last.plus_micros(length),
        _ => last.plus_micros(length + DAY_MICROS),
    }
}

/// The label of a bar of days is midnight UTC, of weeks the midnight that begins a Monday, of a
/// month that which begins its first day.
fn check_date_labels(timeframe: Timeframe, open_times: &[Utc]) -> Result<(), CloseTimeError> {
    // Where providers count several days or weeks from is not known: any such day may begin a bar.
    let single = Timeframe::new(timeframe.unit(), 1).unwrap_or(timeframe);
    let mut labels = open_times.iter().copied().enumerate();
    let odd_label = labels.find(|(_, open)| date_label(*open, single) != *open);

    match odd_label {
        Some((row, open)) => Err(CloseTimeError::Label {
            row,
            open,
            timeframe,
        }),
        None => Ok(()),
    }
}

/// Label + timeframe, but no later than the close of the session that the bar is in.
fn intraday_close(open: Utc, timeframe: Timeframe, sessions: &[TradingSession]) -> Utc {
    let close = open.plus_micros(timeframe.micros());
    let opened_before = sessions.partition_point(|session| session.open < close);
    let session = opened_before
        .checked_sub(1)
        .and_then(|index| sessions.get(index));

    match session.filter(|session| open < session.close) {
        Some(session) => close.min(session.close),
        None => close,
    }
}

/// The close of the last session of the bar's dates; without a session the end of its last day, in
/// UTC or at the exchange, whichever is later.
fn session_date_close(
    open: Utc,
    timeframe: Timeframe,
    sessions: &[TradingSession],
    calendar: &Calendar,
) -> Utc {
    let utc_end = date_end(open, timeframe);
    let after_last_date = utc_end.date();
    let in_dates = sessions.partition_point(|session| session.date < after_last_date);
    let last_session = in_dates
        .checked_sub(1)
        .and_then(|index| sessions.get(index))
        .filter(|session| session.date >= open.date());

    let by_days = match last_session {
        Some(session) => session.close,
        None => {
            let last_date = utc_end.plus_micros(-1).date();
            utc_end.max(calendar.day_end(last_date))
        }
    };

    // Providers count several days in two ways, and the later end looks ahead under neither.
    let by_trading_dates = counted_date(open, timeframe, sessions).map(|session| session.close);
    by_trading_dates.map_or(by_days, |close| close.max(by_days))
}

/// The midnight UTC after the bar's last date.
fn utc_date_close(open: Utc, timeframe: Timeframe, sessions: &[TradingSession]) -> Utc {
    let by_days = date_end(open, timeframe);
    let by_trading_dates = counted_date(open, timeframe, sessions)
        .map(|session| date_end(Utc::midnight(session.date), Timeframe::DAY_1));
    by_trading_dates.map_or(by_days, |close| close.max(by_days))
}

/// For bars of several days: the last session of the trading date with which as many dates have
/// passed, that of the label or the next one being the first.
fn counted_date(
    open: Utc,
    timeframe: Timeframe,
    sessions: &[TradingSession],
) -> Option<TradingSession> {
    if timeframe.unit() != TimeframeUnit::Day || timeframe.count() == 1 {
        return None;
    }

    let first = sessions.partition_point(|session| session.date < open.date());
    let dates = sessions
        .get(first..)
        .unwrap_or_default()
        .chunk_by(|one, next| one.date == next.date);
    let last_date = dates.take(usize::from(timeframe.count())).last()?;
    last_date.last().copied()
}

/// The slots into which no stored bar falls, in order. `expected` is as [`expected`] gives it,
/// `stored` may have any order; a bar matches the last slot that opens at or before its label, if
/// the label lies before that slot's close.
pub fn missing(expected: &[Slot], stored: &[Utc]) -> Vec<Slot> {
    let slots = expected.iter().zip(find_present(expected, stored));
    let missing = slots.filter(|(_, is_present)| !is_present);
    missing.map(|(slot, _)| *slot).collect()
}

/// The maximal runs of slots into which no stored bar falls, matched as in [`missing`].
pub fn gaps(expected: &[Slot], stored: &[Utc]) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    let mut in_gap = false;

    // Closed time between two missing slots does not end their run: no bar is stored there.
    for (slot, is_present) in expected.iter().zip(find_present(expected, stored)) {
        if !is_present {
            match gaps.last_mut() {
                Some(gap) if in_gap => {
                    gap.end = slot.close;
                    gap.bars += 1;
                }
                _ => gaps.push(Gap {
                    start: slot.open,
                    end: slot.close,
                    bars: 1,
                }),
            }
        }
        in_gap = !is_present;
    }
    gaps
}

/// For each slot, whether a stored bar falls into it.
fn find_present(expected: &[Slot], stored: &[Utc]) -> Vec<bool> {
    // Labels that ascend, as stored ones do, are found in one walk.
    if stored.is_sorted() {
        let states = walk_slots(expected, stored, &[]);
        return states
            .map(|(_, state)| state == SlotState::Present)
            .collect();
    }

    let mut present = vec![false; expected.len()];
    for &bar in stored {
        let slot = slot_index(expected, bar);
        if let Some(flag) = slot.and_then(|index| present.get_mut(index)) {
            *flag = true;
        }
    }
    present
}

/// Index of the slot that the label `bar` falls into, if any.
pub fn slot_index(expected: &[Slot], bar: Utc) -> Option<usize> {
    let index = expected
        .partition_point(|slot| slot.open <= bar)
        .checked_sub(1)?;
    expected
        .get(index)
        .filter(|slot| bar < slot.close)
        .map(|_| index)
}

/// Why no close time can be given.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CloseTimeError {
    /// A daily or weekly label that names no date.
    #[error("row {row}: a {timeframe} bar cannot be labelled {open}")]
    Label {
        /// Position in the input.
        row: usize,
        /// The label as given.
        open: Utc,
        /// The series' timeframe.
        timeframe: Timeframe,
    },
}

impl CloseTimeError {
    /// What to do next.
    pub const fn hint(&self) -> &'static str {
        "label daily bars with their trading date at 00:00 UTC, weekly ones with their Monday, \
         monthly ones with the first of the month"
    }
}
