//! Williams' percent range.

use serde::{Deserialize, Serialize};

use super::kernel::{Bar, HIGH_LOW_CLOSE, Kernel, engine};
use super::spec::{IndicatorSpec, period};
use super::window::RollingRange;

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
    start: |parameters| engine(HIGH_LOW_CLOSE, WilliamsR(RollingRange::new(parameters.count("period")))),
};

#[derive(Clone, Serialize, Deserialize)]
struct WilliamsR(RollingRange);

impl Kernel<Bar, 1> for WilliamsR {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let (highest, lowest) = self.0.push(bar.high, bar.low);
        let range = highest - lowest;
        [if range > 0.0 { -100.0 * ((highest - bar.close) / range) } else { f64::NAN }]
    }
}
