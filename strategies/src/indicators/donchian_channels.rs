//! Donchian channels.

use serde::{Deserialize, Serialize};

use super::kernel::{Bar, HIGH_LOW, Kernel, engine};
use super::spec::{IndicatorSpec, period};
use super::window::RollingRange;

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
    start: |parameters| engine(HIGH_LOW, Donchian(RollingRange::new(parameters.count("period")))),
};

#[derive(Clone, Serialize, Deserialize)]
struct Donchian(RollingRange);

impl Kernel<Bar, 3> for Donchian {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 3] {
        let (highest, lowest) = self.0.push(bar.high, bar.low);
        [highest, (highest + lowest) / 2.0, lowest]
    }
}
