//! Recursive averages that start from the mean of their first n values: exponential and Wilder's,
//! and Wilder's sum.
//!
//! The formula is y ← k·y + a·x, so each row waits for a multiplication and an addition of the row
//! before. Four rows can be taken at once, all from the average y before them, because the average
//! after i rows of such a group is
//!
//! ```text
//! yᵢ = kⁱ·y + sᵢ,   sᵢ = k²·pᵢ₋₂ + pᵢ,   pᵢ = k·a·xᵢ₋₁ + a·xᵢ
//! ```
//!
//! where what lies before the group counts as 0: pᵢ is what the last two values of the group add,
//! sᵢ what the last four add. Only kⁱ·y waits for the group before. This is the same number as row
//! by row but not the same bits, so the steps of a stream follow the same sums, group by group.

use serde::{Deserialize, Serialize};

use crate::indicators::engine::slice_of;

/// Rows of a group.
const GROUP: usize = 4;

/// y ← k·y + a·x, seeded with the simple mean of the first n values, or their sum; undefined
/// before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SeededAverage {
    /// n, the number of values in the seed.
    seed_length: usize,
    /// What the sum of the seed is divided by.
    seed_divisor: f64,
    weights: Weights,
    /// Values taken so far, up to n.
    taken: usize,
    /// The average before the unfinished group; the sum of the values while there are fewer than n.
    value: f64,
    group: Group,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Weights {
    /// a, the weight of a new value.
    alpha: f64,
    /// k·a, the weight of the value before it.
    keep_alpha: f64,
    /// k², which carries a pair two rows on.
    keep_twice: f64,
    /// k¹ to k⁴.
    keeps: [f64; GROUP],
    /// k⁴ once more. With a variable of its own the average after a group does not wait for the
    /// other three averages in the register.
    keep_all: f64,
}

/// A group of which some values are still to come.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Group {
    /// Values taken, 0 to 3.
    taken: usize,
    /// x of the last value; 0 if there is none.
    input: f64,
    /// p of the last value and of the one before; 0 if there is none.
    pairs: [f64; 2],
}

impl Weights {
    fn new(keep: f64, alpha: f64) -> Self {
        let keep_twice = keep * keep;
        let keep_all = keep_twice * keep_twice;
        Self {
            alpha,
            keep_alpha: keep * alpha,
            keep_twice,
            keeps: [keep, keep_twice, keep * keep_twice, keep_all],
            keep_all,
        }
    }

    /// The average after each value of a whole group, from the average before the group, which it
    /// replaces by the last one.
    #[inline(always)]
    fn take_group(self, average: &mut f64, values: [f64; GROUP]) -> [f64; GROUP] {
        let [x1, x2, x3, _] = values;
        let scaled = values.map(|value| self.alpha * value);
        let pairs = mul_add_all(self.keep_alpha, [0.0, x1, x2, x3], scaled);

        let [p1, p2, ..] = pairs;
        let sums = mul_add_all(self.keep_twice, [0.0, 0.0, p1, p2], pairs);

        let averages = mul_add_all(*average, self.keeps, sums);
        let [.., last_sum] = sums;
        *average = self.keep_all.mul_add(*average, last_sum);
        averages
    }
}

/// factor·xᵢ + yᵢ for each of the four, in one wide instruction where the processor has it.
#[inline(always)]
fn mul_add_all(factor: f64, x: [f64; GROUP], y: [f64; GROUP]) -> [f64; GROUP] {
    let [x1, x2, x3, x4] = x;
    let [y1, y2, y3, y4] = y;
    [
        factor.mul_add(x1, y1),
        factor.mul_add(x2, y2),
        factor.mul_add(x3, y3),
        factor.mul_add(x4, y4),
    ]
}

impl SeededAverage {
    /// Exponential: a = 2/(n+1), k = 1 − a.
    pub(crate) fn exponential(period: usize) -> Self {
        Self::with_alpha(period, 2.0 / (period as f64 + 1.0))
    }

