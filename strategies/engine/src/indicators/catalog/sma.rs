//! Simple moving average.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::RollingSum;
use crate::indicators::engine::{
    BlockKernel, IndicatorSpec, Kernel, SOURCE, Scratch, period, run_blocks,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "sma",
    aliases: &["simplemovingaverage"],
    parameters: &[period(2, 500, 20), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "mean of the last n values; first value at row n-1",
    source: "TA-Lib SMA",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| run_blocks(parameters.source(), Sma::new(parameters.count("period"))),
};

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Sma(RollingSum);

impl Sma {
    pub(crate) fn new(period: usize) -> Self {
        Self(RollingSum::new(period))
    }
}

impl Kernel<f64, 1> for Sma {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        [self.0.push_mean(value)]
    }
}

/// Without it: 1.15 ns per row instead of 0.69.
impl BlockKernel<f64, 1> for Sma {
    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.0.is_full()
    }

    #[inline(always)]
    fn block(&mut self, run: &[f64], from: usize, [cells]: [&mut [f64]; 1], _: &mut Scratch) {
        self.0.fill_means(run, from, cells);
    }
}
