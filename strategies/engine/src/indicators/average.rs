//! Recursive averages: exponential and Wilder's, seeded with a simple mean or a first value;
//! Wilder's sum; and the true range.

use serde::{Deserialize, Serialize};

use super::kernel::Bar;
use super::reader::{BarRows, Rows, gap, part};
use super::window::larger;

/// Steps that are taken together.
const TOGETHER: usize = 4;

/// y ← k·y + a·x, seeded with the simple mean of the first n values, or their sum, undefined
/// before.
///
/// [`TOGETHER`] steps are each taken from the average before all of them. That is the same number,
/// and the processor can take them at once instead of waiting for each in turn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SeededAverage {
    /// n.
    first: usize,
    /// Of the sum of the first n.
    divisor: f64,
    weights: Weights,
    /// Values so far, up to n.
    seen: usize,
    /// The average before the group of steps; the sum of the values before there are n.
    value: f64,
    group: Group,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Weights {
    /// a.
    alpha: f64,
    /// k·a.
    keep_alpha: f64,
    /// k².
    keep_twice: f64,
    /// k¹ to k⁴.
    keeps: [f64; TOGETHER],
    /// The last of them. A number of its own to the compiler, which else has the next group wait
    /// for all of this one.
    keep_all: f64,
}

/// A group of steps of which not all are taken yet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Group {
    steps: usize,
    /// The last value; 0 if there is none.
    input: f64,
    /// What the last value and the one before it add, and the same a value earlier; 0 if there is
    /// none.
    pairs: [f64; 2],
}

impl Weights {
    fn new(keep: f64, alpha: f64) -> Self {
        let keep_twice = keep * keep;
        let keep_all = keep_twice * keep_twice;
        let keeps = [keep, keep_twice, keep * keep_twice, keep_all];
        Self {
            alpha,
            keep_alpha: keep * alpha,
            keep_twice,
            keeps,
            keep_all,
        }
    }

    /// The average after each value of a whole group, and after all of them, from the one before:
    /// what two values add, then four, then the average before.
    #[inline(always)]
    fn group(self, before: f64, values: [f64; TOGETHER]) -> ([f64; TOGETHER], f64) {
        let [one, two, three, _] = values;
        let pairs = mul_add(
            self.keep_alpha,
            [0.0, one, two, three],
            values.map(|value| self.alpha * value),
        );
        let [one, two, ..] = pairs;
        let sums = mul_add(self.keep_twice, [0.0, 0.0, one, two], pairs);
        let [.., last] = sums;
        (
            mul_add(before, self.keeps, sums),
            self.keep_all.mul_add(before, last),
        )
    }
}

#[inline(always)]
fn mul_add(
    factor: f64,
    [a, b, c, d]: [f64; TOGETHER],
    [e, f, g, h]: [f64; TOGETHER],
) -> [f64; TOGETHER] {
    [
        factor.mul_add(a, e),
        factor.mul_add(b, f),
        factor.mul_add(c, g),
        factor.mul_add(d, h),
    ]
}

impl SeededAverage {
    /// Exponential: a = 2/(n+1), k = 1 − a.
    pub(super) fn exponential(period: usize) -> Self {
        Self::mean(period, 2.0 / (period as f64 + 1.0))
    }

    /// Wilder's: a = 1/n, k = 1 − a.
    pub(super) fn wilder(period: usize) -> Self {
        Self::mean(period, 1.0 / period as f64)
    }

    /// Wilder's sum: k = 1 − 1/n, a = 1, seeded with the sum of the first n − 1 values.
    pub(super) fn wilder_sum(period: usize) -> Self {
        Self::new(
            period.saturating_sub(1),
            1.0,
            Weights::new(1.0 - 1.0 / period as f64, 1.0),
        )
    }

    fn mean(period: usize, alpha: f64) -> Self {
        Self::new(period, period as f64, Weights::new(1.0 - alpha, alpha))
    }

    fn new(first: usize, divisor: f64, weights: Weights) -> Self {
        Self {
            first,
            divisor,
            weights,
            seen: 0,
            value: 0.0,
            group: Group::default(),
        }
    }

    /// True when the first n values are in.
    #[inline(always)]
    pub(super) fn is_seeded(&self) -> bool {
        self.seen >= self.first
    }

