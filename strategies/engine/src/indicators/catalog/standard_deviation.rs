//! Standard deviation over the last n values.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::RollingMoments;
use crate::indicators::engine::{
    BlockKernel, DDOF, IndicatorSpec, Kernel, SOURCE, Scratch, period, run_blocks,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "stddev",
    aliases: &["stddevindicator", "standarddeviation"],
    parameters: &[period(2, 500, 20), SOURCE, DDOF],
    outputs: &[],
    needs_volume: false,
    formula: "square root of the mean squared distance from the mean of the last n, divisor n - \
              ddof; first value at row n-1",
    source: "TA-Lib STDDEV",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let window =
            RollingMoments::new(parameters.count("period"), parameters.count("ddof") as f64);
        run_blocks(parameters.source(), StandardDeviation(window))
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct StandardDeviation(RollingMoments);

impl Kernel<f64, 1> for StandardDeviation {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        [self.0.push(value).deviation]
    }
}

/// Without it: 2.80 ns per row instead of 1.91.
impl BlockKernel<f64, 1> for StandardDeviation {
    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.0.is_full()
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: &[f64],
        from: usize,
        [cells]: [&mut [f64]; 1],
        [means, ..]: &mut Scratch,
    ) {
        self.0.fill(run, from, means, cells);
    }
}
