//! What is measured over the joined rows of all symbols: scaling from the training part, coverage of fuzzy sets.

use std::collections::BTreeMap;

use schemas::manifests::{FeatureColumn, Normalisation};

use super::join::SymbolRows;
use crate::grammar::Scaling;
use crate::resolve::{Feature, FeatureKind, Resolved};
use crate::splits::Part;

/// The unscaled values of a feature on the rows for which `wanted` holds, over all symbols in order.
fn values_of<'a>(
    symbols: &'a [SymbolRows],
    kept: &'a [Vec<Option<Part>>],
    position: usize,
    wanted: impl Fn(Part) -> bool + Copy + 'a,
) -> impl Iterator<Item = f64> + Clone + 'a {
    symbols.iter().zip(kept).flat_map(move |(symbol, parts)| {
        let column: &[f64] = symbol.columns.values.get(position).map_or(&[], Vec::as_slice);
        let rows = symbol.rows.iter().zip(parts).filter(move |(_, part)| part.is_some_and(wanted));
        rows.filter_map(move |(row, _)| column.get(*row).copied())
    })
}

/// Scaling fitted on the rows of the training part of all symbols.
pub(super) fn fit(resolved: &Resolved, symbols: &[SymbolRows], kept: &[Vec<Option<Part>>]) -> Vec<FeatureColumn> {
    let fitted = resolved.features.iter().enumerate().map(|(position, feature)| {
        let values = values_of(symbols, kept, position, |part| part == Part::Train);
        FeatureColumn { name: feature.name.clone(), normalisation: normalisation(feature, values) }
    });
    fitted.collect()
}

#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
fn normalisation(feature: &Feature, values: impl Iterator<Item = f64> + Clone) -> Option<Normalisation> {
    let FeatureKind::Raw { scaling: Some(scaling) } = &feature.kind else { return None };
    let count = values.clone().count();
    if count == 0 {
        return None;
    }
    Some(match scaling {
        Scaling::Minmax => {
            let min = values.clone().fold(f64::INFINITY, f64::min);
            Normalisation::Minmax { min, max: values.fold(f64::NEG_INFINITY, f64::max) }
        }
        Scaling::Zscore => {
            let mean = values.clone().sum::<f64>() / count as f64;
            let squares = values.map(|value| (value - mean) * (value - mean)).sum::<f64>();
            let std = if count > 1 { (squares / (count - 1) as f64).sqrt() } else { 0.0 };
            Normalisation::Zscore { mean, std }
        }
    })
}

/// Share of kept rows on which some membership of a set is positive.
#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
pub(super) fn coverage(
    resolved: &Resolved,
    symbols: &[SymbolRows],
    kept: &[Vec<Option<Part>>],
) -> BTreeMap<String, f64> {
    let mut positions: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (position, feature) in resolved.features.iter().enumerate() {
        if let FeatureKind::Membership { set, .. } = &feature.kind {
            positions.entry(format!("{}_{set}", feature.timeframe)).or_default().push(position);
        }
    }
    let share = |positions: &Vec<usize>| {
        let mut best: Vec<f64> = Vec::new();
        for &position in positions {
            let values = values_of(symbols, kept, position, |_| true);
            if best.is_empty() {
                best = values.collect();
            } else {
                best.iter_mut().zip(values).for_each(|(best, value)| *best = best.max(value));
            }
        }
        best.iter().filter(|degree| **degree > 0.0).count() as f64 / best.len().max(1) as f64
    };
    positions.iter().map(|(prefix, positions)| (prefix.clone(), share(positions))).collect()
}
