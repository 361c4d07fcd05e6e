//! The leak test: features recomputed without the future must not change.

use market::Utc;

use crate::features::{Columns, FeatureError, SymbolBars};

/// A feature that knew the future.
#[derive(Clone, Debug, PartialEq)]
pub struct Leak {
    /// Position of the column.
    pub feature: usize,
    /// Decision time of the row that changed.
    pub row: Utc,
    /// Nothing known after this instant was left.
    pub cut: Utc,
    /// The value with the future.
    pub with: f64,
    /// The value without it.
    pub without: f64,
}

/// The bars that are known at `instant`.
pub fn truncate(bars: &SymbolBars, instant: Utc) -> SymbolBars {
    let known = |times: &[Utc]| times.partition_point(|close| *close <= instant);
    bars.iter().map(|(timeframe, bars)| (*timeframe, bars.slice(0..known(&bars.close_time)))).collect()
}

/// Recomputes `full` from the bars known at each of `cuts` and compares every row up to the cut bit for bit.
/// Gives the first leak, if there is one.
///
/// # Errors
/// Those of `compute`.
pub fn leak_test(
    full: &Columns,
    bars: &SymbolBars,
    cuts: &[Utc],
    mut compute: impl FnMut(&SymbolBars) -> Result<Columns, FeatureError>,
) -> Result<Option<Leak>, FeatureError> {
    for &cut in cuts {
        let without = compute(&truncate(bars, cut))?;
        let columns = full.values.iter().zip(&without.values).enumerate();
        for (feature, (with, without)) in columns {
            let changed =
                with.iter().zip(without).zip(&full.close_time).find(|((with, without), _)| !same(**with, **without));
            if let Some(((with, without), row)) = changed {
                return Ok(Some(Leak { feature, row: *row, cut, with: *with, without: *without }));
            }
        }
    }
    Ok(None)
}

fn same(left: f64, right: f64) -> bool {
    left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan())
}
