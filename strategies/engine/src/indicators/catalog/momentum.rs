//! Momentum: the change over n bars.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::Delay;
use crate::indicators::engine::{
    BLOCK, BlockKernel, IndicatorSpec, Kernel, SOURCE, Scratch, period, run_blocks,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "momentum",
    aliases: &["momentumindicator"],
    parameters: &[period(1, 100, 10), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "x[i] - x[i-n]; first value at row n",
    source: "TA-Lib MOM",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| {
        let kernel = Momentum(Delay::new(parameters.count("period")));
        run_blocks(parameters.source(), kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Momentum(Delay);

impl Kernel<f64, 1> for Momentum {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let value_n_ago = self.0.push(value);
        [change(value, value_n_ago)]
    }
}

/// Without it: 0.78 ns per row instead of 0.17.
impl BlockKernel<f64, 1> for Momentum {
    const TRY_ROWS: usize = 64 * BLOCK;

    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.0.is_full()
    }

    #[inline(always)]
    fn block(&mut self, run: &[f64], from: usize, [cells]: [&mut [f64]; 1], _: &mut Scratch) {
        self.0.fill(run, from, cells, change);
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
        self.0.fill(run, from, cells, change)
    }
}

#[inline(always)]
fn change(value: f64, value_n_ago: f64) -> f64 {
    value - value_n_ago
}
