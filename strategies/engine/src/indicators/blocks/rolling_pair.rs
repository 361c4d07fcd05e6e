//! Sums over a window of two values that come together.

use serde::{Deserialize, Serialize};

use super::order::larger_of;
use super::ring::replace_at;
use super::rolling_sum::ROWS_PER_SUM;
use super::sums::sum_by;

/// Sums of the last n of two values that come together, neither of them ever negative.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RollingPair {
    ring: Box<[[f64; 2]]>,
    /// Slot of the oldest pair, which the next one replaces.
    next: usize,
    is_full: bool,
    sums: [f64; 2],
    /// Rows since the sums were recomputed, in whole turns of the ring.
    age: usize,
    /// Rows since one of the two values was not 0.
    zeros: usize,
}

impl RollingPair {
    pub(crate) fn new(length: usize) -> Self {
        Self {
            ring: vec![[0.0; 2]; length.max(1)].into(),
            next: 0,
            is_full: false,
            sums: [0.0; 2],
            age: 0,
            zeros: 0,
        }
    }

    /// Takes two values; returns their sums over the last n, NaN until there are n. The sums are
    /// exactly 0 when all values are, and never negative.
    #[inline(always)]
    pub(crate) fn push(&mut self, pair: [f64; 2]) -> [f64; 2] {
        let [one, other] = pair;
        self.zeros = if one + other == 0.0 {
            self.zeros.saturating_add(1)
        } else {
            0
        };

        let leaving = replace_at(&mut self.ring, self.next, pair).unwrap_or([0.0; 2]);
        let [one_leaving, other_leaving] = leaving;
        let [one_sum, other_sum] = self.sums;
        self.sums = [
            one_sum + (one - one_leaving),
            other_sum + (other - other_leaving),
        ];

        self.next += 1;
        if self.next == self.ring.len() {
            self.finish_turn();
        }

        if !self.is_full {
            return [f64::NAN; 2];
        }
        if self.zeros >= self.ring.len() {
            return [0.0; 2];
        }
        self.sums.map(|sum| larger_of(0.0, sum))
    }

    /// Recomputes the sums if they are old enough, as `RollingSum` does.
    #[inline(always)]
    fn finish_turn(&mut self) {
        self.next = 0;
        self.is_full = true;
        self.age = self.age.saturating_add(self.ring.len());

        if self.age >= ROWS_PER_SUM {
            self.sums = [
                sum_by(&self.ring, |[one, _]| *one),
                sum_by(&self.ring, |[_, other]| *other),
            ];
            self.age = 0;
        }
    }
}
