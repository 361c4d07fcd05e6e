//! One symbol: its features, their leak test, its labels, joined by row.
//!
//! The bars go as soon as nobody needs them, since they weigh more than the columns made of them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use market::{Bars, Utc};
use schemas::manifests::{FittedThreshold, FuzzyHole};

use super::DataSetError;
use super::columns::{Column, Counting, Coverage, Sets};
use super::runs::Runs;
use crate::features::{FeatureError, KnownBars, SymbolBars, check_volumes, each_column, known};
use crate::holes::{Hole, holes_in};
use crate::labels::{self, LabelError, LabelSource, Labels, uniqueness};
use crate::leak::LeakTest;
use crate::resolve::Resolved;

/// Largest share of rows after the warm-up that may lack a value, per symbol.
pub const UNDEFINED_SHARE_MAX: f64 = 0.2;

/// The joined rows of one symbol: those that are complete and labelled. Its bars are gone.
pub(super) struct SymbolRows {
    pub(super) open_time: Vec<Utc>,
    pub(super) known_at: Vec<Utc>,
    pub(super) label_known_at: Vec<Utc>,
    pub(super) labels: Vec<f32>,
    pub(super) weights: Option<Vec<f32>>,
    /// One a feature, in contract order.
    pub(super) columns: Vec<Column>,
    /// By fuzzy set.
    pub(super) coverage: Vec<Coverage>,
    /// Of all base bars, rows or not.
    pub(super) close_time: Vec<Utc>,
    pub(super) dropped: BTreeMap<&'static str, u64>,
    pub(super) leak_test_cuts: u64,
    pub(super) thresholds: Vec<FittedThreshold>,
    pub(super) holes: Vec<FuzzyHole>,
}

/// Features, leak test and labels of one symbol, joined by row. Bars known before `training_end`
/// fit what is to be fitted. `spare` is the columns of an earlier symbol, empty, whose memory is
/// used again; or none.
pub(super) fn symbol_rows(
    resolved: &Resolved,
    sets: &Sets,
    spare: Vec<Column>,
    (symbol, bars): (&str, SymbolBars),
    training_end: Option<Utc>,
    report: &mut dyn FnMut(usize, &str) -> ControlFlow<()>,
) -> Result<SymbolRows, DataSetError> {
    let failed = |source| match source {
        FeatureError::Stopped => DataSetError::Stopped,
        source => DataSetError::Features {
            symbol: symbol.to_owned(),
            source,
        },
    };
    if bars.is_empty() {
        return Err(DataSetError::NoSymbol {
            symbol: symbol.to_owned(),
        });
    }
    let mut bars: SymbolBars = bars
        .into_iter()
        .map(|(timeframe, bars)| (timeframe, clipped(resolved, bars)))
        .collect();
    let rows = bars.get(&resolved.base).map_or(0, Bars::len);
    if rows < resolved.history_required as usize {
        let (timeframe, required) = (resolved.base, resolved.history_required);
        return Err(DataSetError::ShortHistory {
            symbol: symbol.to_owned(),
            timeframe,
            bars: rows,
            required,
        });
    }
    let mut matrix = features(resolved, sets, spare, &known(&bars), report).map_err(failed)?;
    let works = resolved.indicators.len();
    if report(works + 2, "leak test").is_break() {
        return Err(DataSetError::Stopped);
    }
    let leak = matrix.leak_test.check(&known(&bars), |known, take| {
        each_column(resolved, known, &mut |_, _| ControlFlow::Continue(()), take)
    });
    if let Some(leak) = leak.map_err(failed)? {
        let feature = resolved
            .features
            .get(leak.feature)
            .map_or_else(String::new, |feature| feature.name.clone());
        return Err(DataSetError::Leak {
            symbol: symbol.to_owned(),
            feature,
            leak,
        });
    }
    let holes = holes_of(
        resolved,
        sets,
        symbol,
        &known(&bars),
        &matrix.coverage.counted(),
    )
    .map_err(failed)?;
    if report(works + 3, "labels").is_break() {
        return Err(DataSetError::Stopped);
    }
    // From here on no other timeframe is needed, and of the base neither opens nor volumes.
    let mut base = bars.remove(&resolved.base).unwrap_or_default();
    drop((
        bars,
        std::mem::take(&mut base.open),
        std::mem::take(&mut base.volume),
    ));
    let labelled = labels_of(resolved, symbol, &base, training_end);
    let labelled = labelled.map_err(|source| DataSetError::Labels {
        symbol: symbol.to_owned(),
        source,
    })?;
    let complete = matrix.complete();
    check_gaps(resolved, symbol, &matrix, &complete)?;
    let joined = join(resolved, times(base), labelled, (matrix, complete));
    let joined = joined.map_err(|source| DataSetError::Labels {
        symbol: symbol.to_owned(),
        source,
    })?;
    Ok(SymbolRows { holes, ..joined })
}

