//! Label sources: what kinds of labels there are, their parameters with defaults and bounds, and
//! their classes.

use market::Bars;
use serde::{Deserialize, Serialize};

use super::LabelError;

/// The classes of a trading signal, by class number.
pub const SIGNAL_CLASSES: &[&str] = &["BUY", "HOLD", "SELL"];

/// The classes of a market regime, by class number.
pub const REGIME_CLASSES: &[&str] = &["UP", "DOWN", "RANGING", "VOLATILE"];

/// The classes of a context, by class number.
pub const CONTEXT_CLASSES: &[&str] = &["BULLISH", "BEARISH", "NEUTRAL"];

/// Largest number of bars that a parameter may be.
const COUNT_MAX: u32 = 100_000;

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
    /// The stronger of the moves in the bars that follow, if it is strong enough.
    ZigzagWindow(ZigzagWindow),
    /// Trend, range or turmoil, by zigzags on two scales.
    Regime(Regime),
    /// Trend, range or turmoil, by the net move ahead as a share of the path.
    EfficiencyRegime(EfficiencyRegime),
    /// Whether the coming return is bullish, bearish or neither.
    Context(ContextLabels),
}

/// Parameters of the window form of zigzag labels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ZigzagWindow {
    /// Least move, as a fraction of the price, above 0 and below 1.
    pub threshold: f64,
    /// Bars ahead that are looked at, at least 1.
    pub lookahead: u32,
    /// Fewest bars until the extreme of the move.
    pub min_swing_length: u32,
}

impl Default for ZigzagWindow {
    /// 5 %, 20 bars, 3 bars.
    fn default() -> Self {
        Self {
            threshold: 0.05,
            lookahead: 20,
            min_swing_length: 3,
        }
    }
}

/// Parameters of regime labels by zigzags on two scales.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Regime {
    /// Reversal that ends a segment, in typical true ranges, above 0.
    pub macro_atr_mult: f64,
    /// Reversal that makes a pivot inside a segment, in typical true ranges, above 0 and at most
    /// `macro_atr_mult`.
    pub micro_atr_mult: f64,
    /// Bars of the mean true range, and bars ahead whose volatility is compared, at least 2.
    pub atr_period: u32,
    /// Bars before that they are compared with, at least 2.
    pub vol_lookback: u32,
    /// Ratio of the two volatilities above which a bar is VOLATILE, above 0.
    pub vol_crisis_threshold: f64,
    /// Share of pivots that must progress for a trend, 0 to 1.
    pub progression_tolerance: f64,
    /// Typical true range as a fraction of the price: median of the mean true range over median of
    /// the close, fitted on the training part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typical_range: Option<f64>,
}

impl Default for Regime {
    /// 3.0, 1.0, 14 bars, 120 bars, 2.0, 0.5, not fitted.
    fn default() -> Self {
        Self {
            macro_atr_mult: 3.0,
            micro_atr_mult: 1.0,
            atr_period: 14,
            vol_lookback: 120,
            vol_crisis_threshold: 2.0,
            progression_tolerance: 0.5,
            typical_range: None,
        }
    }
}

/// Parameters of regime labels by the efficiency ratio.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EfficiencyRegime {
    /// Bars ahead, at least 2.
    pub horizon: u32,
    /// Signed efficiency above which a path is a trend, 0 to 1.
    pub trending_threshold: f64,
    /// Bars before that the volatility ahead is compared with, at least 2.
    pub vol_lookback: u32,
    /// Ratio of the two volatilities above which a bar is VOLATILE, above 0.
    pub vol_crisis_threshold: f64,
}

impl Default for EfficiencyRegime {
    /// 24 bars, 0.3, 120 bars, 2.0.
    fn default() -> Self {
        Self {
            horizon: 24,
            trending_threshold: 0.3,
            vol_lookback: 120,
            vol_crisis_threshold: 2.0,
        }
    }
}

