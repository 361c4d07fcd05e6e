//! Slope of the straight line through the last n values.

use serde::{Deserialize, Serialize};

use super::kernel::{Kernel, Scratch, engine};
use super::spec::{IndicatorSpec, SOURCE, period};
use super::window::WeightedSum;

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "linearregslope",
    aliases: &["linearregslopeindicator", "linearregressionslope"],
    parameters: &[period(2, 500, 14), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "least squares slope per bar: sum of (k - (n+1)/2) x over k = 1..n, the newest having n, divided by n (n^2 - \
              1)/12; first value at row n-1",
    source: "TA-Lib LINEARREG_SLOPE",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let period = parameters.count("period");
        let n = period as f64;
        let kernel =
            Slope { values: WeightedSum::new(period), middle: (n + 1.0) / 2.0, spread: n * (n * n - 1.0) / 12.0 };
        engine(parameters.source(), kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Slope {
    values: WeightedSum,
    /// Mean of the weights 1..n.
    middle: f64,
    /// Sum of their squared distances from it.
    spread: f64,
}

#[inline(always)]
fn slope(total: f64, weighted: f64, middle: f64, spread: f64) -> f64 {
    (weighted - middle * total) / spread
}

impl Kernel<f64, 1> for Slope {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let (total, weighted) = self.values.push(value);
        [slope(total, weighted, self.middle, self.spread)]
    }

    #[inline(always)]
    fn block(&mut self, run: &[f64], from: usize, [cells]: [&mut [f64]; 1], [totals, ..]: &mut Scratch) {
        let (middle, spread) = (self.middle, self.spread);
        self.values.block(run, from, [cells, totals], |total, weighted| slope(total, weighted, middle, spread));
    }
}