/// The holes of the sets that do not cover every value; the others have none.
fn holes_of(
    resolved: &Resolved,
    sets: &Sets,
    symbol: &str,
    bars: &KnownBars<'_>,
    coverage: &[Coverage],
) -> Result<Vec<FuzzyHole>, FeatureError> {
    let bare: BTreeMap<String, bool> =
        sets.named(coverage.iter().map(|each| each.covered < each.values));
    if !bare.values().any(|bare| *bare) {
        return Ok(Vec::new());
    }
    let found = holes_in(resolved, bars, |set| bare.get(set) == Some(&true))?;
    let hole = |hole: &Hole| FuzzyHole {
        set: hole.name(),
        symbol: symbol.to_owned(),
        share: hole.share(),
        low: hole.range.0,
        high: hole.range.1,
    };
    Ok(found.iter().map(hole).collect())
}

/// The columns of one symbol.
fn features(
    resolved: &Resolved,
    sets: &Sets,
    spare: Vec<Column>,
    bars: &KnownBars<'_>,
    report: &mut dyn FnMut(usize, &str) -> ControlFlow<()>,
) -> Result<Matrix, FeatureError> {
    check_volumes(resolved, bars)?;
    let close_time = bars
        .get(&resolved.base)
        .map_or(&[][..], |base| base.close_time);
    let mut matrix = Matrix::new(resolved, sets, spare, close_time);
    each_column(
        resolved,
        bars,
        &mut |position, planned| report(position + 2, &planned.id),
        &mut |position, row, values| matrix.take(sets, position, row, values),
    )?;
    Ok(matrix)
}

/// Opens and closes; the prices are gone.
fn times(bars: Bars) -> (Vec<Utc>, Vec<Utc>) {
    (bars.open_time, bars.close_time)
}

/// The bars within the date range, copied only where some lie outside of it.
fn clipped(resolved: &Resolved, bars: Bars) -> Bars {
    let early = resolved
        .start
        .is_some_and(|start| bars.open_time.first().is_some_and(|open| *open < start));
    let late = resolved
        .end
        .is_some_and(|end| bars.open_time.last().is_some_and(|open| *open >= end));
    if early || late {
        resolved.clip(&bars)
    } else {
        bars
    }
}

/// The columns of one symbol on all base bars, while they are being made.
struct Matrix {
    columns: Vec<Column>,
    coverage: Counting,
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
    fn new(resolved: &Resolved, sets: &Sets, spare: Vec<Column>, close_time: &[Utc]) -> Self {
        let rows = close_time.len();
        let mut columns = spare;
        if columns.is_empty() {
            columns.extend(resolved.features.iter().map(Column::of));
        }
        columns.iter_mut().for_each(|column| column.reserve(rows));
        Self {
            columns,
            coverage: Counting::new(sets),
            complete: vec![true; rows],
            gaps: vec![0; resolved.features.len()],
            leak_test: LeakTest::new(close_time),
        }
    }

    /// The next stretch of a column.
    fn take(&mut self, sets: &Sets, position: usize, row: usize, values: &[f64]) {
        self.leak_test.see(position, row, values);
        self.coverage.take(sets, position, row, values);
        let gaps = values.iter().filter(|value| !value.is_finite()).count();
        if gaps > 0 {
            let complete = self.complete.iter_mut().skip(row);
            complete
                .zip(values)
                .for_each(|(complete, value)| *complete &= value.is_finite());
        }
        if let (Some(column), Some(missing)) =
            (self.columns.get_mut(position), self.gaps.get_mut(position))
        {
            column.extend(values);
            *missing += gaps;
        }
    }

    fn complete(&mut self) -> Complete {
        let bars = std::mem::take(&mut self.complete);
        let warm_up = bars.iter().take_while(|complete| !**complete).count();
        let undefined = bars
            .iter()
            .skip(warm_up)
            .filter(|complete| !**complete)
            .count();
        Complete {
            bars,
            warm_up: warm_up as u64,
            undefined: undefined as u64,
        }
    }
}

