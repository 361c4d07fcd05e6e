//! Linearly weighted moving average.

use serde::{Deserialize, Serialize};

use super::kernel::{Kernel, Scratch, engine};
use super::spec::{IndicatorSpec, SOURCE, period};
use super::window::RampSum;

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
        engine(
            parameters.source(),
            Ramp(RampSum::new(period, 0.0, n * (n + 1.0) / 2.0)),
        )
    },
};

/// A weighted sum of the last n values.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Ramp(pub(super) RampSum);

impl Kernel<f64, 1> for Ramp {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        [self.0.push(value)]
    }

    #[inline(always)]
    fn block(&mut self, run: &[f64], from: usize, [cells]: [&mut [f64]; 1], _: &mut Scratch) {
        self.0.block(run, from, cells);
    }
}
