//! Sums over the last n values, and the value n steps ago, each in amortised constant time without
//! allocation.
//!
//! Rings are read with `get`, never by index: without a way to panic the compiler keeps their state
//! in registers.

use serde::{Deserialize, Serialize};

use super::reader::{gap, part};

/// Sum of `term` over the values in four lanes, which an unbroken chain of additions would be four
/// times slower for.
#[inline(always)]
pub(super) fn lane_sum<T>(values: &[T], term: impl Fn(&T) -> f64) -> f64 {
    let mut lanes = [0.0; 4];
    let chunks = values.chunks_exact(4);
    let rest: f64 = chunks.remainder().iter().map(&term).sum();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += term(value);
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
    let rest: f64 = rest
        .iter()
        .zip(weights)
        .map(|(value, weight)| weight * value)
        .sum();
    let [one, two, three, four] = lanes;
    (one + two) + (three + four) + rest
}

/// Puts a value into a slot; what was there.
#[inline(always)]
pub(super) fn exchange<T: Copy>(ring: &mut [T], slot: usize, value: T) -> Option<T> {
    ring.get_mut(slot)
        .map(|cell| std::mem::replace(cell, value))
}

/// The larger one; `right` where `left` is NaN.
#[inline(always)]
pub(super) fn larger(left: f64, right: f64) -> f64 {
    if left > right { left } else { right }
}

/// Rows after which a sum is made afresh at the next turn of its ring, so that rounding errors do
/// not pile up.
pub(super) const AGE_MAX: usize = 64;

/// Rows of a run between two at which a sum is made afresh.
struct Stretch<'a> {
    values: &'a [f64],
    /// What each of them pushes out of the sum.
    oldest: &'a [f64],
    /// The last n values, where the sum is made afresh at the last row.
    fresh: Option<&'a [f64]>,
}

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
        Self {
            ring: vec![0.0; length.max(1)].into(),
            next: 0,
            full: false,
            sum: 0.0,
            age: AGE_MAX,
        }
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
                (self.sum, self.age) = (lane_sum(&self.ring, |value| *value), 0);
            }
        }
        self.sum
    }

    /// Values, of which `row` came before, up to and with the one after which the sum is made
    /// afresh.
    #[inline(always)]
    pub(super) fn until_fresh(&self, row: usize) -> usize {
        let length = self.ring.len();
        let turns = AGE_MAX.div_ceil(length) * length;
        if row < length {
            length - row
        } else {
            turns - (row - length) % turns
        }
    }

    /// What [`RollingSum::partial`] gives for each value but the first n, which came before (0
    /// where nothing did) and may be followed by more; `row` is how many really did. Keeps no more
    /// than the sum.
    #[inline(always)]
    pub(super) fn partials(&mut self, values: &[f64], row: usize, sums: &mut [f64]) {
        let (length, mut at, mut rest) = (self.ring.len(), 0, sums);
        while !rest.is_empty() {
            let fresh = at + self.until_fresh(row + at);
            let end = fresh.min(at + rest.len());
            let cells = rest.split_off_mut(..end - at).unwrap_or_default();
            let pairs = part(values, at + length..end + length)
                .iter()
                .zip(part(values, at..end));
            for (cell, (value, oldest)) in cells.iter_mut().zip(pairs) {
                self.sum += value - oldest;
                *cell = self.sum;
            }
            if let (true, Some(last)) = (end == fresh, cells.last_mut()) {
                self.sum = lane_sum(part(values, end..end + length), |value| *value);
                *last = self.sum;
            }
            at = end;
        }
    }

    /// The rows of a run from `from` on, cut after each at which the sum is made afresh.
    #[inline(always)]
    fn stretches<'a>(&'a self, run: &'a [f64], from: usize) -> impl Iterator<Item = Stretch<'a>> {
        let (length, mut at) = (self.ring.len(), from);
        std::iter::from_fn(move || {
            let fresh = at + self.until_fresh(at);
            let (start, end) = (at, fresh.min(run.len()));
            at = end;
            (start < end).then(|| Stretch {
                values: part(run, start..end),
                // A ring that takes no value holds zeros.
                oldest: if start < length {
                    part(&self.ring, start..end)
                } else {
                    part(run, start - length..end - length)
                },
                fresh: (end == fresh).then(|| part(run, end - length..end)),
            })
        })
    }

    /// What [`RollingSum::mean`] gives for each value of a run from `from` on; keeps no more than
    /// the sum.
    #[inline(always)]
    pub(super) fn block(&mut self, run: &[f64], from: usize, means: &mut [f64]) {
        let (mut sum, mut rest) = (self.sum, &mut *means);
        for stretch in self.stretches(run, from) {
            let cells = rest
                .split_off_mut(..stretch.values.len())
                .unwrap_or_default();
            for ((cell, value), oldest) in cells.iter_mut().zip(stretch.values).zip(stretch.oldest)
            {
                sum += value - oldest;
                *cell = sum;
            }
            if let (Some(window), Some(last)) = (stretch.fresh, cells.last_mut()) {
                sum = lane_sum(window, |value| *value);
                *last = sum;
            }
        }
        self.sum = sum;
        let count = self.ring.len() as f64;
        for cell in &mut *means {
            *cell /= count;
        }
        means
            .iter_mut()
            .take((self.ring.len() - 1).saturating_sub(from))
            .for_each(|cell| *cell = f64::NAN);
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

    /// The value that the next one will push out; 0 while there are fewer than n.
    #[inline(always)]
    fn oldest(&self) -> f64 {
        self.ring.get(self.next).copied().unwrap_or(0.0)
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

/// Sum of the last n values that is exactly 0 when all of them are, whatever came before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RollingFlow {
    sum: RollingSum,
    zeros: usize,
}

impl RollingFlow {
    pub(super) fn new(length: usize) -> Self {
        Self {
            sum: RollingSum::new(length),
            zeros: 0,
        }
    }

    /// What [`RollingFlow::partial`] gives; see [`RollingSum::partials`].
    #[inline(always)]
    pub(super) fn partials(&mut self, values: &[f64], row: usize, sums: &mut [f64]) {
        let length = self.sum.ring.len();
        let new = part(values, length..length + sums.len());
        self.sum.partials(values, row, sums);
        if new.iter().fold(false, |any, value| any | (*value == 0.0)) {
            for (value, sum) in new.iter().zip(sums) {
                self.zeros = if *value == 0.0 {
                    self.zeros.saturating_add(1)
                } else {
                    0
                };
                if self.zeros >= length {
                    *sum = 0.0;
                }
            }
        } else {
            self.zeros = 0;
        }
    }

    /// Takes a value; the sum of the last n, or of all while there are fewer.
    #[inline(always)]
    pub(super) fn partial(&mut self, value: f64) -> f64 {
        self.zeros = if value == 0.0 {
            self.zeros.saturating_add(1)
        } else {
            0
        };
        let sum = self.sum.partial(value);
        if self.zeros >= self.sum.ring.len() {
            0.0
        } else {
            sum
        }
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
        Self {
            sum: RollingSum::new(length),
            defined: 0,
        }
    }

    /// Takes a value or NaN; the mean of the last n, NaN unless all of them are defined.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        self.defined = if value.is_nan() {
            0
        } else {
            self.defined.saturating_add(1)
        };
        let mean = self.sum.mean(if value.is_nan() { 0.0 } else { value });
        if self.defined >= self.sum.ring.len() {
            mean
        } else {
            f64::NAN
        }
    }
}