    /// Takes a value; the average so far, NaN until n values are in.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        if self.is_seeded() {
            self.next(value)
        } else {
            self.begin(value)
        }
    }

    /// Takes the value of another average once that is seeded; the average so far, NaN until n of
    /// them are in. By what has begun and not by NaN, which is also what an overflow leaves.
    #[inline(always)]
    pub(super) fn push_from(&mut self, other: &Self, value: f64) -> f64 {
        if other.is_seeded() {
            self.push(value)
        } else {
            f64::NAN
        }
    }

    /// The first n values.
    fn begin(&mut self, value: f64) -> f64 {
        self.seen += 1;
        self.value += value;
        if self.seen < self.first {
            return f64::NAN;
        }
        self.value /= self.divisor;
        self.value
    }

    /// A value after the first n. Bit for bit as in [`Weights::group`].
    #[inline(always)]
    fn next(&mut self, value: f64) -> f64 {
        let (weights, group) = (&self.weights, &mut self.group);
        let pair = weights
            .keep_alpha
            .mul_add(group.input, weights.alpha * value);
        let [before, earlier] = group.pairs;
        let sum = weights.keep_twice.mul_add(earlier, pair);
        let keep = weights.keeps.get(group.steps).copied().unwrap_or(f64::NAN);
        let average = keep.mul_add(self.value, sum);
        if group.steps + 1 == TOGETHER {
            (self.value, *group) = (average, Group::default());
        } else {
            *group = Group {
                steps: group.steps + 1,
                input: value,
                pairs: [pair, before],
            };
        }
        average
    }

    /// What [`SeededAverage::push`] gives for each of as many values as there are averages.
    #[inline(always)]
    pub(super) fn block(&mut self, values: &[f64], averages: &mut [f64]) {
        debug_assert!(values.len() >= averages.len());
        let (mut values, mut averages) =
            (part(values, 0..averages.len()).iter(), averages.iter_mut());
        while !self.is_seeded() || self.group.steps > 0 {
            let (Some(value), Some(average)) = (values.next(), averages.next()) else {
                return;
            };
            *average = self.push(*value);
        }
        let ((groups, rest), (group_averages, averages)) = (
            values.as_slice().as_chunks(),
            averages.into_slice().as_chunks_mut(),
        );
        // Copies of their own live in registers.
        let (weights, mut value) = (self.weights, self.value);
        for (averages, group) in group_averages.iter_mut().zip(groups) {
            (*averages, value) = weights.group(value, *group);
        }
        self.value = value;
        for (average, value) in averages.iter_mut().zip(rest) {
            *average = self.next(*value);
        }
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
        Self {
            alpha: 2.0 / (period as f64 + 1.0),
            value: f64::NAN,
        }
    }

    /// Takes a value; the average so far.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        self.value = if self.value.is_nan() {
            value
        } else {
            self.value + self.alpha * (value - self.value)
        };
        self.value
    }
}

/// The true range of each row of a run from `from` on, NaN at row 0. How many of these rows lack a
/// price, or have a range that is not finite; any number but 0 where there are some.
#[inline(always)]
pub(super) fn true_ranges(run: BarRows<'_>, from: usize, ranges: &mut [f64]) -> u64 {
    let rows = run.part(from.max(1)..run.len());
    let before = part(run.close, from.max(1) - 1..run.len());
    let (first, ranges) = ranges.split_at_mut(ranges.len() - rows.len());
    first.fill(f64::NAN);
    let mut missing = first.len() as u64;
    let bars = rows.high.iter().zip(rows.low).zip(rows.close).zip(before);
    for (range, (((high, low), close), previous)) in ranges.iter_mut().zip(bars) {
        *range = span(*high, *low, *previous);
        // No high or no low gives no range; no close gives none a row later.
        missing += gap(*range) + gap(*close);
    }
    missing
}

/// max(high, previous close) − min(low, previous close): the bar's range with the gap before it;
/// the range alone when the previous close is NaN.
#[inline(always)]
pub(super) fn true_range(bar: &Bar, previous_close: f64) -> f64 {
    span(bar.high, bar.low, previous_close)
}

#[inline(always)]
fn span(high: f64, low: f64, previous_close: f64) -> f64 {
    larger(
        (low - previous_close).abs(),
        larger((high - previous_close).abs(), high - low),
    )
}
