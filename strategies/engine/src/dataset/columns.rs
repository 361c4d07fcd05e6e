//! The columns of a data set while its symbols are being stacked.
//!
//! A degree of membership is rounded to f32 at once. A value that is to be scaled is kept in full
//! precision until its scaling is known, which is when all symbols are there.

use schemas::manifests::{FeatureColumn, Normalisation};

use super::runs::Runs;
use crate::resolve::Feature;
use crate::strategy::Scaling;

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
    /// A column of a feature, without values.
    pub(super) fn of(feature: &Feature) -> Self {
        match feature.kind.scaling() {
            Some(_) => Self::Exact(Vec::new()),
            None => Self::Stored(Vec::new()),
        }
    }

    /// Makes room for `rows` more values.
    pub(super) fn reserve(&mut self, rows: usize) {
        match self {
            Self::Stored(values) => values.reserve_exact(rows),
            Self::Exact(values) => values.reserve_exact(rows),
        }
    }

    /// Takes the next values.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "features are stored as f32"
    )]
    pub(super) fn extend(&mut self, next: &[f64]) {
        match self {
            Self::Exact(values) => values.extend_from_slice(next),
            Self::Stored(values) => values.extend(next.iter().map(|value| *value as f32)),
        }
    }

    /// Drops the values of all other rows.
    pub(super) fn keep(&mut self, rows: &Runs) {
        match self {
            Self::Stored(values) => rows.keep(values),
            Self::Exact(values) => rows.keep(values),
        }
    }

    /// Appends the values of the next symbol; see [`append`].
    pub(super) fn append(&mut self, next: &mut Self, expected: usize) {
        match (self, next) {
            (Self::Stored(all), Self::Stored(next)) => append(all, next, expected),
            (Self::Exact(all), Self::Exact(next)) => append(all, next, expected),
            _ => debug_assert!(false, "all columns of a feature are of one kind"),
        }
    }

    /// The scaling of a feature over the rows of the training part.
    pub(super) fn fit(&self, feature: &Feature, training: &Runs) -> FeatureColumn {
        // Memberships already lie from 0 to 1, so only raw values are scaled.
        let normalisation = match (feature.kind.scaling(), self) {
            (Some(scaling), Self::Exact(values)) => {
                fit_normalisation(scaling, training.pick(values).copied())
            }
            _ => None,
        };

        FeatureColumn {
            name: feature.name.clone(),
            normalisation,
        }
    }

    /// The values as they are stored, in no more memory than they need.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "features are stored as f32"
    )]
    pub(super) fn scaled(self, scaling: Option<Normalisation>) -> Vec<f32> {
        match self {
            Self::Stored(mut values) => {
                values.shrink_to_fit();
                values
            }
            Self::Exact(values) => values
                .into_iter()
                .map(|value| scaling.map_or(value, |scaling| scaling.apply(value)) as f32)
                .collect(),
        }
    }
}

/// Appends `next` to `all` and leaves `next` empty.
///
/// `expected` is the number of values that are still to come, those of `next` included. Where room
/// is lacking it is made for all of them, so that no value is moved again and again. Unused
/// capacity is never touched, so it costs no memory.
pub(super) fn append<T>(all: &mut Vec<T>, next: &mut Vec<T>, expected: usize) {
    if all.is_empty() && expected <= next.len() {
        std::mem::swap(all, next);
        return;
    }

    if all.capacity() - all.len() < next.len() {
        // Too much to ask for at once may still fit step by step.
        let _ = all.try_reserve_exact(expected);
    }

    all.append(next);
}

/// The scaling that maps `values` to 0..=1 (min-max), or to mean 0 and sample deviation 1
/// (z-score); `None` without values.
#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
fn fit_normalisation(
    scaling: Scaling,
    values: impl Iterator<Item = f64> + Clone,
) -> Option<Normalisation> {
    let count = values.clone().count();
    if count == 0 {
        return None;
    }

    match scaling {
        Scaling::Minmax => Some(Normalisation::Minmax {
            min: values.clone().fold(f64::INFINITY, f64::min),
            max: values.fold(f64::NEG_INFINITY, f64::max),
        }),
        Scaling::Zscore => {
            let mean = values.clone().sum::<f64>() / count as f64;
            let squares = values
                .map(|value| (value - mean) * (value - mean))
                .sum::<f64>();

            // One value has no sample deviation; `apply` maps a deviation of 0 to 0.
            let std = if count > 1 {
                (squares / (count - 1) as f64).sqrt()
            } else {
                0.0
            };
            Some(Normalisation::Zscore { mean, std })
        }
    }
}
