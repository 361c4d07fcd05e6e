//! Sums, moments and extremes over the last n values, each in amortised constant time without allocation.
#![expect(clippy::indexing_slicing, reason = "every index is kept below the ring's fixed length by the wrap")]

use serde::{Deserialize, Serialize};

/// Sum of `term` over the values in four lanes, which an unbroken chain of additions would be four times slower for.
#[inline]
pub(super) fn lane_sum(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; 4];
    let chunks = values.chunks_exact(4);
    let rest: f64 = chunks.remainder().iter().map(|value| term(*value)).sum();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += term(*value);
        }
    }
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + rest
}

#[inline]
fn larger(left: f64, right: f64) -> f64 {
    if left > right { left } else { right }
}

/// Sum of the last n values. Summed afresh at every turn of the ring, so rounding errors do not pile up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RollingSum {
    ring: Box<[f64]>,
    next: usize,
    full: bool,
    sum: f64,
}

impl RollingSum {
    pub(super) fn new(length: usize) -> Self {
        Self { ring: vec![0.0; length.max(1)].into(), next: 0, full: false, sum: 0.0 }
    }

    /// Takes a value; the sum of the last n, or of all while there are fewer.
    #[inline]
    pub(super) fn partial(&mut self, value: f64) -> f64 {
        let oldest = std::mem::replace(&mut self.ring[self.next], value);
        self.sum += value - oldest;
        self.next += 1;
        if self.next == self.ring.len() {
            self.next = 0;
            self.full = true;
            self.sum = lane_sum(&self.ring, |value| value);
        }
        self.sum
    }

    /// Takes a value; the sum of the last n, NaN until there are n.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        let sum = self.partial(value);
        if self.full { sum } else { f64::NAN }
    }

    /// Takes a value; the mean of the last n, NaN until there are n.
    #[inline]
    pub(super) fn mean(&mut self, value: f64) -> f64 {
        self.push(value) / self.ring.len() as f64
    }

    /// The last n values in no particular order.
    #[inline]
    pub(super) fn window(&self) -> &[f64] {
        &self.ring
    }
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
    #[inline]
    pub(super) fn partial(&mut self, value: f64) -> f64 {
        self.zeros = if value == 0.0 { self.zeros.saturating_add(1) } else { 0 };
        let sum = self.sum.partial(value);
        if self.zeros >= self.sum.ring.len() { 0.0 } else { sum }
    }

    /// Takes a value; the sum of the last n, NaN until there are n.
    #[inline]
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
    #[inline]
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

    /// Takes a value; sum and weighted sum of the last n, NaN until there are n. Every weight falls by one (minus the old
    /// total) and the new value comes with weight n; made afresh at every turn of the ring.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> (f64, f64) {
        self.weighted += self.values.ring.len() as f64 * value - self.total;
        self.total = self.values.push(value);
        if self.values.next == 0 {
            let mut weight = 0.0;
            let mut weigh = |value: &f64| {
                weight += 1.0;
                weight * value
            };
            self.weighted = self.values.ring.iter().map(&mut weigh).sum();
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

    /// Takes a value; the one taken n steps before, NaN until there is one.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        let oldest = std::mem::replace(&mut self.ring[self.next], value);
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
}

impl RollingMoments {
    pub(super) fn new(length: usize) -> Self {
        let ring = vec![f64::NAN; length.max(1)].into();
        let (centre, sum, squares, newest) = (0.0, 0.0, 0.0, f64::NAN);
        Self { ring, next: 0, full: false, centre, sum, squares, newest, equal_run: 0 }
    }

    /// Takes a value; mean and standard deviation (divisor n − `ddof`) of the last n, NaN until there are n.
    /// Identical values have a deviation of exactly 0.
    #[inline]
    pub(super) fn push(&mut self, value: f64, ddof: f64) -> (f64, f64) {
        self.equal_run = if self.newest == value { self.equal_run.saturating_add(1) } else { 1 };
        self.newest = value;
        let oldest = std::mem::replace(&mut self.ring[self.next], value);
        self.next += 1;
        if self.next == self.ring.len() {
            self.next = 0;
            self.full = true;
            self.refresh();
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
        let count = self.ring.len() as f64;
        let offset = self.sum / count;
        let variance = (self.squares - self.sum * offset) / (count - ddof);
        (self.centre + offset, variance.max(0.0).sqrt())
    }

    fn refresh(&mut self) {
        let centre = lane_sum(&self.ring, |value| value) / self.ring.len() as f64;
        self.sum = lane_sum(&self.ring, |value| value - centre);
        self.squares = lane_sum(&self.ring, |value| (value - centre) * (value - centre));
        self.centre = centre;
    }
}

/// Largest of the last n values; the smallest is the largest of their negatives.
///
/// van Herk's method: time is cut into blocks of n. Slots before `next` hold values of this block, whose maximum is
/// `newest`; slots from `next` on hold, for the block before, the maximum from that slot to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RollingMaximum {
    ring: Box<[f64]>,
    next: usize,
    full: bool,
    newest: f64,
}

impl RollingMaximum {
    pub(super) fn new(length: usize) -> Self {
        let lowest = f64::NEG_INFINITY;
        Self { ring: vec![lowest; length.max(1)].into(), next: 0, full: false, newest: lowest }
    }

    /// Takes a value; the largest of the last n, NaN until there are n.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        self.newest = larger(value, self.newest);
        self.ring[self.next] = value;
        self.next += 1;
        if self.next < self.ring.len() {
            return if self.full { larger(self.newest, self.ring[self.next]) } else { f64::NAN };
        }
        let mut suffix = f64::NEG_INFINITY;
        for slot in self.ring.iter_mut().rev() {
            suffix = larger(*slot, suffix);
            *slot = suffix;
        }
        self.next = 0;
        self.full = true;
        std::mem::replace(&mut self.newest, f64::NEG_INFINITY)
    }
}

/// Highest high and lowest low of the last n bars.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RollingRange {
    high: RollingMaximum,
    negative_low: RollingMaximum,
}

impl RollingRange {
    pub(super) fn new(length: usize) -> Self {
        Self { high: RollingMaximum::new(length), negative_low: RollingMaximum::new(length) }
    }

    /// Takes the high and the low of a bar; the highest and the lowest of the last n, NaN until there are n.
    #[inline]
    pub(super) fn push(&mut self, high: f64, low: f64) -> (f64, f64) {
        (self.high.push(high), -self.negative_low.push(-low))
    }
}

/// How many steps ago the largest of the last n values was taken, the newest one among equals. Same method as
/// [`RollingMaximum`], on values with the number of their step.
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

    #[inline]
    fn larger(newer: (f64, u64), older: (f64, u64)) -> (f64, u64) {
        if newer.0 >= older.0 { newer } else { older }
    }

    /// Takes a value; steps since the largest of the last n, NaN until there are n.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        self.step = self.step.wrapping_add(1);
        self.newest = Self::larger((value, self.step), self.newest);
        self.ring[self.next] = (value, self.step);
        self.next += 1;
        let largest = if self.next < self.ring.len() {
            Self::larger(self.newest, self.ring[self.next])
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
