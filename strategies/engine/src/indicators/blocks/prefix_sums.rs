//! Sums of the last n of two values that come together and are never negative, for several n at
//! once.
//!
//! With Pₖ the sum of the first k values, the sum of the last n is Pₖ − Pₖ₋ₙ: one running sum
//! serves every n, and a block of rows takes its differences several at once. As P never falls, no
//! difference is below 0, and where nothing was added it is exactly 0.
//!
//! P would lose digits as it grows. So it starts again at 0 every [`ERA`] values, with the values
//! of the longest window before the era, and no rounding error outlives an era.

use serde::{Deserialize, Serialize};

use super::ring::{next_slot, replace_at};
use crate::indicators::engine::slice_of;

/// Values after which the running sums start again.
const ERA: usize = 128;

/// Running sums of two columns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PrefixSums {
    /// Most values of a sum.
    longest: usize,
    /// Values of the era so far.
    era_rows: usize,
    /// By column, P₀ = 0, P₁ … of the `longest` values before the era and then of the era.
    sums: [Box<[f64]>; 2],
    /// The last `longest` pairs that the steps took, to start the next era with.
    recent: Box<[[f64; 2]]>,
    /// Slot of the oldest of them, which the next pair replaces.
    next: usize,
}

/// What the sums of one column over the last n values are made of, for consecutive rows.
#[derive(Clone, Copy)]
pub(crate) struct WindowSums<'a> {
    /// P at each row.
    at_row: &'a [f64],
    /// P at the row n before each.
    before_window: &'a [f64],
}

impl<'a> WindowSums<'a> {
    /// The sum at each row.
    #[inline(always)]
    pub(crate) fn iter(self) -> impl Iterator<Item = f64> + 'a {
        let pairs = self.at_row.iter().zip(self.before_window);
        pairs.map(|(at_row, before_window)| at_row - before_window)
    }
}

impl PrefixSums {
    pub(crate) fn new(longest: usize) -> Self {
        let zeros: Box<[f64]> = vec![0.0; longest + ERA + 1].into();
        Self {
            longest,
            era_rows: 0,
            sums: [zeros.clone(), zeros],
            recent: vec![[0.0; 2]; longest].into(),
            next: 0,
        }
    }

    /// Most values of a sum.
    #[inline(always)]
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Takes a value of each column.
    #[inline(always)]
    pub(crate) fn push(&mut self, pair: [f64; 2]) {
        if self.era_rows == ERA {
            // The slot to be replaced next holds the oldest pair, so the ring is read from there.
            let (newer, older) = self.recent.split_at(self.next);
            start_sums(&mut self.sums, older.iter().chain(newer).copied());
            self.era_rows = 0;
        }

        replace_at(&mut self.recent, self.next, pair);
        self.next = next_slot(self.next, self.longest);
        self.extend(pair.each_ref().map(std::slice::from_ref));
    }

    /// The sums of the last n values, n at most `longest`; values before the first one count as 0.
    #[inline(always)]
    pub(crate) fn sum(&self, n: usize) -> [f64; 2] {
        self.window_sums(1, n).map(|sums| sums.iter().sum())
    }

    /// Values until the next era must start; 0 if it must now.
    #[inline(always)]
    pub(crate) fn rows_until_era(&self) -> usize {
        ERA - self.era_rows
    }

    /// Starts an era with the `longest` values of each column before it.
    #[inline(always)]
    pub(crate) fn start_era(&mut self, columns: [&[f64]; 2]) {
        let [ones, others] = columns;
        let pairs = ones.iter().zip(others).map(|(one, other)| [*one, *other]);
        start_sums(&mut self.sums, pairs);
        self.era_rows = 0;
    }

    /// Takes the next values of each column, at most as many as the era has rows left.
    #[inline(always)]
    pub(crate) fn extend(&mut self, columns: [&[f64]; 2]) {
        let [ones, others] = columns;
        let end = self.longest + self.era_rows;
        let [one_sums, other_sums] = &mut self.sums;
        let mut one_cells = one_sums.get_mut(end..).unwrap_or_default().iter_mut();
        let mut other_cells = other_sums.get_mut(end..).unwrap_or_default().iter_mut();
        // The first cell is the last sum so far; new sums go behind it.
        let mut one_sum = one_cells.next().map_or(0.0, |sum| *sum);
        let mut other_sum = other_cells.next().map_or(0.0, |sum| *sum);

        // Both columns in one loop, as the processor adds to one sum while the other one waits.
        let cells = one_cells.zip(other_cells);
        for ((one_cell, other_cell), (one, other)) in cells.zip(ones.iter().zip(others)) {
            one_sum += one;
            other_sum += other;
            *one_cell = one_sum;
            *other_cell = other_sum;
        }
        self.era_rows += ones.len();
    }

    /// By column, the sums over n values at the last `rows` rows of the era.
    #[inline(always)]
    pub(crate) fn window_sums(&self, rows: usize, n: usize) -> [WindowSums<'_>; 2] {
        // One more for P₀, which comes before the first value.
        let end = self.longest + self.era_rows + 1;
        self.sums.each_ref().map(|sums| WindowSums {
            at_row: slice_of(sums, end - rows..end),
            before_window: slice_of(sums, end - rows - n..end - n),
        })
    }
}

/// Adds up the values before an era, from P₀ = 0 on.
#[inline(always)]
fn start_sums(sums: &mut [Box<[f64]>; 2], values: impl Iterator<Item = [f64; 2]>) {
    let [one_cells, other_cells] = sums;
    let mut cells = one_cells.iter_mut().zip(other_cells);
    if let Some((one_cell, other_cell)) = cells.next() {
        *one_cell = 0.0;
        *other_cell = 0.0;
    }

    let mut sums = [0.0; 2];
    for ((one_cell, other_cell), [one, other]) in cells.zip(values) {
        sums = [sums[0] + one, sums[1] + other];
        [*one_cell, *other_cell] = sums;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values 1, 2, 3, … and their squares, over more than two eras.
    #[test]
    fn a_sum_is_of_the_last_values_or_of_all_while_there_are_fewer() {
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
    fn a_sum_of_nothing_is_zero_and_none_is_below_it() {
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