/// Sum of the last n values, each times k − `middle` (k = 1 for the oldest, n for the newest), over
/// `divisor`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RampSum {
    values: RollingSum,
    total: f64,
    ramp: f64,
    middle: f64,
    divisor: f64,
}

impl RampSum {
    pub(super) fn new(length: usize, middle: f64, divisor: f64) -> Self {
        Self {
            values: RollingSum::new(length),
            total: f64::NAN,
            ramp: f64::NAN,
            middle,
            divisor,
        }
    }

    /// What [`RampSum::push`] gives for each value of a run from `from` on; keeps no more than the
    /// sums.
    #[inline(always)]
    pub(super) fn block(&mut self, run: &[f64], from: usize, cells: &mut [f64]) {
        let (mut total, mut ramp, mut rest) = (self.total, self.ramp, cells);
        let (count, middle, factor) = (
            self.values.ring.len() as f64,
            self.middle,
            1.0 / self.divisor,
        );
        for stretch in self.values.stretches(run, from) {
            let cells = rest
                .split_off_mut(..stretch.values.len())
                .unwrap_or_default();
            for ((cell, value), oldest) in cells.iter_mut().zip(stretch.values).zip(stretch.oldest)
            {
                let change = value - oldest;
                ramp = factor.mul_add(
                    (-middle).mul_add(change, count.mul_add(*value, -total)),
                    ramp,
                );
                total += change;
                *cell = ramp;
            }
            if let (Some(window), Some(last)) = (stretch.fresh, cells.last_mut()) {
                total = lane_sum(window, |value| *value);
                ramp = self.afresh(window, total);
                *last = ramp;
            }
        }
        (self.total, self.ramp) = (total, ramp);
    }

    /// Takes a value; the sum, NaN until there are n. Every k falls by one (minus the old total),
    /// the oldest value leaves and the new one comes with n; made afresh with the plain sum. What
    /// is added is divided already: so a row waits for one addition.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        let count = self.values.ring.len() as f64;
        let change = value - self.values.oldest();
        let moved = (-self.middle).mul_add(change, count.mul_add(value, -self.total));
        self.ramp = (1.0 / self.divisor).mul_add(moved, self.ramp);
        self.total = self.values.push(value);
        if self.values.is_fresh() {
            self.ramp = self.afresh(&self.values.ring, self.total);
        }
        self.ramp
    }

    fn afresh(&self, window: &[f64], total: f64) -> f64 {
        (ramp_sum(window) - self.middle * total) / self.divisor
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
        Self {
            ring: vec![f64::NAN; length.max(1)].into(),
            next: 0,
        }
    }

    /// `combine` of each value of a run from `from` on and the one n steps before it, NaN where
    /// there is none; how many are not finite.
    #[inline(always)]
    pub(super) fn block(
        &self,
        run: &[f64],
        from: usize,
        cells: &mut [f64],
        combine: impl Fn(f64, f64) -> f64,
    ) -> u64 {
        let length = self.ring.len();
        let first = from.max(length).min(run.len());
        let (undefined, cells) = cells.split_at_mut(first - from);
        undefined.fill(f64::NAN);
        let mut gaps = undefined.len() as u64;
        let before = part(run, first.saturating_sub(length)..run.len());
        for ((cell, value), before) in cells
            .iter_mut()
            .zip(part(run, first..run.len()))
            .zip(before)
        {
            *cell = combine(*value, *before);
            gaps += gap(*cell);
        }
        gaps
    }

    pub(super) fn length(&self) -> usize {
        self.ring.len()
    }

    /// Takes a value; the one taken n steps before, NaN until there is one.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        let oldest = exchange(&mut self.ring, self.next, value).unwrap_or(f64::NAN);
        self.next = if self.next + 1 == self.ring.len() {
            0
        } else {
            self.next + 1
        };
        oldest
    }
}
