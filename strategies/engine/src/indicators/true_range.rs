//! True range: the bar's range with the gap before it.

use serde::{Deserialize, Serialize};

use super::average;
use super::kernel::{BLOCK, Bar, Kernel, Scratch, engine};
use super::reader::{BarRows, HIGH_LOW_CLOSE};
use super::spec::IndicatorSpec;

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "truerange",
    aliases: &["truerangeindicator", "true_range"],
    parameters: &[],
    outputs: &[],
    needs_volume: false,
    formula: "max(high - low, |high - previous close|, |low - previous close|); first value at row 1",
    source: "Wilder (1978); TA-Lib TRANGE",
    warm_up: |_| 1,
    start: |_| engine(HIGH_LOW_CLOSE, TrueRange { close: f64::NAN }),
};

#[derive(Clone, Serialize, Deserialize)]
struct TrueRange {
    close: f64,
}

impl Kernel<Bar, 1> for TrueRange {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let previous = std::mem::replace(&mut self.close, bar.close);
        [if previous.is_nan() {
            f64::NAN
        } else {
            average::true_range(&bar, previous)
        }]
    }

    #[inline(always)]
    fn block(&mut self, run: BarRows<'_>, from: usize, [cells]: [&mut [f64]; 1], _: &mut Scratch) {
        average::true_ranges(run, from, cells);
    }

    const UNSEEN: usize = 64 * BLOCK;

    #[inline(always)]
    fn unseen_block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        [cells]: [&mut [f64]; 1],
        _: &mut Scratch,
    ) -> bool {
        average::true_ranges(run, from, cells) == 0
    }
}
