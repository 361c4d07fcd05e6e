//! Mean and standard deviation over the last n values.
//!
//! With d = x − c for a fixed centre c, the mean is c + Σd/n and the variance
//! (Σd² − (Σd)²/n)/(n − ddof), so two running sums are enough. The centre must be near the values:
//! about 0, the two terms of a price's variance would agree in almost all their digits, and their
//! difference would be rounding. So the newest value becomes the centre at every turn of the ring,
//! when both sums are recomputed from the window.

use serde::{Deserialize, Serialize};

use super::order::larger_of;
use super::ring::replace_at;
use super::sums::sum_by;
use crate::indicators::engine::{first_mut, slice_of};

/// Mean and standard deviation of the last n values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RollingMoments {
    ring: Box<[f64]>,
    /// Slot of the oldest value, which the next one replaces.
    next: usize,
    is_full: bool,
    sums: CentredSums,
    newest: f64,
    /// How many of the last values were equal to the newest one.
    equal_values: usize,
    divisors: Divisors,
}

/// A mean with its standard deviation.
#[derive(Clone, Copy)]
pub(crate) struct MeanAndDeviation {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
}

/// Sums over the window of the distances d from the centre, and of d².
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct CentredSums {
    centre: f64,
    sum: f64,
    squares: f64,
}

/// Reciprocals, since a multiplication is faster than a division.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Divisors {
    /// 1/n, of the mean.
    of_mean: f64,
    /// 1/(n − ddof).
    of_variance: f64,
}

impl CentredSums {
    /// About the last of the values.
    #[inline(always)]
    fn of(values: &[f64]) -> Self {
        let centre = values.last().copied().unwrap_or(0.0);
        Self {
            centre,
            sum: sum_by(values, |value| value - centre),
            squares: sum_by(values, |value| (value - centre) * (value - centre)),
        }
    }

    #[inline(always)]
    fn replace(&mut self, leaving: f64, entering: f64) {
        let entering = entering - self.centre;
        let leaving = leaving - self.centre;
        self.sum += entering - leaving;
        self.squares += entering * entering - leaving * leaving;
    }

    /// Both sums after each of these rows.
    #[inline(always)]
    fn fill(&mut self, leaving: &[f64], entering: &[f64], sums: &mut [f64], squares: &mut [f64]) {
        let moves = leaving.iter().zip(entering);
        for ((sum, square), (leaving, entering)) in sums.iter_mut().zip(squares).zip(moves) {
            self.replace(*leaving, *entering);
            *sum = self.sum;
            *square = self.squares;
        }
    }
}

impl Divisors {
    /// Mean from the centre and the sum of distances from it.
    #[inline(always)]
    fn mean(self, centre: f64, sum: f64) -> f64 {
        centre + sum * self.of_mean
    }

    #[inline(always)]
    fn variance(self, sum: f64, squares: f64) -> f64 {
        (squares - sum * (sum * self.of_mean)) * self.of_variance
    }
}

/// The square root; 0 for a variance that rounding left a little below 0.
#[inline(always)]
fn deviation_of(variance: f64) -> f64 {
    // Adding 0 makes a positive zero of a negative one.
    (larger_of(0.0, variance) + 0.0).sqrt()
}

impl RollingMoments {
    /// The divisor of the variance is `length` − `ddof`.
    pub(crate) fn new(length: usize, ddof: f64) -> Self {
        let length = length.max(1);

        Self {
            ring: vec![f64::NAN; length].into(),
            next: 0,
            is_full: false,
            sums: CentredSums {
                centre: 0.0,
                sum: 0.0,
                squares: 0.0,
            },
            newest: f64::NAN,
            equal_values: 0,
            divisors: Divisors {
                of_mean: 1.0 / length as f64,
                of_variance: 1.0 / (length as f64 - ddof),
            },
        }
    }

    /// Takes a value; returns mean and standard deviation of the last n, NaN until there are n.
    /// Equal values have exactly their value as mean and a deviation of exactly 0.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: f64) -> MeanAndDeviation {
        // Counted apart from the sums, whose rounding would leave a deviation above 0.
        self.equal_values = if self.newest == value {
            self.equal_values.saturating_add(1)
        } else {
            1
        };
        self.newest = value;

