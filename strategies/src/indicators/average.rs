//! Recursive averages: exponential and Wilder's, seeded with a simple mean or a first value; and the true range.

use serde::{Deserialize, Serialize};

use super::kernel::Bar;

/// y ← y + a·(x − y), seeded with the simple mean of the first n values, undefined before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SeededAverage {
    period: usize,
    alpha: f64,
    seen: usize,
    value: f64,
}

impl SeededAverage {
    /// Exponential: a = 2/(n+1).
    pub(super) fn exponential(period: usize) -> Self {
        Self { period, alpha: 2.0 / (period as f64 + 1.0), seen: 0, value: 0.0 }
    }

    /// Wilder's: a = 1/n.
    pub(super) fn wilder(period: usize) -> Self {
        Self { period, alpha: 1.0 / period as f64, seen: 0, value: 0.0 }
    }

    /// Takes a value; the average so far, NaN until n values are in.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        if self.seen >= self.period {
            self.value += self.alpha * (value - self.value);
            return self.value;
        }
        self.seen += 1;
        self.value += value;
        if self.seen < self.period {
            return f64::NAN;
        }
        self.value /= self.period as f64;
        self.value
    }

    /// Takes a value unless it is NaN, which leaves the average as it is; NaN for NaN.
    #[inline]
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
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        self.value = if self.value.is_nan() { value } else { self.value + self.alpha * (value - self.value) };
        self.value
    }
}

/// max(high, previous close) − min(low, previous close): the bar's range with the gap before it; the range alone when the
/// previous close is NaN, which `f64::max` ignores.
#[inline]
pub(super) fn true_range(bar: &Bar, previous_close: f64) -> f64 {
    (bar.high - bar.low).max((bar.high - previous_close).abs()).max((bar.low - previous_close).abs())
}
