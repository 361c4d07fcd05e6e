//! From bars to feature columns: the one path that training, back-testing and prediction share.
//!
//! A row is a bar of the base timeframe, and its decision time is that bar's close. Every indicator
//! is computed on the bars of its own timeframe with fresh state; a value of another timeframe
//! becomes visible at the close of its bar and stays until the next one closes. Nothing is filled
//! backwards: before the first closed bar there is no value, and a row without a value in every
//! column is dropped and counted.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use market::{BarSlice, Bars, Timeframe, Utc};
use schemas::manifests::FeatureColumn;
use thiserror::Error;

use crate::fuzzy::Membership;
use crate::indicators::{IndicatorError, Walk};
use crate::resolve::{Feature, FeatureKind, PlannedIndicator, Resolved};

/// Bars of one symbol, one series a timeframe.
pub type SymbolBars = BTreeMap<Timeframe, Bars>;

/// What was known of them at an instant, or all of them.
pub type KnownBars<'a> = BTreeMap<Timeframe, BarSlice<'a>>;

/// Rows of a column that are made at a time: few enough to stay in a near cache on their way from
/// bars to features.
const STRETCH: usize = 4_096;

/// All bars.
pub fn known(bars: &SymbolBars) -> KnownBars<'_> {
    bars.iter()
        .map(|(timeframe, bars)| (*timeframe, bars.as_slice()))
        .collect()
}

/// Why features cannot be computed.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum FeatureError {
    /// A timeframe that the features need has no bars.
    #[error("there are no {timeframe} bars")]
    NoBars {
        /// The timeframe.
        timeframe: Timeframe,
    },
    /// Times do not ascend, or columns differ in length.
    #[error(
        "the {timeframe} bars are malformed: times must ascend and all columns have one length"
    )]
    Malformed {
        /// The timeframe.
        timeframe: Timeframe,
    },
    /// An indicator refuses the bars.
    #[error("the indicator `{id}` cannot be computed on the {timeframe} bars")]
    Indicator {
        /// Its id in the strategy.
        id: String,
        /// Whose bars.
        timeframe: Timeframe,
        /// Why.
        source: IndicatorError,
    },
    /// The scaling given does not fit the features.
    #[error(
        "scaling is given for {found} columns and the features have {expected}, or their names differ"
    )]
    Scaling {
        /// Columns of the features.
        expected: usize,
        /// Columns of the scaling.
        found: usize,
    },
    /// The progress callback asked to stop.
    #[error("stopped on request")]
    Stopped,
}

impl FeatureError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoBars { .. } => {
                "load the series with `ktrdr data load <symbol> --timeframe <timeframe>`"
            }
            Self::Malformed { .. } => {
                "validate the series with `ktrdr data check <symbol> <timeframe>`"
            }
            Self::Indicator { source, .. } => source.hint(),
            Self::Scaling { .. } => "use the model with the strategy that it was trained on",
            Self::Stopped => "run the operation again or resume it",
        }
    }
}

/// Unscaled feature columns on the base bars; NaN where something is not known yet or not defined.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    /// Opens of the base bars.
    pub open_time: Vec<Utc>,
    /// Closes of the base bars: the decision times.
    pub close_time: Vec<Utc>,
    /// One column a feature, in contract order, each as long as the times.
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

/// Complete rows, scaled as the network expects them.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMatrix {
    /// Columns a row.
    pub width: usize,
    /// Opens of the base bars that have a row.
    pub open_time: Vec<Utc>,
    /// When each row was known.
    pub decision_time: Vec<Utc>,
    /// Row-major `[row, feature]`.
    pub values: Vec<f32>,
    /// Rows dropped before the first one.
    pub warm_up: u64,
    /// Rows dropped after it.
    pub undefined: u64,
}

/// Features of one symbol, complete rows only, scaled by `scaling` (the columns of a trained
/// network).
///
/// # Errors
/// Missing or malformed bars, an indicator that refuses them, a scaling of other columns.
pub fn features(
    resolved: &Resolved,
    bars: &SymbolBars,
    scaling: &[FeatureColumn],
) -> Result<FeatureMatrix, FeatureError> {
    let columns = columns(resolved, bars, &mut |_, _| ControlFlow::Continue(()))?;
    let same = scaling
        .iter()
        .map(|column| &column.name)
        .eq(resolved.features.iter().map(|feature| &feature.name));
    if !same {
        return Err(FeatureError::Scaling {
            expected: resolved.features.len(),
            found: scaling.len(),
        });
    }
    let complete = columns.complete_rows();
    let at = |times: &[Utc]| {
        complete
            .rows
            .iter()
            .filter_map(|&row| times.get(row).copied())
            .collect()
    };
    let mut values = Vec::with_capacity(complete.rows.len() * scaling.len());
    complete
        .rows
        .iter()
        .for_each(|&row| columns.push_scaled(row, scaling, &mut values));
    Ok(FeatureMatrix {
        width: scaling.len(),
        open_time: at(&columns.open_time),
        decision_time: at(&columns.close_time),
        values,
        warm_up: complete.warm_up,
        undefined: complete.undefined,
    })
}

