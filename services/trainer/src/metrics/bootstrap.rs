//! How far a figure would differ on other rows of the same kind: the circular block bootstrap
//! (Politis and Romano, 1992).

use std::collections::BTreeMap;

use schemas::metrics::{Interval, Uncertainty};

use super::{Tally, tally_of};
use crate::data::Labels;
use crate::random::Draws;

/// Share of the draws within an interval.
const LEVEL: f64 = 0.95;
/// How many times the rows are drawn.
const DRAWS: u32 = 1_000;
/// Draws beyond each end of an interval: 2.5 %.
const BEYOND: usize = 25;
/// Fewer rows than these have no interval that means anything.
const ROWS_MIN: usize = 30;

/// Rows of a block: the longer of ∛rows, the rate at which the error of the bootstrap falls fastest
/// (Hall, Horowitz and Jing, 1995), and the mean run of rows with equal labels (for returns: of
/// equal signs), since rows of one run are one observation rather than many. A tenth of the rows at
/// most, so that a draw still varies.
pub fn block_length(labels: &Labels) -> usize {
    let rows = labels.len();
    let runs = match labels {
        Labels::Classes(labels) => count_runs(labels.iter().copied()),
        Labels::Returns(labels) => count_runs(labels.iter().map(|label| sign_of(*label))),
    };

    let mean_run = rows.div_ceil(runs.max(1));
    cube_root(rows).max(mean_run).clamp(1, (rows / 10).max(1))
}

fn sign_of(label: f32) -> i64 {
    i64::from(label > 0.0) - i64::from(label < 0.0)
}

/// How many runs of equal values there are.
fn count_runs(values: impl Iterator<Item = i64>) -> usize {
    let mut last = None;
    let mut runs = 0;
    for value in values {
        if last != Some(value) {
            runs += 1;
        }
        last = Some(value);
    }
    runs
}

/// The smallest whole number whose cube is not below `value`.
fn cube_root(value: usize) -> usize {
    let is_large_enough = |root: &usize| root.saturating_pow(3) >= value;
    (0..).find(is_large_enough).unwrap_or(value)
}

/// The intervals of all figures of `empty` over `rows`, drawn in blocks of `block` neighbours, the
/// first row following the last. None for too few rows, or when `stopped` says so.
pub(super) fn uncertainty_of<T: Tally>(
    empty: &T,
    rows: &[T::Row],
    block: usize,
    seed: u64,
    stopped: &dyn Fn() -> bool,
) -> Option<Uncertainty> {
    if rows.len() < ROWS_MIN {
        return None;
    }

    let mut draws = Draws::for_bootstrap(seed);
    let mut drawn_values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for _ in 0..DRAWS {
        if stopped() {
            return None;
        }

        let drawn = tally_of(empty, drawn_rows(rows, block, &mut draws));
        for (figure, value) in drawn.figures() {
            drawn_values.entry(figure).or_default().push(value);
        }
    }

    let mut intervals = BTreeMap::new();
    for (figure, value) in tally_of(empty, rows).figures() {
        let values = drawn_values.remove(figure).unwrap_or_default();
        // A figure that some draws do not have would be judged by the others alone.
        if values.len() == DRAWS as usize {
            intervals.insert(figure.to_owned(), interval_of(value, values));
        }
    }
    Some(Uncertainty {
        level: LEVEL,
        draws: DRAWS,
        block_rows: block as u64,
        seed,
        intervals,
    })
}

/// As many rows as there are, block after block; the last block is cut.
fn drawn_rows<'a, Row>(
    rows: &'a [Row],
    block: usize,
    draws: &mut Draws,
) -> impl Iterator<Item = &'a Row> {
    let blocks = rows.len().div_ceil(block.max(1));
    let starts: Vec<usize> = (0..blocks).map(|_| draws.below(rows.len())).collect();
    starts
        .into_iter()
        .flat_map(move |start| rows.iter().cycle().skip(start).take(block))
        .take(rows.len())
}

/// `value` with what is left between the lowest and the highest [`BEYOND`] of the drawn values.
fn interval_of(value: f64, mut drawn: Vec<f64>) -> Interval {
    drawn.sort_by(f64::total_cmp);
    let mut inner = drawn.iter().skip(BEYOND).rev().skip(BEYOND);
    let high = inner.next().copied().unwrap_or(value);
    Interval {
        value,
        low: inner.last().copied().unwrap_or(high),
        high,
    }
}
