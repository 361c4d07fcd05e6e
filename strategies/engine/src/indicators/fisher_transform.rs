//! Fisher transform of the price's place in its range.

use serde::{Deserialize, Serialize};

use super::average::FirstSeeded;
use super::extremes::RollingRange;
use super::kernel::{Bar, Kernel, engine};
use super::reader::HIGH_LOW;
use super::spec::{IndicatorSpec, bars, period};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "fishertransform",
    aliases: &["fishertransformindicator"],
    parameters: &[
        period(2, 100, 10),
        bars("smoothing", "bars of the exponential average", 1, 20, 3),
    ],
    outputs: &["fisher", "signal"],
    needs_volume: false,
    formula: "p = 2 ((high + low)/2 - lowest low)/(highest high - lowest low) - 1 over n bars, 0 where there is no range, \
              clipped to +-0.999; fisher = exponential average of 0.5 ln((1 + p)/(1 - p)) that starts at its first value, from \
              row n-1; signal = fisher one bar before",
    source: "Ehlers (2002), without his smoothing of p",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| {
        let kernel = Fisher {
            window: RollingRange::new(parameters.count("period")),
            average: FirstSeeded::new(parameters.count("smoothing")),
            before: f64::NAN,
        };
        engine(HIGH_LOW, kernel)
    },
};

/// Keeps the logarithm finite.
const LIMIT: f64 = 0.999;

#[derive(Clone, Serialize, Deserialize)]
struct Fisher {
    window: RollingRange,
    average: FirstSeeded,
    before: f64,
}

impl Kernel<Bar, 2> for Fisher {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 2] {
        let (highest, lowest) = self.window.push(bar.high, bar.low);
        let range = highest - lowest;
        let place = if range == 0.0 {
            0.0
        } else {
            2.0 * ((bar.high + bar.low) / 2.0 - lowest) / range - 1.0
        };
        if place.is_nan() {
            return [f64::NAN; 2];
        }
        let place = place.clamp(-LIMIT, LIMIT);
        let fisher = self
            .average
            .push(0.5 * ((1.0 + place) / (1.0 - place)).ln());
        [fisher, std::mem::replace(&mut self.before, fisher)]
    }
}
