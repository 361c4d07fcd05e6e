//! Linearly weighted moving average.

use serde::{Deserialize, Serialize};

use super::kernel::{Kernel, Scratch, engine};
use super::spec::{IndicatorSpec, SOURCE, period};
use super::window::WeightedSum;

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "wma",
    aliases: &["weightedmovingaverage"],
    parameters: &[period(2, 500, 20), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "mean of the last n values with weights 1..n, the newest having n; first value at row n-1",
    source: "TA-Lib WMA",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let period = parameters.count("period");
        let n = period as f64;
        engine(parameters.source(), Wma { values: WeightedSum::new(period), weights: n * (n + 1.0) / 2.0 })
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Wma {
    values: WeightedSum,
    /// 1 + 2 + … + n.
    weights: f64,
}

impl Kernel<f64, 1> for Wma {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        [self.values.push(value).1 / self.weights]
    }

    #[inline(always)]
    fn block(&mut self, run: &[f64], from: usize, [cells]: [&mut [f64]; 1], [totals, ..]: &mut Scratch) {
        let weights = self.weights;
        self.values.block(run, from, [cells, totals], |_, weighted| weighted / weights);
    }
}
