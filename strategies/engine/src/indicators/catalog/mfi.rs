//! Money flow index.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::RollingPair;
use crate::indicators::engine::{
    Bar, HIGH_LOW_CLOSE_VOLUME, IndicatorSpec, Kernel, period, run_steps,
};
use crate::ties::is_above;

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "mfi",
    aliases: &["mfiindicator"],
    parameters: &[period(1, 100, 14)],
    outputs: &[],
    needs_volume: true,
    formula: "flow = volume times p, p = (high + low + close)/3; 100 up/(up + down), up and down \
              being the flows of the last n bars at which p rose and fell; undefined where there \
              is no flow; first value at row n",
    source: "Quong and Soudack (1989); TA-Lib MFI, but undefined instead of 0 where there is no \
             flow",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| {
        let kernel = Mfi {
            price: f64::NAN,
            flows: RollingPair::new(parameters.count("period")),
        };
        run_steps(HIGH_LOW_CLOSE_VOLUME, kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Mfi {
    price: f64,
    /// Flows of the bars at which the price rose, and of those at which it fell.
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

        // Factors of 0 or 1 instead of branches, which no processor can predict.
        let flow = price * bar.volume;
        let rose = f64::from(u8::from(is_above(price, previous, price)));
        let fell = f64::from(u8::from(is_above(previous, price, price)));
        let [up, down] = self.flows.push([flow * rose, flow * fell]);
        [100.0 * (up / (up + down))]
    }
}
