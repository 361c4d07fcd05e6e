//! Sums, moments and extremes over the last n values, each in amortised constant time without allocation.
//!
//! Rings are read with `get`, never by index: without a way to panic the compiler keeps their state in registers.

use serde::{Deserialize, Serialize};

use super::kernel::defined;

/// Sum of `term` over the values in four lanes, which an unbroken chain of additions would be four times slower for.
#[inline(always)]
pub(super) fn lane_sum(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; 4];
    let chunks = values.chunks_exact(4);
    let rest: f64 = chunks.remainder().iter().map(|value| term(*value)).sum();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += term(*value);
        }
    }
    let [one, two, three, four] = lanes;
    (one + two) + (three + four) + rest
}

/// Sum of the values times 1, 2, …, n, in four lanes.
fn ramp_sum(values: &[f64]) -> f64 {
    let (mut weights, mut lanes) = ([1.0, 2.0, 3.0, 4.0], [0.0; 4]);
    let chunks = values.chunks_exact(4);
    let rest = chunks.remainder();
    for chunk in chunks {
        for ((lane, weight), value) in lanes.iter_mut().zip(&mut weights).zip(chunk) {
            *lane += *weight * value;
            *weight += 4.0;
        }
    }
    let rest: f64 = rest.iter().zip(weights).map(|(value, weight)| weight * value).sum();
    let [one, two, three, four] = lanes;
    (one + two) + (three + four) + rest
}

/// Puts a value into a slot; what was there.
#[inline(always)]
fn exchange<T: Copy>(ring: &mut [T], slot: usize, value: T) -> Option<T> {
    ring.get_mut(slot).map(|cell| std::mem::replace(cell, value))
}

/// The larger one; `right` where `left` is NaN.
#[inline(always)]
pub(super) fn larger(left: f64, right: f64) -> f64 {
    if left > right { left } else { right }
}

/// Rows after which a sum is made afresh at the next turn of its ring, so that rounding errors do not pile up.
const AGE_MAX: usize = 64;

/// Sum of the last n values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RollingSum {
    ring: Box<[f64]>,
    next: usize,
    full: bool,
    sum: f64,
    /// Whole turns since the sum was made afresh, in rows.
    age: usize,
}

impl RollingSum {
    pub(super) fn new(length: usize) -> Self {
        Self { ring: vec![0.0; length.max(1)].into(), next: 0, full: false, sum: 0.0, age: AGE_MAX }
    }

    /// Takes a value; the sum of the last n, or of all while there are fewer.
    #[inline(always)]
    pub(super) fn partial(&mut self, value: f64) -> f64 {
        let oldest = exchange(&mut self.ring, self.next, value).unwrap_or(0.0);
        self.sum += value - oldest;
        self.next += 1;
        if self.next == self.ring.len() {
            (self.next, self.full, self.age) = (0, true, self.age.saturating_add(self.ring.len()));
            if self.age >= AGE_MAX {
                (self.sum, self.age) = (lane_sum(&self.ring, |value| value), 0);
            }
        }
        self.sum
    }

    /// The means of a whole series from a fresh state: what [`RollingSum::mean`] gives for each value in turn.
    pub(super) fn means(&self, values: &[f64], means: &mut [f64]) {
        let length = self.ring.len();
        let (mut sum, mut age, count) = (0.0, AGE_MAX, length as f64);
        let mut before = &self.ring[..];
        for (block, cells) in values.chunks(length).zip(means.chunks_mut(length)) {
            for ((cell, value), oldest) in cells.iter_mut().zip(block).zip(before) {
                sum += value - oldest;
                [*cell] = defined([sum / count]);
            }
            age += length;
            if let (true, Some(last)) = (age >= AGE_MAX && block.len() == length, cells.last_mut()) {
                (sum, age) = (lane_sum(block, |value| value), 0);
                [*last] = defined([sum / count]);
            }
            before = block;
        }
        means.iter_mut().take(length - 1).for_each(|mean| *mean = f64::NAN);
    }

