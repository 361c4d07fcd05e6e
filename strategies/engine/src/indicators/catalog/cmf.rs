//! Chaikin money flow.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::{Delay, FirstSeeded, RollingFlow, money_flow_multiplier};
use crate::indicators::engine::{
    Bar, HIGH_LOW_CLOSE_VOLUME, IndicatorSpec, Kernel, period, run_steps,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "cmf",
    aliases: &["cmfindicator"],
    parameters: &[period(2, 500, 21)],
    outputs: &[
        "cmf",
        "mf_multiplier",
        "mf_volume",
        "momentum",
        "signal",
        "histogram",
        "above_zero",
        "below_zero",
    ],
    needs_volume: true,
    formula: "mf_multiplier = ((close - low) - (high - close))/(high - low), 0 without range, and \
              mf_volume = mf_multiplier times volume, both from row 0; cmf = sum of mf_volume over \
              sum of volume over n bars, 0 where none was traded, from row n-1; momentum = cmf[i] \
              - cmf[i-5]; signal = exponential average over 9 that starts at the first cmf; \
              histogram = cmf - signal; above_zero, below_zero = 1 where cmf is, else 0 (also \
              before there is one)",
    source: "Chaikin",
    warm_up: |parameters| parameters.count("period") + 4,
    start: |parameters| {
        let period = parameters.count("period");
        let kernel = Cmf {
            money: RollingFlow::new(period),
            volume: RollingFlow::new(period),
            delay: Delay::new(5),
            signal: FirstSeeded::new(9),
        };
        run_steps(HIGH_LOW_CLOSE_VOLUME, kernel)
    },
};

/// A smaller share of the volume is rounding: a multiplier has that of a price, in ranges of its
/// bar, and a price of a million ranges is rare.
const LEAST_FLOW: f64 = 1e-9;

#[derive(Clone, Serialize, Deserialize)]
struct Cmf {
    money: RollingFlow,
    volume: RollingFlow,
    delay: Delay,
    signal: FirstSeeded,
}

impl Kernel<Bar, 8> for Cmf {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 8] {
        let multiplier = money_flow_multiplier(bar.high, bar.low, bar.close);
        let money = multiplier * bar.volume;
        let money_sum = self.money.push(money);
        let volume_sum = self.volume.push(bar.volume);

        let cmf = if volume_sum == 0.0 {
            0.0
        } else {
            money_sum / volume_sum
        };
        let [momentum, signal] = if cmf.is_nan() {
            [f64::NAN; 2]
        } else {
            [cmf - self.delay.push(cmf), self.signal.push(cmf)]
        };

        [
            cmf,
            multiplier,
            money,
            momentum,
            signal,
            cmf - signal,
            f64::from(u8::from(cmf > LEAST_FLOW)),
            f64::from(u8::from(cmf < -LEAST_FLOW)),
        ]
    }
}
