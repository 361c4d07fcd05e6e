//! Squeeze intensity: how far the Bollinger bands lie inside the Keltner channels.

use serde::{Deserialize, Serialize};

use super::keltner_channels::Keltner;
use crate::indicators::blocks::{MeanAndDeviation, RollingMoments};
use crate::indicators::engine::{
    BarAndValue, IndicatorSpec, Kernel, RangeAndSource, SOURCE, above, bars, run_steps,
};

/// Bars of the mean true range of the Keltner channels.
const ATR_PERIOD: usize = 10;

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "squeezeintensity",
    aliases: &["squeezeintensityindicator"],
    parameters: &[
        bars("bb_period", "bars of the Bollinger bands", 2, 100, 20),
        above(
            "bb_multiplier",
            "standard deviations between middle and band",
            0.0,
            5.0,
            2.0,
        ),
        bars("kc_period", "bars of the Keltner middle", 2, 100, 20),
        above(
            "kc_multiplier",
            "true ranges between middle and channel",
            0.0,
            5.0,
            2.0,
        ),
        SOURCE,
    ],
    outputs: &[],
    needs_volume: false,
    formula: "min(kcU - bbU, bbL - kcL)/(kcU - kcL), at least 0 and at most 0.5; 0 where the \
              channel is at most 1e-10 wide; Bollinger bands of the source with divisor n-1, \
              Keltner channels of the close with true ranges over 10 bars; first value at row \
              max(bb_period, 10)-1",
    source: "Carter's squeeze (2005), as a degree",
    warm_up: |parameters| {
        parameters
            .count("bb_period")
            .max(ATR_PERIOD)
            .saturating_sub(1)
    },
    start: |parameters| {
        let kernel = Squeeze {
            channel: Keltner::new(
                parameters.count("kc_period"),
                ATR_PERIOD,
                parameters.number("kc_multiplier"),
            ),
            window: RollingMoments::new(parameters.count("bb_period"), 1.0),
            multiplier: parameters.number("bb_multiplier"),
        };
        run_steps(RangeAndSource(parameters.source()), kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Squeeze {
    channel: Keltner,
    window: RollingMoments,
    multiplier: f64,
}

impl Kernel<BarAndValue, 1> for Squeeze {
    #[inline(always)]
    fn step(&mut self, input: BarAndValue) -> [f64; 1] {
        let [upper, _, lower] = self.channel.step(input.bar);
        let MeanAndDeviation { mean, deviation } = self.window.push(input.value);
        let width = upper - lower;
        let band = self.multiplier * deviation;
        if width.is_nan() || band.is_nan() {
            return [f64::NAN];
        }

        // The smaller gap counts: a band outside on one side is no squeeze, and `max` makes it 0.
        let inside = (upper - (mean + band)).min((mean - band) - lower);
        [if width.abs() <= 1e-10 {
            0.0
        } else {
            (inside / width).max(0.0)
        }]
    }
}
