//! The pieces of a block bootstrap: the length of a block, the rows of a draw, the interval of the
//! drawn figures.

use schemas::metrics::Interval;

/// Share of the draws within an interval.
pub const LEVEL: f64 = 0.95;
/// How many times the rows are drawn.
pub const DRAWS: u32 = 1_000;
/// Fewer rows than these have no interval that means anything.
pub const ROWS_MIN: usize = 30;
/// Draws beyond each end of an interval: 2.5 %.
const BEYOND: usize = 25;

/// Rows of a block: the longer of ∛rows, the rate at which the error of the bootstrap falls fastest
/// (Hall, Horowitz and Jing, 1995), and the mean run of rows with equal labels, since rows of one
/// run are one observation rather than many. A tenth of the rows at most, so that a draw still
/// varies.
pub fn block_length(rows: usize, runs: usize) -> usize {
    let mean_run = rows.div_ceil(runs.max(1));
    cube_root(rows).max(mean_run).clamp(1, (rows / 10).max(1))
}

/// How many runs of equal values there are.
pub fn count_runs(values: impl Iterator<Item = i64>) -> usize {
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

/// As many rows as there are, block after block; the last block is cut. `below` gives a number in
/// 0..count, all equally likely.
pub fn draw_rows<Row>(
    rows: &[Row],
    block: usize,
    mut below: impl FnMut(usize) -> usize,
) -> impl Iterator<Item = &Row> {
    let blocks = rows.len().div_ceil(block.max(1));
    let starts: Vec<usize> = (0..blocks).map(|_| below(rows.len())).collect();
    starts
        .into_iter()
        .flat_map(move |start| rows.iter().cycle().skip(start).take(block))
        .take(rows.len())
}

/// `value` with what is left of [`DRAWS`] drawn values between the 25 lowest and the 25 highest.
pub fn interval_of(value: f64, mut drawn: Vec<f64>) -> Interval {
    drawn.sort_by(f64::total_cmp);
    let mut inner = drawn.iter().skip(BEYOND).rev().skip(BEYOND);
    let high = inner.next().copied().unwrap_or(value);
    Interval {
        value,
        low: inner.last().copied().unwrap_or(high),
        high,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_as_long_as_the_mean_run_or_the_cube_root() {
        // ∛1000 = 10; runs of 1000 / 25 = 40; never more than a tenth of the rows.
        assert_eq!(block_length(1_000, 500), 10);
        assert_eq!(block_length(1_000, 25), 40);
        assert_eq!(block_length(1_000, 1), 100);
        assert_eq!(block_length(5, 5), 1);
    }

    #[test]
    fn a_draw_goes_round_the_end() {
        let rows = [0, 1, 2, 3, 4];
        let mut starts = [3, 1].into_iter();
        let drawn = draw_rows(&rows, 3, |_| starts.next().unwrap());
        assert_eq!(drawn.copied().collect::<Vec<_>>(), [3, 4, 0, 1, 2]);
    }

    #[test]
    fn an_interval_leaves_the_25_outer_draws_of_each_side_out() {
        let drawn = (0..1_000).rev().map(f64::from).collect();
        let interval = interval_of(500.0, drawn);
        assert_eq!((interval.low, interval.high), (25.0, 974.0));
    }
}
