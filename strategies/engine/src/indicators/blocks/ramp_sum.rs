//! Sum of the last n values with weights that rise by one per row, in constant time per value: the
//! weighted moving average and the slope of a regression line.

use serde::{Deserialize, Serialize};

use super::rolling_sum::RollingSum;
use super::sums::{sum_of, sum_of_ramp};

/// Sum of the last n values, each times k − `middle` (k = 1 for the oldest, n for the newest), over
/// `divisor`.
///
/// When a value x enters, every k falls by one, which takes the plain sum of the old window away;
/// x comes with weight n; and the distance from `middle` counts against what enters and leaves.
/// With the plain sum S of the old window and the value o that leaves, the weighted sum rises by
///
/// ```text
/// n·x − S − middle·(x − o)
/// ```
///
/// It is recomputed from the window whenever the plain sum is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RampSum {
    values: RollingSum,
    /// Plain sum of the last n values.
    total: f64,
    /// Weighted sum of them, divided.
    ramp: f64,
    middle: f64,
    divisor: f64,
}

/// What the weighted sum rises by, per value that enters.
#[derive(Clone, Copy)]
struct RampWeights {
    /// n, the weight of a value that enters.
    count: f64,
    middle: f64,
    /// 1/divisor, since a multiplication is faster.
    share: f64,
}

impl RampWeights {
    /// The weighted sum after one more value. What is added is divided first, so a row waits for
    /// one addition to the row before and not for a division as well.
    #[inline(always)]
    fn next_ramp(self, entering: f64, change: f64, total: f64, ramp: f64) -> f64 {
        let rise = (-self.middle).mul_add(change, self.count.mul_add(entering, -total));
        self.share.mul_add(rise, ramp)
    }
}

impl RampSum {
    pub(crate) fn new(length: usize, middle: f64, divisor: f64) -> Self {
        Self {
            values: RollingSum::new(length),
            total: f64::NAN,
            ramp: f64::NAN,
            middle,
            divisor,
        }
    }

    /// Takes a value; returns the sum, NaN until there are n.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: f64) -> f64 {
        let change = value - self.values.oldest();
        self.ramp = self
            .weights()
            .next_ramp(value, change, self.total, self.ramp);

        self.total = self.values.push(value);
        if self.values.was_recomputed() {
            self.ramp = self.ramp_of(self.values.window(), self.total);
        }
        self.ramp
    }

    /// True when n values are in.
    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.values.is_full()
    }

    /// What [`RampSum::push`] gives for the rows of a run from `from` on, which is n or more.
    /// Leaves the ring alone.
    #[inline(always)]
    pub(crate) fn fill(&mut self, run: &[f64], from: usize, mut cells: &mut [f64]) {
        // Locals, whose address nothing takes, live in registers.
        let weights = self.weights();
        let mut total = self.total;
        let mut ramp = self.ramp;

        for stretch in self.values.stretches(run, from, from) {
            let rows = stretch.entering.len();
            let cells = cells.split_off_mut(..rows).unwrap_or_default();
            let moves = stretch.entering.iter().zip(stretch.leaving);
            for (cell, (entering, leaving)) in cells.iter_mut().zip(moves) {
                let change = entering - leaving;
                ramp = weights.next_ramp(*entering, change, total, ramp);
                total += change;
                *cell = ramp;
            }

            if let Some(window) = stretch.window {
                total = sum_of(window);
                ramp = self.ramp_of(window, total);
                if let Some(last) = cells.last_mut() {
                    *last = ramp;
                }
            }
        }

        self.total = total;
        self.ramp = ramp;
    }

    #[inline(always)]
    fn weights(&self) -> RampWeights {
        RampWeights {
            count: self.values.length() as f64,
            middle: self.middle,
            share: 1.0 / self.divisor,
        }
    }

    /// The weighted sum of a whole window in order, whose plain sum is `total`.
    fn ramp_of(&self, window: &[f64], total: f64) -> f64 {
        (sum_of_ramp(window) - self.middle * total) / self.divisor
    }
}
