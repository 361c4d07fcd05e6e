//! Recursive averages: exponential and Wilder's, seeded with a simple mean or a first value; and the true range.

use serde::{Deserialize, Serialize};

use super::kernel::Bar;
use super::window::larger;

/// y ← (1 − a)·y + a·x, seeded with the simple mean of the first n values, undefined before.
///
/// Two steps are taken from the value before the last one: y\[i\] = (1−a)²·y\[i−2\] + (1−a)·a·x\[i−1\] + a·x\[i\]. That is the
/// same number, and the processor can work on two rows at once instead of waiting for each in turn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SeededAverage {
    period: usize,
    alpha: f64,
    /// 1 − a.
    keep: f64,
    /// Values so far, up to n + 1.
    seen: usize,
    /// y\[i−1\]; the sum of the values before there are n.
    value: f64,
    /// y\[i−2\].
    before: f64,
    /// x\[i−1\].
    input: f64,
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
        Self { period, alpha, keep: 1.0 - alpha, seen: 0, value: 0.0, before: 0.0, input: 0.0 }
    }

    /// Takes a value; the average so far, NaN until n values are in.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        if self.seen <= self.period {
            return self.begin(value);
        }
        let (alpha, keep) = (self.alpha, self.keep);
        let next = keep * keep * self.before + (keep * alpha * self.input + alpha * value);
        self.before = std::mem::replace(&mut self.value, next);
        self.input = value;
        next
    }

    /// The first n + 1 values.
    #[inline(always)]
    fn begin(&mut self, value: f64) -> f64 {
        self.seen += 1;
        self.input = value;
        if self.seen > self.period {
            self.before = self.value;
            self.value = self.keep * self.value + self.alpha * value;
            return self.value;
        }
        self.value += value;
        if self.seen < self.period {
            return f64::NAN;
        }
        self.value /= self.period as f64;
        self.value
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

/// max(high, previous close) − min(low, previous close): the bar's range with the gap before it; the range alone when the
/// previous close is NaN.
#[inline(always)]
pub(super) fn true_range(bar: &Bar, previous_close: f64) -> f64 {
    let range = larger((bar.high - previous_close).abs(), bar.high - bar.low);
    larger((bar.low - previous_close).abs(), range)
}
