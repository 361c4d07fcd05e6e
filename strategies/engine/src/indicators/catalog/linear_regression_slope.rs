//! Slope of the straight line through the last n values.

use super::wma::Ramp;
use crate::indicators::blocks::RampSum;
use crate::indicators::engine::{IndicatorSpec, SOURCE, period, run_blocks};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "linearregslope",
    aliases: &["linearregslopeindicator", "linearregressionslope"],
    parameters: &[period(2, 500, 14), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "least squares slope per bar: sum of (k - (n+1)/2) x over k = 1..n, the newest having \
              n, divided by n (n^2 - 1)/12; first value at row n-1",
    source: "TA-Lib LINEARREG_SLOPE",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let period = parameters.count("period");
        let n = period as f64;
        // Mean of the weights 1..n, and sum of their squared distances from it.
        let middle = (n + 1.0) / 2.0;
        let spread = n * (n * n - 1.0) / 12.0;
        let kernel = Ramp::new(RampSum::new(period, middle, spread));
        run_blocks(parameters.source(), kernel)
    },
};
