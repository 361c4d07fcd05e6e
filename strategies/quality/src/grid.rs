//! Labels against the calendar: is each bar where a bar can be, and which bars are not there?

use std::ops::Range;

use market::{
    Calendar, Gap, HourAnchor, SeriesKey, Slot, Utc, expected, gaps, missing, slot_index,
};

use crate::Options;
use crate::checks::Rows;
use crate::report::{Check, Draft, Severity};

/// Longest time to check, in bars: 31 years of minutes. One stray label must not ask for a century
/// of slots.
const SPAN_MAX: i64 = 1 << 24;

/// True if labels and range span no more than [`SPAN_MAX`] bars.
pub(crate) fn is_checkable(
    rows: &Rows,
    key: &SeriesKey,
    options: &Options<'_>,
    draft: &mut Draft,
) -> bool {
    let range = options.range.iter();
    let range_ends = range.flat_map(|range| [range.start, range.end]);
    let times: Vec<Utc> = rows.iter().map(|row| row.time).chain(range_ends).collect();
    let first = times.iter().min().copied().unwrap_or(Utc(0));
    let last = times.iter().max().copied().unwrap_or(Utc(0));

    let span = last.0.saturating_sub(first.0) / key.timeframe.micros();
    if span > SPAN_MAX {
        let timeframe = key.timeframe;
        let message =
            format!("from {first} to {last} are more {timeframe} bars than can be checked");
        draft.unchecked(Check::Timestamp, rows.iter().count(), message);
    }
    span <= SPAN_MAX
}

/// How a bar follows the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is the next expected bar.
    Next,
    /// It is the next expected bar, after the market was closed (below 1d; a day always follows
    /// directly).
    AfterBreak,
    /// Bars are missing between them, or one of them is off the grid.
    Apart,
}

/// The expected bars around the rows, and where the rows lie in them.
pub(crate) struct Grid {
    slots: Vec<Slot>,
    /// Labels that a provider with the other hour anchor would use.
    other_slots: Vec<Slot>,
    /// Slot of each row.
    slot_of: Vec<Option<usize>>,
    intraday: bool,
    coverage: Coverage,
}

/// Which of the expected bars are there.
struct Coverage {
    expected: usize,
    known_empty: usize,
    gaps: Vec<Gap>,
}

impl Grid {
    /// Of the two hour anchors, takes the one that leaves fewer bars missing or outside.
    pub(crate) fn new(
        rows: &Rows,
        key: &SeriesKey,
        calendar: &Calendar,
        options: &Options<'_>,
    ) -> Self {
        let times = rows.times();
        let span = match (times.first(), times.last()) {
            (Some(first), Some(last)) => *first..last.plus_micros(1),
            _ => Utc(0)..Utc(0),
        };
        let checked = options.range.as_ref().unwrap_or(&span);
        let around = span.start.min(checked.start)..span.end.max(checked.end);

        let by_clock = anchored_slots(calendar, key, HourAnchor::ClockHour, &around);
        let by_session = anchored_slots(calendar, key, HourAnchor::SessionOpen, &around);
        let clock_fits_better = misfits(&by_clock, &times) <= misfits(&by_session, &times);
        let (slots, other_slots) = if clock_fits_better {
            (by_clock, by_session)
        } else {
            (by_session, by_clock)
        };
        let slot_of: Vec<_> = times.iter().map(|time| slot_index(&slots, *time)).collect();

        // Without a range, the slot of the first bar is where the series begins.
        let first_slot = slot_of
            .first()
            .copied()
            .flatten()
            .and_then(|index| slots.get(index));
        let begin = first_slot.map_or(span.start, |slot| slot.open);
        let checked = options.range.clone().unwrap_or(begin..span.end);
        let coverage = Coverage::of(&slots, &checked, calendar, &times, options.known_empty);

        let intraday = key.timeframe.is_intraday();
        Self {
            slots,
            other_slots,
            slot_of,
            intraday,
            coverage,
        }
    }

    /// How row `index` follows the row before it.
    pub(crate) fn step(&self, index: usize) -> Step {
        let before = index
            .checked_sub(1)
            .and_then(|before| self.slot_index_of(before));
        let (Some(before), Some(here)) = (before, self.slot_index_of(index)) else {
            return Step::Apart;
        };
        if here != before + 1 {
            return Step::Apart;
        }

        let neighbours = self.slots.get(before).zip(self.slots.get(here));
        let is_touching = neighbours.is_some_and(|(before, here)| before.close >= here.open);
        if is_touching || !self.intraday {
            Step::Next
        } else {
            Step::AfterBreak
        }
    }

