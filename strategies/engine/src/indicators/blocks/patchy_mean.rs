//! Mean over a window of values some of which may be undefined.

use serde::{Deserialize, Serialize};

use super::rolling_sum::RollingSum;

/// Mean of the last n values, undefined while one of them is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PatchyMean {
    sum: RollingSum,
    /// How many of the last values were defined without a break.
    defined: usize,
}

impl PatchyMean {
    pub(crate) fn new(length: usize) -> Self {
        Self {
            sum: RollingSum::new(length),
            defined: 0,
        }
    }

    /// Takes a value or NaN; returns the mean of the last n, NaN unless all of them are defined.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: f64) -> f64 {
        self.defined = if value.is_nan() {
            0
        } else {
            self.defined.saturating_add(1)
        };

        // An undefined value counts as zero; the mean is not shown until it has left.
        let mean = self.sum.push_mean(if value.is_nan() { 0.0 } else { value });
        if self.defined >= self.sum.length() {
            mean
        } else {
            f64::NAN
        }
    }
}
