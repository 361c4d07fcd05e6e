//! Rate of change, in percent.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::Delay;
use crate::indicators::engine::{
    BLOCK, BlockKernel, IndicatorSpec, Kernel, SOURCE, Scratch, period, run_blocks,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "roc",
    aliases: &["rocindicator"],
    parameters: &[period(1, 100, 10), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "100 (x[i] - x[i-n]) / x[i-n]; undefined where x[i-n] is 0; first value at row n",
    source: "TA-Lib ROC, but undefined instead of 0 on a division by zero",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| {
        let kernel = Roc(Delay::new(parameters.count("period")));
        run_blocks(parameters.source(), kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Roc(Delay);

impl Kernel<f64, 1> for Roc {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let value_n_ago = self.0.push(value);
        [rate_of_change(value, value_n_ago)]
    }
}

/// Without it: 1.09 ns per row instead of 0.29.
impl BlockKernel<f64, 1> for Roc {
    const TRY_ROWS: usize = 64 * BLOCK;

    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.0.is_full()
    }

    #[inline(always)]
    fn block(&mut self, run: &[f64], from: usize, [cells]: [&mut [f64]; 1], _: &mut Scratch) {
        self.0.fill(run, from, cells, rate_of_change);
    }

    #[inline(always)]
    fn try_block(
        &mut self,
        run: &[f64],
        from: usize,
        [cells]: [&mut [f64]; 1],
        _: &mut Scratch,
    ) -> bool {
        // A value is finite only if both its inputs are.
        self.0.fill(run, from, cells, rate_of_change)
    }
}

#[inline(always)]
fn rate_of_change(value: f64, value_n_ago: f64) -> f64 {
    100.0 * ((value - value_n_ago) / value_n_ago)
}
