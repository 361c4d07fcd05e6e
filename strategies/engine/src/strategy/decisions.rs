//! What a prediction means: a signal, from the probabilities of classes or from a forward return.

use serde::{Deserialize, Serialize};

use crate::labels::{CONTEXT_CLASSES, LabelSource, REGIME_CLASSES};

/// The `decisions` section.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decisions {
    /// One class per row.
    Classification {
        /// Below this probability the signal is HOLD; 0.5 unless given. Absent = `auto`: the
        /// training chooses it, and until then any probability will do.
        confidence_threshold: Option<f64>,
        /// What each class of the labels suggests, by class number.
        signals: &'static [Signal],
    },
    /// One forward return per row.
    Regression {
        /// Cost of entering and leaving, as a fraction of the price.
        round_trip_cost: f64,
        /// The prediction must exceed this multiple of the cost.
        min_edge_multiplier: f64,
    },
}

/// What to do, as a prediction suggests it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// Expect a rise.
    Buy,
    /// Stay out of the market.
    Hold,
    /// Expect a fall.
    Sell,
}

/// The signals of BUY, HOLD and SELL.
pub(crate) const CLASS_SIGNALS: &[Signal] = &[Signal::Buy, Signal::Hold, Signal::Sell];

/// What the classes of a label source suggest: a rising or a falling market, or neither.
pub(crate) fn signals_of(labels: &LabelSource) -> &'static [Signal] {
    match labels.classes() {
        classes if classes == CONTEXT_CLASSES => &[Signal::Buy, Signal::Sell, Signal::Hold],
        classes if classes == REGIME_CLASSES => {
            &[Signal::Buy, Signal::Sell, Signal::Hold, Signal::Hold]
        }
        _ => CLASS_SIGNALS,
    }
}

impl Decisions {
    /// True where the training chooses the threshold.
    pub const fn is_auto(&self) -> bool {
        matches!(
            self,
            Self::Classification {
                confidence_threshold: None,
                ..
            }
        )
    }

    /// The same with the threshold that a training has chosen; one of the strategy's own stays.
    #[must_use]
    pub fn with_chosen(self, chosen: Option<f64>) -> Self {
        match self {
            Self::Classification {
                confidence_threshold,
                signals,
            } => Self::Classification {
                confidence_threshold: confidence_threshold.or(chosen),
                signals,
            },
            Self::Regression { .. } => self,
        }
    }

    /// How much a prediction expects a rise: of classes the probability of those that suggest BUY
    /// minus that of those that suggest SELL, −1 to 1, or the forward return itself. NaN for
    /// anything that is not a prediction of this kind.
    pub fn expectation(&self, prediction: &[f64]) -> f64 {
        match (*self, prediction) {
            (Self::Regression { .. }, [value]) => *value,
            (Self::Classification { signals, .. }, probabilities)
                if probabilities.len() == signals.len() =>
            {
                let mut expectation = 0.0;
                for (signal, probability) in signals.iter().zip(probabilities) {
                    match signal {
                        Signal::Buy => expectation += probability,
                        Signal::Hold => {}
                        Signal::Sell => expectation -= probability,
                    }
                }
                expectation
            }
            _ => f64::NAN,
        }
    }

    /// The signal of one prediction: a probability per class, or one forward return as a fraction.
    ///
    /// Classes: what the most probable one suggests, HOLD when its probability is below the
    /// threshold or another signal is as probable. Regression: BUY above cost × multiplier, SELL
    /// below its negative. HOLD for anything that is not a prediction of this kind.
    pub fn signal(&self, prediction: &[f64]) -> Signal {
        match *self {
            Self::Classification {
                confidence_threshold,
                signals,
            } => signal_of_classes(signals, prediction, confidence_threshold.unwrap_or(0.0)),

            Self::Regression {
                round_trip_cost,
                min_edge_multiplier,
            } => match *prediction {
                [value] => signal_of_return(value, round_trip_cost * min_edge_multiplier),
                // A regression gives one value; anything else cannot be judged.
                _ => Signal::Hold,
            },
        }
    }
}

fn signal_of_classes(signals: &[Signal], probabilities: &[f64], threshold: f64) -> Signal {
    let best = probabilities
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, f64::max);
    let is_confident = best >= threshold;
    if probabilities.len() != signals.len() || !is_confident {
        return Signal::Hold;
    }

    // Two classes may be as probable and still suggest the same.
    let mut suggestions = signals
        .iter()
        .zip(probabilities)
        .filter(|(_, probability)| **probability == best)
        .map(|(signal, _)| *signal);
    match suggestions.next() {
        Some(first) if suggestions.all(|other| other == first) => first,
        _ => Signal::Hold,
    }
}

fn signal_of_return(value: f64, edge: f64) -> Signal {
    // A move that costs eat up is not worth a trade. NaN compares as false, which gives HOLD.
    if value > edge {
        Signal::Buy
    } else if value < -edge {
        Signal::Sell
    } else {
        Signal::Hold
    }
}
