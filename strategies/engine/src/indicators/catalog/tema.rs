//! Triple exponential moving average.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::SeededAverage;
use crate::indicators::engine::{
    BlockKernel, IndicatorSpec, Kernel, SOURCE, Scratch, first_mut, period, run_blocks, slice_of,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "tema",
    aliases: &["temaindicator"],
    parameters: &[period(2, 500, 20), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "3 a - 3 b + c, a = EMA(x), b = EMA(a), c = EMA(b), all over n and seeded with a \
              simple mean; first value at row 3(n-1)",
    source: "Mulloy (1994); TA-Lib TEMA",
    warm_up: |parameters| 3 * parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let average = SeededAverage::exponential(parameters.count("period"));
        let kernel = Tema {
            first: average.clone(),
            second: average.clone(),
            third: average,
        };
        run_blocks(parameters.source(), kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Tema {
    first: SeededAverage,
    second: SeededAverage,
    third: SeededAverage,
}

impl Kernel<f64, 1> for Tema {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let once = self.first.push(value);
        let twice = self.second.push_from(&self.first, once);
        let thrice = self.third.push_from(&self.second, twice);
        [3.0 * once - 3.0 * twice + thrice]
    }
}

/// Without it: 4.24 ns per row instead of 1.00.
impl BlockKernel<f64, 1> for Tema {
    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.third.is_seeded()
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: &[f64],
        from: usize,
        [cells]: [&mut [f64]; 1],
        [once, twice, ..]: &mut Scratch,
    ) {
        let once = first_mut(once, cells.len());
        let twice = first_mut(twice, cells.len());
        self.first.fill(slice_of(run, from..run.len()), once);
        self.second.fill(once, twice);
        self.third.fill(twice, cells);

        for ((cell, once), twice) in cells.iter_mut().zip(once).zip(twice) {
            *cell += 3.0 * *once - 3.0 * *twice;
        }
    }
}