/// Feature columns of one symbol on every base bar. `progress` hears of each indicator before it is
/// computed, with its position, and may stop the work.
///
/// # Errors
/// Missing or malformed bars, an indicator that refuses them, a stop.
pub fn columns(
    resolved: &Resolved,
    bars: &SymbolBars,
    progress: &mut dyn FnMut(usize, &PlannedIndicator) -> ControlFlow<()>,
) -> Result<Columns, FeatureError> {
    let known = known(bars);
    check_volumes(resolved, &known)?;
    let base = series(&known, resolved.base)?;
    let mut values = vec![Vec::with_capacity(base.len()); resolved.features.len()];
    each_column(resolved, &known, progress, &mut |position, _, column| {
        values
            .iter_mut()
            .skip(position)
            .take(1)
            .for_each(|own| own.extend_from_slice(column));
    })?;
    Ok(Columns {
        open_time: base.open_time.to_vec(),
        close_time: base.close_time.to_vec(),
        values,
    })
}

/// Refuses bars without any volume where an indicator is made of it.
pub(crate) fn check_volumes(resolved: &Resolved, bars: &KnownBars<'_>) -> Result<(), FeatureError> {
    resolved.indicators.iter().try_for_each(|planned| {
        let timeframe = planned.timeframe;
        let refused = |source| FeatureError::Indicator {
            id: planned.id.clone(),
            timeframe,
            source,
        };
        planned
            .indicator
            .check_volume(given(bars, timeframe)?)
            .map_err(refused)
    })
}

/// Takes the position of a feature, the first row of a stretch of its column and the values there,
/// in memory that the next stretch reuses.
pub(crate) type Take<'a> = &'a mut dyn FnMut(usize, usize, &[f64]);

/// The same, a stretch of rows at a time, so that no column need exist as a whole: indicator after
/// indicator, of each one stretch after stretch with no row left out, of each of those one feature
/// after another.
///
/// That an indicator has no volume at all is for the caller to see before: of what was known at an
/// instant that may be so.
pub(crate) fn each_column(
    resolved: &Resolved,
    bars: &KnownBars<'_>,
    progress: &mut dyn FnMut(usize, &PlannedIndicator) -> ControlFlow<()>,
    take: Take<'_>,
) -> Result<(), FeatureError> {
    resolved
        .timeframes
        .iter()
        .try_for_each(|timeframe| series(bars, *timeframe).map(drop))?;
    let base = given(bars, resolved.base)?;
    let mut visible: BTreeMap<Timeframe, Vec<u32>> = BTreeMap::new();
    for (position, planned) in resolved.indicators.iter().enumerate() {
        if progress(position, planned).is_break() {
            return Err(FeatureError::Stopped);
        }
        let timeframe = planned.timeframe;
        let own = given(bars, timeframe)?;
        let refused = |source| FeatureError::Indicator {
            id: planned.id.clone(),
            timeframe,
            source,
        };
        let mut walk = planned.indicator.walk(own).map_err(refused)?;
        let mut outputs = vec![Vec::new(); planned.indicator.spec().output_count()];
        let features = resolved
            .features
            .iter()
            .enumerate()
            .filter(|(_, each)| each.indicator == position);
        let features: Vec<(usize, &Feature)> = features.collect();
        if timeframe == resolved.base {
            on_the_base(&features, base.len(), walk.as_mut(), &mut outputs, take);
        } else {
            outputs
                .iter_mut()
                .for_each(|output| output.resize(own.len(), f64::NAN));
            walk.fill(
                &mut outputs
                    .iter_mut()
                    .map(Vec::as_mut_slice)
                    .collect::<Vec<_>>(),
            );
            let rows = visible
                .entry(timeframe)
                .or_insert_with(|| as_of(base.close_time, own.close_time));
            join(&features, &outputs, rows, take);
        }
    }
    Ok(())
}

fn given<'a>(bars: &KnownBars<'a>, timeframe: Timeframe) -> Result<BarSlice<'a>, FeatureError> {
    bars.get(&timeframe)
        .copied()
        .ok_or(FeatureError::NoBars { timeframe })
}

/// Bars that are there and well formed, which takes a look at each of them.
fn series<'a>(bars: &KnownBars<'a>, timeframe: Timeframe) -> Result<BarSlice<'a>, FeatureError> {
    let bars = given(bars, timeframe)?;
    if is_well_formed(&bars) {
        Ok(bars)
    } else {
        Err(FeatureError::Malformed { timeframe })
    }
}

