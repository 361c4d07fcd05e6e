//! How far a figure of the test part would differ on other rows of the same kind.

use std::collections::BTreeMap;

use schemas::metrics::Uncertainty;
use statistics::{DRAWS, LEVEL, ROWS_MIN, count_runs, draw_rows, interval_of};

use super::{Tally, tally_of};
use crate::labels::Labels;
use crate::random::Draws;

/// Rows of a block of the bootstrap over rows with these labels; returns count by their sign.
pub fn block_length(labels: &Labels) -> usize {
    let runs = match labels {
        Labels::Classes(labels) => count_runs(labels.iter().copied()),
        Labels::Returns(labels) => count_runs(labels.iter().map(|label| sign_of(*label))),
    };
    statistics::block_length(labels.len(), runs)
}

fn sign_of(label: f32) -> i64 {
    i64::from(label > 0.0) - i64::from(label < 0.0)
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

        let drawn = tally_of(empty, draw_rows(rows, block, |count| draws.below(count)));
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
