//! Donchian channels.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::RollingRange;
use crate::indicators::engine::{
    Bar, BarRows, BlockKernel, HIGH_LOW, IndicatorSpec, Kernel, Scratch, period, run_blocks,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "donchianchannels",
    aliases: &["donchianchannelsindicator"],
    parameters: &[period(2, 500, 20)],
    outputs: &["upper", "middle", "lower"],
    needs_volume: false,
    formula: "upper = highest high, lower = lowest low of the last n bars, the current one \
              included; middle = their mean; first value at row n-1",
    source: "Donchian; TA-Lib MAX, MIN, MIDPRICE",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let kernel = Donchian(RollingRange::new(parameters.count("period")));
        run_blocks(HIGH_LOW, kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Donchian(RollingRange);

impl Kernel<Bar, 3> for Donchian {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 3] {
        let range = self.0.push(bar.high, bar.low);
        [range.highest, range.middle(), range.lowest]
    }
}

/// Without it: 2.71 ns per row instead of 1.63.
impl BlockKernel<Bar, 3> for Donchian {
    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.0.is_full()
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        [upper, middle, lower]: [&mut [f64]; 3],
        [one, other, ..]: &mut Scratch,
    ) {
        self.0.fill(run, from, upper, lower, [one, other]);

        for ((cell, highest), lowest) in middle.iter_mut().zip(upper).zip(lower) {
            *cell = (*highest + *lowest) / 2.0;
        }
    }
}