/// The features of an indicator on the base timeframe. Its outputs are made a stretch at a time,
/// after as many of the rows before it as the longest lag looks back on.
fn on_the_base(
    features: &[(usize, &Feature)],
    rows: usize,
    walk: &mut dyn Walk,
    outputs: &mut [Vec<f64>],
    take: Take<'_>,
) {
    let lag_max = features
        .iter()
        .map(|(_, feature)| feature.lag as usize)
        .max()
        .unwrap_or(0);
    outputs
        .iter_mut()
        .for_each(|output| output.resize(lag_max + STRETCH.min(rows), f64::NAN));
    let mut column = Vec::new();
    for start in (0..rows).step_by(STRETCH) {
        let count = STRETCH.min(rows - start);
        let new = outputs
            .iter_mut()
            .map(|output| output.get_mut(lag_max..lag_max + count).unwrap_or_default());
        walk.fill(&mut new.collect::<Vec<_>>());
        for (number, feature) in features {
            let first = lag_max - feature.lag as usize;
            let values = outputs
                .get(feature.output)
                .and_then(|output| output.get(first..first + count));
            let values = values.unwrap_or_default();
            if let Some(function) = feature.membership() {
                column.clear();
                column.extend_from_slice(values);
                function.degrees(&mut column);
                take(*number, start, &column);
            } else {
                take(*number, start, values);
            }
        }
        outputs
            .iter_mut()
            .for_each(|output| output.copy_within(count..count + lag_max, 0));
    }
}

/// The features of an indicator on another timeframe, as visible at each decision time. `rows` is
/// what [`as_of`] says.
fn join(features: &[(usize, &Feature)], outputs: &[Vec<f64>], rows: &[u32], take: Take<'_>) {
    // Memberships are made where there are fewer values: on the coarse bars before, on the base
    // rows after the join.
    let is_coarser = outputs
        .first()
        .is_some_and(|output| output.len() < rows.len());
    let made = features.iter().map(|(number, feature)| {
        let output = outputs.get(feature.output).map_or(&[][..], Vec::as_slice);
        let (before, after) = if is_coarser {
            (feature.membership(), None)
        } else {
            (None, feature.membership())
        };
        let mut own = Cow::Borrowed(output);
        before
            .into_iter()
            .for_each(|function| function.degrees(own.to_mut()));
        (*number, feature.lag as usize, own, after)
    });
    let made: Vec<_> = made.collect();
    let mut column = Vec::with_capacity(STRETCH.min(rows.len()));
    for (stretch, rows) in rows.chunks(STRETCH).enumerate() {
        for (number, lag, own, after) in &made {
            let back = |closed: &u32| {
                let row = (*closed as usize).checked_sub(lag + 1);
                row.and_then(|row| own.get(row).copied())
                    .unwrap_or(f64::NAN)
            };
            column.clear();
            column.extend(rows.iter().map(back));
            after
                .iter()
                .for_each(|function| function.degrees(&mut column));
            take(*number, stretch * STRETCH, &column);
        }
    }
}

impl Feature {
    fn membership(&self) -> Option<&Membership> {
        match &self.kind {
            FeatureKind::Membership { function, .. } => Some(function),
            FeatureKind::Raw { .. } => None,
        }
    }
}

/// For each decision time the number of bars that are closed by then. Both ascend.
fn as_of(decisions: &[Utc], closes: &[Utc]) -> Vec<u32> {
    let mut closed = 0;
    let visible = decisions.iter().map(|decision| {
        closed += closes
            .iter()
            .skip(closed)
            .take_while(|close| *close <= decision)
            .count();
        u32::try_from(closed).unwrap_or(u32::MAX)
    });
    visible.collect()
}

fn is_well_formed(bars: &BarSlice<'_>) -> bool {
    let ascend = |times: &[Utc]| {
        times
            .iter()
            .zip(times.iter().skip(1))
            .all(|(one, next)| one < next)
    };
    let columns = [bars.open, bars.high, bars.low, bars.close, bars.volume];
    bars.close_time.len() == bars.len()
        && columns.iter().all(|column| column.len() == bars.len())
        && ascend(bars.open_time)
        && ascend(bars.close_time)
}

impl Columns {
    /// The rows with a value in every column.
    pub fn complete_rows(&self) -> CompleteRows {
        let mut complete = CompleteRows::default();
        for row in 0..self.open_time.len() {
            if self
                .values
                .iter()
                .all(|column| column.get(row).is_some_and(|value| value.is_finite()))
            {
                complete.rows.push(row);
            } else if complete.rows.is_empty() {
                complete.warm_up += 1;
            } else {
                complete.undefined += 1;
            }
        }
        complete
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
