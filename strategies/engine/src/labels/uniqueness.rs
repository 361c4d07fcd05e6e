//! Sample weights by uniqueness: labels that share their bars with many others count less.
//!
//! A label at bar i that is known h bars later is active on bars i..i+h (at least on i itself).
//! With c the number of labels active on a bar, its weight is the mean of 1/c over its bars: 1 for
//! a label that shares none of them. Bars are counted by position in the series, also after an
//! event filter has taken labels away. A weight depends on no price after the end of its label; so
//! weights are not divided by a mean over all labels: whoever draws by weights divides by the sum
//! of the weights that it draws from.
//!
//! Source: López de Prado, *Advances in Financial Machine Learning*, sections 4.3 and 4.4.

use std::ops::Range;

use super::BarLabels;

/// One weight per bar: 0 without a label, else above 0 and at most 1.
pub fn uniqueness_weights(labels: &BarLabels) -> Vec<f64> {
    let shares_before = sum_shares(labels);
    let share_up_to = |bar: usize| shares_before.get(bar).copied().unwrap_or(0.0);

    (0..labels.values.len())
        .map(|bar| match active_bars(labels, bar) {
            Some(active) => {
                let shares = share_up_to(active.end) - share_up_to(active.start);
                shares / active.len() as f64
            }
            None => 0.0,
        })
        .collect()
}

/// The bars on which the label of `bar` is active; `None` without a label.
fn active_bars(labels: &BarLabels, bar: usize) -> Option<Range<usize>> {
    let label = labels.values.get(bar)?;
    let look_ahead = labels.look_ahead.get(bar)?;
    if label.is_nan() {
        return None;
    }

    let end = bar.saturating_add((*look_ahead as usize).max(1));
    Some(bar..end.min(labels.values.len()))
}

/// For each position the sum of 1/c over the bars before it, c being the number of labels active on
/// a bar. A bar without an active label adds nothing.
fn sum_shares(labels: &BarLabels) -> Vec<f64> {
    let bars = labels.values.len();

    // By how many labels more or fewer are active from each bar on.
    let mut changes = vec![0_i64; bars + 1];
    for active in (0..bars).filter_map(|bar| active_bars(labels, bar)) {
        if let Some(change) = changes.get_mut(active.start) {
            *change += 1;
        }
        if let Some(change) = changes.get_mut(active.end) {
            *change -= 1;
        }
    }

    let mut sums = Vec::with_capacity(bars + 1);
    let mut sum = 0.0;
    let mut active_labels = 0;
    for change in &changes {
        sums.push(sum);
        active_labels += change;
        if active_labels > 0 {
            sum += 1.0 / active_labels as f64;
        }
    }

    sums
}
