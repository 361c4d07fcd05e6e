//! Feature columns, computed a chunk of rows at a time, so that no column of an indicator need
//! exist as a whole.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use market::{BarSlice, Timeframe, Utc};
use schemas::manifests::FeatureColumn;

use super::join::Join;
use super::known_bars::{borrow_bars, check_volumes, get_series, get_well_formed_series};
use super::{FeatureError, KnownBars, SymbolBars};
use crate::fuzzy::Membership;
use crate::indicators::Walk;
use crate::resolve::{Feature, FeatureKind, PlannedIndicator, Resolved};

/// Rows per chunk: few enough to stay in a near cache on their way from bars to features.
const CHUNK_ROWS: usize = 4_096;

/// Unscaled feature columns on the base bars; NaN where a value is not known yet or not defined.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns<'a> {
    /// Opens of the base bars.
    pub open_time: &'a [Utc],
    /// Instant from which each row may be used: the close of its base bar.
    pub known_at: &'a [Utc],
    /// One column per feature, in contract order, each as long as the times.
    pub values: Vec<Vec<f64>>,
}

/// The rows of [`Columns`] that have a value in every column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompleteRows {
    /// Their positions, ascending.
    pub rows: Vec<usize>,
    /// Rows before the first complete one.
    pub warm_up: u64,
    /// Incomplete rows after it.
    pub undefined: u64,
}

/// Receives feature columns while they are computed.
///
/// Indicators come one after the other. Of each indicator the chunks come in order of rows, without
/// a gap, and of each chunk the features come one after the other.
pub trait ColumnSink {
    /// Called before the indicator at `position` is computed; `Break` stops the computation.
    fn begin_indicator(
        &mut self,
        _position: usize,
        _planned: &PlannedIndicator,
    ) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// Takes the values of the feature at position `feature` from `first_row` on. The next chunk
    /// reuses the memory of `values`.
    fn take(&mut self, feature: usize, first_row: usize, values: &[f64]);
}

/// Feature columns of one symbol on every base bar. `progress` is called before each indicator is
/// computed, with its position, and may stop the work.
///
/// # Errors
/// Missing or malformed bars, an indicator that refuses them, a stop.
pub fn compute_columns<'a>(
    resolved: &Resolved,
    bars: &'a SymbolBars,
    progress: &mut dyn FnMut(usize, &PlannedIndicator) -> ControlFlow<()>,
) -> Result<Columns<'a>, FeatureError> {
    let bars = borrow_bars(bars);
    check_volumes(resolved, &bars)?;
    let base = get_series(&bars, resolved.base)?;

    let mut collector = ColumnCollector {
        values: vec![Vec::with_capacity(base.len()); resolved.features.len()],
        progress,
    };
    stream_columns(resolved, &bars, &mut collector)?;

    Ok(Columns {
        open_time: base.open_time,
        known_at: base.close_time,
        values: collector.values,
    })
}

/// Keeps every chunk, for those who want whole columns.
struct ColumnCollector<'a> {
    values: Vec<Vec<f64>>,
    progress: &'a mut dyn FnMut(usize, &PlannedIndicator) -> ControlFlow<()>,
}

impl ColumnSink for ColumnCollector<'_> {
    fn begin_indicator(&mut self, position: usize, planned: &PlannedIndicator) -> ControlFlow<()> {
        (self.progress)(position, planned)
    }

    fn take(&mut self, feature: usize, _first_row: usize, values: &[f64]) {
        if let Some(column) = self.values.get_mut(feature) {
            column.extend_from_slice(values);
        }
    }
}