/// Parameters of context labels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContextLabels {
    /// Bars ahead, at least 1.
    pub horizon: u32,
    /// Return above which the context is BULLISH.
    pub bullish: f64,
    /// Return below which it is BEARISH, below `bullish`.
    pub bearish: f64,
}

impl Default for ContextLabels {
    /// 5 bars, 0.5 %, -0.5 %.
    fn default() -> Self {
        Self {
            horizon: 5,
            bullish: 0.005,
            bearish: -0.005,
        }
    }
}

/// Parameters of triple-barrier labels (López de Prado, *Advances in Financial Machine Learning*,
/// chapter 3).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TripleBarrier {
    /// Distance of the profit barrier in volatilities, above 0.
    pub pt_multiplier: f64,
    /// Distance of the loss barrier in volatilities, above 0.
    pub sl_multiplier: f64,
    /// Bars until the time barrier, at least 1.
    pub max_holding_period: u32,
    /// Span, in bars, of the weighted mean or deviation that measures volatility, at least 1.
    pub vol_span: u32,
    /// How volatility is measured.
    pub vol_method: VolatilityMethod,
}

impl Default for TripleBarrier {
    /// 2.0, 1.5, 50 bars, span 50, `atr`.
    fn default() -> Self {
        let vol_method = VolatilityMethod::Atr;
        Self {
            pt_multiplier: 2.0,
            sl_multiplier: 1.5,
            max_holding_period: 50,
            vol_span: 50,
            vol_method,
        }
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

impl LabelSource {
    /// The name in a strategy file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ForwardReturn { .. } => "forward_return",
            Self::TripleBarrier(_) => "triple_barrier",
            Self::Zigzag { .. } => "zigzag",
            Self::ZigzagWindow(_) => "zigzag_window",
            Self::Regime(_) => "regime",
            Self::EfficiencyRegime(_) => "efficiency_regime",
            Self::Context(_) => "context",
        }
    }

    /// Class names by number; empty = regression.
    pub fn classes(&self) -> &'static [&'static str] {
        match self {
            Self::ForwardReturn { .. } => &[],
            Self::TripleBarrier(_) | Self::Zigzag { .. } | Self::ZigzagWindow(_) => SIGNAL_CLASSES,
            Self::Regime(_) | Self::EfficiencyRegime(_) => REGIME_CLASSES,
            Self::Context(_) => CONTEXT_CLASSES,
        }
    }

    /// Bars over which a decision by these labels is held; none where the price decides when a
    /// label ends.
    pub fn horizon(&self) -> Option<u32> {
        match *self {
            Self::ForwardReturn { horizon } => Some(horizon),
            Self::Context(context) => Some(context.horizon),
            Self::EfficiencyRegime(regime) => Some(regime.horizon),
            Self::ZigzagWindow(window) => Some(window.lookahead),
            Self::TripleBarrier(_) | Self::Zigzag { .. } | Self::Regime(_) => None,
        }
    }

    /// This source with every threshold that is a statistic of the bars fitted on `training` and
    /// frozen. Sources without such a threshold, and thresholds that are set already, stay as they
    /// are.
    ///
    /// # Errors
    /// `training` gives no usable threshold.
    pub fn fitted(&self, training: &Bars) -> Result<Self, LabelError> {
        match self {
            Self::Regime(regime) => Ok(Self::Regime(regime.fitted(training)?)),
            other => Ok(*other),
        }
    }

    /// Every parameter that is out of its bounds.
    pub fn check(&self) -> Vec<LabelError> {
        let findings: Vec<Option<LabelError>> = match *self {
            Self::ForwardReturn { horizon } => vec![check_count("horizon", horizon, 1)],
            Self::TripleBarrier(barrier) => vec![
                check_positive("pt_multiplier", barrier.pt_multiplier),
                check_positive("sl_multiplier", barrier.sl_multiplier),
                check_count("max_holding_period", barrier.max_holding_period, 1),
                check_count("vol_span", barrier.vol_span, 1),
            ],
            Self::Zigzag { threshold } => vec![check_fraction("threshold", threshold)],
            Self::ZigzagWindow(window) => {
                vec![
                    check_fraction("threshold", window.threshold),
                    check_count("lookahead", window.lookahead, 1),
                ]
            }
            Self::Regime(regime) => vec![
                check_positive("macro_atr_mult", regime.macro_atr_mult),
                check_positive("micro_atr_mult", regime.micro_atr_mult),
                check_scales(&regime),
                check_count("atr_period", regime.atr_period, 2),
                check_count("vol_lookback", regime.vol_lookback, 2),
                check_positive("vol_crisis_threshold", regime.vol_crisis_threshold),
                check_share("progression_tolerance", regime.progression_tolerance),
                regime
                    .typical_range
                    .and_then(|range| check_positive("typical_range", range)),
            ],
            Self::EfficiencyRegime(regime) => vec![
                check_count("horizon", regime.horizon, 2),
                check_share("trending_threshold", regime.trending_threshold),
                check_count("vol_lookback", regime.vol_lookback, 2),
                check_positive("vol_crisis_threshold", regime.vol_crisis_threshold),
            ],
            Self::Context(context) => vec![
                check_count("horizon", context.horizon, 1),
                check_order(&context),
            ],
        };

        findings.into_iter().flatten().collect()
    }

    /// Fewest bars that can have a label.
    pub(super) fn bars_needed(&self) -> usize {
        match self {
            Self::ForwardReturn { horizon } => *horizon as usize + 1,
            Self::TripleBarrier(barrier) => barrier.max_holding_period as usize + 1,
            Self::Zigzag { .. } => 3,
            Self::ZigzagWindow(window) => window.lookahead as usize + 1,
            Self::Regime(regime) => regime.atr_period as usize + 2,
            Self::EfficiencyRegime(regime) => {
                regime.horizon as usize + regime.vol_lookback as usize + 1
            }
            Self::Context(context) => context.horizon as usize + 1,
        }
    }
}