    /// Takes a value; the sum of the last n, NaN until there are n.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        let sum = self.partial(value);
        if self.full { sum } else { f64::NAN }
    }

    /// Takes a value; the mean of the last n, NaN until there are n.
    #[inline(always)]
    pub(super) fn mean(&mut self, value: f64) -> f64 {
        self.push(value) / self.ring.len() as f64
    }

    /// True when the sum has just been made afresh, at which moment the window is in order.
    #[inline(always)]
    fn is_fresh(&self) -> bool {
        self.full && self.next == 0 && self.age == 0
    }

    /// The last n values in no particular order.
    #[inline(always)]
    pub(super) fn window(&self) -> &[f64] {
        &self.ring
    }
}

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
        Self { ring: vec![[0.0; 2]; length.max(1)].into(), next: 0, full: false, sums: [0.0; 2], age: 0, zeros: 0 }
    }

    /// Takes two values; their sums over the last n, NaN until there are n, exactly 0 when all of both are, never negative.
    #[inline(always)]
    pub(super) fn push(&mut self, [one, other]: [f64; 2]) -> [f64; 2] {
        self.zeros = if one + other == 0.0 { self.zeros.saturating_add(1) } else { 0 };
        let [one_oldest, other_oldest] = exchange(&mut self.ring, self.next, [one, other]).unwrap_or([0.0; 2]);
        let [one_sum, other_sum] = self.sums;
        self.sums = [one_sum + (one - one_oldest), other_sum + (other - other_oldest)];
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
        if self.zeros >= self.ring.len() { [0.0; 2] } else { larger_pair([0.0; 2], self.sums) }
    }
}

fn pair_sums(values: &[[f64; 2]]) -> [f64; 2] {
    values.iter().fold([0.0; 2], |[one_sum, other_sum], [one, other]| [one_sum + one, other_sum + other])
}

/// Sum of the last n values that is exactly 0 when all of them are, whatever came before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RollingFlow {
    sum: RollingSum,
    zeros: usize,
}

impl RollingFlow {
    pub(super) fn new(length: usize) -> Self {
        Self { sum: RollingSum::new(length), zeros: 0 }
    }

    /// Takes a value; the sum of the last n, or of all while there are fewer.
    #[inline(always)]
    pub(super) fn partial(&mut self, value: f64) -> f64 {
        self.zeros = if value == 0.0 { self.zeros.saturating_add(1) } else { 0 };
        let sum = self.sum.partial(value);
        if self.zeros >= self.sum.ring.len() { 0.0 } else { sum }
    }

    /// Takes a value; the sum of the last n, NaN until there are n.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        let sum = self.partial(value);
        if self.sum.full { sum } else { f64::NAN }
    }
}

/// Mean of the last n values, undefined while one of them is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PatchyMean {
    sum: RollingSum,
    defined: usize,
}

impl PatchyMean {
    pub(super) fn new(length: usize) -> Self {
        Self { sum: RollingSum::new(length), defined: 0 }
    }

    /// Takes a value or NaN; the mean of the last n, NaN unless all of them are defined.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        self.defined = if value.is_nan() { 0 } else { self.defined.saturating_add(1) };
        let mean = self.sum.mean(if value.is_nan() { 0.0 } else { value });
        if self.defined >= self.sum.ring.len() { mean } else { f64::NAN }
    }
}

/// Plain sum and linearly weighted sum (1 for the oldest, n for the newest) of the last n values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct WeightedSum {
    values: RollingSum,
    total: f64,
    weighted: f64,
}

impl WeightedSum {
    pub(super) fn new(length: usize) -> Self {
        Self { values: RollingSum::new(length), total: f64::NAN, weighted: f64::NAN }
    }

