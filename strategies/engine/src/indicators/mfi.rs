//! Money flow index.

use serde::{Deserialize, Serialize};

use super::kernel::{Bar, Kernel, engine};
use super::reader::HIGH_LOW_CLOSE_VOLUME;
use super::rolling_pair::RollingPair;
use super::spec::{IndicatorSpec, period};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "mfi",
    aliases: &["mfiindicator"],
    parameters: &[period(1, 100, 14)],
    outputs: &[],
    needs_volume: true,
    formula: "flow = volume times p, p = (high + low + close)/3; 100 up/(up + down), up and down being the flows of the last n \
              bars at which p rose and fell; undefined where there is no flow; first value at row n",
    source: "Quong and Soudack (1989); TA-Lib MFI, but undefined instead of 0 where there is no flow",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| {
        let flows = RollingPair::new(parameters.count("period"));
        engine(
            HIGH_LOW_CLOSE_VOLUME,
            Mfi {
                price: f64::NAN,
                flows,
            },
        )
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Mfi {
    price: f64,
    /// Up and down.
    flows: RollingPair,
}

impl Kernel<Bar, 1> for Mfi {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let price = (bar.high + bar.low + bar.close) / 3.0;
        let previous = std::mem::replace(&mut self.price, price);
        if previous.is_nan() {
            return [f64::NAN];
        }
        let flow = price * bar.volume;
        // Factors instead of branches, which nobody could predict.
        let is = |side: bool| f64::from(u8::from(side));
        let [up, down] = self
            .flows
            .push([flow * is(price > previous), flow * is(price < previous)]);
        [100.0 * (up / (up + down))]
    }
}