    fn slot_index_of(&self, row: usize) -> Option<usize> {
        self.slot_of.get(row).copied().flatten()
    }

    /// Reports bars outside of sessions, at labels that no bar has, and with close times that look
    /// ahead.
    pub(crate) fn check_labels(&self, rows: &Rows, draft: &mut Draft) {
        let mut outside = Vec::new();
        let mut off_grid = Vec::new();
        let mut too_early = Vec::new();
        let mut last_index = None;

        for (row, slot) in rows.iter().zip(&self.slot_of) {
            let Some(index) = *slot else {
                outside.push((row.row, row.time));
                continue;
            };

            // The second bar of a slot is as wrong as a bar between two labels.
            let is_label =
                has_label(&self.slots, row.time) || has_label(&self.other_slots, row.time);
            if !is_label || last_index == Some(index) {
                off_grid.push((row.row, row.time));
            }
            last_index = Some(index);

            // A bar labelled inside of its slot may end before the slot does; one at its label may
            // not.
            let slot = self.slots.get(index);
            if slot.is_some_and(|slot| slot.open == row.time && row.known_at < slot.close) {
                too_early.push((row.row, row.time));
            }
        }

        let text = "outside of every trading session";
        draft.rows(Check::OffSession, Severity::Low, &outside, text);
        let text = format!("not where a {} bar starts", draft.timeframe());
        draft.rows(Check::OffGrid, Severity::High, &off_grid, &text);
        let text = "with a close time before the bar was known";
        draft.rows(Check::Visibility, Severity::Critical, &too_early, text);
    }

    /// Reports expected bars that are not there.
    pub(crate) fn check_missing(&self, draft: &mut Draft) {
        let Coverage {
            expected,
            known_empty,
            gaps,
        } = &self.coverage;
        draft.missing(*expected, *known_empty, gaps);
    }

    /// Reports bars on dates whose holidays the calendar does not know; nothing is missing there.
    pub(crate) fn check_coverage(&self, rows: &Rows, calendar: &Calendar, draft: &mut Draft) {
        let uncovered = rows.select(|row| !calendar.covers(row.time.date()));
        let name = calendar.name();
        let text = format!("on dates whose holidays the calendar `{name}` does not know");
        draft.rows(Check::Calendar, Severity::Info, &uncovered, &text);
    }
}

impl Coverage {
    /// Of the slots in `checked`, on dates that the calendar knows.
    fn of(
        slots: &[Slot],
        checked: &Range<Utc>,
        calendar: &Calendar,
        times: &[Utc],
        empty_ranges: &[Range<Utc>],
    ) -> Self {
        let is_checked =
            |slot: &Slot| checked.contains(&slot.open) && calendar.covers(slot.open.date());
        let slots: Vec<Slot> = slots.iter().copied().filter(is_checked).collect();

        let is_empty = |slot: &Slot| empty_ranges.iter().any(|range| range.contains(&slot.open));
        let missing_slots = missing(&slots, times);
        let known_empty = missing_slots.iter().filter(|slot| is_empty(slot)).count();
        let expected = slots.len();

        // A slot known to be empty ends no gap and is in none: no bar is looked for in it.
        let mut searched = slots;
        searched.retain(|slot| !is_empty(slot));
        Self {
            expected,
            known_empty,
            gaps: gaps(&searched, times),
        }
    }
}

/// The expected bars that end after the start of `around`, labelled as `anchor` says.
fn anchored_slots(
    calendar: &Calendar,
    key: &SeriesKey,
    anchor: HourAnchor,
    around: &Range<Utc>,
) -> Vec<Slot> {
    // A bar may be labelled inside of its slot, so the slots start a bar earlier.
    let start = around.start.plus_micros(-key.timeframe.micros_max());
    let range = start..around.end;

    let mut slots = expected(calendar, key.timeframe, key.day_boundary, anchor, range);
    slots.retain(|slot| slot.close > around.start);
    slots
}

/// Bars outside of `slots` and slots without a bar: how badly the anchor of the slots fits.
fn misfits(slots: &[Slot], times: &[Utc]) -> usize {
    let outside = times
        .iter()
        .filter(|time| slot_index(slots, **time).is_none());
    outside.count() + missing(slots, times).len()
}

fn has_label(slots: &[Slot], time: Utc) -> bool {
    slots.binary_search_by_key(&time, |slot| slot.open).is_ok()
}