/// The complete and labelled rows: times, labels and features.
#[expect(clippy::cast_possible_truncation, reason = "weights are stored as f32")]
fn join(
    resolved: &Resolved,
    (mut open_time, close_time): (Vec<Utc>, Vec<Utc>),
    Labelled {
        mut labels,
        events,
        thresholds,
    }: Labelled,
    (matrix, complete): (Matrix, Complete),
) -> Result<SymbolRows, LabelError> {
    let known_with =
        |row: usize, ahead: u32| close_time.get(row.saturating_add(ahead as usize)).copied();
    let labelled = |labels: &Labels| {
        let labelled = labels.values.iter().zip(&labels.look_ahead).enumerate();
        let labelled = labelled
            .map(|(row, (label, ahead))| label.is_finite() && known_with(row, *ahead).is_some());
        Runs::of(
            complete
                .bars
                .iter()
                .zip(labelled)
                .map(|(complete, labelled)| *complete && labelled),
        )
    };
    let mut rows = labelled(&labels);
    let (found, with_label) = (complete.bars.iter().filter(|bar| **bar).count(), rows.len());
    let mut dropped = BTreeMap::from([
        ("warm_up", complete.warm_up),
        ("undefined", complete.undefined),
        ("unlabelled", (found - with_label) as u64),
    ]);
    if let Some(events) = events {
        labels.keep(&events)?;
        rows = labelled(&labels);
        dropped.insert("no_event", (with_label - rows.len()) as u64);
    }
    // By bar and not by row: concurrency counts labels of rows that are dropped, too.
    let weights = resolved.weighted.then(|| {
        let mut weights: Vec<f32> = uniqueness(&labels)
            .into_iter()
            .map(|weight| weight as f32)
            .collect();
        rows.keep(&mut weights);
        weights
    });
    let mut label_known_at = close_time.clone();
    for (row, (cell, ahead)) in label_known_at
        .iter_mut()
        .zip(&labels.look_ahead)
        .enumerate()
    {
        *cell = known_with(row, *ahead).unwrap_or(*cell);
    }
    let Labels {
        values: mut labels, ..
    } = labels;
    let mut known_at = close_time.clone();
    [&mut open_time, &mut known_at, &mut label_known_at]
        .into_iter()
        .for_each(|times| rows.keep(times));
    rows.keep(&mut labels);
    let Matrix {
        mut columns,
        mut coverage,
        leak_test,
        ..
    } = matrix;
    columns.iter_mut().for_each(|column| column.keep(&rows));
    Ok(SymbolRows {
        open_time,
        known_at,
        label_known_at,
        labels,
        weights,
        columns,
        coverage: coverage.counted(),
        close_time,
        dropped,
        leak_test_cuts: leak_test.cuts() as u64,
        thresholds,
        holes: Vec::new(),
    })
}

/// Labels of all bars, which of those bars are events where only events are learnt from, and what
/// was fitted.
struct Labelled {
    labels: Labels,
    events: Option<Vec<bool>>,
    thresholds: Vec<FittedThreshold>,
}

/// Thresholds are fitted on the bars known before `training_end`.
fn labels_of(
    resolved: &Resolved,
    symbol: &str,
    base: &Bars,
    training_end: Option<Utc>,
) -> Result<Labelled, LabelError> {
    let (mut source, mut events, mut thresholds) = (resolved.labels, resolved.events, Vec::new());
    if let Some(end) = training_end {
        let training = base.slice(0..base.close_time.partition_point(|close| *close < end));
        source = resolved.labels.fitted(&training)?;
        events = resolved
            .events
            .map(|events| events.fitted(&training))
            .transpose()?;
        let threshold = |name: &str, value: f64| FittedThreshold {
            symbol: symbol.to_owned(),
            name: name.to_owned(),
            value,
        };
        if let (LabelSource::Regime(fitted), true) = (source, source != resolved.labels) {
            thresholds.extend(
                fitted
                    .typical_range
                    .map(|range| threshold("typical_range", range)),
            );
        }
        if events != resolved.events {
            thresholds.extend(
                events
                    .and_then(|each| each.threshold)
                    .map(|value| threshold("event_threshold", value)),
            );
        }
    }
    let events = events.map(|events| events.events(base)).transpose()?;
    Ok(Labelled {
        labels: labels::compute(&source, base)?,
        events,
        thresholds,
    })
}

#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
fn check_gaps(
    resolved: &Resolved,
    symbol: &str,
    matrix: &Matrix,
    complete: &Complete,
) -> Result<(), DataSetError> {
    let rows = (complete.bars.len() as u64).saturating_sub(complete.warm_up);
    if complete.undefined as f64 <= rows as f64 * UNDEFINED_SHARE_MAX {
        return Ok(());
    }
    let worst = matrix
        .gaps
        .iter()
        .zip(&resolved.features)
        .max_by_key(|(gaps, _)| **gaps);
    let feature = worst.map_or_else(String::new, |(_, feature)| feature.name.clone());
    Err(DataSetError::Undefined {
        symbol: symbol.to_owned(),
        undefined: complete.undefined,
        rows,
        feature,
    })
}
