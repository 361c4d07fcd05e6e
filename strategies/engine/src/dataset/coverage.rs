//! Coverage of the fuzzy sets of a data set: on which share of the bars with a value any member of
//! a set is above 0. It is counted while the columns are computed.

use std::collections::BTreeMap;

use crate::resolve::{Feature, FeatureKind, Resolved};

/// The fuzzy sets of the features, one for every timeframe that a set is used on.
pub(super) struct FuzzySets {
    /// `{timeframe}_{set}`, in order of name.
    names: Vec<String>,
    /// Position in `names`, by feature.
    by_feature: Vec<Option<usize>>,
}

impl FuzzySets {
    pub(super) fn of(resolved: &Resolved) -> Self {
        let set_names: Vec<Option<String>> = resolved.features.iter().map(set_name_of).collect();

        let mut names: Vec<String> = set_names.iter().flatten().cloned().collect();
        names.sort_unstable();
        names.dedup();

        let by_feature = set_names
            .into_iter()
            .map(|name| names.binary_search(&name?).ok())
            .collect();

        Self { names, by_feature }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// One entry per set, given in the order of the sets, by the name of the set.
    pub(super) fn by_name<T>(&self, entries: impl IntoIterator<Item = T>) -> BTreeMap<String, T> {
        self.names.iter().cloned().zip(entries).collect()
    }

    fn of_feature(&self, feature: usize) -> Option<usize> {
        self.by_feature.get(feature).copied().flatten()
    }
}

/// The set that a feature is a member of. A feature with a lag counts for no set: the feature
/// without a lag is always there, and has the same values.
fn set_name_of(feature: &Feature) -> Option<String> {
    match &feature.kind {
        FeatureKind::Membership { set, .. } if feature.lag == 0 => {
            Some(format!("{}_{set}", feature.timeframe))
        }
        _ => None,
    }
}

/// On how many bars a set has a value, and on how many of them a membership above 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CoverageCount {
    pub(super) values: u64,
    pub(super) covered: u64,
}

impl CoverageCount {
    pub(super) fn add(&mut self, other: Self) {
        self.values += other.values;
        self.covered += other.covered;
    }

    /// Share of the values that are covered, 0 to 1; 0 without values.
    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
    pub(super) fn share(self) -> f64 {
        self.covered as f64 / self.values.max(1) as f64
    }
}

/// Counts the coverage of every set while the columns of its members come.
///
/// All members of a set are outputs of one indicator, so all of them come for one chunk of rows
/// before any comes for the next.
pub(super) struct CoverageCounter {
    sets: Vec<SetCounter>,
}

#[derive(Default)]
struct SetCounter {
    total: CoverageCount,
    /// First row of the current chunk.
    first_row: usize,
    /// [`NO_VALUE`], [`UNCOVERED`] or [`COVERED`], by row of the chunk.
    chunk: Vec<u8>,
}

/// No member has a value on the row.
const NO_VALUE: u8 = 0;

/// Some member has a value on the row, and none is above 0.
const UNCOVERED: u8 = 1;

/// Some member is above 0 on the row.
const COVERED: u8 = 2;

impl CoverageCounter {
    pub(super) fn new(sets: &FuzzySets) -> Self {
        Self {
            sets: std::iter::repeat_with(SetCounter::default)
                .take(sets.len())
                .collect(),
        }
    }

    /// Takes the degrees of a feature from `first_row` on; features of no set are ignored.
    pub(super) fn take(
        &mut self,
        sets: &FuzzySets,
        feature: usize,
        first_row: usize,
        values: &[f64],
    ) {
        let counter = sets
            .of_feature(feature)
            .and_then(|set| self.sets.get_mut(set));
        if let Some(counter) = counter {
            counter.take(first_row, values);
        }
    }

    /// The counts so far, by set.
    pub(super) fn totals(&mut self) -> Vec<CoverageCount> {
        let mut totals = Vec::with_capacity(self.sets.len());
        for counter in &mut self.sets {
            counter.finish_chunk();
            totals.push(counter.total);
        }

        totals
    }
}

impl SetCounter {
    fn take(&mut self, first_row: usize, degrees: &[f64]) {
        if self.first_row != first_row {
            self.finish_chunk();
            self.first_row = first_row;
        }

        self.chunk.resize(degrees.len(), NO_VALUE);
        for (row, degree) in self.chunk.iter_mut().zip(degrees) {
            // A sum instead of branches, so that several rows are looked at together.
            let coverage = u8::from(!degree.is_nan()) + u8::from(*degree > 0.0);
            *row = (*row).max(coverage);
        }
    }

    /// Adds the current chunk to the total; it is empty afterwards.
    fn finish_chunk(&mut self) {
        self.total.add(CoverageCount {
            values: self.count_rows(UNCOVERED),
            covered: self.count_rows(COVERED),
        });
        self.chunk.clear();
    }

    fn count_rows(&self, least: u8) -> u64 {
        self.chunk.iter().filter(|row| **row >= least).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two members of one set over five rows in two chunks, and a feature of no set. Row 0 has no
    /// value, row 3 no membership above 0.
    #[test]
    fn a_row_is_covered_when_any_member_is_above_zero() {
        let sets = FuzzySets {
            names: vec!["1h_rsi".to_owned()],
            by_feature: vec![Some(0), Some(0), None],
        };
        let mut counter = CoverageCounter::new(&sets);

        counter.take(&sets, 0, 0, &[f64::NAN, 0.0, 1.0]);
        counter.take(&sets, 1, 0, &[f64::NAN, 0.5, 0.0]);
        counter.take(&sets, 2, 0, &[9.0, 9.0, 9.0]);
        counter.take(&sets, 0, 3, &[0.0, 0.0]);
        counter.take(&sets, 1, 3, &[0.0, 0.1]);

        let totals = counter.totals();
        let expected = CoverageCount {
            values: 4,
            covered: 3,
        };
        assert_eq!(totals, [expected]);
        let shares = sets.by_name(totals.into_iter().map(CoverageCount::share));
        assert_eq!(shares, [("1h_rsi".to_owned(), 0.75)].into());
    }
}
