//! Average true range in percent of the close.

use serde::{Deserialize, Serialize};

use super::atr::Wilder;
use super::kernel::{Bar, HIGH_LOW_CLOSE, Kernel, engine};
use super::spec::{IndicatorSpec, period};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "natr",
    aliases: &["natrindicator"],
    parameters: &[period(1, 100, 14)],
    outputs: &[],
    needs_volume: false,
    formula: "100 atr/close, Wilder's atr; first value at row n",
    source: "Forman; TA-Lib NATR",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| engine(HIGH_LOW_CLOSE, Natr(Wilder::new(parameters.count("period")))),
};

#[derive(Clone, Serialize, Deserialize)]
struct Natr(Wilder);

impl Kernel<Bar, 1> for Natr {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let [atr] = self.0.step(bar);
        [100.0 * (atr / bar.close)]
    }
}