    /// `combine` of what [`WeightedSum::push`] gives for each value of a whole series in turn, from a fresh state.
    #[inline(always)]
    pub(super) fn combine(&self, values: &[f64], cells: &mut [f64], combine: impl Fn(f64, f64) -> f64) {
        let length = self.values.ring.len();
        let (mut total, mut weighted, mut age, count) = (0.0, f64::NAN, AGE_MAX, length as f64);
        let mut before = &self.values.ring[..];
        for (block, cells) in values.chunks(length).zip(cells.chunks_mut(length)) {
            for ((cell, value), oldest) in cells.iter_mut().zip(block).zip(before) {
                weighted += count * value - total;
                total += value - oldest;
                [*cell] = defined([combine(total, weighted)]);
            }
            age += length;
            if let (true, Some(last)) = (age >= AGE_MAX && block.len() == length, cells.last_mut()) {
                (total, weighted, age) = (lane_sum(block, |value| value), ramp_sum(block), 0);
                [*last] = defined([combine(total, weighted)]);
            }
            before = block;
        }
    }

    /// Takes a value; sum and weighted sum of the last n, NaN until there are n. Every weight falls by one (minus the old
    /// total) and the new value comes with weight n; made afresh with the plain sum.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> (f64, f64) {
        self.weighted += self.values.ring.len() as f64 * value - self.total;
        self.total = self.values.push(value);
        if self.values.is_fresh() {
            self.weighted = ramp_sum(&self.values.ring);
        }
        (self.total, self.weighted)
    }
}

/// The value n steps ago.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Delay {
    ring: Box<[f64]>,
    next: usize,
}

impl Delay {
    pub(super) fn new(length: usize) -> Self {
        Self { ring: vec![f64::NAN; length.max(1)].into(), next: 0 }
    }

    /// `combine` of each value of a whole series and the one n steps before it, NaN where there is none.
    #[inline(always)]
    pub(super) fn combine(&self, values: &[f64], cells: &mut [f64], combine: impl Fn(f64, f64) -> f64) {
        let length = self.ring.len();
        cells.iter_mut().take(length).for_each(|cell| *cell = f64::NAN);
        for ((cell, value), before) in cells.iter_mut().zip(values).skip(length).zip(values) {
            [*cell] = defined([combine(*value, *before)]);
        }
    }

    /// Takes a value; the one taken n steps before, NaN until there is one.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        let oldest = exchange(&mut self.ring, self.next, value).unwrap_or(f64::NAN);
        self.next = if self.next + 1 == self.ring.len() { 0 } else { self.next + 1 };
        oldest
    }
}

/// Mean and standard deviation of the last n values.
///
/// Sums are taken about a nearby value, refreshed at every turn of the ring, so that the difference of squares does
/// not lose the digits that a small deviation of a large price lives in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RollingMoments {
    ring: Box<[f64]>,
    next: usize,
    full: bool,
    centre: f64,
    sum: f64,
    squares: f64,
    newest: f64,
    equal_run: usize,
    /// 1/n.
    mean_share: f64,
    /// 1/(n − ddof).
    variance_share: f64,
}

impl RollingMoments {
    /// The divisor of the variance is `length` − `ddof`.
    pub(super) fn new(length: usize, ddof: f64) -> Self {
        let (ring, count) = (vec![f64::NAN; length.max(1)].into(), length.max(1) as f64);
        let (centre, sum, squares, newest) = (0.0, 0.0, 0.0, f64::NAN);
        let (mean_share, variance_share) = (1.0 / count, 1.0 / (count - ddof));
        Self { ring, next: 0, full: false, centre, sum, squares, newest, equal_run: 0, mean_share, variance_share }
    }

    /// Takes a value; mean and standard deviation of the last n, NaN until there are n.
    /// Identical values have a deviation of exactly 0.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> (f64, f64) {
        self.equal_run = if self.newest == value { self.equal_run.saturating_add(1) } else { 1 };
        self.newest = value;
        let oldest = exchange(&mut self.ring, self.next, value).unwrap_or(f64::NAN);
        self.next += 1;
        if self.next == self.ring.len() {
            self.next = 0;
            self.full = true;
            (self.centre, self.sum, self.squares) = moments(&self.ring);
        } else if self.full {
            let (new, old) = (value - self.centre, oldest - self.centre);
            self.sum += new - old;
            self.squares += new * new - old * old;
        }
        if !self.full {
            return (f64::NAN, f64::NAN);
        }
        if self.equal_run >= self.ring.len() {
            return (value, 0.0);
        }
        let offset = self.sum * self.mean_share;
        let variance = (self.squares - self.sum * offset) * self.variance_share;
        (self.centre + offset, larger(variance, 0.0).sqrt())
    }
}

