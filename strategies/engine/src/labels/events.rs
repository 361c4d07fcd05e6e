//! Events: the bars at which the price has drifted far enough to be worth a label (symmetric CUSUM
//! filter).
//!
//! On log returns r: up = max(0, up + r − h), down = min(0, down + r + h). The bar at which up > h
//! or down < −h is an event, and that sum starts again at 0. The filter reads the past only. Rows
//! without a return change nothing. Source: López de Prado, *Advances in Financial Machine
//! Learning*, section 2.5.

use market::Bars;
use serde::{Deserialize, Serialize};

use super::LabelError;
use super::volatility::{Weighted, log_returns};

/// Parameters of the filter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventFilter {
    /// h as a log return, above 0; none = to be fitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Volatilities that a fitted threshold is, above 0.
    pub multiplier: f64,
    /// Span in bars of the exponentially weighted deviation of log returns that volatility is, at
    /// least 1.
    pub vol_span: u32,
}

impl Default for EventFilter {
    /// Not fitted, 0.5, 50 bars.
    fn default() -> Self {
        Self {
            threshold: None,
            multiplier: 0.5,
            vol_span: 50,
        }
    }
}

const NAME: &str = "event filter";

impl EventFilter {
    /// With the threshold frozen at `multiplier` times the mean volatility of `training`, unless it
    /// is set already.
    ///
    /// # Errors
    /// The bars do not move, or are too few for a volatility.
    pub fn fitted(&self, training: &Bars) -> Result<Self, LabelError> {
        if self.threshold.is_some() {
            return Ok(*self);
        }
        let mut average = Weighted::new(self.vol_span);
        let (mut sum, mut count) = (0.0, 0.0);
        for value in log_returns(&training.close) {
            let deviation = average.push(value).deviation();
            if value.is_finite() && deviation.is_finite() {
                sum += deviation;
                count += 1.0;
            }
        }
        let threshold = self.multiplier * (sum / count);
        if threshold > 0.0 && threshold.is_finite() {
            Ok(Self {
                threshold: Some(threshold),
                ..*self
            })
        } else {
            Err(LabelError::Unfittable {
                source_name: NAME,
                rows: training.len(),
                threshold,
            })
        }
    }

    /// One entry a bar: true at events. Join it with labels of the same bars by
    /// [`super::BarLabels::keep`].
    ///
    /// # Errors
    /// The threshold is not fitted, or not above 0.
    pub fn events(&self, bars: &Bars) -> Result<Vec<bool>, LabelError> {
        let Some(threshold) = self.threshold else {
            return Err(LabelError::NotFitted { source_name: NAME });
        };
        if !(threshold > 0.0 && threshold.is_finite()) {
            return Err(LabelError::Unfittable {
                source_name: NAME,
                rows: bars.len(),
                threshold,
            });
        }
        let (mut up, mut down) = (0.0_f64, 0.0_f64);
        let mut is_event = |value: f64| {
            if value.is_nan() {
                return false;
            }
            up = (up + value - threshold).max(0.0);
            down = (down + value + threshold).min(0.0);
            if up > threshold {
                up = 0.0;
                true
            } else if down < -threshold {
                down = 0.0;
                true
            } else {
                false
            }
        };
        Ok(log_returns(&bars.close)
            .into_iter()
            .map(&mut is_event)
            .collect())
    }
}
