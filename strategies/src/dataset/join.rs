//! One symbol: its features, their leak test, its labels, joined by row.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use market::{Bars, Utc};
use schemas::manifests::FittedThreshold;

use super::DataSetError;
use super::columns::{Column, Sets, keep};
use crate::features::{FeatureError, SymbolBars, each_column};
use crate::labels::{self, LabelError, LabelSource, Labels, uniqueness};
use crate::leak::LeakTest;
use crate::resolve::Resolved;
use crate::splits::RowTime;

/// Largest share of rows after the warm-up that may lack a value, per symbol.
pub const UNDEFINED_SHARE_MAX: f64 = 0.2;

/// The joined rows of one symbol: those that are complete and labelled. Its bars are gone.
pub(super) struct SymbolRows {
    pub(super) open_time: Vec<Utc>,
    pub(super) times: Vec<RowTime>,
    pub(super) labels: Vec<f32>,
    pub(super) weights: Option<Vec<f32>>,
    /// One a feature, in contract order.
    pub(super) columns: Vec<Column>,
    /// By fuzzy set: whether some membership is positive.
    pub(super) covered: Vec<Vec<bool>>,
    /// Of all base bars, rows or not.
    pub(super) close_time: Vec<Utc>,
    pub(super) dropped: BTreeMap<&'static str, u64>,
    pub(super) leak_test_cuts: u64,
    pub(super) thresholds: Vec<FittedThreshold>,
}

/// Features, labels and leak test of one symbol, joined by row. Bars known before `training_end` fit what is to be fitted.
pub(super) fn symbol_rows(
    resolved: &Resolved,
    sets: &Sets,
    (symbol, bars): (&str, SymbolBars),
    training_end: Option<Utc>,
    report: &mut dyn FnMut(usize, &str) -> ControlFlow<()>,
) -> Result<SymbolRows, DataSetError> {
    let failed = |source| match source {
        FeatureError::Stopped => DataSetError::Stopped,
        source => DataSetError::Features { symbol: symbol.to_owned(), source },
    };
    if bars.is_empty() {
        return Err(DataSetError::NoSymbol { symbol: symbol.to_owned() });
    }
    let mut bars: SymbolBars = bars.into_iter().map(|(timeframe, bars)| (timeframe, clipped(resolved, bars))).collect();
    let none = Bars::default();
    let base = bars.get(&resolved.base).unwrap_or(&none);
    if base.len() < resolved.history_required as usize {
        let (timeframe, required) = (resolved.base, resolved.history_required);
        return Err(DataSetError::ShortHistory { symbol: symbol.to_owned(), timeframe, bars: base.len(), required });
    }
    let mut matrix = Matrix::new(resolved, sets, base);
    each_column(
        resolved,
        &bars,
        &mut |position, planned| report(position + 2, &planned.id),
        &mut |position, values| {
            matrix.take(resolved, sets, position, values);
        },
    )
    .map_err(failed)?;
    let works = resolved.indicators.len();
    if report(works + 2, "labels").is_break() {
        return Err(DataSetError::Stopped);
    }
    let labelled = labels_of(resolved, symbol, base, training_end);
    let (labels, thresholds) = labelled.map_err(|source| DataSetError::Labels { symbol: symbol.to_owned(), source })?;
    let complete = matrix.complete();
    check_gaps(resolved, symbol, &matrix, &complete)?;
    let (mut joined, rows) = join(base, &labels, &complete, resolved.weighted);
    drop(labels);
    if report(works + 3, "leak test").is_break() {
        return Err(DataSetError::Stopped);
    }
    let leak = matrix
        .leak_test
        .check(&mut bars, |known, take| each_column(resolved, known, &mut |_, _| ControlFlow::Continue(()), take));
    if let Some(leak) = leak.map_err(failed)? {
        let feature = resolved.features.get(leak.feature).map_or_else(String::new, |feature| feature.name.clone());
        return Err(DataSetError::Leak { symbol: symbol.to_owned(), feature, leak });
    }
    drop(bars);
    matrix.columns.iter_mut().for_each(|column| column.keep(&rows));
    matrix.covered.iter_mut().for_each(|covered| keep(covered, &rows));
    joined.leak_test_cuts = matrix.leak_test.cuts() as u64;
    (joined.columns, joined.covered, joined.thresholds) = (matrix.columns, matrix.covered, thresholds);
    Ok(joined)
}

/// The bars within the date range, copied only where some lie outside of it.
fn clipped(resolved: &Resolved, bars: Bars) -> Bars {
    let early = resolved.start.is_some_and(|start| bars.open_time.first().is_some_and(|open| *open < start));
    let late = resolved.end.is_some_and(|end| bars.open_time.last().is_some_and(|open| *open >= end));
    if early || late { resolved.clip(&bars) } else { bars }
}

/// The columns of one symbol on all base bars, while they are being made.
struct Matrix {
    columns: Vec<Column>,
    covered: Vec<Vec<bool>>,
    /// Whether every column so far has a value, by bar.
    complete: Vec<bool>,
    /// Bars without a value, by feature.
    gaps: Vec<usize>,
    leak_test: LeakTest,
}

/// Which bars have a value in every column.
struct Complete {
    bars: Vec<bool>,
    /// Bars before the first of them.
    warm_up: u64,
    /// Others after it.
    undefined: u64,
}

impl Matrix {
    fn new(resolved: &Resolved, sets: &Sets, base: &Bars) -> Self {
        let features = resolved.features.len();
        Self {
            columns: std::iter::repeat_with(Column::default).take(features).collect(),
            covered: vec![vec![false; base.len()]; sets.len()],
            complete: vec![true; base.len()],
            gaps: vec![0; features],
            leak_test: LeakTest::new(&base.close_time),
        }
    }