/// Mean, and sum and sum of squares of the distances from it.
fn moments(values: &[f64]) -> (f64, f64, f64) {
    let centre = lane_sum(values, |value| value) / values.len() as f64;
    let squares = lane_sum(values, |value| (value - centre) * (value - centre));
    (centre, lane_sum(values, |value| value - centre), squares)
}

/// Highest high and lowest low of the last n bars.
///
/// van Herk's method, on pairs of high and negative low: time is cut into blocks of n. Slots before `next` hold bars of this
/// block, whose maximum is `newest`; slots from `next` on hold, for the block before, the maximum from that slot to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RollingRange {
    ring: Box<[[f64; 2]]>,
    next: usize,
    full: bool,
    newest: [f64; 2],
}

#[inline(always)]
fn larger_pair([high, low]: [f64; 2], [other_high, other_low]: [f64; 2]) -> [f64; 2] {
    [larger(high, other_high), larger(low, other_low)]
}

impl RollingRange {
    const LOWEST: [f64; 2] = [f64::NEG_INFINITY; 2];

    pub(super) fn new(length: usize) -> Self {
        Self { ring: vec![Self::LOWEST; length.max(1)].into(), next: 0, full: false, newest: Self::LOWEST }
    }

    /// Takes the high and the low of a bar; the highest and the lowest of the last n, NaN until there are n.
    #[inline(always)]
    pub(super) fn push(&mut self, high: f64, low: f64) -> (f64, f64) {
        self.newest = larger_pair([high, -low], self.newest);
        exchange(&mut self.ring, self.next, [high, -low]);
        self.next += 1;
        let [highest, negative_lowest] = if let Some(&older) = self.ring.get(self.next) {
            larger_pair(self.newest, older)
        } else {
            let mut suffix = Self::LOWEST;
            for slot in self.ring.iter_mut().rev() {
                suffix = larger_pair(*slot, suffix);
                *slot = suffix;
            }
            self.next = 0;
            self.full = true;
            std::mem::replace(&mut self.newest, Self::LOWEST)
        };
        if self.full { (highest, -negative_lowest) } else { (f64::NAN, f64::NAN) }
    }
}

/// How many steps ago the largest of the last n values was taken, the newest one among equals. Same method as
/// [`RollingRange`], on values with the number of their step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SinceMaximum {
    ring: Box<[(f64, u64)]>,
    next: usize,
    full: bool,
    step: u64,
    newest: (f64, u64),
}

impl SinceMaximum {
    const LOWEST: (f64, u64) = (f64::NEG_INFINITY, 0);

    pub(super) fn new(length: usize) -> Self {
        Self { ring: vec![Self::LOWEST; length.max(1)].into(), next: 0, full: false, step: 0, newest: Self::LOWEST }
    }

    #[inline(always)]
    fn larger(newer: (f64, u64), older: (f64, u64)) -> (f64, u64) {
        if newer.0 >= older.0 { newer } else { older }
    }

    /// Takes a value; steps since the largest of the last n, NaN until there are n.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        self.step = self.step.wrapping_add(1);
        self.newest = Self::larger((value, self.step), self.newest);
        exchange(&mut self.ring, self.next, (value, self.step));
        self.next += 1;
        let largest = if let Some(&older) = self.ring.get(self.next) {
            Self::larger(self.newest, older)
        } else {
            let mut suffix = Self::LOWEST;
            for slot in self.ring.iter_mut().rev() {
                suffix = Self::larger(suffix, *slot);
                *slot = suffix;
            }
            self.next = 0;
            self.full = true;
            std::mem::replace(&mut self.newest, Self::LOWEST)
        };
        if self.full { self.step.wrapping_sub(largest.1) as f64 } else { f64::NAN }
    }
}
