//! The feature columns of one symbol on all of its base bars, and what is measured while they are
//! computed: gaps, coverage of fuzzy sets, digests for the leak test.

use std::ops::ControlFlow;

use market::Utc;

use super::DataSetError;
use super::columns::Column;
use super::coverage::{CoverageCounter, FuzzySets};
use super::progress::SymbolProgress;
use crate::features::ColumnSink;
use crate::leak::LeakTest;
use crate::resolve::{PlannedIndicator, Resolved};

/// Largest share of bars after the warm-up that may lack a value, per symbol.
pub const UNDEFINED_SHARE_MAX: f64 = 0.2;

/// Feature columns by base bar. As a [`ColumnSink`] it receives them.
pub(super) struct FeatureRows<'a, 'p> {
    sets: &'a FuzzySets,
    progress: &'a SymbolProgress<'a, 'p>,
    /// One per feature, in contract order.
    pub(super) columns: Vec<Column>,
    pub(super) coverage: CoverageCounter,
    pub(super) leak_test: LeakTest,
    /// Whether every column so far has a value, by bar.
    pub(super) is_complete: Vec<bool>,
    /// Number of bars without a value, by feature.
    gaps: Vec<usize>,
}

/// How many bars lack a value in some column.
#[derive(Clone, Copy)]
pub(super) struct IncompleteBars {
    /// Bars before the first complete one.
    pub(super) warm_up: u64,
    /// Incomplete bars after it.
    pub(super) undefined: u64,
}

impl<'a, 'p> FeatureRows<'a, 'p> {
    /// Columns without values for base bars that close at these times. `spare_columns` are those of
    /// an earlier symbol, emptied, or none.
    pub(super) fn new(
        resolved: &Resolved,
        sets: &'a FuzzySets,
        progress: &'a SymbolProgress<'a, 'p>,
        spare_columns: Vec<Column>,
        close_time: &[Utc],
    ) -> Self {
        let bars = close_time.len();
        let mut columns = spare_columns;
        // The first symbols find no spare columns; later ones reuse the memory of earlier ones.
        if columns.is_empty() {
            columns.extend(resolved.features.iter().map(Column::of));
        }
        for column in &mut columns {
            column.reserve(bars);
        }

        Self {
            sets,
            progress,
            columns,
            coverage: CoverageCounter::new(sets),
            leak_test: LeakTest::new(close_time),
            is_complete: vec![true; bars],
            gaps: vec![0; resolved.features.len()],
        }
    }

    pub(super) fn incomplete_bars(&self) -> IncompleteBars {
        let is_incomplete = |complete: &&bool| !**complete;
        // Gaps before the first complete bar are warm-up; only later ones hint at poor data.
        let warm_up = self.is_complete.iter().take_while(is_incomplete).count();
        let undefined = self
            .is_complete
            .iter()
            .skip(warm_up)
            .filter(is_incomplete)
            .count();

        IncompleteBars {
            warm_up: warm_up as u64,
            undefined: undefined as u64,
        }
    }

    /// Refuses a symbol most of whose bars lack a value.
    ///
    /// # Errors
    /// [`DataSetError::Undefined`].
    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
    pub(super) fn check_gaps(&self, resolved: &Resolved, symbol: &str) -> Result<(), DataSetError> {
        let IncompleteBars { warm_up, undefined } = self.incomplete_bars();
        let rows = (self.is_complete.len() as u64).saturating_sub(warm_up);
        if undefined as f64 <= rows as f64 * UNDEFINED_SHARE_MAX {
            return Ok(());
        }

        let worst_feature = self
            .gaps
            .iter()
            .zip(&resolved.features)
            .max_by_key(|(gaps, _)| **gaps)
            .map_or_else(String::new, |(_, feature)| feature.name.clone());
        Err(DataSetError::Undefined {
            symbol: symbol.to_owned(),
            undefined,
            rows,
            feature: worst_feature,
        })
    }
}

impl ColumnSink for FeatureRows<'_, '_> {
    fn begin_indicator(&mut self, position: usize, planned: &PlannedIndicator) -> ControlFlow<()> {
        match self.progress.begin_indicator(position, &planned.id) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn take(&mut self, feature: usize, first_row: usize, values: &[f64]) {
        self.leak_test.take(feature, first_row, values);
        self.coverage.take(self.sets, feature, first_row, values);

        // Most chunks are whole, so the flags are walked only for those with a gap.
        let gaps = values.iter().filter(|value| !value.is_finite()).count();
        if gaps > 0 {
            let is_complete = self.is_complete.iter_mut().skip(first_row);
            for (is_complete, value) in is_complete.zip(values) {
                *is_complete &= value.is_finite();
            }
        }

        if let Some(gaps_of_feature) = self.gaps.get_mut(feature) {
            *gaps_of_feature += gaps;
        }
        if let Some(column) = self.columns.get_mut(feature) {
            column.extend(values);
        }
    }
}
