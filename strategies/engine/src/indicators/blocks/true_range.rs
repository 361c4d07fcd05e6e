//! The true range of a bar: its range together with the gap before it.

use super::order::larger_of;
use crate::indicators::engine::{Bar, BarRows, Rows, slice_of};

/// max(high, previous close) − min(low, previous close); the bar's range alone when the previous
/// close is NaN.
#[inline(always)]
pub(crate) fn true_range(bar: &Bar, previous_close: f64) -> f64 {
    range_with_gap(bar.high, bar.low, previous_close)
}

/// The true range of each row of a run from `from` on, which is 1 or more.
#[inline(always)]
pub(crate) fn fill_true_ranges(run: BarRows<'_>, from: usize, ranges: &mut [f64]) {
    let rows = run.slice(from..run.len());
    let previous_closes = slice_of(run.close, from - 1..run.len());

    let bars = rows.high.iter().zip(rows.low).zip(previous_closes);
    for (range, ((high, low), previous_close)) in ranges.iter_mut().zip(bars) {
        *range = range_with_gap(*high, *low, *previous_close);
    }
}

/// The largest of three distances. A comparison with NaN is false, so a missing previous close
/// leaves high − low.
#[inline(always)]
fn range_with_gap(high: f64, low: f64, previous_close: f64) -> f64 {
    let gap_above = (high - previous_close).abs();
    let gap_below = (low - previous_close).abs();
    larger_of(gap_below, larger_of(gap_above, high - low))
}
