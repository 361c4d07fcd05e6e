//! The rows of one symbol: its features, their leak test, its labels, joined by bar.
//!
//! Bars are freed as soon as possible, since they take more memory than the columns made of them.

use std::collections::BTreeMap;

use market::{Bars, Timeframe, Utc};
use schemas::manifests::{FittedThreshold, FuzzyHole};

use super::DataSetError;
use super::alignment::{BarTimes, align};
use super::columns::Column;
use super::coverage::{CoverageCount, FuzzySets};
use super::feature_rows::FeatureRows;
use super::labelling::label_bars;
use super::progress::SymbolProgress;
use crate::features::{
    FeatureError, KnownBars, SymbolBars, borrow_bars, check_volumes, stream_columns,
};
use crate::holes::find_holes_of;
use crate::labels::LabelError;
use crate::leak::LeakTest;
use crate::resolve::Resolved;

/// The rows of one symbol: the bars that are complete and labelled. The bars themselves are gone.
pub(super) struct SymbolRows {
    /// Number of each row's bar among the base bars of the symbol, from 0.
    pub(super) bars: Vec<u32>,
    pub(super) open_time: Vec<Utc>,
    pub(super) known_at: Vec<Utc>,
    pub(super) label_known_at: Vec<Utc>,
    pub(super) labels: Vec<f32>,
    pub(super) weights: Option<Vec<f32>>,
    /// One per feature, in contract order.
    pub(super) columns: Vec<Column>,
    /// By fuzzy set.
    pub(super) coverage: Vec<CoverageCount>,
    /// Closes of all base bars, rows or not.
    pub(super) close_time: Vec<Utc>,
    /// Closing prices of the same bars.
    pub(super) close_price: Vec<f64>,
    /// Bars without a row, by reason.
    pub(super) dropped: BTreeMap<&'static str, u64>,
    pub(super) leak_test_cuts: u64,
    pub(super) thresholds: Vec<FittedThreshold>,
    pub(super) holes: Vec<FuzzyHole>,
}

/// Everything but the bars that the rows of one symbol depend on.
pub(super) struct SymbolAssembly<'a, 'p> {
    pub(super) resolved: &'a Resolved,
    pub(super) sets: &'a FuzzySets,
    /// Id of the instrument.
    pub(super) symbol: &'a str,
    pub(super) progress: SymbolProgress<'a, 'p>,
    /// Thresholds are fitted on the bars known before this instant; `None` = nothing is fitted.
    pub(super) training_end: Option<Utc>,
}

