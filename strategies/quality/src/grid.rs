//! Labels against the calendar: is each bar where a bar can be, and which bars are not there?

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
    let asked = options
        .range
        .iter()
        .flat_map(|range| [range.start, range.end]);
    let times = rows.iter().map(|row| row.time).chain(asked);
    let (first, last) = times.fold((i64::MAX, i64::MIN), |(first, last), time| {
        (first.min(time.0), last.max(time.0))
    });
    let span = last.saturating_sub(first) / key.timeframe.micros();
    if span > SPAN_MAX {
        let message = format!(
            "from {} to {} are more {} bars than can be checked",
            Utc(first),
            Utc(last),
            key.timeframe
        );
        draft.unchecked(Check::Timestamp, rows.iter().count(), message);
    }
    span <= SPAN_MAX
}

/// How a bar follows the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Directly.
    Next,
    /// It is the next bar, after the market was closed (below 1d; days always follow directly).
    AfterBreak,
    /// Bars are missing between them, or one of them is off the grid.
    Apart,
}

/// The expected bars around the rows, and where the rows lie in them.
pub(crate) struct Grid {
    slots: Vec<Slot>,
    /// Labels that a provider with the other hour anchor would use.
    other: Vec<Slot>,
    /// Slot of each row.
    slot_of: Vec<Option<usize>>,
    intraday: bool,
    gaps: Vec<Gap>,
    expected: usize,
    known_empty: usize,
}

impl Grid {
    /// Of the two hour anchors, that which leaves fewer bars missing or outside is taken.
    pub(crate) fn new(
        rows: &Rows,
        key: &SeriesKey,
        calendar: &Calendar,
        options: &Options<'_>,
    ) -> Self {
        let times = rows.times();
        let span = times
            .first()
            .zip(times.last())
            .map_or(Utc(0)..Utc(0), |(first, last)| *first..last.plus_micros(1));
        let asked = options.range.as_ref().unwrap_or(&span);
        // A bar may be labelled inside of its slot, so the slots start a bar earlier.
        let start = span.start.min(asked.start);
        let around = start.plus_micros(-key.timeframe.micros())..span.end.max(asked.end);
        let grid = |anchor| {
            let mut slots = expected(
                calendar,
                key.timeframe,
                key.day_boundary,
                anchor,
                around.clone(),
            );
            slots.retain(|slot| slot.close > start);
            let outside = times
                .iter()
                .filter(|&&time| slot_index(&slots, time).is_none())
                .count();
            (outside + missing(&slots, &times).len(), slots)
        };
        let (clock, session) = (grid(HourAnchor::ClockHour), grid(HourAnchor::SessionOpen));
        let (slots, other) = if clock.0 <= session.0 {
            (clock.1, session.1)
        } else {
            (session.1, clock.1)
        };
        let slot_of: Vec<_> = times.iter().map(|&time| slot_index(&slots, time)).collect();

        let first = slots
            .get(slot_of.first().copied().flatten().unwrap_or(usize::MAX))
            .map_or(span.start, |slot| slot.open);
        let asked = options.range.clone().unwrap_or(first..span.end);
        let wanted: Vec<Slot> = slots
            .iter()
            .filter(|slot| asked.contains(&slot.open) && calendar.covers(slot.open.date()))
            .copied()
            .collect();
        let gone = missing(&wanted, &times);
        let empty = |slot: &Slot| {
            options
                .known_empty
                .iter()
                .any(|range| range.contains(&slot.open))
        };
        let known_empty = gone.iter().filter(|slot| empty(slot)).count();
        let total = wanted.len();
        // A bar known to be empty ends no gap and is in none: it is not looked for.
        let searched: Vec<Slot> = wanted.into_iter().filter(|slot| !empty(slot)).collect();
        let gaps = gaps(&searched, &times);
        Self {
            slots,
            other,
            slot_of,
            intraday: key.timeframe.is_intraday(),
            gaps,
            expected: total,
            known_empty,
        }
    }

    /// How row `index` follows the row before it.
    pub(crate) fn step(&self, index: usize) -> Step {
        let slot = |index: usize| self.slot_of.get(index).copied().flatten();
        match (index.checked_sub(1).and_then(slot), slot(index)) {
            (Some(before), Some(here)) if here == before + 1 => {
                let touching = self
                    .slots
                    .get(before)
                    .zip(self.slots.get(here))
                    .is_some_and(|(a, b)| a.close >= b.open);
                if touching || !self.intraday {
                    Step::Next
                } else {
                    Step::AfterBreak
                }
            }
            _ => Step::Apart,
        }
    }

    /// Bars outside of sessions, at labels of no bar, and with close times that look ahead.
    pub(crate) fn check_labels(&self, rows: &Rows, draft: &mut Draft) {
        let labelled =
            |slots: &[Slot], time: Utc| slots.binary_search_by_key(&time, |slot| slot.open).is_ok();
        let (mut outside, mut wrong, mut early, mut taken) =
            (Vec::new(), Vec::new(), Vec::new(), None);
        for (row, slot) in rows.iter().zip(&self.slot_of) {
            let Some(index) = *slot else {
                outside.push((row.row, row.time));
                continue;
            };
            let known = labelled(&self.slots, row.time) || labelled(&self.other, row.time);
            if !known || taken == Some(index) {
                wrong.push((row.row, row.time));
            }
            taken = Some(index);
            // A bar labelled inside of its slot may end before the slot does; one at its label may
            // not.
            if self
                .slots
                .get(index)
                .is_some_and(|slot| slot.open == row.time && row.known < slot.close)
            {
                early.push((row.row, row.time));
            }
        }
        let timeframe = draft.timeframe();
        draft.rows(
            Check::OffSession,
            Severity::Low,
            &outside,
            "outside of every trading session",
        );
        draft.rows(
            Check::OffGrid,
            Severity::High,
            &wrong,
            &format!("not where a {timeframe} bar starts"),
        );
        draft.rows(
            Check::Visibility,
            Severity::Critical,
            &early,
            "with a close time before the bar was known",
        );
    }

    /// Expected bars that are not there.
    pub(crate) fn check_missing(&self, draft: &mut Draft) {
        draft.missing(self.expected, self.known_empty, &self.gaps);
    }

    /// Bars on dates whose holidays the calendar does not know; nothing is missing there.
    pub(crate) fn check_coverage(&self, rows: &Rows, calendar: &Calendar, draft: &mut Draft) {
        let found = rows.select(|row| !calendar.covers(row.time.date()));
        let what = format!(
            "on dates whose holidays the calendar `{}` does not know",
            calendar.name()
        );
        draft.rows(Check::Calendar, Severity::Info, &found, &what);
    }
}
