//! Chaikin money flow.

use serde::{Deserialize, Serialize};

use super::average::FirstSeeded;
use super::kernel::{Bar, Kernel, engine};
use super::reader::HIGH_LOW_CLOSE_VOLUME;
use super::spec::{IndicatorSpec, period};
use super::window::{Delay, RollingFlow};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
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
    formula: "mf_multiplier = ((close - low) - (high - close))/(high - low), 0 without range, and mf_volume = mf_multiplier \
              times volume, both from row 0; cmf = sum of mf_volume over sum of volume over n bars, 0 where none was traded, \
              from row n-1; momentum = cmf[i] - cmf[i-5]; signal = exponential average over 9 that starts at the first cmf; \
              histogram = cmf - signal; above_zero, below_zero = 1 where cmf is, else 0 (also before there is one)",
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
        engine(HIGH_LOW_CLOSE_VOLUME, kernel)
    },
};

/// Where the bar closed in its range, from −1 at the low to 1 at the high; 0 without a range.
#[inline(always)]
pub(super) fn money_flow_multiplier(high: f64, low: f64, close: f64) -> f64 {
    let range = high - low;
    if range == 0.0 {
        0.0
    } else {
        ((close - low) - (high - close)) / range
    }
}

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
        let (total, volume) = (self.money.push(money), self.volume.push(bar.volume));
        let cmf = if volume == 0.0 { 0.0 } else { total / volume };
        let side = |is: bool| f64::from(u8::from(is));
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
            side(cmf > 0.0),
            side(cmf < 0.0),
        ]
    }
}
