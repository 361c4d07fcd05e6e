//! Sums of the last n of two values that come together.

use serde::{Deserialize, Serialize};

use super::window::{AGE_MAX, exchange, lane_sum, larger};

/// Sums of the last n of two values that come together, neither of them ever negative.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RollingPair {
    ring: Box<[[f64; 2]]>,
    next: usize,
    full: bool,
    sums: [f64; 2],
    age: usize,
    /// Rows since one of the two was not 0.
    zeros: usize,
}

impl RollingPair {
    pub(super) fn new(length: usize) -> Self {
        Self {
            ring: vec![[0.0; 2]; length.max(1)].into(),
            next: 0,
            full: false,
            sums: [0.0; 2],
            age: 0,
            zeros: 0,
        }
    }

    /// Takes two values; their sums over the last n, NaN until there are n, exactly 0 when all of
    /// both are, never negative.
    #[inline(always)]
    pub(super) fn push(&mut self, [one, other]: [f64; 2]) -> [f64; 2] {
        self.zeros = if one + other == 0.0 {
            self.zeros.saturating_add(1)
        } else {
            0
        };
        let [one_oldest, other_oldest] =
            exchange(&mut self.ring, self.next, [one, other]).unwrap_or([0.0; 2]);
        let [one_sum, other_sum] = self.sums;
        self.sums = [
            one_sum + (one - one_oldest),
            other_sum + (other - other_oldest),
        ];
        self.next += 1;
        if self.next == self.ring.len() {
            (self.next, self.full, self.age) = (0, true, self.age.saturating_add(self.ring.len()));
            if self.age >= AGE_MAX {
                (self.sums, self.age) = (pair_sums(&self.ring), 0);
            }
        }
        if !self.full {
            return [f64::NAN; 2];
        }
        if self.zeros >= self.ring.len() {
            [0.0; 2]
        } else {
            [larger(0.0, self.sums[0]), larger(0.0, self.sums[1])]
        }
    }
}

fn pair_sums(values: &[[f64; 2]]) -> [f64; 2] {
    [
        lane_sum(values, |[one, _]| *one),
        lane_sum(values, |[_, other]| *other),
    ]
}
