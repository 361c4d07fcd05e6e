//! Recursive averages: exponential and Wilder's, seeded with a simple mean or a first value; and the true range.

use serde::{Deserialize, Serialize};

use super::kernel::Bar;
use super::reader::{BarRows, Rows, gap, part};
use super::window::larger;

/// y ← (1 − a)·y + a·x, seeded with the simple mean of the first n values, undefined before.
///
/// Two steps are taken from the value before the last one: y\[i\] = (1−a)²·y\[i−2\] + (1−a)·a·x\[i−1\] + a·x\[i\]. That is the
/// same number, and the processor can work on two rows at once instead of waiting for each in turn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SeededAverage {
    period: usize,
    weights: Weights,
    /// Values so far, up to n + 1.
    seen: usize,
    /// y\[i−1\]; the sum of the values before there are n.
    value: f64,
    /// y\[i−2\].
    before: f64,
    /// x\[i−1\].
    input: f64,
}

/// What the averages of a chain share.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Weights {
    alpha: f64,
    /// 1 − a.
    keep: f64,
    /// (1 − a)².
    keep_twice: f64,
    /// (1 − a)·a.
    keep_alpha: f64,
}

impl SeededAverage {
    /// Exponential: a = 2/(n+1).
    pub(super) fn exponential(period: usize) -> Self {
        Self::new(period, 2.0 / (period as f64 + 1.0))
    }

    /// Wilder's: a = 1/n.
    pub(super) fn wilder(period: usize) -> Self {
        Self::new(period, 1.0 / period as f64)
    }

    fn new(period: usize, alpha: f64) -> Self {
        let keep = 1.0 - alpha;
        let weights = Weights { alpha, keep, keep_twice: keep * keep, keep_alpha: keep * alpha };
        Self { period, weights, seen: 0, value: 0.0, before: 0.0, input: 0.0 }
    }

    /// Takes a value; the average so far, NaN until n values are in.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        if self.is_seeded() { self.next(value) } else { self.begin(value) }
    }

    /// True when the first n + 1 values are in, from which on [`SeededAverage::next`] is all there is to do.
    #[inline(always)]
    pub(super) fn is_seeded(&self) -> bool {
        self.seen > self.period
    }

    /// Takes a value after the first n + 1; the average so far.
    #[inline(always)]
    pub(super) fn next(&mut self, value: f64) -> f64 {
        self.next_with(self.weights, value)
    }

    pub(super) fn weights(&self) -> Weights {
        self.weights
    }

    /// [`SeededAverage::next`] with its own weights, given once for all averages of a chain: there are not many registers.
    #[inline(always)]
    pub(super) fn next_with(&mut self, weights: Weights, value: f64) -> f64 {
        let newer = weights.keep_alpha.mul_add(self.input, weights.alpha * value);
        let next = weights.keep_twice.mul_add(self.before, newer);
        self.before = std::mem::replace(&mut self.value, next);
        self.input = value;
        next
    }

    /// The first n + 1 values.
    fn begin(&mut self, value: f64) -> f64 {
        self.seen += 1;
        self.input = value;
        if self.seen > self.period {
            self.before = self.value;
            self.value = self.weights.keep * self.value + self.weights.alpha * value;
            return self.value;
        }
        self.value += value;
        if self.seen < self.period {
            return f64::NAN;
        }
        self.value /= self.period as f64;
        self.value
    }

    /// Takes each value and leaves the average so far, NaN until n values are in.
    #[inline(always)]
    pub(super) fn block(&mut self, values: &mut [f64]) {
        // A copy of its own lives in registers.
        let mut average = self.clone();
        let mut values = values.iter_mut();
        while !average.is_seeded() {
            let Some(value) = values.next() else { break };
            *value = average.push(*value);
        }
        for value in values {
            *value = average.next(*value);
        }
        *self = average;
    }

    /// Takes a value unless it is NaN, which leaves the average as it is; NaN for NaN.
    #[inline(always)]
    pub(super) fn push_defined(&mut self, value: f64) -> f64 {
        if value.is_nan() { f64::NAN } else { self.push(value) }
    }
}

/// y ← y + a·(x − y) with a = 2/(n+1), seeded with the first value, so defined from there on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct FirstSeeded {
    alpha: f64,
    value: f64,
}

impl FirstSeeded {
    pub(super) fn new(period: usize) -> Self {
        Self { alpha: 2.0 / (period as f64 + 1.0), value: f64::NAN }
    }

    /// Takes a value; the average so far.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        self.value = if self.value.is_nan() { value } else { self.value + self.alpha * (value - self.value) };
        self.value
    }
}

/// The true range of each row of a run from `from` on, NaN at row 0. How many of these rows lack a price, or have a range that
/// is not finite; any number but 0 where there are some.
#[inline(always)]
pub(super) fn true_ranges(run: BarRows<'_>, from: usize, ranges: &mut [f64]) -> u64 {
    let rows = run.part(from.max(1)..run.len());
    let before = part(run.close, from.max(1) - 1..run.len());
    let (first, ranges) = ranges.split_at_mut(ranges.len() - rows.len());
    first.fill(f64::NAN);
    let mut missing = first.len() as u64;
    let bars = rows.high.iter().zip(rows.low).zip(rows.close).zip(before);
    for (range, (((high, low), close), previous)) in ranges.iter_mut().zip(bars) {
        *range = span(*high, *low, *previous);
        // No high or no low gives no range; no close gives none a row later.
        missing += gap(*range) + gap(*close);
    }
    missing
}

/// max(high, previous close) − min(low, previous close): the bar's range with the gap before it; the range alone when the
/// previous close is NaN.
#[inline(always)]
pub(super) fn true_range(bar: &Bar, previous_close: f64) -> f64 {
    span(bar.high, bar.low, previous_close)
}

#[inline(always)]
fn span(high: f64, low: f64, previous_close: f64) -> f64 {
    larger((low - previous_close).abs(), larger((high - previous_close).abs(), high - low))
}
