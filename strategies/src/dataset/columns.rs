//! The columns of a data set while its symbols are being stacked, and what is measured over them.
//!
//! A degree of membership is rounded to f32 at once. A value that is to be scaled is kept in full precision until its
//! scaling is known, which is when all symbols are there.

use std::collections::BTreeMap;

use schemas::manifests::{FeatureColumn, Normalisation};

use crate::grammar::Scaling;
use crate::resolve::{Feature, FeatureKind, Resolved};
use crate::splits::Part;

/// The values of one feature.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Column {
    /// As they are stored.
    Stored(Vec<f32>),
    /// To be scaled.
    Exact(Vec<f64>),
}

impl Default for Column {
    fn default() -> Self {
        Self::Stored(Vec::new())
    }
}

impl Column {
    #[expect(clippy::cast_possible_truncation, reason = "features are stored as f32")]
    pub(super) fn of(feature: &Feature, values: &[f64]) -> Self {
        match feature.kind {
            FeatureKind::Raw { scaling: Some(_) } => Self::Exact(values.to_vec()),
            _ => Self::Stored(values.iter().map(|value| *value as f32).collect()),
        }
    }

    /// Leaves the rows whose entry is true.
    pub(super) fn keep(&mut self, rows: &[bool]) {
        match self {
            Self::Stored(values) => keep(values, rows),
            Self::Exact(values) => keep(values, rows),
        }
    }

    /// Appends the values of the next symbol; those of the first one are taken as they are.
    pub(super) fn append(&mut self, next: &mut Self) {
        match (self, next) {
            (Self::Stored(all), Self::Stored(next)) if !all.is_empty() => all.extend_from_slice(next),
            (Self::Exact(all), Self::Exact(next)) if !all.is_empty() => all.extend_from_slice(next),
            (all, next) => *all = std::mem::take(next),
        }
    }

    /// The scaling of a feature over the rows of the training part.
    pub(super) fn fit(&self, feature: &Feature, parts: &[Part]) -> FeatureColumn {
        let normalisation = match (&feature.kind, self) {
            (FeatureKind::Raw { scaling: Some(scaling) }, Self::Exact(values)) => {
                let training = values.iter().zip(parts).filter(|(_, part)| **part == Part::Train);
                normalisation(*scaling, training.map(|(value, _)| *value))
            }
            _ => None,
        };
        FeatureColumn { name: feature.name.clone(), normalisation }
    }

    /// The values as they are stored.
    #[expect(clippy::cast_possible_truncation, reason = "features are stored as f32")]
    pub(super) fn scaled(self, scaling: Option<Normalisation>) -> Vec<f32> {
        match self {
            Self::Stored(values) => values,
            Self::Exact(values) => {
                let scaled = |value: f64| scaling.map_or(value, |scaling| scaling.apply(value));
                values.into_iter().map(|value| scaled(value) as f32).collect()
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
fn normalisation(scaling: Scaling, values: impl Iterator<Item = f64> + Clone) -> Option<Normalisation> {
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

/// Leaves the values whose entry in `rows` is true.
pub(super) fn keep<T: Copy>(values: &mut Vec<T>, rows: &[bool]) {
    // Rows mostly are one run: what is before and after it goes at once.
    let first = rows.iter().take_while(|row| !**row).count();
    let run = rows.iter().skip(first).take_while(|row| **row).count();
    if rows.iter().skip(first + run).any(|row| *row) {
        let mut rows = rows.iter();
        values.retain(|_| rows.next() == Some(&true));
    } else {
        values.truncate(first + run);
        values.drain(..first.min(values.len()));
    }
    values.shrink_to_fit();
}

/// The fuzzy sets of the features, one for every timeframe that a set is used on.
pub(super) struct Sets {
    /// `{timeframe}_{set}`, in order of name.
    names: Vec<String>,
    /// By feature.
    of: Vec<Option<usize>>,
}

impl Sets {
    pub(super) fn new(resolved: &Resolved) -> Self {
        let name = |feature: &Feature| match &feature.kind {
            FeatureKind::Membership { set, .. } => Some(format!("{}_{set}", feature.timeframe)),
            FeatureKind::Raw { .. } => None,
        };
        let mut names: Vec<String> = resolved.features.iter().filter_map(name).collect();
        names.sort_unstable();
        names.dedup();
        let of = resolved.features.iter().map(|feature| name(feature).and_then(|name| names.binary_search(&name).ok()));
        Self { of: of.collect(), names }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// The set that a feature is a member of.
    pub(super) fn of(&self, feature: usize) -> Option<usize> {
        self.of.get(feature).copied().flatten()
    }

    /// Share of rows on which some membership of a set is positive.
    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
    pub(super) fn coverage(&self, covered: &[Vec<bool>]) -> BTreeMap<String, f64> {
        let share = |rows: &Vec<bool>| rows.iter().filter(|row| **row).count() as f64 / rows.len().max(1) as f64;
        self.names.iter().cloned().zip(covered.iter().map(share)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_kept_whether_they_are_one_run_or_many() {
        for (rows, left) in [("011100", "123"), ("110101", "0135"), ("000000", ""), ("111111", "012345")] {
            let rows: Vec<bool> = rows.chars().map(|row| row == '1').collect();
            let mut values: Vec<char> = "012345".chars().collect();
            keep(&mut values, &rows);
            assert_eq!(values.into_iter().collect::<String>(), left);
        }
    }
}