/// Computes the feature columns of one symbol and hands them to `sink`, chunk by chunk.
///
/// Whether a series has any volume is for the caller to check on the whole series
/// ([`check_volumes`]): the bars known at an early instant may have none yet.
///
/// # Errors
/// Missing or malformed bars, an indicator that refuses them, a stop by the sink.
pub(crate) fn stream_columns(
    resolved: &Resolved,
    bars: &KnownBars<'_>,
    sink: &mut dyn ColumnSink,
) -> Result<(), FeatureError> {
    for timeframe in &resolved.timeframes {
        get_well_formed_series(bars, *timeframe)?;
    }
    let base = get_series(bars, resolved.base)?;

    // All indicators of a timeframe share the join of its bars with the base rows.
    let mut joins: BTreeMap<Timeframe, Join> = BTreeMap::new();

    for (position, planned) in resolved.indicators.iter().enumerate() {
        if sink.begin_indicator(position, planned).is_break() {
            return Err(FeatureError::Stopped);
        }

        let features = features_of(resolved, position);
        let series = get_series(bars, planned.timeframe)?;
        if planned.timeframe == resolved.base {
            stream_base_features(&features, planned, series, sink)?;
        } else {
            let outputs = fill_outputs(planned, series)?;
            let join = joins
                .entry(planned.timeframe)
                .or_insert_with(|| Join::new(base.close_time, series.close_time));
            stream_joined_features(&features, &outputs, join, sink);
        }
    }

    Ok(())
}

/// A feature and its position in the contract.
#[derive(Clone, Copy)]
struct PlacedFeature<'a> {
    position: usize,
    feature: &'a Feature,
}

/// The features that are made from the indicator at this position.
fn features_of(resolved: &Resolved, indicator: usize) -> Vec<PlacedFeature<'_>> {
    resolved
        .features
        .iter()
        .enumerate()
        .filter(|(_, feature)| feature.indicator == indicator)
        .map(|(position, feature)| PlacedFeature { position, feature })
        .collect()
}

/// All outputs of an indicator over a whole series, `[output][bar]`.
///
/// # Errors
/// [`FeatureError::Indicator`].
pub(crate) fn fill_outputs(
    planned: &PlannedIndicator,
    series: BarSlice<'_>,
) -> Result<Vec<Vec<f64>>, FeatureError> {
    let mut walk = start_walk(planned, series)?;
    let mut outputs = vec![vec![f64::NAN; series.len()]; planned.indicator.spec().output_count()];

    let mut columns: Vec<&mut [f64]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    walk.fill(&mut columns);

    Ok(outputs)
}

fn start_walk<'a>(
    planned: &PlannedIndicator,
    series: BarSlice<'a>,
) -> Result<Box<dyn Walk + 'a>, FeatureError> {
    planned
        .indicator
        .walk(series)
        .map_err(|source| FeatureError::of_indicator(planned, source))
}

/// Streams the features of an indicator on the base timeframe, whose rows are the bars themselves.
fn stream_base_features(
    features: &[PlacedFeature<'_>],
    planned: &PlannedIndicator,
    series: BarSlice<'_>,
    sink: &mut dyn ColumnSink,
) -> Result<(), FeatureError> {
    let rows = series.len();
    let mut walk = start_walk(planned, series)?;
    let lag_max = features
        .iter()
        .map(|placed| placed.feature.lag as usize)
        .max()
        .unwrap_or(0);

    // Each output holds one chunk, and before it as many earlier rows as the longest lag needs.
    let output_rows = lag_max + CHUNK_ROWS.min(rows);
    let mut outputs = vec![vec![f64::NAN; output_rows]; planned.indicator.spec().output_count()];
    let mut degrees = Vec::new();

    for first_row in (0..rows).step_by(CHUNK_ROWS) {
        let chunk_rows = CHUNK_ROWS.min(rows - first_row);
        let mut chunk: Vec<&mut [f64]> = outputs
            .iter_mut()
            .map(|output| {
                output
                    .get_mut(lag_max..lag_max + chunk_rows)
                    .unwrap_or_default()
            })
            .collect();
        walk.fill(&mut chunk);

        for placed in features {
            let start = lag_max - placed.feature.lag as usize;
            let values = outputs
                .get(placed.feature.output)
                .and_then(|output| output.get(start..start + chunk_rows))
                .unwrap_or_default();

            // Degrees replace the values, which other features of the output still need.
            if let Some(membership) = placed.feature.membership() {
                degrees.clear();
                degrees.extend_from_slice(values);
                membership.degrees(&mut degrees);
                sink.take(placed.position, first_row, &degrees);
            } else {
                sink.take(placed.position, first_row, values);
            }
        }

        for output in &mut outputs {
            output.copy_within(chunk_rows..chunk_rows + lag_max, 0);
        }
    }

    Ok(())
}

/// A feature on another timeframe than the base, before its values are spread over the base rows.
struct JoinedFeature<'a> {
    position: usize,
    lag: usize,
    /// By bar of the feature's timeframe.
    values: Cow<'a, [f64]>,
    /// Applied after the join, if it was not applied before.
    membership: Option<&'a Membership>,
}

