//! Events: the bars at which the price has drifted far enough to be worth a label (symmetric CUSUM
//! filter).
//!
//! On log returns r: up = max(0, up + r − h), down = min(0, down + r + h). The bar at which up > h
//! or down < −h is an event, and that sum starts again at 0. The filter reads the past only. Rows
//! without a return change nothing.
//!
//! Source: López de Prado, *Advances in Financial Machine Learning*, section 2.5.2.1; the drift h
//! is subtracted from each return as in the CUSUM of Page (1954), which the book leaves out.

use market::Bars;
use serde::{Deserialize, Serialize};

use super::LabelError;
use super::volatility::{WeightedStatistics, log_returns};

/// Parameters of the filter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventFilter {
    /// h as a log return, above 0; none = to be fitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Size of a fitted threshold in mean volatilities, above 0.
    pub multiplier: f64,
    /// Span, in bars, of the exponentially weighted deviation of log returns that measures
    /// volatility, at least 1.
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

/// The name in errors.
const NAME: &str = "event filter";

impl EventFilter {
    /// This filter with the threshold frozen at `multiplier` times the mean volatility of
    /// `training`, unless it is set already.
    ///
    /// # Errors
    /// [`LabelError::Unfittable`]: the bars do not move, or are too few for a volatility.
    pub fn fitted(&self, training: &Bars) -> Result<Self, LabelError> {
        if self.threshold.is_some() {
            return Ok(*self);
        }

        let mut statistics = WeightedStatistics::new(self.vol_span);
        let mut sum = 0.0;
        let mut count = 0.0;
        for value in log_returns(&training.close) {
            let deviation = statistics.push(value).deviation();
            // The first bars and those without a price have no deviation to average.
            if value.is_finite() && deviation.is_finite() {
                sum += deviation;
                count += 1.0;
            }
        }

        let threshold = self.multiplier * (sum / count);
        check_threshold(threshold, training.len())?;
        Ok(Self {
            threshold: Some(threshold),
            ..*self
        })
    }

    /// One entry per bar: true at events. Join it with labels of the same bars by
    /// [`super::BarLabels::keep`].
    ///
    /// # Errors
    /// [`LabelError::NotFitted`], or [`LabelError::Unfittable`] for a threshold that is not above
    /// 0.
    pub fn events(&self, bars: &Bars) -> Result<Vec<bool>, LabelError> {
        let Some(threshold) = self.threshold else {
            return Err(LabelError::NotFitted { source_name: NAME });
        };
        check_threshold(threshold, bars.len())?;

        let mut drift = Drift {
            threshold,
            up: 0.0,
            down: 0.0,
        };
        Ok(log_returns(&bars.close)
            .into_iter()
            .map(|value| drift.push(value))
            .collect())
    }
}

fn check_threshold(threshold: f64, rows: usize) -> Result<(), LabelError> {
    if threshold > 0.0 && threshold.is_finite() {
        Ok(())
    } else {
        Err(LabelError::Unfittable {
            source_name: NAME,
            rows,
            threshold,
        })
    }
}

/// The two sums of the filter.
struct Drift {
    threshold: f64,
    up: f64,
    down: f64,
}

impl Drift {
    /// Adds a log return; true at an event.
    fn push(&mut self, value: f64) -> bool {
        // A bar without a price neither adds to the drift nor ends it.
        if value.is_nan() {
            return false;
        }

        self.up = (self.up + value - self.threshold).max(0.0);
        self.down = (self.down + value + self.threshold).min(0.0);
        if self.up > self.threshold {
            self.up = 0.0;
            true
        } else if self.down < -self.threshold {
            self.down = 0.0;
            true
        } else {
            false
        }
    }
}