        let leaving = replace_at(&mut self.ring, self.next, value).unwrap_or(f64::NAN);
        self.next += 1;
        if self.next == self.ring.len() {
            self.next = 0;
            self.is_full = true;
            // Once per turn the sums are taken from the values, so no rounding error lasts.
            self.sums = CentredSums::of(&self.ring);
        } else if self.is_full {
            self.sums.replace(leaving, value);
        }

        if !self.is_full {
            return MeanAndDeviation {
                mean: f64::NAN,
                deviation: f64::NAN,
            };
        }
        if self.equal_values >= self.ring.len() {
            return MeanAndDeviation {
                mean: value,
                deviation: 0.0,
            };
        }
        let CentredSums {
            centre,
            sum,
            squares,
        } = self.sums;
        MeanAndDeviation {
            mean: self.divisors.mean(centre, sum),
            deviation: deviation_of(self.divisors.variance(sum, squares)),
        }
    }

    /// True when n values are in.
    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// What [`RollingMoments::push`] gives for the rows of a run from `from` on, which is n or
    /// more. Keeps only the sums up to date.
    #[inline(always)]
    pub(crate) fn fill(
        &mut self,
        run: &[f64],
        from: usize,
        means: &mut [f64],
        deviations: &mut [f64],
    ) {
        let length = self.ring.len();
        let rows = run.len() - from;
        let mut rest_means = first_mut(means, rows);
        let mut rest_deviations = first_mut(deviations, rows);
        // A copy, whose address nothing takes, lives in registers.
        let mut sums = self.sums;
        let mut start = from;

        // The ring ends a turn at every multiple of n.
        while start < run.len() {
            let turn_end = start + length - start % length;
            let end = turn_end.min(run.len());
            let means = rest_means.split_off_mut(..end - start).unwrap_or_default();
            let deviations = rest_deviations
                .split_off_mut(..end - start)
                .unwrap_or_default();

            let leaving = slice_of(run, start - length..end - length);
            let entering = slice_of(run, start..end);
            sums.fill(leaving, entering, means, deviations);
            self.fill_moments(sums.centre, means, deviations);

            // The row that ends a turn reads the new sums, as a step does.
            if end == turn_end {
                sums = CentredSums::of(slice_of(run, end - length..end));
                if let Some((mean, deviation)) = means.last_mut().zip(deviations.last_mut()) {
                    *mean = self.divisors.mean(sums.centre, sums.sum);
                    *deviation = deviation_of(self.divisors.variance(sums.sum, sums.squares));
                }
            }
            start = end;
        }

        self.sums = sums;
        fill_constant_windows(length, run, from, means, deviations);
    }

    /// Makes mean and deviation of the sums in these cells. A loop of its own, because square roots
    /// of several rows fit one wide register while the sums go row by row.
    #[inline(always)]
    fn fill_moments(&self, centre: f64, means: &mut [f64], deviations: &mut [f64]) {
        for (mean, deviation) in means.iter_mut().zip(deviations) {
            let sum = *mean;
            let squares = *deviation;
            *mean = self.divisors.mean(centre, sum);
            *deviation = deviation_of(self.divisors.variance(sum, squares));
        }
    }
}

/// Puts the exact mean and a deviation of 0 where the last `length` values are all the same.
#[inline(always)]
fn fill_constant_windows(
    length: usize,
    run: &[f64],
    from: usize,
    means: &mut [f64],
    deviations: &mut [f64],
) {
    let history = length - 1;
    let values = slice_of(run, from - history..run.len());

    // Fewer equal neighbours than a window has: the usual case, which this loop finds quickly.
    let mut equal_neighbours = 0;
    for (value, next) in values.iter().zip(slice_of(values, 1..values.len())) {
        equal_neighbours += usize::from(value == next);
    }
    if equal_neighbours < history {
        return;
    }

    // NaN equals nothing, so the first value starts a count of 1.
    let mut equal_values = 0;
    let mut newest = f64::NAN;
    for (row, value) in values.iter().enumerate() {
        equal_values = if newest == *value {
            equal_values + 1
        } else {
            1
        };
        newest = *value;

        if equal_values >= length && row >= history {
            let cells = means
                .get_mut(row - history)
                .zip(deviations.get_mut(row - history));
            if let Some((mean, deviation)) = cells {
                *mean = *value;
                *deviation = 0.0;
            }
        }
    }
}
