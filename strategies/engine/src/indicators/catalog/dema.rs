//! Double exponential moving average.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::SeededAverage;
use crate::indicators::engine::{
    BlockKernel, IndicatorSpec, Kernel, SOURCE, Scratch, first_mut, period, run_blocks, slice_of,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "dema",
    aliases: &["demaindicator"],
    parameters: &[period(2, 500, 20), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "2 e - EMA(e), e = EMA(x), both over n and seeded with a simple mean; first value at \
              row 2(n-1)",
    source: "Mulloy (1994); TA-Lib DEMA",
    warm_up: |parameters| 2 * parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let average = SeededAverage::exponential(parameters.count("period"));
        let kernel = Dema {
            first: average.clone(),
            second: average,
        };
        run_blocks(parameters.source(), kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Dema {
    first: SeededAverage,
    second: SeededAverage,
}

impl Kernel<f64, 1> for Dema {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let once = self.first.push(value);
        let twice = self.second.push_from(&self.first, once);
        [2.0 * once - twice]
    }
}

/// Without it: 1.84 ns per row instead of 0.71.
impl BlockKernel<f64, 1> for Dema {
    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.second.is_seeded()
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: &[f64],
        from: usize,
        [cells]: [&mut [f64]; 1],
        [once, ..]: &mut Scratch,
    ) {
        let once = first_mut(once, cells.len());
        self.first.fill(slice_of(run, from..run.len()), once);
        // The cells hold the average of the average first.
        self.second.fill(once, cells);

        for (cell, once) in cells.iter_mut().zip(once) {
            *cell = 2.0 * *once - *cell;
        }
    }
}
