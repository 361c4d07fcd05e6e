//! Sums, moments and extremes over the last n values, each in amortised constant time without allocation.
#![expect(clippy::indexing_slicing, reason = "every index is kept below the ring's fixed length by the wrap")]

use std::collections::VecDeque;

/// Sum of the last n values. Summed afresh at every turn of the ring, so rounding errors do not pile up.
#[derive(Clone, Debug)]
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

    /// Takes a value; the sum of the last n, NaN until there are n.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        let oldest = std::mem::replace(&mut self.ring[self.next], value);
        self.sum += value - oldest;
        self.next += 1;
        if self.next == self.ring.len() {
            self.next = 0;
            self.full = true;
            self.sum = self.ring.iter().sum();
        }
        if self.full { self.sum } else { f64::NAN }
    }

    /// The whole window, oldest first, at the moment at which the ring has just turned.
    #[inline]
    pub(super) fn turned(&self) -> Option<&[f64]> {
        (self.full && self.next == 0).then_some(&self.ring)
    }

    /// Takes a value; the mean of the last n, NaN until there are n.
    #[inline]
    pub(super) fn mean(&mut self, value: f64) -> f64 {
        self.push(value) / self.ring.len() as f64
    }
}

/// The value n steps ago.
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug)]
pub(super) struct RollingMoments {
    ring: Box<[f64]>,
    next: usize,
    full: bool,
    centre: f64,
    sum: f64,
    squares: f64,
    equal_run: usize,
}

impl RollingMoments {
    pub(super) fn new(length: usize) -> Self {
        let ring = vec![f64::NAN; length.max(1)].into();
        Self { ring, next: 0, full: false, centre: 0.0, sum: 0.0, squares: 0.0, equal_run: 0 }
    }

    /// Takes a value; mean and standard deviation (divisor n − `ddof`) of the last n, NaN until there are n.
    /// Identical values have a deviation of exactly 0.
    #[inline]
    pub(super) fn push(&mut self, value: f64, ddof: f64) -> (f64, f64) {
        let newest = self.ring[if self.next == 0 { self.ring.len() - 1 } else { self.next - 1 }];
        self.equal_run = if newest == value { self.equal_run + 1 } else { 1 };
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
        self.centre = self.ring.iter().sum::<f64>() / self.ring.len() as f64;
        (self.sum, self.squares) = self.ring.iter().fold((0.0, 0.0), |(sum, squares), value| {
            let offset = value - self.centre;
            (sum + offset, squares + offset * offset)
        });
    }
}

/// Largest of the last n values; the smallest is the largest of their negatives.
#[derive(Clone, Debug)]
pub(super) struct RollingMaximum {
    length: usize,
    seen: usize,
    falling: VecDeque<(usize, f64)>,
}

impl RollingMaximum {
    pub(super) fn new(length: usize) -> Self {
        Self { length: length.max(1), seen: 0, falling: VecDeque::with_capacity(length + 1) }
    }

    /// Takes a value; the largest of the last n, NaN until there are n.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        while self.falling.back().is_some_and(|(_, last)| *last <= value) {
            self.falling.pop_back();
        }
        self.falling.push_back((self.seen, value));
        self.seen += 1;
        if self.falling.front().is_some_and(|(row, _)| row + self.length < self.seen) {
            self.falling.pop_front();
        }
        if self.seen < self.length { f64::NAN } else { self.falling.front().map_or(f64::NAN, |(_, largest)| *largest) }
    }
}
