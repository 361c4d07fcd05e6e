//! Mean and standard deviation over the last n values.

use serde::{Deserialize, Serialize};

use super::reader::{part, part_mut};
use super::window::{exchange, lane_sum, larger};

/// Mean and standard deviation of the last n values.
///
/// Sums are taken about a nearby value, refreshed at every turn of the ring, so that the difference
/// of squares does not lose the digits that a small deviation of a large price lives in.
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
        Self {
            ring,
            next: 0,
            full: false,
            centre,
            sum,
            squares,
            newest,
            equal_run: 0,
            mean_share,
            variance_share,
        }
    }

    /// Takes a value; mean and standard deviation of the last n, NaN until there are n.
    /// Identical values have a deviation of exactly 0.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> (f64, f64) {
        self.equal_run = if self.newest == value {
            self.equal_run.saturating_add(1)
        } else {
            1
        };
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
        let (mean, variance) = self.moments(self.sum, self.squares);
        (mean, deviation(variance))
    }

    /// Mean and variance from the sums.
    #[inline(always)]
    fn moments(&self, sum: f64, squares: f64) -> (f64, f64) {
        let offset = sum * self.mean_share;
        (
            self.centre + offset,
            (squares - sum * offset) * self.variance_share,
        )
    }

    /// What [`RollingMoments::push`] gives for each value of a run from `from` on; keeps no more
    /// than the sums.
    #[inline(always)]
    pub(super) fn block(
        &mut self,
        run: &[f64],
        from: usize,
        means: &mut [f64],
        deviations: &mut [f64],
    ) {
        let (length, mut at) = (self.ring.len(), from);
        // Locals, whose address nothing takes, live in registers.
        let (mut sum, mut squares) = (self.sum, self.squares);
        let (mut rest_means, mut rest_variances) = (&mut *means, &mut *deviations);
        while at < run.len() {
            let turn = at + length - at % length;
            let end = turn.min(run.len());
            let means = rest_means.split_off_mut(..end - at).unwrap_or_default();
            let variances = rest_variances.split_off_mut(..end - at).unwrap_or_default();
            let before = part(run, at.saturating_sub(length)..end.saturating_sub(length));
            let pairs = part(run, at..end).iter().zip(before);
            for ((mean, variance), (value, oldest)) in
                means.iter_mut().zip(&mut *variances).zip(pairs)
            {
                let (new, old) = (value - self.centre, oldest - self.centre);
                sum += new - old;
                squares += new * new - old * old;
                (*mean, *variance) = (sum, squares);
            }
            for (mean, variance) in means.iter_mut().zip(&mut *variances) {
                (*mean, *variance) = self.moments(*mean, *variance);
            }
            if let (true, Some(mean), Some(variance)) =
                (end == turn, means.last_mut(), variances.last_mut())
            {
                (self.centre, sum, squares) = moments(part(run, end - length..end));
                (*mean, *variance) = self.moments(sum, squares);
            }
            at = end;
        }
        (self.sum, self.squares) = (sum, squares);
        for cell in &mut *deviations {
            *cell = deviation(*cell);
        }
        let unfinished = (length - 1).saturating_sub(from).min(means.len());
        part_mut(means, unfinished).fill(f64::NAN);
        part_mut(deviations, unfinished).fill(f64::NAN);
        self.level(run, from, means, deviations);
    }

    /// Puts the exact mean and a deviation of 0 where all of the last n values are the same.
    #[inline(always)]
    fn level(&self, run: &[f64], from: usize, means: &mut [f64], deviations: &mut [f64]) {
        let length = self.ring.len();
        let start = (from + 1).saturating_sub(length);
        let values = part(run, start..run.len());
        let mut equal = 1;
        for (value, before) in part(values, 1..values.len()).iter().zip(values) {
            equal += usize::from(value == before);
        }
        if equal < length {
            return;
        }
        let (mut run_of_equals, mut newest) = (0, f64::NAN);
        for (row, value) in (start..).zip(values) {
            run_of_equals = if newest == *value {
                run_of_equals + 1
            } else {
                1
            };
            newest = *value;
            if run_of_equals >= length && row >= from {
                means
                    .iter_mut()
                    .skip(row - from)
                    .take(1)
                    .for_each(|mean| *mean = *value);
                deviations
                    .iter_mut()
                    .skip(row - from)
                    .take(1)
                    .for_each(|deviation| *deviation = 0.0);
            }
        }
    }
}

/// Rounding may leave a variance a little below 0.
#[inline(always)]
fn deviation(variance: f64) -> f64 {
    (larger(0.0, variance) + 0.0).sqrt()
}

/// The newest value, and sum and sum of squares of the distances from it.
#[inline(always)]
fn moments(values: &[f64]) -> (f64, f64, f64) {
    let centre = values.last().copied().unwrap_or(0.0);
    let squares = lane_sum(values, |value| (value - centre) * (value - centre));
    (centre, lane_sum(values, |value| value - centre), squares)
}
