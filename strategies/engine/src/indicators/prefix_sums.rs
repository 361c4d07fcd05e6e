//! Sums of the last n of two values that come together and are never negative, for several n at
//! once.
//!
//! A sum is the difference of two running sums, which begin anew every [`ERA`] values, from the
//! last ones before: so no rounding error outlives an era. As they never fall, no difference is
//! below 0, and where nothing was added it is exactly 0.

use serde::{Deserialize, Serialize};

use super::reader::part;
use super::window::exchange;

/// Values after which running sums begin anew.
const ERA: usize = 128;

/// Running sums of two columns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PrefixSums {
    /// Most values of a sum.
    longest: usize,
    /// Values of the era so far.
    rows: usize,
    /// What the k values from `longest` before the era on add up to, by k.
    sums: [Box<[f64]>; 2],
    /// The last `longest` values, of the steps.
    recent: Box<[[f64; 2]]>,
    /// Where the oldest of them is.
    next: usize,
}

impl PrefixSums {
    pub(super) fn new(longest: usize) -> Self {
        let sums = [(); 2].map(|()| vec![0.0; longest + ERA + 1].into());
        Self {
            longest,
            rows: 0,
            sums,
            recent: vec![[0.0; 2]; longest].into(),
            next: 0,
        }
    }

    /// Most values of a sum.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Takes a value of each column.
    #[inline(always)]
    pub(super) fn push(&mut self, values: [f64; 2]) {
        if self.rows == ERA {
            let (newer, older) = self.recent.split_at(self.next);
            begin(&mut self.sums, 0, older.iter().chain(newer).copied());
            self.rows = 0;
        }
        exchange(&mut self.recent, self.next, values);
        self.next = if self.next + 1 == self.longest {
            0
        } else {
            self.next + 1
        };
        self.extend(values.each_ref().map(std::slice::from_ref));
    }

    /// The sums of the last n values, n at most `longest`; values before the first one count as 0.
    #[inline(always)]
    pub(super) fn sum(&self, n: usize) -> [f64; 2] {
        self.last(1, n).map(|[now, before]| {
            now.iter()
                .zip(before)
                .map(|(now, before)| now - before)
                .sum()
        })
    }

    /// Values until the next era must begin; none where it must now.
    #[inline(always)]
    pub(super) fn left(&self) -> usize {
        ERA - self.rows
    }

    /// Begins an era with the values before it: as many as `longest`, or all there were.
    #[inline(always)]
    pub(super) fn begin(&mut self, [ones, others]: [&[f64]; 2]) {
        let values = ones.iter().zip(others).map(|(one, other)| [*one, *other]);
        begin(&mut self.sums, self.longest - ones.len(), values);
        self.rows = 0;
    }

    /// Takes the next values, at most as many as are left. Side by side, as one sum waits while the
    /// other is added to.
    #[inline(always)]
    pub(super) fn extend(&mut self, [ones, others]: [&[f64]; 2]) {
        let end = self.longest + self.rows;
        let [one_sums, other_sums] = self
            .sums
            .each_mut()
            .map(|sums| sums.get_mut(end..).unwrap_or_default().iter_mut());
        let (mut one_sums, mut other_sums) = (one_sums, other_sums);
        let mut one_sum = one_sums.next().map_or(0.0, |sum| *sum);
        let mut other_sum = other_sums.next().map_or(0.0, |sum| *sum);
        for ((one_cell, other_cell), (one, other)) in
            one_sums.zip(other_sums).zip(ones.iter().zip(others))
        {
            one_sum += one;
            other_sum += other;
            (*one_cell, *other_cell) = (one_sum, other_sum);
        }
        self.rows += ones.len();
    }

    /// The running sums at the last so many values of the era, and n values before each, by column.
    #[inline(always)]
    pub(super) fn last(&self, rows: usize, n: usize) -> [[&[f64]; 2]; 2] {
        let end = self.longest + self.rows + 1;
        self.sums.each_ref().map(|sums| {
            [
                part(sums, end - rows..end),
                part(sums, end - rows - n..end - n),
            ]
        })
    }
}

/// Adds up the values before an era, of which the first so many are missing.
#[inline(always)]
fn begin(sums: &mut [Box<[f64]>; 2], missing: usize, values: impl Iterator<Item = [f64; 2]>) {
    let [(one_zeros, ones), (other_zeros, others)] = sums
        .each_mut()
        .map(|sums| sums.split_at_mut((missing + 1).min(sums.len())));
    one_zeros.fill(0.0);
    other_zeros.fill(0.0);
    let mut sums = [0.0; 2];
    for ((one_cell, other_cell), [one, other]) in ones.iter_mut().zip(others).zip(values) {
        sums = [sums[0] + one, sums[1] + other];
        [*one_cell, *other_cell] = sums;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values 1, 2, 3, … and their squares, over more than two eras.
    #[test]
    fn a_sum_is_that_of_the_last_values_and_of_all_while_there_are_fewer() {
        let mut sums = PrefixSums::new(5);
        for row in 1..=300_u32 {
            sums.push([f64::from(row), f64::from(row * row)]);
            for n in [1, 2, 5] {
                let last = (row.saturating_sub(n) + 1..=row).map(f64::from);
                let expected = [
                    last.clone().sum::<f64>(),
                    last.map(|value| value * value).sum(),
                ];
                assert_eq!(sums.sum(n as usize), expected, "row {row}, last {n}");
            }
        }
    }

    #[test]
    fn a_sum_of_nothing_is_exactly_zero_and_no_sum_is_below_it() {
        let mut sums = PrefixSums::new(3);
        for row in 0..1_000 {
            let value = if row % 11 < 5 {
                0.1 * f64::from(row % 7)
            } else {
                0.0
            };
            sums.push([value, 1e16 * value]);
            assert!(sums.sum(2).iter().all(|sum| *sum >= 0.0));
            if row % 11 >= 7 {
                assert_eq!(sums.sum(3), [0.0; 2]);
            }
        }
    }
}