    fn take(&mut self, resolved: &Resolved, sets: &Sets, position: usize, values: &[f64]) {
        self.leak_test.see(position, values);
        let gaps = values.iter().filter(|value| !value.is_finite()).count();
        if gaps > 0 {
            self.complete.iter_mut().zip(values).for_each(|(complete, value)| *complete &= value.is_finite());
        }
        if let Some(covered) = sets.of(position).and_then(|set| self.covered.get_mut(set)) {
            covered.iter_mut().zip(values).for_each(|(covered, value)| *covered |= *value > 0.0);
        }
        let own = (resolved.features.get(position), self.columns.get_mut(position), self.gaps.get_mut(position));
        if let (Some(feature), Some(column), Some(missing)) = own {
            *column = Column::of(feature, values);
            *missing = gaps;
        }
    }

    fn complete(&mut self) -> Complete {
        let bars = std::mem::take(&mut self.complete);
        let warm_up = bars.iter().take_while(|complete| !**complete).count();
        let undefined = bars.iter().skip(warm_up).filter(|complete| !**complete).count();
        Complete { bars, warm_up: warm_up as u64, undefined: undefined as u64 }
    }
}

/// The complete and labelled rows with their times and labels, still without features; and which bars they are.
#[expect(clippy::cast_possible_truncation, reason = "weights are stored as f32")]
fn join(base: &Bars, labels: &Labels, complete: &Complete, weighted: bool) -> (SymbolRows, Vec<bool>) {
    let known_with = |row: usize, ahead: u32| base.close_time.get(row.saturating_add(ahead as usize)).copied();
    let labelled = labels.values.iter().zip(&labels.look_ahead).enumerate();
    let labelled = labelled.map(|(row, (label, ahead))| label.is_finite() && known_with(row, *ahead).is_some());
    let rows: Vec<bool> =
        complete.bars.iter().zip(labelled).map(|(complete, labelled)| *complete && labelled).collect();
    let count = rows.iter().filter(|row| **row).count();
    let found = complete.bars.iter().filter(|complete| **complete).count();
    let dropped =
        [("warm_up", complete.warm_up), ("undefined", complete.undefined), ("unlabelled", (found - count) as u64)];
    let mut times = Vec::with_capacity(count);
    let bars = rows.iter().zip(&labels.look_ahead).zip(&base.close_time).enumerate().filter(|(_, ((row, _), _))| **row);
    for (row, ((_, ahead), known_at)) in bars {
        let label_known_at = known_with(row, *ahead).unwrap_or(*known_at);
        times.push(RowTime { known_at: *known_at, label_known_at });
    }
    let mut values = labels.values.clone();
    keep(&mut values, &rows);
    let mut open_time = base.open_time.clone();
    keep(&mut open_time, &rows);
    // By bar and not by row: concurrency counts labels of rows that are dropped, too.
    let weights = weighted.then(|| {
        let mut weights: Vec<f32> = uniqueness(labels).into_iter().map(|weight| weight as f32).collect();
        keep(&mut weights, &rows);
        weights
    });
    let joined = SymbolRows {
        open_time,
        times,
        labels: values,
        weights,
        columns: Vec::new(),
        covered: Vec::new(),
        close_time: base.close_time.clone(),
        dropped: dropped.into(),
        leak_test_cuts: 0,
        thresholds: Vec::new(),
    };
    (joined, rows)
}

/// Labels of the bars, thresholds fitted on those known before `training_end`, and those thresholds; only events keep their
/// labels.
fn labels_of(
    resolved: &Resolved,
    symbol: &str,
    base: &Bars,
    training_end: Option<Utc>,
) -> Result<(Labels, Vec<FittedThreshold>), LabelError> {
    let Some(end) = training_end else {
        let mut labels = labels::compute(&resolved.labels, base)?;
        resolved.events.map(|events| labels.keep(&events.events(base)?)).transpose()?;
        return Ok((labels, Vec::new()));
    };
    let training = base.slice(0..base.close_time.partition_point(|close| *close < end));
    let (source, events) = (resolved.labels.fitted(&training)?, resolved.events);
    let events = events.map(|events| events.fitted(&training)).transpose()?;
    drop(training);
    let mut labels = labels::compute(&source, base)?;
    events.map(|events| labels.keep(&events.events(base)?)).transpose()?;
    let threshold =
        |name: &str, value: f64| FittedThreshold { symbol: symbol.to_owned(), name: name.to_owned(), value };
    let mut thresholds = Vec::new();
    if let (LabelSource::Regime(fitted), true) = (source, source != resolved.labels) {
        thresholds.extend(fitted.typical_range.map(|range| threshold("typical_range", range)));
    }
    if events != resolved.events {
        thresholds.extend(events.and_then(|each| each.threshold).map(|value| threshold("event_threshold", value)));
    }
    Ok((labels, thresholds))
}

#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
fn check_gaps(resolved: &Resolved, symbol: &str, matrix: &Matrix, complete: &Complete) -> Result<(), DataSetError> {
    let rows = (complete.bars.len() as u64).saturating_sub(complete.warm_up);
    if complete.undefined as f64 <= rows as f64 * UNDEFINED_SHARE_MAX {
        return Ok(());
    }
    let worst = matrix.gaps.iter().zip(&resolved.features).max_by_key(|(gaps, _)| **gaps);
    let feature = worst.map_or_else(String::new, |(_, feature)| feature.name.clone());
    Err(DataSetError::Undefined { symbol: symbol.to_owned(), undefined: complete.undefined, rows, feature })
}
