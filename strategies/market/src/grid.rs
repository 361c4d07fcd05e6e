//! The grid: which bars a calendar lets us expect, when a bar becomes known, and which expected
//! bars are missing.
//!
//! | timeframe | boundary | label (`open`) | known (`close`) |
//! |---|---|---|---|
//! | below 1d | any | [`HourAnchor`] + k × timeframe | label + timeframe, capped |
//! | 1d | session close | the trading date at 00:00 UTC | close of the date's last session |
//! | 1d | UTC midnight | the UTC date at 00:00 | the next midnight UTC |
//! | 1w | session close | the dates' Monday at 00:00 UTC | close of the week's last session |
//! | 1w | UTC midnight | Monday 00:00 UTC | the next Monday 00:00 UTC |
//!
//! "Capped": at most the close of the bar's session. Under UTC midnight an FX Sunday evening ends
//! the week. A stretch without trading has no slot, so nothing in it can be missing.

use std::ops::Range;

use crate::calendar::{Calendar, TradingSession};
use crate::series::{DayBoundary, SeriesKey};
use crate::time::{DAY_MICROS, FIRST_DATE, LAST_DATE, Utc};
use crate::timeframe::Timeframe;

/// Monday 1969-12-29, the Monday on or before the epoch.
const EPOCH_MONDAY: i64 = -3 * DAY_MICROS;

/// Where intraday bars of a session are anchored; a property of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HourAnchor {
    /// Multiples of the timeframe on the clock: exchange-local under [`DayBoundary::SessionClose`],
    /// UTC under [`DayBoundary::UtcMidnight`]. The first bar of a session may be labelled before
    /// the session opens: on the NYSE the hour labelled 09:00 holds 09:30–10:00.
    ClockHour,
    /// The open of the session: 09:30, 10:30, … on the NYSE; the last bar of a session may be
    /// short.
    SessionOpen,
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
/// 1970 or after 2099.
pub fn expected(
    calendar: &Calendar,
    timeframe: Timeframe,
    boundary: DayBoundary,
    anchor: HourAnchor,
    range: Range<Utc>,
) -> Vec<Slot> {
    let start = range.start.max(Utc::midnight(FIRST_DATE));
    let end = range.end.min(Utc::midnight(LAST_DATE));
    if start >= end {
        return Vec::new();
    }

    // The widest slot is a week, and its label may lie a week before its session.
    let around = start.plus_micros(-8 * DAY_MICROS)..end.plus_micros(9 * DAY_MICROS);
    let mut slots: Vec<Slot> = Vec::new();
    for session in calendar.sessions_between(around) {
        for slot in session_slots(calendar, timeframe, boundary, anchor, &session) {
            match slots.last_mut() {
                // Two sessions share a bar: it is known when the later one ends.
                Some(last) if last.open == slot.open => last.close = last.close.max(slot.close),
                _ => slots.push(slot),
            }
        }
    }

    slots.retain(|slot| start <= slot.open && slot.open < end);
    slots
}

/// The slots that one session touches; the first may be shared with the session before.
fn session_slots(
    calendar: &Calendar,
    timeframe: Timeframe,
    boundary: DayBoundary,
    anchor: HourAnchor,
    session: &TradingSession,
) -> Vec<Slot> {
    let first = match (timeframe.is_intraday(), boundary, anchor) {
        (false, DayBoundary::SessionClose, _) => {
            let open = floor_label(Utc::midnight(session.date), timeframe);
            return vec![Slot {
                open,
                close: session.close,
            }];
        }
        (true, _, HourAnchor::SessionOpen) => session.open,
        (true, DayBoundary::SessionClose, HourAnchor::ClockHour) => {
            let local = calendar.local(session.open).time();
            let minutes = i64::from(local.hour()) * 60 + i64::from(local.minute());
            session
                .open
                .plus_micros(-(minutes % timeframe.minutes()) * 60_000_000)
        }
        (_, DayBoundary::UtcMidnight, _) => floor_label(session.open, timeframe),
    };

    // Only an intraday bar ends with its session; a day or a week ends at its boundary.
    let last_close = if timeframe.is_intraday() {
        session.close
    } else {
        Utc(i64::MAX)
    };
    let step = timeframe.micros();

    let labels = std::iter::successors(Some(first), |label| Some(label.plus_micros(step)));
    let labels = labels.take_while(|label| *label < session.close);
    let slots = labels.map(|open| Slot {
        open,
        close: open.plus_micros(step).min(last_close),
    });
    slots.collect()
}