impl<'a> JoinedFeature<'a> {
    fn new(placed: &PlacedFeature<'a>, outputs: &'a [Vec<f64>], base_rows: usize) -> Self {
        let output = outputs
            .get(placed.feature.output)
            .map_or(&[][..], Vec::as_slice);
        let mut joined = Self {
            position: placed.position,
            lag: placed.feature.lag as usize,
            values: Cow::Borrowed(output),
            membership: placed.feature.membership(),
        };

        // Degrees are computed where there are fewer values: on coarser bars before the join, on
        // the base rows after it.
        if output.len() < base_rows
            && let Some(membership) = joined.membership.take()
        {
            membership.degrees(joined.values.to_mut());
        }

        joined
    }

    /// The value that is visible when `closed_bars` bars have closed; NaN where there is none.
    fn visible_value(&self, closed_bars: usize) -> f64 {
        closed_bars
            .checked_sub(self.lag + 1)
            .and_then(|bar| self.values.get(bar).copied())
            .unwrap_or(f64::NAN)
    }
}

/// Streams the features of an indicator on another timeframe, as visible at each base row.
fn stream_joined_features(
    features: &[PlacedFeature<'_>],
    outputs: &[Vec<f64>],
    join: &Join,
    sink: &mut dyn ColumnSink,
) {
    let joined_features: Vec<JoinedFeature<'_>> = features
        .iter()
        .map(|placed| JoinedFeature::new(placed, outputs, join.rows()))
        .collect();
    // One buffer serves every chunk of every feature.
    let mut column = Vec::with_capacity(CHUNK_ROWS.min(join.rows()));

    for start in (0..join.rows()).step_by(CHUNK_ROWS) {
        let end = join.rows().min(start + CHUNK_ROWS);
        let runs = join.runs_within(start..end);
        for joined in &joined_features {
            column.clear();
            for run in runs {
                column.resize(
                    run.end.min(end) - start,
                    joined.visible_value(run.closed_bars),
                );
            }
            if let Some(membership) = joined.membership {
                membership.degrees(&mut column);
            }
            sink.take(joined.position, start, &column);
        }
    }
}

impl Feature {
    fn membership(&self) -> Option<&Membership> {
        match &self.kind {
            FeatureKind::Membership { function, .. } => Some(function),
            FeatureKind::SetValue { .. } | FeatureKind::Raw { .. } => None,
        }
    }
}

impl Columns<'_> {
    /// The rows with a value in every column.
    pub fn complete_rows(&self) -> CompleteRows {
        let mut complete = CompleteRows::default();

        // Gaps before the first complete row are warm-up; later ones are undefined values.
        for row in 0..self.open_time.len() {
            if self.is_complete(row) {
                complete.rows.push(row);
            } else if complete.rows.is_empty() {
                complete.warm_up += 1;
            } else {
                complete.undefined += 1;
            }
        }

        complete
    }

    fn is_complete(&self, row: usize) -> bool {
        self.values
            .iter()
            .all(|column| column.get(row).is_some_and(|value| value.is_finite()))
    }

    /// Appends one row, scaled and rounded to f32, to a row-major matrix.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "features are stored as f32"
    )]
    pub fn push_scaled(&self, row: usize, scaling: &[FeatureColumn], matrix: &mut Vec<f32>) {
        matrix.extend(self.values.iter().zip(scaling).map(|(column, scaling)| {
            let value = column.get(row).copied().unwrap_or(f64::NAN);
            scaling
                .normalisation
                .map_or(value, |normalisation| normalisation.apply(value)) as f32
        }));
    }
}
