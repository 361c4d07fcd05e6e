//! From bars to feature columns: the one path that training, back-testing and prediction share.
//!
//! A row is a bar of the base timeframe, and its decision time is that bar's close. Every indicator is computed on the
//! bars of its own timeframe with fresh state; a value of another timeframe becomes visible at the close of its bar and
//! stays until the next one closes. Nothing is filled backwards: before the first closed bar there is no value, and a row
//! without a value in every column is dropped and counted.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use market::{Bars, Timeframe, Utc};
use schemas::manifests::FeatureColumn;
use thiserror::Error;

use crate::grammar::{FuzzySet, Input, InputSource};
use crate::indicators::IndicatorError;
use crate::resolve::{Feature, FeatureKind, PlannedIndicator, Resolved};

/// Bars of one symbol, one series a timeframe.
pub type SymbolBars = BTreeMap<Timeframe, Bars>;

/// One column of an input.
pub(crate) struct FeatureName {
    pub(crate) timeframe: Timeframe,
    /// Bars of that timeframe back; 0 = the current one.
    pub(crate) lag: u32,
    /// `{timeframe}_{set}_{member}` or `{timeframe}_{reference}_raw`, followed by `_lag_{k}` where it lags.
    pub(crate) name: String,
}

/// The columns of one input, in order: for each timeframe the current ones, then those of each lag.
pub(crate) fn feature_names(input: &Input, sets: &[FuzzySet], strategy: &[Timeframe]) -> Vec<FeatureName> {
    let timeframes = input.timeframes.as_deref().unwrap_or(strategy);
    let names = |timeframe: Timeframe| match &input.source {
        InputSource::Fuzzy(set) => {
            let set = sets.get(*set);
            set.iter()
                .flat_map(|set| set.members.iter().map(|(member, _)| format!("{timeframe}_{}_{member}", set.id)))
                .collect()
        }
        InputSource::Raw { reference, .. } => vec![format!("{timeframe}_{reference}_raw")],
    };
    let mut all = Vec::new();
    for &timeframe in timeframes {
        for lag in std::iter::once(0).chain(input.lags.iter().copied()) {
            let suffix = if lag == 0 { String::new() } else { format!("_lag_{lag}") };
            let of_lag = names(timeframe).into_iter().map(|name| FeatureName { timeframe, lag, name: name + &suffix });
            all.extend(of_lag);
        }
    }
    all
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
    #[error("the {timeframe} bars are malformed: times must ascend and all columns have one length")]
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
    #[error("scaling is given for {found} columns and the features have {expected}, or their names differ")]
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
            Self::NoBars { .. } => "load the series with `ktrdr data load <symbol> --timeframe <timeframe>`",
            Self::Malformed { .. } => "validate the series with `ktrdr data check <symbol> <timeframe>`",
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

/// Features of one symbol, complete rows only, scaled by `scaling` (the columns of a trained network).
///
/// # Errors
/// Missing or malformed bars, an indicator that refuses them, a scaling of other columns.
pub fn features(
    resolved: &Resolved,
    bars: &SymbolBars,
    scaling: &[FeatureColumn],
) -> Result<FeatureMatrix, FeatureError> {
    let columns = columns(resolved, bars, &mut |_, _| ControlFlow::Continue(()))?;
    let same = scaling.iter().map(|column| &column.name).eq(resolved.features.iter().map(|feature| &feature.name));
    if !same {
        return Err(FeatureError::Scaling { expected: resolved.features.len(), found: scaling.len() });
    }
    let complete = columns.complete_rows();
    let at = |times: &[Utc]| complete.rows.iter().filter_map(|&row| times.get(row).copied()).collect();
    let mut values = Vec::with_capacity(complete.rows.len() * scaling.len());
    complete.rows.iter().for_each(|&row| columns.push_scaled(row, scaling, &mut values));
    Ok(FeatureMatrix {
        width: scaling.len(),
        open_time: at(&columns.open_time),
        decision_time: at(&columns.close_time),
        values,
        warm_up: complete.warm_up,
        undefined: complete.undefined,
    })
}

/// Feature columns of one symbol on every base bar. `progress` hears of each indicator before it is computed, with its
/// position, and may stop the work.
///
/// # Errors
/// Missing or malformed bars, an indicator that refuses them, a stop.
pub fn columns(
    resolved: &Resolved,
    bars: &SymbolBars,
    progress: &mut dyn FnMut(usize, &PlannedIndicator) -> ControlFlow<()>,
) -> Result<Columns, FeatureError> {
    let mut values = vec![Vec::new(); resolved.features.len()];
    each_column(resolved, bars, progress, &mut |position, column| {
        if let Some(own) = values.get_mut(position) {
            *own = column.to_vec();
        }
    })?;
    let base = series(bars, resolved.base)?;
    Ok(Columns { open_time: base.open_time.clone(), close_time: base.close_time.clone(), values })
}

/// The same, a column at a time: `take` gets the position of a feature and its values on every base bar, in memory that
/// the next column reuses. Indicator after indicator; of one indicator in contract order.
pub(crate) fn each_column(
    resolved: &Resolved,
    bars: &SymbolBars,
    progress: &mut dyn FnMut(usize, &PlannedIndicator) -> ControlFlow<()>,
    take: &mut dyn FnMut(usize, &[f64]),
) -> Result<(), FeatureError> {
    let base = series(bars, resolved.base)?;
    resolved.timeframes.iter().try_for_each(|timeframe| series(bars, *timeframe).map(drop))?;
    let mut visible: BTreeMap<Timeframe, Vec<u32>> = BTreeMap::new();
    let (mut outputs, mut own, mut column) = (Vec::new(), Vec::new(), Vec::new());
    for (position, planned) in resolved.indicators.iter().enumerate() {
        if progress(position, planned).is_break() {
            return Err(FeatureError::Stopped);
        }
        let timeframe = planned.timeframe;
        let bars = bars.get(&timeframe).ok_or(FeatureError::NoBars { timeframe })?;
        let refused = |source| FeatureError::Indicator { id: planned.id.clone(), timeframe, source };
        planned.indicator.compute_into(bars, &mut outputs).map_err(refused)?;
        if timeframe != resolved.base {
            visible.entry(timeframe).or_insert_with(|| as_of(&base.close_time, &bars.close_time));
        }
        let rows = visible.get(&timeframe).map(Vec::as_slice);
        for (number, feature) in resolved.features.iter().enumerate().filter(|(_, each)| each.indicator == position) {
            let output = outputs.get(feature.output).map_or(&[][..], Vec::as_slice);
            feature.fill(output, rows, &mut own, &mut column);
            take(number, &column);
        }
    }
    Ok(())
}

fn series(bars: &SymbolBars, timeframe: Timeframe) -> Result<&Bars, FeatureError> {
    match bars.get(&timeframe) {
        Some(bars) if !is_well_formed(bars) => Err(FeatureError::Malformed { timeframe }),
        Some(bars) => Ok(bars),
        None => Err(FeatureError::NoBars { timeframe }),
    }
}

impl Feature {
    /// Makes of an indicator's output the values on the base rows: those of the output itself, or their memberships, as
    /// visible at each decision time. `rows` is what [`as_of`] says of another timeframe; the base sees its own bars.
    fn fill(&self, output: &[f64], rows: Option<&[u32]>, own: &mut Vec<f64>, column: &mut Vec<f64>) {
        let degrees = |values: &mut [f64]| {
            if let FeatureKind::Membership { function, .. } = &self.kind {
                function.degrees(values);
            }
        };
        let lag = self.lag as usize;
        column.clear();
        let Some(rows) = rows else {
            let known = output.len().saturating_sub(lag);
            column.resize(output.len() - known, f64::NAN);
            column.extend(output.iter().take(known));
            degrees(column);
            return;
        };
        let back = |values: &[f64], closed: u32| {
            let row = (closed as usize).checked_sub(lag + 1);
            row.and_then(|row| values.get(row).copied()).unwrap_or(f64::NAN)
        };
        // Memberships are made where there are fewer values: on the coarse bars before, on the base rows after the join.
        if output.len() < rows.len() {
            own.clear();
            own.extend_from_slice(output);
            degrees(own);
            column.extend(rows.iter().map(|closed| back(own, *closed)));
        } else {
            column.extend(rows.iter().map(|closed| back(output, *closed)));
            degrees(column);
        }
    }
}

/// For each decision time the number of bars that are closed by then. Both ascend.
fn as_of(decisions: &[Utc], closes: &[Utc]) -> Vec<u32> {
    let mut closed = 0;
    let visible = decisions.iter().map(|decision| {
        closed += closes.iter().skip(closed).take_while(|close| *close <= decision).count();
        u32::try_from(closed).unwrap_or(u32::MAX)
    });
    visible.collect()
}

fn is_well_formed(bars: &Bars) -> bool {
    let ascend = |times: &[Utc]| times.iter().zip(times.iter().skip(1)).all(|(one, next)| one < next);
    let columns = [&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume];
    bars.close_time.len() == bars.len()
        && columns.iter().all(|column| column.len() == bars.len())
        && ascend(&bars.open_time)
        && ascend(&bars.close_time)
}

impl Columns {
    /// The rows with a value in every column.
    pub fn complete_rows(&self) -> CompleteRows {
        let mut complete = CompleteRows::default();
        for row in 0..self.open_time.len() {
            if self.values.iter().all(|column| column.get(row).is_some_and(|value| value.is_finite())) {
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
    #[expect(clippy::cast_possible_truncation, reason = "features are stored as f32")]
    pub fn push_scaled(&self, row: usize, scaling: &[FeatureColumn], matrix: &mut Vec<f32>) {
        matrix.extend(self.values.iter().zip(scaling).map(|(column, scaling)| {
            let value = column.get(row).copied().unwrap_or(f64::NAN);
            scaling.normalisation.map_or(value, |normalisation| normalisation.apply(value)) as f32
        }));
    }
}
