//! The matrix that a network takes: the complete rows of the columns, scaled.

use std::ops::ControlFlow;

use market::Utc;
use schemas::manifests::FeatureColumn;

use super::{FeatureError, SymbolBars, compute_columns};
use crate::resolve::Resolved;

/// Complete rows, scaled as the network expects them.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMatrix {
    /// Number of values per row.
    pub width: usize,
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
        open_time: select_times(&columns.open_time, &complete.rows),
        known_at: select_times(&columns.known_at, &complete.rows),
        values,
        warm_up: complete.warm_up,
        undefined: complete.undefined,
    })
}

fn select_times(times: &[Utc], rows: &[usize]) -> Vec<Utc> {
    rows.iter()
        .filter_map(|&row| times.get(row).copied())
        .collect()
}
