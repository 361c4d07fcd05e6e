//! Exponential average that starts at its first value.

use serde::{Deserialize, Serialize};

/// y ← y + a·(x − y) with a = 2/(n+1), seeded with the first value, so defined from there on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FirstSeeded {
    alpha: f64,
    value: f64,
}

impl FirstSeeded {
    pub(crate) fn new(period: usize) -> Self {
        Self {
            alpha: 2.0 / (period as f64 + 1.0),
            value: f64::NAN,
        }
    }

    /// Takes a value; returns the average so far.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: f64) -> f64 {
        self.value = if self.value.is_nan() {
            value
        } else {
            self.value + self.alpha * (value - self.value)
        };
        self.value
    }
}
