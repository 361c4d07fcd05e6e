//! Sample weights by uniqueness: labels that share their bars with many others count less.
//!
//! A label at bar i that is known h bars later is active on bars i..i+h (at least on i itself).
//! With c the number of labels active on a bar, its weight is the mean of 1/c over its bars: 1 for
//! a label that shares none of them. Bars are counted by position in the series, also after an
//! event filter has taken labels away. A weight depends on no price after the end of its label; so
//! nothing here is divided by a mean over all labels: who draws by weights does that. Source: López
//! de Prado, *Advances in Financial Machine Learning*, chapter 4.

use super::BarLabels;

/// One weight a bar: 0 without a label, else above 0 and at most 1.
pub fn uniqueness_weights(labels: &BarLabels) -> Vec<f64> {
    let rows = labels.values.len();
    let span = |row: usize| {
        let labelled = labels.values.get(row).is_some_and(|value| !value.is_nan());
        let held = labels
            .look_ahead
            .get(row)
            .map_or(1, |ahead| (*ahead as usize).max(1));
        labelled.then(|| (row, row.saturating_add(held).min(rows)))
    };
    let mut changes = vec![0_i64; rows + 1];
    for (start, end) in (0..rows).filter_map(span) {
        for (at, change) in [(start, 1), (end, -1)] {
            if let Some(cell) = changes.get_mut(at) {
                *cell += change;
            }
        }
    }
    // Sum of 1/c over the bars before each position.
    let mut before = Vec::with_capacity(rows + 1);
    let (mut active, mut sum) = (0, 0.0);
    for change in &changes {
        before.push(sum);
        active += change;
        sum += if active > 0 { 1.0 / active as f64 } else { 0.0 };
    }
    let at = |position: usize| before.get(position).copied().unwrap_or(0.0);
    let weight = |(start, end): (usize, usize)| (at(end) - at(start)) / (end - start) as f64;
    (0..rows).map(|row| span(row).map_or(0.0, weight)).collect()
}
