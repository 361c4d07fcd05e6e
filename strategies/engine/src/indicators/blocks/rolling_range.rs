//! Highest high and lowest low of the last n bars.

use serde::{Deserialize, Serialize};

use super::order::{larger_of, smaller_of};
use super::ring::replace_at;
use crate::indicators::engine::{BarRows, slice_of};

/// Highest high and lowest low of the last n bars.
///
/// By van Herk's method, in amortised constant time: the series is cut into turns of n bars, and a
/// window is the end of one turn together with the beginning of the next. Slots before `next` hold
/// bars of this turn, whose maximum so far is `turn_maximum`; a slot from `next` on holds, for the
/// turn before, the maximum from that slot to the turn's end.
///
/// Lows are kept with their sign turned, so that both columns look for a maximum.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RollingRange {
    ring: Box<[Pair]>,
    next: usize,
    is_full: bool,
    turn_maximum: Pair,
}

/// The highest high and the lowest low of a window.
#[derive(Clone, Copy)]
pub(crate) struct Range {
    pub(crate) highest: f64,
    pub(crate) lowest: f64,
}

impl Range {
    #[inline(always)]
    pub(crate) fn middle(self) -> f64 {
        (self.highest + self.lowest) / 2.0
    }
}

/// A high and a negative low.
type Pair = [f64; 2];

const LOWEST: Pair = [f64::NEG_INFINITY; 2];

#[inline(always)]
fn larger_pair(one: Pair, other: Pair) -> Pair {
    let [high, low] = one;
    let [other_high, other_low] = other;
    [larger_of(high, other_high), larger_of(low, other_low)]
}

impl RollingRange {
    pub(crate) fn new(length: usize) -> Self {
        Self {
            ring: vec![LOWEST; length.max(1)].into(),
            next: 0,
            is_full: false,
            turn_maximum: LOWEST,
        }
    }

    /// Takes the high and the low of a bar; returns the range of the last n, NaN until there are n.
    #[inline(always)]
    pub(crate) fn push(&mut self, high: f64, low: f64) -> Range {
        // Adding 0 takes the sign off a zero. Of two zeros either may be chosen, and the choice
        // must not be seen.
        let bar = [high + 0.0, 0.0 - low];
        self.turn_maximum = larger_pair(bar, self.turn_maximum);
        replace_at(&mut self.ring, self.next, bar);
        self.next += 1;

        // The window is this turn so far and what remains of the turn before.
        let [highest, negative_lowest] = match self.ring.get(self.next) {
            Some(&turn_end_maximum) => larger_pair(self.turn_maximum, turn_end_maximum),
            None => self.finish_turn(),
        };

        if !self.is_full {
            return Range {
                highest: f64::NAN,
                lowest: f64::NAN,
            };
        }
        Range {
            highest,
            lowest: 0.0 - negative_lowest,
        }
    }

    /// Makes of each slot the maximum from it to the end of the turn. Returns that of the turn.
    #[inline(always)]
    fn finish_turn(&mut self) -> Pair {
        let mut suffix = LOWEST;
        for slot in self.ring.iter_mut().rev() {
            suffix = larger_pair(*slot, suffix);
            *slot = suffix;
        }

        self.next = 0;
        self.is_full = true;
        std::mem::replace(&mut self.turn_maximum, LOWEST)
    }

    /// True when n bars are in.
    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// What [`RollingRange::push`] gives for the bars of a run from `from` on, which is n or more.
    /// Keeps nothing; `buffers` are overwritten.
    #[inline(always)]
    pub(crate) fn fill(
        &self,
        run: BarRows<'_>,
        from: usize,
        highest: &mut [f64],
        lowest: &mut [f64],
        buffers: [&mut [f64]; 2],
    ) {
        let length = self.ring.len();
        let [one, other] = buffers;
        fill_extremes(run.high, from, length, highest, [one, other], larger_of);
        fill_extremes(run.low, from, length, lowest, [one, other], smaller_of);
    }
}

/// The extreme of the last `length` values for each value of a run from `from` on.
///
/// First the extremes over 2, 4, 8 … values, each picked from two neighbouring ones of half its
/// length, then those over `length` from two that overlap. A row takes log₂ n picks where van Herk
/// takes about three, but no row waits for another one, so a wide register takes four at once.
#[inline(always)]
fn fill_extremes(
    run: &[f64],
    from: usize,
    length: usize,
    extremes: &mut [f64],
    buffers: [&mut [f64]; 2],
    pick: impl Fn(f64, f64) -> f64,
) {
    let values = slice_of(run, from + 1 - length..run.len());
    let [mut shorter, mut longer] = buffers;
    for (cell, value) in shorter.iter_mut().zip(values) {
        *cell = value + 0.0;
    }

    // `shorter` holds, for each of its rows, the extreme of that value and of the `window` − 1
    // values after it.
    let mut window = 1;
    let mut rows = values.len();
    while 2 * window <= length {
        rows = rows.saturating_sub(window);
        let neighbours = slice_of(shorter, window..window + rows);
        let pairs = slice_of(shorter, 0..rows).iter().zip(neighbours);
        for (cell, (one, other)) in longer.iter_mut().zip(pairs) {
            *cell = pick(*one, *other);
        }

        std::mem::swap(&mut shorter, &mut longer);
        window *= 2;
    }

    // An extreme may see a value twice, so two overlapping windows together make one of n.
    let overlapping = slice_of(shorter, length - window..shorter.len());
    for (cell, (one, other)) in extremes.iter_mut().zip(shorter.iter().zip(overlapping)) {
        *cell = pick(*one, *other);
    }
}