fn check_positive(parameter: &'static str, value: f64) -> Option<LabelError> {
    let is_legal = value > 0.0 && value.is_finite();
    require(is_legal, parameter, value, "a finite number above 0")
}

fn check_count(parameter: &'static str, value: u32, min: u32) -> Option<LabelError> {
    let legal = if min == 1 {
        "a whole number from 1 to 100000"
    } else {
        "a whole number from 2 to 100000"
    };
    let is_legal = (min..=COUNT_MAX).contains(&value);
    require(is_legal, parameter, f64::from(value), legal)
}

fn check_fraction(parameter: &'static str, value: f64) -> Option<LabelError> {
    let is_legal = value > 0.0 && value < 1.0;
    require(is_legal, parameter, value, "a number above 0 and below 1")
}

fn check_share(parameter: &'static str, value: f64) -> Option<LabelError> {
    let is_legal = (0.0..=1.0).contains(&value);
    require(is_legal, parameter, value, "a number from 0 to 1")
}

fn check_scales(regime: &Regime) -> Option<LabelError> {
    // False for NaN, which is reported as a number that is not positive.
    let exceeds = regime.micro_atr_mult > regime.macro_atr_mult;
    let value = regime.micro_atr_mult;
    require(!exceeds, "micro_atr_mult", value, "at most macro_atr_mult")
}

fn check_order(context: &ContextLabels) -> Option<LabelError> {
    let is_legal = context.bullish.is_finite()
        && context.bearish.is_finite()
        && context.bearish < context.bullish;
    let legal = "a finite number below bullish, which is finite too";
    require(is_legal, "bearish", context.bearish, legal)
}

fn require(
    is_legal: bool,
    parameter: &'static str,
    value: f64,
    legal: &'static str,
) -> Option<LabelError> {
    (!is_legal).then_some(LabelError::OutOfBounds {
        parameter,
        value,
        legal,
    })
}
