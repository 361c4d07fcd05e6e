//! Sums of the last n of two values that come together.

use serde::{Deserialize, Serialize};

use super::kernel::BLOCK;
use super::reader::{part, part_mut};
use super::window::{AGE_MAX, exchange, lane_sum, larger};

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
        if self.zeros >= self.ring.len() { [0.0; 2] } else { [larger(0.0, self.sums[0]), larger(0.0, self.sums[1])] }
    }

    /// Values, of which `row` came before, up to and with the one after which nothing stays as it is: the window is full or its
    /// sums are made afresh.
    fn until_change(&self, row: usize) -> usize {
        let until_fresh = self.turns() - row % self.turns();
        let length = self.ring.len();
        if row < length { until_fresh.min(length - row) } else { until_fresh }
    }

    /// Rows between two sums made afresh.
    fn turns(&self) -> usize {
        AGE_MAX.div_ceil(self.ring.len()) * self.ring.len()
    }

    /// Puts exactly 0 where the last n of both columns are.
    #[inline(always)]
    fn empty(&self, [ones, others]: [&[f64]; 2], history: usize, [one_cells, other_cells]: [&mut [f64]; 2]) {
        let mut zeros = 0;
        for (one, other) in ones.iter().zip(others) {
            zeros += usize::from(one + other == 0.0);
        }
        if zeros < self.length() {
            return;
        }
        let mut zeros = 0;
        let mut cells = one_cells.iter_mut().zip(other_cells);
        for (position, (one, other)) in ones.iter().zip(others).enumerate() {
            zeros = if one + other == 0.0 { zeros + 1 } else { 0 };
            let cell = if position >= history { cells.next() } else { None };
            if let (true, Some((one_cell, other_cell))) = (zeros >= self.length(), cell) {
                (*one_cell, *other_cell) = (0.0, 0.0);
            }
        }
    }

    pub(super) fn length(&self) -> usize {
        self.ring.len()
    }
}

/// What [`RollingPair::push`] gives in each of three windows for the values of both columns from `history` on, but for the limit
/// at 0, which is left to do. The values before those came before them: as many as the longest window has, or all; `row` is how
/// many did in all. Keeps no more than the sums.
#[inline(always)]
pub(super) fn block(
    windows: &mut [RollingPair; 3],
    [ones, others]: [&[f64]; 2],
    history: usize,
    row: usize,
    [mut one_cells, mut other_cells]: [[&mut [f64]; 3]; 2],
) {
    let one_sums = windows.each_ref().map(|window| window.sums[0]);
    let other_sums = windows.each_ref().map(|window| window.sums[1]);
    let one_sums = column(windows, one_sums, ones, [history, row], one_cells.each_mut().map(|cells| &mut **cells));
    let other_sums =
        column(windows, other_sums, others, [history, row], other_cells.each_mut().map(|cells| &mut **cells));
    for (window, (one, other)) in windows.iter_mut().zip(one_sums.into_iter().zip(other_sums)) {
        window.sums = [one, other];
    }
    for (window, cells) in windows.iter().zip(one_cells.into_iter().zip(other_cells)) {
        let unfinished = (window.length() - 1).saturating_sub(row).min(cells.0.len());
        part_mut(cells.0, unfinished).fill(f64::NAN);
        part_mut(cells.1, unfinished).fill(f64::NAN);
        window.empty([ones, others], history, [cells.0, cells.1]);
    }
}

/// One of the two columns. The windows go side by side, as one sum is added to while others wait.
#[inline(always)]
fn column(
    windows: &[RollingPair; 3],
    [mut short, mut medium, mut long]: [f64; 3],
    values: &[f64],
    [history, row]: [usize; 2],
    mut rest: [&mut [f64]; 3],
) -> [f64; 3] {
    let (rows, mut at) = (values.len() - history, 0);
    while at < rows {
        let change = windows.iter().map(|window| window.until_change(row + at)).min().unwrap_or(rows);
        let (now, end) = (history + at, rows.min(at + change));
        let [short_old, medium_old, long_old] = windows.each_ref().map(|window| match window.length() {
            // Nothing leaves a window that is not full.
            length if row + at < length => part(&NOTHING, 0..end - at),
            length => part(values, now - length..now - length + end - at),
        });
        let mut cells = rest.each_mut().map(|cells| cells.split_off_mut(..end - at).unwrap_or_default());
        let [short_cells, medium_cells, long_cells] = &mut cells;
        let old = short_old.iter().zip(medium_old).zip(long_old);
        let out = short_cells.iter_mut().zip(&mut **medium_cells).zip(&mut **long_cells);
        for ((value, ((short_old, medium_old), long_old)), ((short_cell, medium_cell), long_cell)) in
            part(values, now..history + end).iter().zip(old).zip(out)
        {
            short += value - short_old;
            medium += value - medium_old;
            long += value - long_old;
            (*short_cell, *medium_cell, *long_cell) = (short, medium, long);
        }
        for ((window, sum), cells) in windows.iter().zip([&mut short, &mut medium, &mut long]).zip(cells) {
            if let (0, Some(last)) = ((row + end) % window.turns(), cells.last_mut()) {
                *sum = lane_sum(part(values, history + end - window.length()..history + end), |value| *value);
                *last = *sum;
            }
        }
        at = end;
    }
    [short, medium, long]
}

static NOTHING: [f64; BLOCK] = [0.0; BLOCK];

fn pair_sums(values: &[[f64; 2]]) -> [f64; 2] {
    [lane_sum(values, |[one, _]| *one), lane_sum(values, |[_, other]| *other)]
}
