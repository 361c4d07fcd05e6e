//! Sums of volumes and movements over a window, which must be exactly 0 where nothing flowed.

use serde::{Deserialize, Serialize};

use super::rolling_sum::RollingSum;
use crate::indicators::engine::slice_of;

/// Sum of the last n values that is exactly 0 when all of them are. The running sum alone could
/// keep a rounding error of what came before, and a ratio of two such sums would be noise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RollingFlow {
    sum: RollingSum,
    /// How many of the last values were 0 without a break.
    zeros: usize,
}

impl RollingFlow {
    pub(crate) fn new(length: usize) -> Self {
        Self {
            sum: RollingSum::new(length),
            zeros: 0,
        }
    }

    /// Takes a value; returns the sum of the last n, or of all while there are fewer.
    #[inline(always)]
    pub(crate) fn push_partial(&mut self, value: f64) -> f64 {
        self.count_zero(value);
        let sum = self.sum.push_partial(value);
        if self.zeros >= self.sum.length() {
            0.0
        } else {
            sum
        }
    }

    /// Takes a value; returns the sum of the last n, NaN until there are n.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: f64) -> f64 {
        let sum = self.push_partial(value);
        if self.sum.is_full() { sum } else { f64::NAN }
    }

    /// What [`RollingFlow::push`] gives; the arguments are those of [`RollingSum::fill_sums`].
    #[inline(always)]
    pub(crate) fn fill_sums(
        &mut self,
        values: &[f64],
        from: usize,
        taken: usize,
        sums: &mut [f64],
    ) {
        let new_values = slice_of(values, from..values.len());
        self.sum.fill_sums(values, from, taken, sums);

        // Zeros are rare, and a loop that counts them is slower than one that looks for any.
        if !contains_zero(new_values) {
            self.zeros = 0;
            return;
        }
        for (value, sum) in new_values.iter().zip(sums) {
            self.count_zero(*value);
            if self.zeros >= self.sum.length() {
                *sum = 0.0;
            }
        }
    }

    #[inline(always)]
    fn count_zero(&mut self, value: f64) {
        self.zeros = if value == 0.0 {
            self.zeros.saturating_add(1)
        } else {
            0
        };
    }
}

/// True if one of the values is 0. Looks at all of them, because a loop without an early end can
/// look at several at once.
#[inline(always)]
fn contains_zero(values: &[f64]) -> bool {
    values
        .iter()
        .fold(false, |any, value| any | (*value == 0.0))
}
