//! Commodity channel index.

use serde::{Deserialize, Serialize};

use super::kernel::{Kernel, engine};
use super::reader::Source;
use super::spec::{IndicatorSpec, period};
use super::window::{RollingSum, lane_sum};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "cci",
    aliases: &["cciindicator"],
    parameters: &[period(2, 100, 20)],
    outputs: &[],
    needs_volume: false,
    formula: "(p - mean)/(0.015 d), p = (high + low + close)/3, mean over the last n, d = mean of |p[j] - mean| over the same \
              n; undefined where d is 0 (below 1e-12 of the mean); first value at row n-1",
    source: "Lambert; TA-Lib CCI, but undefined instead of 0 in a window that does not move",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        engine(
            Source::HighLowClose,
            Cci(RollingSum::new(parameters.count("period"))),
        )
    },
};

/// Rounding leaves deviations of this share of the price in a window of equal prices.
const ROUNDING: f64 = 1e-12;

#[derive(Clone, Serialize, Deserialize)]
struct Cci(RollingSum);

impl Kernel<f64, 1> for Cci {
    #[inline(always)]
    fn step(&mut self, price: f64) -> [f64; 1] {
        let mean = self.0.mean(price);
        if mean.is_nan() {
            return [f64::NAN];
        }
        let window = self.0.window();
        let deviation = lane_sum(window, |other| (other - mean).abs()) / window.len() as f64;
        [if deviation <= ROUNDING * mean.abs() {
            f64::NAN
        } else {
            (price - mean) / (0.015 * deviation)
        }]
    }
}
