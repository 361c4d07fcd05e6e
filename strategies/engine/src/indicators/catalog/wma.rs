//! Linearly weighted moving average.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::RampSum;
use crate::indicators::engine::{
    BlockKernel, IndicatorSpec, Kernel, SOURCE, Scratch, period, run_blocks,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "wma",
    aliases: &["weightedmovingaverage"],
    parameters: &[period(2, 500, 20), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "mean of the last n values with weights 1..n, the newest having n; first value at row \
              n-1",
    source: "TA-Lib WMA",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let period = parameters.count("period");
        let n = period as f64;
        let kernel = Ramp::new(RampSum::new(period, 0.0, n * (n + 1.0) / 2.0));
        run_blocks(parameters.source(), kernel)
    },
};

/// A weighted sum of the last n values.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Ramp(RampSum);

impl Ramp {
    pub(crate) fn new(sum: RampSum) -> Self {
        Self(sum)
    }
}

impl Kernel<f64, 1> for Ramp {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        [self.0.push(value)]
    }
}

/// Without it: 1.34 ns per row instead of 1.07.
impl BlockKernel<f64, 1> for Ramp {
    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.0.is_full()
    }

    #[inline(always)]
    fn block(&mut self, run: &[f64], from: usize, [cells]: [&mut [f64]; 1], _: &mut Scratch) {
        self.0.fill(run, from, cells);
    }
}
