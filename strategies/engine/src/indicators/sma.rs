//! Simple moving average.

use serde::{Deserialize, Serialize};

use super::kernel::{Kernel, Scratch, engine};
use super::spec::{IndicatorSpec, SOURCE, period};
use super::window::RollingSum;

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "sma",
    aliases: &["simplemovingaverage"],
    parameters: &[period(2, 500, 20), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "mean of the last n values; first value at row n-1",
    source: "TA-Lib SMA",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        engine(
            parameters.source(),
            Sma(RollingSum::new(parameters.count("period"))),
        )
    },
};

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Sma(pub(super) RollingSum);

impl Kernel<f64, 1> for Sma {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        [self.0.mean(value)]
    }

    #[inline(always)]
    fn block(&mut self, run: &[f64], from: usize, [cells]: [&mut [f64]; 1], _: &mut Scratch) {
        self.0.block(run, from, cells);
    }
}
