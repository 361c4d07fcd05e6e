//! The matrix that a network takes: the complete rows of the columns, scaled.

use std::ops::ControlFlow;

use market::Utc;
use schemas::manifests::FeatureColumn;

use super::{FeatureError, SymbolBars, compute_columns};
use crate::resolve::Resolved;
use crate::windows::{RowBar, Windows};

/// Complete rows, scaled as the network expects them.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMatrix {
    /// Number of values per row.
    pub width: usize,
    /// Number of each row's base bar among the bars of the symbol, from 0.
    pub bar: Vec<usize>,
    /// Open of each row's base bar.
    pub open_time: Vec<Utc>,
    /// Instant from which each row may be used: the close of its base bar.
    pub known_at: Vec<Utc>,
    /// Row-major `[row, feature]`.
    pub values: Vec<f32>,
    /// Rows dropped before the first complete one.
    pub warm_up: u64,
    /// Incomplete rows dropped after it.
    pub undefined: u64,
}

impl FeatureMatrix {
    /// The windows of `length` consecutive bars; a bar without a row is never bridged.
    pub fn windows(&self, length: usize) -> Windows {
        let bars = self.bar.iter().map(|bar| u32::try_from(*bar));
        let bars = bars.map(|bar| bar.unwrap_or(u32::MAX));
        Windows::find(bars.map(|bar| RowBar { symbol: 0, bar }), length)
    }

    /// The values of the `length` rows that end with `row`, `[length, feature]`, oldest first;
    /// empty where there are fewer.
    pub fn window(&self, row: usize, length: usize) -> &[f32] {
        let end = (row + 1) * self.width;
        let start = end.checked_sub(length * self.width);
        let values = start.and_then(|start| self.values.get(start..end));
        values.unwrap_or_default()
    }
}

/// Features of one symbol, complete rows only, scaled by `scaling` (the columns of a trained
/// network).
///
/// # Errors
/// Missing or malformed bars, an indicator that refuses them, a scaling of other columns.
pub fn compute_features(
    resolved: &Resolved,
    bars: &SymbolBars,
    scaling: &[FeatureColumn],
) -> Result<FeatureMatrix, FeatureError> {
    let columns = compute_columns(resolved, bars, &mut |_, _| ControlFlow::Continue(()))?;

    // A scaling is applied by position, so both must have the same columns in the same order.
    let feature_names = resolved.features.iter().map(|feature| &feature.name);
    if !scaling.iter().map(|column| &column.name).eq(feature_names) {
        return Err(FeatureError::Scaling {
            expected: resolved.features.len(),
            scaled: scaling.len(),
        });
    }

    let complete = columns.complete_rows();
    let mut values = Vec::with_capacity(complete.rows.len() * scaling.len());
    for &row in &complete.rows {
        columns.push_scaled(row, scaling, &mut values);
    }

    Ok(FeatureMatrix {
        width: scaling.len(),
        open_time: select_times(columns.open_time, &complete.rows),
        known_at: select_times(columns.known_at, &complete.rows),
        values,
        bar: complete.rows,
        warm_up: complete.warm_up,
        undefined: complete.undefined,
    })
}

fn select_times(times: &[Utc], rows: &[usize]) -> Vec<Utc> {
    rows.iter()
        .filter_map(|&row| times.get(row).copied())
        .collect()
}