    /// Wilder's: a = 1/n, k = 1 − a.
    pub(crate) fn wilder(period: usize) -> Self {
        Self::with_alpha(period, 1.0 / period as f64)
    }

    /// Wilder's sum: k = 1 − 1/n, a = 1, seeded with the sum of the first n − 1 values.
    pub(crate) fn wilder_sum(period: usize) -> Self {
        let weights = Weights::new(1.0 - 1.0 / period as f64, 1.0);
        Self::new(period.saturating_sub(1), 1.0, weights)
    }

    fn with_alpha(period: usize, alpha: f64) -> Self {
        Self::new(period, period as f64, Weights::new(1.0 - alpha, alpha))
    }

    fn new(seed_length: usize, seed_divisor: f64, weights: Weights) -> Self {
        Self {
            seed_length,
            seed_divisor,
            weights,
            taken: 0,
            value: 0.0,
            group: Group::default(),
        }
    }

    /// True when the first n values are in.
    #[inline(always)]
    pub(crate) fn is_seeded(&self) -> bool {
        self.taken >= self.seed_length
    }

    /// Takes a value; returns the average so far, NaN until n values are in.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: f64) -> f64 {
        if self.is_seeded() {
            self.push_seeded(value)
        } else {
            self.push_seed(value)
        }
    }

    /// Takes the value of another average once that one is seeded; returns the average so far, NaN
    /// until n of them are in. Asks the other average and does not look for NaN in its value, since
    /// an overflow leaves a NaN, too.
    #[inline(always)]
    pub(crate) fn push_from(&mut self, other: &Self, value: f64) -> f64 {
        if other.is_seeded() {
            self.push(value)
        } else {
            f64::NAN
        }
    }

    /// One of the first n values.
    fn push_seed(&mut self, value: f64) -> f64 {
        self.taken += 1;
        self.value += value;
        if !self.is_seeded() {
            return f64::NAN;
        }

        self.value /= self.seed_divisor;
        self.value
    }

    /// A value after the first n. Gives the bits of [`Weights::take_group`].
    #[inline(always)]
    fn push_seeded(&mut self, value: f64) -> f64 {
        let weights = &self.weights;
        let group = &mut self.group;
        let [pair_before, pair_earlier] = group.pairs;

        let scaled = weights.alpha * value;
        let pair = weights.keep_alpha.mul_add(group.input, scaled);
        let sum = weights.keep_twice.mul_add(pair_earlier, pair);
        let keep = weights.keeps.get(group.taken).copied().unwrap_or(f64::NAN);
        let average = keep.mul_add(self.value, sum);

        if group.taken + 1 == GROUP {
            self.value = average;
            *group = Group::default();
        } else {
            *group = Group {
                taken: group.taken + 1,
                input: value,
                pairs: [pair, pair_before],
            };
        }
        average
    }

    /// What [`SeededAverage::push`] gives for each of as many values as there are averages. The
    /// first n values must be in.
    #[inline(always)]
    pub(crate) fn fill(&mut self, values: &[f64], averages: &mut [f64]) {
        debug_assert!(self.is_seeded() && values.len() >= averages.len());
        let mut values = slice_of(values, 0..averages.len()).iter();
        let mut averages = averages.iter_mut();

        while self.group.taken > 0 {
            let Some((value, average)) = values.next().zip(averages.next()) else {
                return;
            };
            *average = self.push_seeded(*value);
        }

        // Copies, whose address nothing takes, live in registers.
        let weights = self.weights;
        let mut value = self.value;
        let (groups, rest) = values.as_slice().as_chunks();
        let (group_averages, rest_averages) = averages.into_slice().as_chunks_mut();
        for (averages, group) in group_averages.iter_mut().zip(groups) {
            *averages = weights.take_group(&mut value, *group);
        }
        self.value = value;

        for (average, value) in rest_averages.iter_mut().zip(rest) {
            *average = self.push_seeded(*value);
        }
    }
}
