//! Labels against the calendar: is each bar where a bar can be, and which bars are not there?

use std::collections::BTreeMap;
use std::ops::Range;

use market::{Calendar, Gap, HourAnchor, SeriesKey, Slot, Utc, expected};

use crate::Options;
use crate::checks::{FEW_BARS, Rows};
use crate::draft::{Draft, Place};
use crate::report::{Check, Severity};

/// Longest time to check, in bars: 31 years of minutes. One stray label must not ask for a century
/// of slots.
const SPAN_MAX: i64 = 1 << 24;

/// True if labels and range span no more than [`SPAN_MAX`] bars.
pub(crate) fn is_checkable(
    rows: &Rows<'_>,
    key: &SeriesKey,
    options: &Options<'_>,
    draft: &mut Draft<'_>,
) -> bool {
    // A requested range asks for slots as bars do, so its ends count as well.
    let range = options.range.iter();
    let range_ends = range.flat_map(|range| [range.start, range.end]);
    let row_ends = rows.times().first().into_iter().chain(rows.times().last());
    let ends: Vec<Utc> = row_ends.copied().chain(range_ends).collect();
    let first = ends.iter().min().copied().unwrap_or(Utc(0));
    let last = ends.iter().max().copied().unwrap_or(Utc(0));

    let span = last.0.saturating_sub(first.0) / key.timeframe.micros();
    if span > SPAN_MAX {
        let timeframe = key.timeframe;
        let message =
            format!("from {first} to {last} are more {timeframe} bars than can be checked");
        draft.unchecked(Check::Timestamp, rows.len(), message);
    }
    span <= SPAN_MAX
}

/// Microseconds of a minute.
const MINUTE_MICROS: i64 = 60_000_000;
/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;
/// Fewer steps between bars say nothing about their spacing.
const STEPS_MIN: usize = 10;

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

/// The slots of the hour anchor that fits the bars, and where in them each bar lies.
struct Anchored {
    slots: Vec<Slot>,
    /// Those of the other anchor; empty where both are the same.
    other_slots: Vec<Slot>,
    slot_of: Vec<Option<usize>>,
}

impl Anchored {
    /// Takes the anchor that leaves fewer bars missing or outside.
    fn choose(calendar: &Calendar, key: &SeriesKey, around: &Range<Utc>, times: &[Utc]) -> Self {
        let by_clock = anchored_slots(calendar, key, HourAnchor::ClockHour, around);
        let slots_by_clock = slots_of(&by_clock, times);

        // Sessions open at whole minutes, and a day has one anchor: both are the same there.
        let is_minute = key.timeframe.micros() == MINUTE_MICROS;
        if !key.timeframe.is_intraday() || is_minute {
            return Self {
                slots: by_clock,
                other_slots: Vec::new(),
                slot_of: slots_by_clock,
            };
        }

        let by_session = anchored_slots(calendar, key, HourAnchor::SessionOpen, around);
        let slots_by_session = slots_of(&by_session, times);
        if misfits(&by_clock, &slots_by_clock) <= misfits(&by_session, &slots_by_session) {
            Self {
                slots: by_clock,
                other_slots: by_session,
                slot_of: slots_by_clock,
            }
        } else {
            Self {
                slots: by_session,
                other_slots: by_clock,
                slot_of: slots_by_session,
            }
        }
    }
}

impl Grid {
    /// Of the two hour anchors, takes the one that leaves fewer bars missing or outside.
    pub(crate) fn new(
        rows: &Rows<'_>,
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

        let Anchored {
            slots,
            other_slots,
            slot_of,
        } = Anchored::choose(calendar, key, &around, times);

        // Without a range, the slot of the first bar is where the series begins.
        let first_slot = slot_of
            .first()
            .copied()
            .flatten()
            .and_then(|index| slots.get(index));
        let begin = first_slot.map_or(span.start, |slot| slot.open);
        let checked = options.range.clone().unwrap_or(begin..span.end);
        let coverage = Coverage::of(&slots, &checked, calendar, times, options.known_empty);

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
        let Some(before) = before else {
            return Step::Apart;
        };
        let Some(here) = self.slot_index_of(index) else {
            return Step::Apart;
        };
        if here != before + 1 {
            return Step::Apart;
        }

        // There are slots only while the market trades: time between two of them is a break.
        let neighbours = self.slots.get(before).zip(self.slots.get(here));
        let is_touching = neighbours.is_some_and(|(before, here)| before.close >= here.open);
        if is_touching || !self.intraday {
            Step::Next
        } else {
            Step::AfterBreak
        }
    }

