//! Labels: what a network is taught to foretell, and how far into the future each label looks.
//!
//! A label may look ahead, and says how far: the label of row i depends on bars up to i + `look_ahead[i]` and on none
//! after. Splits purge by that figure. A row whose label cannot be known from the bars given has none.

mod forward_return;
mod triple_barrier;
mod zigzag;

use market::Bars;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The classes of a trading signal, by class number.
pub const SIGNAL_CLASSES: &[&str] = &["BUY", "HOLD", "SELL"];

const BUY: f32 = 0.0;
const HOLD: f32 = 1.0;
const SELL: f32 = 2.0;

/// How labels are made. The serialised form is the `training.labels` section of a strategy file.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case", deny_unknown_fields)]
pub enum LabelSource {
    /// Regression: (close\[i+h\] − close\[i\])/close\[i\].
    ForwardReturn {
        /// Bars ahead, at least 1.
        #[serde(default = "default_horizon")]
        horizon: u32,
    },
    /// Which of three barriers the price meets first: profit, loss or time.
    TripleBarrier(TripleBarrier),
    /// The direction of the zigzag segment that a bar lies in.
    Zigzag {
        /// Reversal that confirms a pivot, as a fraction of the price, above 0 and below 1.
        #[serde(default = "default_threshold", alias = "zigzag_threshold")]
        threshold: f64,
    },
}

/// Parameters of triple-barrier labels (López de Prado, *Advances in Financial Machine Learning*, chapter 3).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TripleBarrier {
    /// Distance of the profit barrier in volatilities, above 0.
    pub pt_multiplier: f64,
    /// Distance of the loss barrier in volatilities, above 0.
    pub sl_multiplier: f64,
    /// Bars until the time barrier, at least 1.
    pub max_holding_period: u32,
    /// Span of the volatility average in bars, at least 1.
    pub vol_span: u32,
    /// What volatility is.
    pub vol_method: VolatilityMethod,
}

impl Default for TripleBarrier {
    /// 2.0, 1.5, 50 bars, span 50, `atr`.
    fn default() -> Self {
        let vol_method = VolatilityMethod::Atr;
        Self { pt_multiplier: 2.0, sl_multiplier: 1.5, max_holding_period: 50, vol_span: 50, vol_method }
    }
}

/// The volatility that barrier distances are measured in, as a fraction of the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolatilityMethod {
    /// Exponentially weighted mean of (high − low)/close.
    Atr,
    /// Exponentially weighted standard deviation of log returns.
    Std,
}

fn default_horizon() -> u32 {
    20
}

fn default_threshold() -> f64 {
    0.02
}

/// One label per bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// Class number or return; NaN = unlabelled.
    pub values: Vec<f32>,
    /// Number of later bars that the label of row i depends on; meaningful where it is labelled, 0 elsewhere.
    pub look_ahead: Vec<u32>,
    /// Class names by number; empty = regression.
    pub classes: &'static [&'static str],
}

impl Labels {
    fn unlabelled(rows: usize, classes: &'static [&'static str]) -> Self {
        Self { values: vec![f32::NAN; rows], look_ahead: vec![0; rows], classes }
    }

    fn set(&mut self, row: usize, value: f32, look_ahead: usize) {
        if let (Some(cell), Some(ahead)) = (self.values.get_mut(row), self.look_ahead.get_mut(row)) {
            *cell = value;
            *ahead = u32::try_from(look_ahead).unwrap_or(u32::MAX);
        }
    }
}

/// Why labels cannot be made.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum LabelError {
    /// A parameter is not legal.
    #[error("labels.{parameter} is {value} but must be {legal}")]
    OutOfBounds {
        /// Key in the strategy file.
        parameter: &'static str,
        /// Value as written.
        value: f64,
        /// What is legal, as a phrase.
        legal: &'static str,
    },
    /// The series is too short for a single label.
    #[error("{rows} bars are too few for {source_name} labels, which need {needed}")]
    TooFewBars {
        /// Label source.
        source_name: &'static str,
        /// Bars given.
        rows: usize,
        /// Bars needed.
        needed: usize,
    },
}

