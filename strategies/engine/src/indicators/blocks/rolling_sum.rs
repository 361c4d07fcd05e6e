//! Sum of the last n values, in constant time per value.
//!
//! Each row adds the newest value and subtracts the one that leaves. That alone would gather one
//! rounding error per row for ever, so the sum is recomputed from the window now and then: at the
//! end of every turn of the ring, or, for short rings, of the first turn after [`ROWS_PER_SUM`]
//! rows. At that moment the ring is in order, so a block that sums a slice of the series adds the
//! same numbers in the same order.

use serde::{Deserialize, Serialize};

use super::ring::replace_at;
use super::sums::sum_of;
use crate::indicators::engine::slice_of;

/// Least number of rows that share one recomputed sum.
pub(crate) const ROWS_PER_SUM: usize = 64;

/// Sum of the last n values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RollingSum {
    ring: Box<[f64]>,
    /// Slot of the oldest value, which the next one replaces.
    next: usize,
    is_full: bool,
    sum: f64,
    /// Rows since the sum was recomputed, in whole turns of the ring.
    age: usize,
}

/// Consecutive rows of a series up to one at which the sum is recomputed.
pub(crate) struct Stretch<'a> {
    /// The value that enters the window at each row.
    pub(crate) entering: &'a [f64],
    /// The value that leaves the window at each row.
    pub(crate) leaving: &'a [f64],
    /// The window of the last row, if the sum is recomputed there.
    pub(crate) window: Option<&'a [f64]>,
}

impl RollingSum {
    pub(crate) fn new(length: usize) -> Self {
        Self {
            ring: vec![0.0; length.max(1)].into(),
            next: 0,
            is_full: false,
            sum: 0.0,
            // Old enough for the first full window to be summed as a whole.
            age: ROWS_PER_SUM,
        }
    }

    /// Takes a value; returns the sum of the last n, or of all while there are fewer.
    #[inline(always)]
    pub(crate) fn push_partial(&mut self, value: f64) -> f64 {
        let leaving = replace_at(&mut self.ring, self.next, value).unwrap_or(0.0);
        self.sum += value - leaving;
        self.next += 1;

        if self.next == self.ring.len() {
            self.next = 0;
            self.is_full = true;
            self.age = self.age.saturating_add(self.ring.len());
            if self.age >= ROWS_PER_SUM {
                self.sum = sum_of(&self.ring);
                self.age = 0;
            }
        }
        self.sum
    }

    /// Takes a value; returns the sum of the last n, NaN until there are n.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: f64) -> f64 {
        let sum = self.push_partial(value);
        if self.is_full { sum } else { f64::NAN }
    }

    /// Takes a value; returns the mean of the last n, NaN until there are n.
    #[inline(always)]
    pub(crate) fn push_mean(&mut self, value: f64) -> f64 {
        self.push(value) / self.ring.len() as f64
    }

    /// True when n values are in.
    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// n, the values of a full window.
    #[inline(always)]
    pub(crate) fn length(&self) -> usize {
        self.ring.len()
    }

    /// The value that the next one replaces; 0 while there are fewer than n.
    #[inline(always)]
    pub(crate) fn oldest(&self) -> f64 {
        self.ring.get(self.next).copied().unwrap_or(0.0)
    }

    /// True when the last value made the sum be recomputed. The window is in order then.
    #[inline(always)]
    pub(crate) fn was_recomputed(&self) -> bool {
        self.is_full && self.next == 0 && self.age == 0
    }

    /// The sum of the last n values, or of all while there are fewer.
    #[inline(always)]
    pub(crate) fn sum(&self) -> f64 {
        self.sum
    }

    /// Takes the result of a block: the last n values and their sum. Only for a sum whose values
    /// all come from blocks once it is full, so that its ring is in order.
    #[inline(always)]
    pub(crate) fn replace_window(&mut self, window: &[f64], sum: f64) {
        debug_assert!(self.is_full && self.next == 0);
        self.ring.copy_from_slice(window);
        self.sum = sum;
    }

    /// The last n values, in order when the ring has just ended a turn.
    #[inline(always)]
    pub(crate) fn window(&self) -> &[f64] {
        &self.ring
    }

    /// Rows, after `taken` values of a run, up to and including the next one at which the steps
    /// recompute the sum; `taken` is n or more.
    #[inline(always)]
    pub(crate) fn rows_until_recomputed(&self, taken: usize) -> usize {
        let length = self.ring.len();
        let period = ROWS_PER_SUM.div_ceil(length) * length;
        period - (taken - length) % period
    }

    /// The values from `from` on, n or more of which came before, cut after each row at which the
    /// steps recompute the sum. `taken` is the number of values in the run before `from`, which may
    /// begin before `values` does.
    #[inline(always)]
    pub(crate) fn stretches<'a>(
        &self,
        values: &'a [f64],
        from: usize,
        taken: usize,
    ) -> impl Iterator<Item = Stretch<'a>> {
        let length = self.ring.len();
        let period = ROWS_PER_SUM.div_ceil(length) * length;
        let mut recomputed = from + self.rows_until_recomputed(taken);
        let mut start = from;

        std::iter::from_fn(move || {
            let end = recomputed.min(values.len());
            let is_recomputed = end == recomputed;
            let stretch = Stretch {
                entering: slice_of(values, start..end),
                leaving: slice_of(values, start - length..end - length),
                window: is_recomputed.then(|| slice_of(values, end - length..end)),
            };

            let has_rows = start < end;
            start = end;
            recomputed += period;
            has_rows.then_some(stretch)
        })
    }

    /// What [`RollingSum::push_partial`] gives for the values from `from` on; `values`, `from` and
    /// `taken` as in [`RollingSum::stretches`]. Leaves the ring alone.
    #[inline(always)]
    pub(crate) fn fill_sums(
        &mut self,
        values: &[f64],
        from: usize,
        taken: usize,
        mut sums: &mut [f64],
    ) {
        let mut sum = self.sum;

        for stretch in self.stretches(values, from, taken) {
            let cells = sums
                .split_off_mut(..stretch.entering.len())
                .unwrap_or_default();
            let moves = stretch.entering.iter().zip(stretch.leaving);
            for (cell, (entering, leaving)) in cells.iter_mut().zip(moves) {
                sum += entering - leaving;
                *cell = sum;
            }

            if let Some((window, last)) = stretch.window.zip(cells.last_mut()) {
                sum = sum_of(window);
                *last = sum;
            }
        }
        self.sum = sum;
    }

    /// What [`RollingSum::push_mean`] gives for the rows of a run from `from` on, which is n or
    /// more. Leaves the ring alone.
    #[inline(always)]
    pub(crate) fn fill_means(&mut self, run: &[f64], from: usize, means: &mut [f64]) {
        self.fill_sums(run, from, from, means);

        // A loop of its own, as divisions of several rows fit one wide register.
        let count = self.ring.len() as f64;
        for mean in means {
            *mean /= count;
        }
    }
}
