//! Labels: what a network learns to predict, and how far into the future each label looks.
//!
//! A label may look ahead, and says how far: the label of row i depends on bars up to i +
//! `look_ahead[i]` and on none after. Splits purge by that figure. A row whose label cannot be
//! known from the bars has none. A threshold that is a statistic of the bars is fitted on the
//! training part and then frozen ([`LabelSource::fitted`], [`EventFilter::fitted`]), so that no
//! label knows the validation or test part.

mod efficiency;
mod events;
mod forward_return;
mod regime;
mod source;
mod triple_barrier;
mod uniqueness;
mod volatility;
mod zigzag;
mod zigzag_window;

use market::Bars;
use thiserror::Error;

pub use events::EventFilter;
pub use source::{
    CONTEXT_CLASSES, ContextLabels, EfficiencyRegime, LabelSource, REGIME_CLASSES, Regime,
    SIGNAL_CLASSES, TripleBarrier, VolatilityMethod, ZigzagWindow,
};
pub use uniqueness::uniqueness_weights;

// Class numbers of [`SIGNAL_CLASSES`].
const BUY: f32 = 0.0;
const HOLD: f32 = 1.0;
const SELL: f32 = 2.0;

// Class numbers of [`REGIME_CLASSES`].
const UP: f32 = 0.0;
const DOWN: f32 = 1.0;
const RANGING: f32 = 2.0;
const VOLATILE: f32 = 3.0;

/// One label per bar.
#[derive(Clone, Debug, PartialEq)]
pub struct BarLabels {
    /// Class number or return; NaN = unlabelled.
    pub values: Vec<f32>,
    /// Number of later bars that the label of row i depends on; meaningful where it is labelled, 0
    /// elsewhere.
    pub look_ahead: Vec<u32>,
    /// Class names by number; empty = regression.
    pub classes: &'static [&'static str],
}

impl BarLabels {
    fn without_labels(rows: usize, classes: &'static [&'static str]) -> Self {
        Self {
            values: vec![f32::NAN; rows],
            look_ahead: vec![0; rows],
            classes,
        }
    }

    /// Takes the label from every row whose entry in `events` is false. Entries and rows correspond
    /// by position.
    ///
    /// # Errors
    /// The mask has another number of rows than the labels.
    pub fn keep(&mut self, events: &[bool]) -> Result<(), LabelError> {
        // Rows match by position, so a mask of another length would pick other bars.
        if events.len() != self.values.len() {
            return Err(LabelError::OtherRows {
                rows: self.values.len(),
                mask: events.len(),
            });
        }

        for (row, is_event) in events.iter().enumerate() {
            if !is_event {
                self.clear(row);
            }
        }

        Ok(())
    }

    /// Takes the label from every row without a usable price.
    fn clear_rows_without_price(&mut self, close: &[f64]) {
        for (row, price) in close.iter().enumerate() {
            if !volatility::is_price(*price) {
                self.clear(row);
            }
        }
    }

    fn clear(&mut self, row: usize) {
        self.set(row, f32::NAN, 0);
    }

    fn set(&mut self, row: usize, value: f32, look_ahead: usize) {
        if let (Some(cell), Some(ahead)) = (self.values.get_mut(row), self.look_ahead.get_mut(row))
        {
            *cell = value;
            *ahead = u32::try_from(look_ahead).unwrap_or(u32::MAX);
        }
    }
}

/// Why labels cannot be made.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum LabelError {
    /// A parameter is out of its bounds.
    #[error("labels.{parameter} is {value} but must be {legal}")]
    OutOfBounds {
        /// Key in the strategy file.
        parameter: &'static str,
        /// Value as written.
        value: f64,
        /// The legal values, as a phrase.
        legal: &'static str,
    },
    /// The series is too short for a single label.
    #[error("{rows} bars are too few for {source_name} labels, which need {needed}")]
    TooFewBars {
        /// Name of the label source.
        source_name: &'static str,
        /// Bars of the series.
        rows: usize,
        /// Fewest bars that give a label.
        needed: usize,
    },
    /// A threshold that is a statistic of the training part has not been fitted.
    #[error("{source_name} needs a threshold that is fitted on the training part")]
    NotFitted {
        /// Name of the label source, or `event filter`.
        source_name: &'static str,
    },
    /// The bars give no usable threshold.
    #[error("{rows} bars give no usable threshold for {source_name}: it would be {threshold}")]
    Unfittable {
        /// Name of the label source, or `event filter`.
        source_name: &'static str,
        /// Bars of the training part.
        rows: usize,
        /// The unusable threshold.
        threshold: f64,
    },
    /// A row mask is not for these labels.
    #[error("a mask of {mask} rows cannot be joined with {rows} labels")]
    OtherRows {
        /// Rows of the labels.
        rows: usize,
        /// Rows of the mask.
        mask: usize,
    },
}

impl LabelError {
    /// What the user can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::OutOfBounds {
                parameter, legal, ..
            } => format!("set {parameter} to {legal}"),
            Self::TooFewBars { .. } => "use a longer date range, or a shorter horizon".to_owned(),
            Self::NotFitted { .. } => {
                "call `fitted` with the bars of the training part first".to_owned()
            }
            Self::Unfittable { .. } => {
                "use a longer training part, or another multiplier".to_owned()
            }
            Self::OtherRows { .. } => "make the mask from the same bars as the labels".to_owned(),
        }
    }
}

/// Labels every bar that can be labelled.
///
/// # Errors
/// The first illegal parameter, too few bars for any label, or a threshold that is not fitted.
pub fn compute_labels(source: &LabelSource, bars: &Bars) -> Result<BarLabels, LabelError> {
    if let Some(error) = source.check().into_iter().next() {
        return Err(error);
    }

    let needed = source.bars_needed();
    if bars.len() < needed {
        return Err(LabelError::TooFewBars {
            source_name: source.name(),
            rows: bars.len(),
            needed,
        });
    }

    // Every bar starts without a label: a source writes only those that it can know.
    let mut labels = BarLabels::without_labels(bars.len(), source.classes());
    match source {
        LabelSource::ForwardReturn { horizon } => {
            forward_return::label_returns(&mut labels, &bars.close, *horizon as usize);
        }
        LabelSource::Context(context) => {
            forward_return::label_context(&mut labels, &bars.close, context);
        }
        LabelSource::TripleBarrier(barrier) => {
            triple_barrier::label_barriers(&mut labels, bars, barrier);
        }
        LabelSource::Zigzag { threshold } => {
            zigzag::label_segments(&mut labels, &bars.close, *threshold);
        }
        LabelSource::ZigzagWindow(window) => {
            zigzag_window::label_windows(&mut labels, &bars.close, window);
        }
        LabelSource::Regime(regime) => {
            regime::label_regimes(&mut labels, &bars.close, regime)?;
        }
        LabelSource::EfficiencyRegime(regime) => {
            efficiency::label_efficiency(&mut labels, &bars.close, regime);
        }
    }

    Ok(labels)
}

#[cfg(test)]
mod tests;