/// The last multiple of the timeframe at or before `instant`; weeks begin on Monday.
fn floor_label(instant: Utc, timeframe: Timeframe) -> Utc {
    let since_origin = instant.0 - label_origin(timeframe);
    Utc(instant.0 - since_origin.rem_euclid(timeframe.micros()))
}

/// An instant that is a label of the timeframe, from which the others are counted.
fn label_origin(timeframe: Timeframe) -> i64 {
    if timeframe == Timeframe::Week1 {
        EPOCH_MONDAY
    } else {
        0
    }
}

/// When each bar of a series became known.
///
/// Intraday: label + timeframe, but no later than the close of the session that the bar is in.
/// Daily and weekly: as in the table above. A bar outside of every session (a Saturday, a print
/// after an early close) is taken to be known only when it must be: intraday at label + timeframe;
/// per trading date when that day has ended both in UTC and at the exchange (weekly: seven days
/// later). `quality` reports such bars.
///
/// # Errors
/// A daily or weekly label that is not midnight UTC, or a weekly one that is not a Monday: nobody
/// can say which date it means.
pub fn close_times(
    calendar: &Calendar,
    key: &SeriesKey,
    open_times: &[Utc],
) -> Result<Vec<Utc>, CloseTimeError> {
    let timeframe = key.timeframe;
    if !timeframe.is_intraday() {
        check_date_labels(timeframe, open_times)?;
    }

    let first = open_times.iter().min();
    let last = open_times.iter().max();
    let (Some(&first), Some(&last)) = (first, last) else {
        return Ok(Vec::new());
    };

    if timeframe.is_intraday() {
        let sessions = calendar.sessions_between(first..last.plus_micros(timeframe.micros()));
        let closes = open_times
            .iter()
            .map(|open| intraday_close(*open, timeframe, &sessions));
        return Ok(closes.collect());
    }
    if key.day_boundary == DayBoundary::UtcMidnight {
        let closes = open_times
            .iter()
            .map(|open| open.plus_micros(timeframe.micros()));
        return Ok(closes.collect());
    }

    let anchor = HourAnchor::SessionOpen;
    let range = first..last.plus_micros(1);
    let slots = expected(calendar, timeframe, key.day_boundary, anchor, range);
    let closes = open_times
        .iter()
        .map(|open| trading_date_close(*open, timeframe, &slots, calendar));
    Ok(closes.collect())
}

/// A daily label is midnight UTC, a weekly one the midnight that begins Monday.
fn check_date_labels(timeframe: Timeframe, open_times: &[Utc]) -> Result<(), CloseTimeError> {
    let mut labels = open_times.iter().copied().enumerate();
    let odd_label = labels.find(|(_, open)| floor_label(*open, timeframe) != *open);

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

/// The close of the last session of the date or week; without a session the end of its last day,
/// in UTC or at the exchange, whichever is later.
fn trading_date_close(open: Utc, timeframe: Timeframe, slots: &[Slot], calendar: &Calendar) -> Utc {
    let index = slots.binary_search_by_key(&open, |slot| slot.open).ok();
    if let Some(slot) = index.and_then(|index| slots.get(index)) {
        return slot.close;
    }

    let utc_end = open.plus_micros(timeframe.micros());
    let last_date = utc_end.plus_micros(-1).date();
    utc_end.max(calendar.day_end(last_date))
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
        "label daily bars with their trading date at 00:00 UTC, weekly ones with their Monday"
    }
}
