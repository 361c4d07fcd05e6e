//! Runs of expected bars: bars of one length that follow each other without a pause, by their
//! number.
//!
//! A million minutes of a market that never closes are 700 runs, so that counting them, or asking
//! how many end within an hour, need not make a list of them.

use std::ops::Range;

use crate::calendar::{Calendar, TradingSession};
use crate::grid::Slot;
use crate::time::{DAY_MICROS, Utc};
use crate::timeframe::Timeframe;

/// Minutes of a day of 24 hours.
const DAY_MINUTES: i64 = 1_440;
/// Microseconds of a minute.
const MINUTE_MICROS: i64 = 60_000_000;

/// Bars that follow each other, each as long as the next but the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotRun {
    /// Label of the first bar.
    open: Utc,
    /// Microseconds from label to label.
    step: i64,
    /// Number of bars, at least 1.
    count: i64,
    /// Close of the last bar; those of the others are the labels that follow them.
    end: Utc,
}

impl SlotRun {
    /// A run of one bar.
    pub(crate) const fn single(slot: Slot) -> Self {
        Self {
            open: slot.open,
            step: DAY_MICROS,
            count: 1,
            end: slot.close,
        }
    }

    /// Bars of `step` microseconds from `open` until `end`, which is later; the last one may be
    /// short.
    const fn until(open: Utc, step: i64, end: Utc) -> Self {
        // Rounded up: what is left over is a bar, too.
        let count = (end.0.saturating_sub(open.0) - 1) / step + 1;
        Self {
            open,
            step,
            count,
            end,
        }
    }

    /// Number of bars.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.count).unwrap_or_default()
    }

    /// The bars one by one.
    pub(crate) fn slots(self) -> impl Iterator<Item = Slot> {
        (0..self.count).map(move |index| self.slot(index))
    }

    fn slot(&self, index: i64) -> Slot {
        let is_last = index + 1 == self.count;
        Slot {
            open: self.label(index),
            close: if is_last {
                self.end
            } else {
                self.label(index + 1)
            },
        }
    }

    const fn label(&self, index: i64) -> Utc {
        self.open.plus_micros(index * self.step)
    }

    /// Number of bars that end at or before `limit`.
    fn count_ends(&self, limit: Utc) -> usize {
        if self.end <= limit {
            return self.len();
        }
        let steps = limit.0.saturating_sub(self.open.0) / self.step;
        usize::try_from(steps.min(self.count - 1)).unwrap_or_default()
    }

    /// The bars with labels in `labels`, if there are any.
    fn within(self, labels: &Range<Utc>) -> Option<Self> {
        let skipped = self.count_labels_before(labels.start);
        let end_index = self.count_labels_before(labels.end);
        if end_index <= skipped {
            return None;
        }

        // The last bar of a run that is cut ends where the next one began.
        Some(Self {
            open: self.label(skipped),
            step: self.step,
            count: end_index - skipped,
            end: self.slot(end_index - 1).close,
        })
    }

    fn count_labels_before(&self, limit: Utc) -> i64 {
        let distance = limit.0.saturating_sub(self.open.0);
        if distance <= 0 {
            return 0;
        }
        ((distance - 1) / self.step + 1).min(self.count)
    }

    /// The bars behind the first one.
    fn behind_first(self) -> Option<Self> {
        (self.count > 1).then(|| Self {
            open: self.label(1),
            count: self.count - 1,
            ..self
        })
    }
}

/// Runs in order, of which two neighbours have no bar in common.
#[derive(Default)]
pub(crate) struct SlotRuns {
    runs: Vec<SlotRun>,
}

impl SlotRuns {
    /// Appends a run, which may begin with the bar that the last one ends with.
    pub(crate) fn push(&mut self, run: SlotRun) {
        let last = self.runs.last_mut();
        let Some(last) = last.filter(|last| last.label(last.count - 1) == run.open) else {
            self.runs.push(run);
            return;
        };

        // Two sessions share a bar: it is known when the later one ends.
        let behind = run.behind_first();
        let end = behind.map_or(run.end, |behind| behind.open);
        last.end = last.end.max(end);
        self.runs.extend(behind);
    }

    /// The bars with labels in `labels`.
    pub(crate) fn within(self, labels: &Range<Utc>) -> Vec<SlotRun> {
        let runs = self.runs.into_iter();
        runs.filter_map(|run| run.within(labels)).collect()
    }
}

/// Counts the ends of bars up to one instant after another.
pub(crate) struct EndCounter<'a> {
    /// Those that do not end before the last instant that was asked for.
    runs: &'a [SlotRun],
    /// Bars of the runs before.
    passed: usize,
}

impl<'a> EndCounter<'a> {
    /// Over runs in order.
    pub(crate) const fn new(runs: &'a [SlotRun]) -> Self {
        Self { runs, passed: 0 }
    }

    /// How many bars end at or before `limit`; limits must not descend.
    pub(crate) fn count_until(&mut self, limit: Utc) -> usize {
        while let Some((run, later_runs)) = self.runs.split_first()
            && run.end <= limit
        {
            self.passed += run.len();
            self.runs = later_runs;
        }

        let next = self.runs.first();
        self.passed + next.map_or(0, |run| run.count_ends(limit))
    }
}

/// What intraday bars are counted from.
pub(crate) enum Clock<'a> {
    /// The open of each session.
    Session,
    /// Midnight in UTC.
    Utc,
    /// Midnight at the exchange.
    Local(&'a Calendar),
}

impl Clock<'_> {
    /// Appends the bars of one session. The first may be labelled before it opens; none ends after
    /// it closes, nor after the clock begins to count again.
    pub(crate) fn push_session(
        &self,
        timeframe: Timeframe,
        session: &TradingSession,
        runs: &mut SlotRuns,
    ) {
        let since_label = self.minutes_of_day(session.open) % timeframe.minutes();
        let begins_again = DAY_MINUTES % timeframe.minutes() != 0;

        // A session may run past midnight, where such a timeframe has one short bar.
        let mut open = session.open.plus_micros(-since_label * MINUTE_MICROS);
        while open < session.close {
            let mut end = session.close;
            if begins_again {
                end = end.min(self.next_midnight(open));
            }
            runs.push(SlotRun::until(open, timeframe.micros(), end));
            open = end;
        }
    }

    /// Whole minutes since the clock began to count, at the open of a session.
    fn minutes_of_day(&self, open: Utc) -> i64 {
        match self {
            Self::Session => 0,
            Self::Utc => open.0.rem_euclid(DAY_MICROS) / MINUTE_MICROS,
            Self::Local(calendar) => {
                let local = calendar.local(open).time();
                i64::from(local.hour()) * 60 + i64::from(local.minute())
            }
        }
    }

    /// Where the clock begins to count again after an instant.
    fn next_midnight(&self, instant: Utc) -> Utc {
        match self {
            Self::Session => Utc(i64::MAX),
            Self::Utc => Utc(instant.0 - instant.0.rem_euclid(DAY_MICROS)).plus_micros(DAY_MICROS),
            Self::Local(calendar) => calendar.day_end(calendar.local(instant).date()),
        }
    }
}
