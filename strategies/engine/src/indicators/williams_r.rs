//! Williams' percent range.

use serde::{Deserialize, Serialize};

use super::extremes::RollingRange;
use super::kernel::{Bar, Kernel, Scratch, engine};
use super::reader::{BarRows, HIGH_LOW_CLOSE, Rows, part, part_mut};
use super::spec::{IndicatorSpec, period};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "williamsr",
    aliases: &["williamsrindicator"],
    parameters: &[period(1, 100, 14)],
    outputs: &[],
    needs_volume: false,
    formula: "-100 (highest high - close)/(highest high - lowest low) over n bars; undefined where there is no range; first \
              value at row n-1",
    source: "Williams; TA-Lib WILLR, but undefined instead of 0 where there is no range",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        engine(
            HIGH_LOW_CLOSE,
            WilliamsR(RollingRange::new(parameters.count("period"))),
        )
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct WilliamsR(RollingRange);

#[inline(always)]
fn place(highest: f64, lowest: f64, close: f64) -> f64 {
    let range = highest - lowest;
    if range > 0.0 {
        -100.0 * ((highest - close) / range)
    } else {
        f64::NAN
    }
}

impl Kernel<Bar, 1> for WilliamsR {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let (highest, lowest) = self.0.push(bar.high, bar.low);
        [place(highest, lowest, bar.close)]
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        [cells]: [&mut [f64]; 1],
        [lowest, one, other, _]: &mut Scratch,
    ) {
        let lowest = part_mut(lowest, cells.len());
        self.0.block(run, from, [cells, lowest], [one, other]);
        for ((cell, lowest), close) in cells
            .iter_mut()
            .zip(lowest)
            .zip(part(run.close, from..run.len()))
        {
            *cell = place(*cell, *lowest, *close);
        }
    }
}