impl LabelError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::OutOfBounds { parameter, legal, .. } => format!("set {parameter} to {legal}"),
            Self::TooFewBars { .. } => "use a longer date range, or a shorter horizon".to_owned(),
        }
    }
}

impl LabelSource {
    /// The name in a strategy file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ForwardReturn { .. } => "forward_return",
            Self::TripleBarrier(_) => "triple_barrier",
            Self::Zigzag { .. } => "zigzag",
        }
    }

    /// Class names by number; empty = regression.
    pub fn classes(&self) -> &'static [&'static str] {
        match self {
            Self::ForwardReturn { .. } => &[],
            Self::TripleBarrier(_) | Self::Zigzag { .. } => SIGNAL_CLASSES,
        }
    }

    /// Everything that is wrong with the parameters.
    pub fn check(&self) -> Vec<LabelError> {
        let positive = |parameter, value: f64| {
            let legal = "a finite number above 0";
            (!(value > 0.0 && value.is_finite())).then_some(LabelError::OutOfBounds { parameter, value, legal })
        };
        let counted = |parameter, value: u32| {
            let legal = "a whole number from 1 to 100000";
            let value = f64::from(value);
            (!(1.0..=100_000.0).contains(&value)).then_some(LabelError::OutOfBounds { parameter, value, legal })
        };
        let findings = match *self {
            Self::ForwardReturn { horizon } => vec![counted("horizon", horizon)],
            Self::TripleBarrier(barrier) => vec![
                positive("pt_multiplier", barrier.pt_multiplier),
                positive("sl_multiplier", barrier.sl_multiplier),
                counted("max_holding_period", barrier.max_holding_period),
                counted("vol_span", barrier.vol_span),
            ],
            Self::Zigzag { threshold: value } => {
                let (parameter, legal) = ("threshold", "a number above 0 and below 1");
                vec![(!(value > 0.0 && value < 1.0)).then_some(LabelError::OutOfBounds { parameter, value, legal })]
            }
        };
        findings.into_iter().flatten().collect()
    }
}

/// The zigzag of a series: the close at every pivot, NaN elsewhere; empty for a threshold outside of 0..1 (exclusive).
///
/// The last pivot moves as bars arrive, so this is for labels and for charts of the past, never an input of a model.
pub fn zigzag_pivots(close: &[f64], threshold: f64) -> Vec<f64> {
    if !(threshold > 0.0 && threshold < 1.0) {
        return Vec::new();
    }
    let mut values = vec![f64::NAN; close.len()];
    for row in zigzag::pivots(close, threshold) {
        if let (Some(cell), Some(price)) = (values.get_mut(row), close.get(row)) {
            *cell = *price;
        }
    }
    values
}

/// Labels every bar that can be labelled.
///
/// # Errors
/// The first illegal parameter, or too few bars for any label.
pub fn compute(source: &LabelSource, bars: &Bars) -> Result<Labels, LabelError> {
    if let Some(error) = source.check().into_iter().next() {
        return Err(error);
    }
    let needed = match source {
        LabelSource::ForwardReturn { horizon } => *horizon as usize + 1,
        LabelSource::TripleBarrier(barrier) => barrier.max_holding_period as usize + 1,
        LabelSource::Zigzag { .. } => 3,
    };
    if bars.len() < needed {
        return Err(LabelError::TooFewBars { source_name: source.name(), rows: bars.len(), needed });
    }
    let mut labels = Labels::unlabelled(bars.len(), source.classes());
    match *source {
        LabelSource::ForwardReturn { horizon } => forward_return::label(&mut labels, &bars.close, horizon as usize),
        LabelSource::TripleBarrier(barrier) => triple_barrier::label(&mut labels, bars, &barrier),
        LabelSource::Zigzag { threshold } => zigzag::label(&mut labels, &bars.close, threshold),
    }
    Ok(labels)
}

#[cfg(test)]
mod tests;