    /// The slots between those of two rows; none if a row has no slot, or if a session ends between
    /// them (below 1d; days follow each other directly).
    pub(crate) fn slots_between(&self, before: usize, after: usize) -> Option<&[Slot]> {
        let first = self.slot_index_of(before)?;
        let last = self.slot_index_of(after)?;
        let run = self.slots.get(first..=last)?;

        let touches = |pair: &[Slot]| {
            pair.first().map(|slot| slot.close) >= pair.last().map(|slot| slot.open)
        };
        let is_one_session = !self.intraday || run.windows(2).all(touches);
        let between = run.get(1..run.len().saturating_sub(1))?;
        is_one_session.then_some(between)
    }

    fn slot_index_of(&self, row: usize) -> Option<usize> {
        self.slot_of.get(row).copied().flatten()
    }

    /// Reports bars outside of sessions, at labels that no bar has, and with close times that look
    /// ahead.
    pub(crate) fn check_labels(&self, rows: &Rows<'_>, calendar: &Calendar, draft: &mut Draft<'_>) {
        let mut outside = Vec::new();
        let mut off_grid = Vec::new();
        let mut too_early = Vec::new();
        let mut last_index = None;

        for (row, slot) in rows.iter().zip(&self.slot_of) {
            let Some((index, slot)) = slot.and_then(|index| Some((index, self.slots.get(index)?)))
            else {
                // Nobody knows the sessions of dates that the calendar does not.
                if calendar.covers(row.time.date()) {
                    outside.push((row.row, row.time));
                }
                continue;
            };

            // The second bar of a slot is as wrong as a bar between two labels.
            let is_at_label = slot.open == row.time;
            let is_label = is_at_label || has_label(&self.other_slots, row.time);
            if !is_label || last_index == Some(index) {
                off_grid.push((row.row, row.time));
            }
            last_index = Some(index);

            // A bar labelled inside of its slot may end before the slot does; one at its label may
            // not.
            if is_at_label && row.known_at < slot.close {
                too_early.push((row.row, row.time));
            }
        }

        let severity = off_session_severity(outside.len(), draft);
        let text = "outside of every trading session";
        draft.rows(Check::OffSession, severity, &outside, text);
        let text = format!("not where a {} bar starts", draft.timeframe());
        draft.rows(Check::OffGrid, Severity::High, &off_grid, &text);
        let text = "with a close time before the bar was known";
        draft.rows(Check::Visibility, Severity::Critical, &too_early, text);
    }

    /// Reports expected bars that are not there.
    pub(crate) fn check_missing(&self, draft: &mut Draft<'_>) {
        let Coverage {
            expected,
            known_empty,
            gaps,
        } = &self.coverage;
        draft.missing(*expected, *known_empty, gaps);
    }

    /// Reports a series whose bars are mostly not one bar apart: its timeframe is another one.
    pub(crate) fn check_spacing(&self, rows: &Rows<'_>, draft: &mut Draft<'_>) {
        let mut steps = 0_usize;
        let mut uneven: Vec<Place> = Vec::new();
        let mut lengths: BTreeMap<usize, usize> = BTreeMap::new();
        let mut last_index = None;

        for (row, index) in rows.iter().zip(&self.slot_of) {
            let step = last_index.zip(*index).map(|(last, here)| here - last);
            last_index = *index;
            // Two bars in one slot are reported as such.
            let Some(length) = step.filter(|length| *length > 0) else {
                continue;
            };
            steps += 1;
            if length > 1 {
                uneven.push((row.row, row.time));
                *lengths.entry(length).or_default() += 1;
            }
        }

        let even_share = 1.0 - uneven.len() as f64 / steps.max(1) as f64;
        if steps < STEPS_MIN || even_share >= draft.rules().spacing_min {
            return;
        }
        let most_frequent = lengths.iter().max_by_key(|(_, count)| **count);
        let (length, count) = most_frequent.map_or((1, 0), |(length, count)| (*length, *count));
        let severity = if 2 * count > steps {
            Severity::High
        } else {
            Severity::Medium
        };
        let text =
            format!("more than one bar after the one before; {count} are {length} bars after");
        draft.rows(Check::Spacing, severity, &uneven, &text);
    }

