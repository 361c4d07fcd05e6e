//! Donchian channels.

use serde::{Deserialize, Serialize};

use super::extremes::RollingRange;
use super::kernel::{Bar, Kernel, Scratch, engine};
use super::reader::{BarRows, HIGH_LOW};
use super::spec::{IndicatorSpec, period};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "donchianchannels",
    aliases: &["donchianchannelsindicator"],
    parameters: &[period(2, 500, 20)],
    outputs: &["upper", "middle", "lower"],
    needs_volume: false,
    formula: "upper = highest high, lower = lowest low of the last n bars, the current one included; middle = their mean; \
              first value at row n-1",
    source: "Donchian; TA-Lib MAX, MIN, MIDPRICE",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        engine(
            HIGH_LOW,
            Donchian(RollingRange::new(parameters.count("period"))),
        )
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Donchian(RollingRange);

impl Kernel<Bar, 3> for Donchian {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 3] {
        let (highest, lowest) = self.0.push(bar.high, bar.low);
        [highest, (highest + lowest) / 2.0, lowest]
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        [upper, middle, lower]: [&mut [f64]; 3],
        [one, other, ..]: &mut Scratch,
    ) {
        self.0.block(run, from, [upper, lower], [one, other]);
        for ((cell, highest), lowest) in middle.iter_mut().zip(upper).zip(lower) {
            *cell = (*highest + *lowest) / 2.0;
        }
    }
}
