//! The columns of a data set while its symbols are being stacked, and what is measured over them.
//!
//! A degree of membership is rounded to f32 at once. A value that is to be scaled is kept in full
//! precision until its scaling is known, which is when all symbols are there.

use std::collections::BTreeMap;

use schemas::manifests::{FeatureColumn, Normalisation};

use super::runs::Runs;
use crate::resolve::{Feature, FeatureKind, Resolved};
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
        match feature.kind {
            FeatureKind::Raw { scaling: Some(_) } => Self::Exact(Vec::new()),
            _ => Self::Stored(Vec::new()),
        }
    }

    /// Makes room for so many more values.
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

    /// Leaves these rows.
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
        let normalisation = match (&feature.kind, self) {
            (
                FeatureKind::Raw {
                    scaling: Some(scaling),
                },
                Self::Exact(values),
            ) => normalisation(*scaling, training.pick(values).copied()),
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
            Self::Exact(values) => {
                let scaled = |value: f64| scaling.map_or(value, |scaling| scaling.apply(value));
                values
                    .into_iter()
                    .map(|value| scaled(value) as f32)
                    .collect()
            }
        }
    }
}

/// Moves values to others. `expected` is how many there will be with all that follow: where room is
/// lacking it is made for all of them, so that no value is moved again and again; room that none
/// needs is never touched, so it takes no memory.
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

#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
fn normalisation(
    scaling: Scaling,
    values: impl Iterator<Item = f64> + Clone,
) -> Option<Normalisation> {
    let count = values.clone().count();
    if count == 0 {
        return None;
    }
    Some(match scaling {
        Scaling::Minmax => {
            let min = values.clone().fold(f64::INFINITY, f64::min);
            Normalisation::Minmax {
                min,
                max: values.fold(f64::NEG_INFINITY, f64::max),
            }
        }
        Scaling::Zscore => {
            let mean = values.clone().sum::<f64>() / count as f64;
            let squares = values
                .map(|value| (value - mean) * (value - mean))
                .sum::<f64>();
            let std = if count > 1 {
                (squares / (count - 1) as f64).sqrt()
            } else {
                0.0
            };
            Normalisation::Zscore { mean, std }
        }
    })
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
            FeatureKind::Membership { set, .. } if feature.lag == 0 => {
                Some(format!("{}_{set}", feature.timeframe))
            }
            _ => None,
        };
        let mut names: Vec<String> = resolved.features.iter().filter_map(name).collect();
        names.sort_unstable();
        names.dedup();
        let of = resolved
            .features
            .iter()
            .map(|feature| name(feature).and_then(|name| names.binary_search(&name).ok()));
        Self {
            of: of.collect(),
            names,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// The set that a feature is a member of. One that looks back tells nothing of the set that the
    /// feature without a lag, which is always there, does not tell.
    fn of(&self, feature: usize) -> Option<usize> {
        self.of.get(feature).copied().flatten()
    }

    /// The sets by name.
    pub(super) fn named<T>(&self, by_set: impl IntoIterator<Item = T>) -> BTreeMap<String, T> {
        self.names.iter().cloned().zip(by_set).collect()
    }
}

/// How often a set had a membership, and how often it had one above 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Coverage {
    pub(super) values: u64,
    pub(super) covered: u64,
}

impl Coverage {
    pub(super) fn add(&mut self, other: Self) {
        self.values += other.values;
        self.covered += other.covered;
    }

    /// Share of the values that are covered; none without values.
    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
    pub(super) fn share(self) -> f64 {
        self.covered as f64 / self.values.max(1) as f64
    }
}

/// Counts the coverage of every set while its members come, all of them for one stretch of rows
/// before any for the next.
pub(super) struct Counting {
    sets: Vec<(Stretch, Coverage)>,
}

/// The rows of one set that are being looked at.
#[derive(Default)]
struct Stretch {
    first: usize,
    /// 0 for a row without a value, 2 where a membership is above 0, else 1.
    rows: Vec<u8>,
}

impl Counting {
    pub(super) fn new(sets: &Sets) -> Self {
        Self {
            sets: std::iter::repeat_with(Default::default)
                .take(sets.len())
                .collect(),
        }
    }

    /// Takes the memberships of a feature from row `first` on; other features are no matter.
    pub(super) fn take(&mut self, sets: &Sets, feature: usize, first: usize, values: &[f64]) {
        let own = sets.of(feature).and_then(|set| self.sets.get_mut(set));
        let Some((stretch, coverage)) = own else {
            return;
        };
        if stretch.first != first {
            coverage.add(stretch.counted());
            stretch.first = first;
        }
        stretch.rows.resize(values.len(), 0);
        for (row, value) in stretch.rows.iter_mut().zip(values) {
            *row = (*row).max(u8::from(!value.is_nan()) + u8::from(*value > 0.0));
        }
    }

    /// What was counted so far, by set.
    pub(super) fn counted(&mut self) -> Vec<Coverage> {
        let whole = self.sets.iter_mut().map(|(stretch, coverage)| {
            coverage.add(stretch.counted());
            *coverage
        });
        whole.collect()
    }
}

impl Stretch {
    /// What its rows amount to; it has none afterwards.
    fn counted(&mut self) -> Coverage {
        let count = |least: u8| self.rows.iter().filter(|row| **row >= least).count() as u64;
        let counted = Coverage {
            values: count(1),
            covered: count(2),
        };
        self.rows.clear();
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two members of one set over five rows in two stretches; row 0 has no value, row 3 no
    /// membership above 0.
    #[test]
    fn a_row_is_covered_when_any_member_of_the_set_is_above_zero() {
        let sets = Sets {
            names: vec!["1h_rsi".to_owned()],
            of: vec![Some(0), Some(0), None],
        };
        let mut counting = Counting::new(&sets);
        for (feature, first, values) in [
            (0, 0, &[f64::NAN, 0.0, 1.0][..]),
            (1, 0, &[f64::NAN, 0.5, 0.0]),
            (2, 0, &[9.0, 9.0, 9.0]),
            (0, 3, &[0.0, 0.0]),
            (1, 3, &[0.0, 0.1]),
        ] {
            counting.take(&sets, feature, first, values);
        }
        let coverage = counting.counted();
        assert_eq!(
            coverage,
            [Coverage {
                values: 4,
                covered: 3
            }]
        );
        assert_eq!(
            sets.named(coverage.into_iter().map(Coverage::share)),
            [("1h_rsi".to_owned(), 0.75)].into()
        );
    }
}
