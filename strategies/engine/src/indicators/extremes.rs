//! Highest and lowest of the last n bars, and how long ago they were.

use serde::{Deserialize, Serialize};

use super::reader::{BarRows, part};
use super::window::{exchange, larger};

/// Highest high and lowest low of the last n bars.
///
/// van Herk's method, on pairs of high and negative low: time is cut into blocks of n. Slots before
/// `next` hold bars of this block, whose maximum is `newest`; slots from `next` on hold, for the
/// block before, the maximum from that slot to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RollingRange {
    ring: Box<[[f64; 2]]>,
    next: usize,
    full: bool,
    newest: [f64; 2],
}

#[inline(always)]
fn larger_pair([high, low]: [f64; 2], [other_high, other_low]: [f64; 2]) -> [f64; 2] {
    [larger(high, other_high), larger(low, other_low)]
}

impl RollingRange {
    const LOWEST: [f64; 2] = [f64::NEG_INFINITY; 2];

    pub(super) fn new(length: usize) -> Self {
        Self {
            ring: vec![Self::LOWEST; length.max(1)].into(),
            next: 0,
            full: false,
            newest: Self::LOWEST,
        }
    }

    /// Takes the high and the low of a bar; the highest and the lowest of the last n, NaN until
    /// there are n.
    #[inline(always)]
    pub(super) fn push(&mut self, high: f64, low: f64) -> (f64, f64) {
        // Of two zeros none is the larger one: without a sign it does not matter which is taken.
        let bar = [high + 0.0, 0.0 - low];
        self.newest = larger_pair(bar, self.newest);
        exchange(&mut self.ring, self.next, bar);
        self.next += 1;
        let [highest, negative_lowest] = if let Some(&older) = self.ring.get(self.next) {
            larger_pair(self.newest, older)
        } else {
            let mut suffix = Self::LOWEST;
            for slot in self.ring.iter_mut().rev() {
                suffix = larger_pair(*slot, suffix);
                *slot = suffix;
            }
            self.next = 0;
            self.full = true;
            std::mem::replace(&mut self.newest, Self::LOWEST)
        };
        if self.full {
            (highest, 0.0 - negative_lowest)
        } else {
            (f64::NAN, f64::NAN)
        }
    }

    /// What [`RollingRange::push`] gives for each bar of a run from `from` on; keeps nothing.
    #[inline(always)]
    pub(super) fn block(
        &self,
        run: BarRows<'_>,
        from: usize,
        [highest, lowest]: [&mut [f64]; 2],
        scratch: [&mut [f64]; 2],
    ) {
        let length = self.ring.len();
        let [one, other] = scratch;
        windows(run.high, from, length, highest, [one, other], larger);
        windows(
            run.low,
            from,
            length,
            lowest,
            [one, other],
            |left, right| if left < right { left } else { right },
        );
    }
}

/// The extreme of the last n values for each value of a run from `from` on: extremes over 1, 2, 4 …
/// values, each made of two of the one before, and last of two that overlap. A row takes log2 n
/// steps instead of 1, but none waits for another row.
#[inline(always)]
fn windows(
    run: &[f64],
    from: usize,
    length: usize,
    extremes: &mut [f64],
    [mut values, mut next]: [&mut [f64]; 2],
    pick: impl Fn(f64, f64) -> f64,
) {
    let first = from.max(length - 1).min(run.len());
    let (undefined, extremes) = extremes.split_at_mut(first - from);
    undefined.fill(f64::NAN);
    let run = part(run, (first + 1).saturating_sub(length)..run.len());
    for (cell, value) in values.iter_mut().zip(run) {
        *cell = value + 0.0;
    }
    let (mut window, mut rows) = (1, run.len());
    while 2 * window <= length {
        rows = rows.saturating_sub(window);
        let pairs = part(values, 0..rows)
            .iter()
            .zip(part(values, window..window + rows));
        for (cell, (left, right)) in next.iter_mut().zip(pairs) {
            *cell = pick(*left, *right);
        }
        (values, next, window) = (next, values, 2 * window);
    }
    let pairs = values
        .iter()
        .zip(part(values, length - window..values.len()));
    for (cell, (left, right)) in extremes.iter_mut().zip(pairs) {
        *cell = pick(*left, *right);
    }
}

/// How many steps ago the largest of the last n values was taken, the newest one among equals. Same
/// method as [`RollingRange`], on values with the number of their step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SinceMaximum {
    ring: Box<[(f64, u64)]>,
    next: usize,
    full: bool,
    step: u64,
    newest: (f64, u64),
}

impl SinceMaximum {
    const LOWEST: (f64, u64) = (f64::NEG_INFINITY, 0);

    pub(super) fn new(length: usize) -> Self {
        Self {
            ring: vec![Self::LOWEST; length.max(1)].into(),
            next: 0,
            full: false,
            step: 0,
            newest: Self::LOWEST,
        }
    }

    #[inline(always)]
    fn larger(newer: (f64, u64), older: (f64, u64)) -> (f64, u64) {
        if newer.0 >= older.0 { newer } else { older }
    }

    /// Takes a value; steps since the largest of the last n, NaN until there are n.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        self.step = self.step.wrapping_add(1);
        self.newest = Self::larger((value, self.step), self.newest);
        exchange(&mut self.ring, self.next, (value, self.step));
        self.next += 1;
        let largest = if let Some(&older) = self.ring.get(self.next) {
            Self::larger(self.newest, older)
        } else {
            let mut suffix = Self::LOWEST;
            for slot in self.ring.iter_mut().rev() {
                suffix = Self::larger(suffix, *slot);
                *slot = suffix;
            }
            self.next = 0;
            self.full = true;
            std::mem::replace(&mut self.newest, Self::LOWEST)
        };
        if self.full {
            self.step.wrapping_sub(largest.1) as f64
        } else {
            f64::NAN
        }
    }
}
