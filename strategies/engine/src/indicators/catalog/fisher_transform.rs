//! Fisher transform of the price's place in its range.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::{FirstSeeded, RollingRange};
use crate::indicators::engine::{Bar, HIGH_LOW, IndicatorSpec, Kernel, bars, period, run_steps};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "fishertransform",
    aliases: &["fishertransformindicator"],
    parameters: &[
        period(2, 100, 10),
        bars("smoothing", "bars of the exponential average", 1, 20, 3),
    ],
    outputs: &["fisher", "signal"],
    needs_volume: false,
    formula: "p = 2 ((high + low)/2 - lowest low)/(highest high - lowest low) - 1 over n bars, 0 \
              where there is no range, clipped to +-0.999; fisher = exponential average of 0.5 \
              ln((1 + p)/(1 - p)) that starts at its first value, from row n-1; signal = fisher \
              one bar before",
    source: "Ehlers (2002), without his smoothing of p",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| {
        let kernel = Fisher {
            window: RollingRange::new(parameters.count("period")),
            average: FirstSeeded::new(parameters.count("smoothing")),
            previous: f64::NAN,
        };
        run_steps(HIGH_LOW, kernel)
    },
};

/// Largest distance of the position from the middle of the range, which keeps the logarithm finite.
const POSITION_MAX: f64 = 0.999;

#[derive(Clone, Serialize, Deserialize)]
struct Fisher {
    window: RollingRange,
    average: FirstSeeded,
    previous: f64,
}

impl Kernel<Bar, 2> for Fisher {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 2] {
        let range = self.window.push(bar.high, bar.low);
        let width = range.highest - range.lowest;

        let position = if width == 0.0 {
            0.0
        } else {
            2.0 * ((bar.high + bar.low) / 2.0 - range.lowest) / width - 1.0
        };
        if position.is_nan() {
            return [f64::NAN; 2];
        }

        let position = position.clamp(-POSITION_MAX, POSITION_MAX);
        let transformed = 0.5 * libm::log((1.0 + position) / (1.0 - position));
        let fisher = self.average.push(transformed);
        [fisher, std::mem::replace(&mut self.previous, fisher)]
    }
}