    /// Reports bars on dates whose holidays the calendar does not know; nothing is missing there.
    pub(crate) fn check_coverage(
        &self,
        rows: &Rows<'_>,
        calendar: &Calendar,
        draft: &mut Draft<'_>,
    ) {
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
        let begin = slots.partition_point(|slot| slot.open < checked.start);
        let end = slots.partition_point(|slot| slot.open < checked.end);
        let slots = slots.get(begin..end).unwrap_or_default();

        let mut coverage = Self {
            expected: 0,
            known_empty: 0,
            gaps: Vec::new(),
        };
        let mut dates = KnownDates::new(calendar);
        let mut present = PresentSlots::new(times);
        let mut is_in_gap = false;

        // Only a stored bar ends a gap. A slot that is known to be empty is not counted as missing,
        // but the missing bars on both sides of it are one gap.
        for slot in slots.iter().filter(|slot| dates.covers(slot.open)) {
            coverage.expected += 1;
            if present.has_bar(slot) {
                is_in_gap = false;
            } else if empty_ranges.iter().any(|range| range.contains(&slot.open)) {
                coverage.known_empty += 1;
            } else {
                add_to_gaps(&mut coverage.gaps, slot, is_in_gap);
                is_in_gap = true;
            }
        }
        coverage
    }
}

/// Whether the calendar knows the holidays of a date; asks it once a day.
struct KnownDates<'a> {
    calendar: &'a Calendar,
    day: Option<i64>,
    is_covered: bool,
}

impl<'a> KnownDates<'a> {
    const fn new(calendar: &'a Calendar) -> Self {
        Self {
            calendar,
            day: None,
            is_covered: false,
        }
    }

    fn covers(&mut self, instant: Utc) -> bool {
        let day = instant.0.div_euclid(DAY_MICROS);
        if self.day != Some(day) {
            self.day = Some(day);
            self.is_covered = self.calendar.covers(instant.date());
        }
        self.is_covered
    }
}

/// Walks through slots and labels side by side; both ascend.
struct PresentSlots<'a> {
    times: std::iter::Peekable<std::slice::Iter<'a, Utc>>,
}

impl<'a> PresentSlots<'a> {
    fn new(times: &'a [Utc]) -> Self {
        Self {
            times: times.iter().peekable(),
        }
    }

    /// Whether a label lies in the slot, which must not lie before one that was asked for.
    fn has_bar(&mut self, slot: &Slot) -> bool {
        while self.times.next_if(|time| **time < slot.open).is_some() {}
        self.times.peek().is_some_and(|time| **time < slot.close)
    }
}

fn add_to_gaps(gaps: &mut Vec<Gap>, slot: &Slot, goes_on: bool) {
    match gaps.last_mut() {
        Some(gap) if goes_on => {
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

/// One bar at an odd time is a print; many of them are another market, or extended hours.
fn off_session_severity(count: usize, draft: &Draft<'_>) -> Severity {
    let rules = draft.rules();
    match draft.share_of(count) {
        share if share >= 0.5 => Severity::High,
        _ if count < FEW_BARS => Severity::Low,
        share if share > rules.off_session_high => Severity::High,
        share if share > rules.off_session_medium => Severity::Medium,
        _ => Severity::Low,
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

/// The slot of each label; both ascend.
fn slots_of(slots: &[Slot], times: &[Utc]) -> Vec<Option<usize>> {
    let mut next = 0;
    let mut indices = Vec::with_capacity(times.len());

    for time in times {
        while slots.get(next).is_some_and(|slot| slot.open <= *time) {
            next += 1;
        }
        let index = next
            .checked_sub(1)
            .filter(|index| slots.get(*index).is_some_and(|slot| *time < slot.close));
        indices.push(index);
    }
    indices
}

/// Bars outside of `slots` and slots without a bar: how badly the anchor of the slots fits.
fn misfits(slots: &[Slot], slot_of: &[Option<usize>]) -> usize {
    let mut outside = 0;
    let mut filled = 0;
    let mut last_index = None;

    for index in slot_of {
        match index {
            None => outside += 1,
            Some(_) if *index == last_index => {}
            Some(_) => filled += 1,
        }
        last_index = *index;
    }
    outside + slots.len() - filled
}

fn has_label(slots: &[Slot], time: Utc) -> bool {
    slots.binary_search_by_key(&time, |slot| slot.open).is_ok()
}
