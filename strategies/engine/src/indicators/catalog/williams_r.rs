//! Williams' percent range.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::RollingRange;
use crate::indicators::engine::{
    Bar, BarRows, BlockKernel, HIGH_LOW_CLOSE, IndicatorSpec, Kernel, Rows, Scratch, first_mut,
    period, run_blocks, slice_of,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "williamsr",
    aliases: &["williamsrindicator"],
    parameters: &[period(1, 100, 14)],
    outputs: &[],
    needs_volume: false,
    formula: "-100 (highest high - close)/(highest high - lowest low) over n bars; undefined where \
              there is no range; first value at row n-1",
    source: "Williams; TA-Lib WILLR, but undefined instead of 0 where there is no range",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let kernel = WilliamsR(RollingRange::new(parameters.count("period")));
        run_blocks(HIGH_LOW_CLOSE, kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct WilliamsR(RollingRange);

impl Kernel<Bar, 1> for WilliamsR {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let range = self.0.push(bar.high, bar.low);
        // While the window is not full the range is NaN, which no comparison takes as above 0.
        [distance_from_highest(
            range.highest,
            range.lowest,
            bar.close,
        )]
    }
}

/// Without it: 2.92 ns per row instead of 1.46.
impl BlockKernel<Bar, 1> for WilliamsR {
    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.0.is_full()
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        [cells]: [&mut [f64]; 1],
        [lowest, one, other, _]: &mut Scratch,
    ) {
        // The cells hold the highest highs first.
        let lowest = first_mut(lowest, cells.len());
        self.0.fill(run, from, cells, lowest, [one, other]);

        let closes = slice_of(run.close, from..run.len());
        for ((cell, lowest), close) in cells.iter_mut().zip(lowest).zip(closes) {
            *cell = distance_from_highest(*cell, *lowest, *close);
        }
    }
}

/// How far the close is below the highest high, as a negative percentage of the range; NaN without
/// a range.
#[inline(always)]
fn distance_from_highest(highest: f64, lowest: f64, close: f64) -> f64 {
    let range = highest - lowest;
    if range > 0.0 {
        -100.0 * ((highest - close) / range)
    } else {
        f64::NAN
    }
}
