//! Recursive averages: exponential and Wilder's, seeded with a simple mean; and the true range they smooth.

use super::kernel::Bar;

/// y ← y + a·(x − y), seeded with the simple mean of the first n values, undefined before.
#[derive(Clone, Debug)]
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
}

/// max(high, previous close) − min(low, previous close): the bar's range with the gap before it.
#[inline]
pub(super) fn true_range(bar: &Bar, previous_close: f64) -> f64 {
    (bar.high - bar.low).max((bar.high - previous_close).abs()).max((bar.low - previous_close).abs())
}
