//! Commodity channel index.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::{RollingSum, sum_by};
use crate::indicators::engine::{IndicatorSpec, Kernel, Source, period, run_steps};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "cci",
    aliases: &["cciindicator"],
    parameters: &[period(2, 100, 20)],
    outputs: &[],
    needs_volume: false,
    formula: "(p - mean)/(0.015 d), p = (high + low + close)/3, mean over the last n, d = mean of \
              |p[j] - mean| over the same n; undefined where d is 0 (below 1e-12 of the mean); \
              first value at row n-1",
    source: "Lambert; TA-Lib CCI, but undefined instead of 0 in a window that does not move",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let kernel = Cci(RollingSum::new(parameters.count("period")));
        run_steps(Source::HighLowClose, kernel)
    },
};

/// Rounding leaves deviations of this share of the price in a window of equal prices.
const ROUNDING: f64 = 1e-12;

#[derive(Clone, Serialize, Deserialize)]
struct Cci(RollingSum);

impl Kernel<f64, 1> for Cci {
    #[inline(always)]
    fn step(&mut self, price: f64) -> [f64; 1] {
        let mean = self.0.push_mean(price);
        if mean.is_nan() {
            return [f64::NAN];
        }

        let window = self.0.window();
        let deviation = sum_by(window, |other| (other - mean).abs()) / window.len() as f64;
        // A deviation that is rounding only would be blown up to an arbitrary value.
        [if deviation <= ROUNDING * mean.abs() {
            f64::NAN
        } else {
            (price - mean) / (0.015 * deviation)
        }]
    }
}