impl<'p> SymbolAssembly<'_, 'p> {
    /// Makes the rows of the symbol from its bars. `spare_columns` are those of an earlier symbol,
    /// emptied, or none.
    ///
    /// # Errors
    /// Missing or short series, an indicator or a label that refuses them, a leak, too many gaps, a
    /// stop.
    pub(super) fn make_rows(
        &self,
        bars: SymbolBars,
        spare_columns: Vec<Column>,
    ) -> Result<SymbolRows, DataSetError> {
        let bars = self.clip_bars(bars)?;

        let mut features = self.compute_features(&borrow_bars(&bars), spare_columns)?;
        self.progress.begin_leak_test()?;
        self.check_leaks(&features.leak_test, &borrow_bars(&bars))?;
        let holes = self.find_holes(&borrow_bars(&bars), &features.coverage.totals())?;

        self.progress.begin_labels()?;
        // The features are done: only the columns that labels read stay in memory.
        let base = keep_label_columns(bars, self.resolved.base);
        let labelled = label_bars(self.resolved, self.symbol, &base, self.training_end)
            .map_err(|source| self.label_error(source))?;

        features.check_gaps(self.resolved, self.symbol)?;
        let rows = align(self.resolved, BarTimes::of(base), labelled, features)
            .map_err(|source| self.label_error(source))?;

        Ok(SymbolRows { holes, ..rows })
    }

    /// The bars within the date range, of which there must be enough.
    fn clip_bars(&self, bars: SymbolBars) -> Result<SymbolBars, DataSetError> {
        if bars.is_empty() {
            return Err(DataSetError::NoSymbol {
                symbol: self.symbol.to_owned(),
            });
        }

        let bars: SymbolBars = bars
            .into_iter()
            .map(|(timeframe, bars)| (timeframe, clip_series(self.resolved, bars)))
            .collect();

        // Counted after the clip: bars outside the dates give no rows.
        let base_bars = bars.get(&self.resolved.base).map_or(0, Bars::len);
        if base_bars < self.resolved.history_required as usize {
            return Err(DataSetError::ShortHistory {
                symbol: self.symbol.to_owned(),
                timeframe: self.resolved.base,
                bars: base_bars,
                required: self.resolved.history_required,
            });
        }

        Ok(bars)
    }

    fn compute_features(
        &self,
        bars: &KnownBars<'_>,
        spare_columns: Vec<Column>,
    ) -> Result<FeatureRows<'_, 'p>, DataSetError> {
        let close_time = bars
            .get(&self.resolved.base)
            .map_or(&[][..], |base| base.close_time);
        let mut features = FeatureRows::new(
            self.resolved,
            self.sets,
            &self.progress,
            spare_columns,
            close_time,
        );

        // Missing volumes are refused before the first indicator is computed.
        check_volumes(self.resolved, bars)
            .and_then(|()| stream_columns(self.resolved, bars, &mut features))
            .map_err(|source| self.feature_error(source))?;

        Ok(features)
    }

    fn check_leaks(&self, leak_test: &LeakTest, bars: &KnownBars<'_>) -> Result<(), DataSetError> {
        // The test runs the computation that made the rows, so it judges what is trained on.
        let leak = leak_test
            .check(bars, |known_bars, sink| {
                stream_columns(self.resolved, known_bars, sink)
            })
            .map_err(|source| self.feature_error(source))?;

        match leak {
            Some(leak) => Err(DataSetError::Leak {
                symbol: self.symbol.to_owned(),
                feature: self.feature_name(leak.feature),
                leak,
            }),
            None => Ok(()),
        }
    }

    fn feature_name(&self, position: usize) -> String {
        self.resolved
            .features
            .get(position)
            .map_or_else(String::new, |feature| feature.name.clone())
    }

    /// The holes of the sets that do not cover every value; the others have none.
    fn find_holes(
        &self,
        bars: &KnownBars<'_>,
        coverage: &[CoverageCount],
    ) -> Result<Vec<FuzzyHole>, DataSetError> {
        // The search computes a set again, so it is spared where every value is covered.
        let has_gap: BTreeMap<String, bool> = self
            .sets
            .by_name(coverage.iter().map(|count| count.covered < count.values));
        if !has_gap.values().any(|has_gap| *has_gap) {
            return Ok(Vec::new());
        }

        let holes = find_holes_of(self.resolved, bars, |set| has_gap.get(set) == Some(&true))
            .map_err(|source| self.feature_error(source))?;

        Ok(holes
            .iter()
            .map(|hole| FuzzyHole {
                set: hole.name(),
                symbol: self.symbol.to_owned(),
                share: hole.share(),
                low: hole.uncovered_range.0,
                high: hole.uncovered_range.1,
            })
            .collect())
    }

    fn feature_error(&self, source: FeatureError) -> DataSetError {
        match source {
            FeatureError::Stopped => DataSetError::Stopped,
            source => DataSetError::Features {
                symbol: self.symbol.to_owned(),
                source,
            },
        }
    }

    fn label_error(&self, source: LabelError) -> DataSetError {
        DataSetError::Labels {
            symbol: self.symbol.to_owned(),
            source,
        }
    }
}

/// The bars of a series that [`Resolved::clip`] leaves, copied only where some lie outside of it.
fn clip_series(resolved: &Resolved, bars: Bars) -> Bars {
    let first_open = bars.open_time.first();
    let last_open = bars.open_time.last();
    let begins_early = first_open
        .zip(resolved.start)
        .is_some_and(|(open, start)| *open < start);
    let ends_late = last_open
        .zip(resolved.end)
        .is_some_and(|(open, end)| *open >= end);

    let is_sealed = bars
        .close_time
        .last()
        .zip(resolved.sealed_from)
        .is_some_and(|(close, from)| *close >= from);

    // A clip copies every column, so a series inside the dates is passed on as it is.
    if begins_early || ends_late || is_sealed {
        resolved.clip(&bars)
    } else {
        bars
    }
}

/// The base bars with what labels are made of. All other bars, and the opens and volumes of these,
/// are freed before the labels take memory.
fn keep_label_columns(mut bars: SymbolBars, base: Timeframe) -> Bars {
    let mut base_bars = bars.remove(&base).unwrap_or_default();
    base_bars.open = Vec::new();
    base_bars.volume = Vec::new();

    base_bars
}
