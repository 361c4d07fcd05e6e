//! Parabolic stop and reverse.

use serde::{Deserialize, Serialize};

use super::kernel::{Bar, HIGH_LOW, Kernel, engine};
use super::spec::{IndicatorSpec, ParameterKind, ParameterSpec};

const fn factor(name: &'static str, description: &'static str, min: f64, default: f64) -> ParameterSpec {
    ParameterSpec { name, kind: ParameterKind::Float { min, min_exclusive: false, max: 1.0, default }, description }
}

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "parabolicsar",
    aliases: &["parabolicsarindicator"],
    parameters: &[
        factor("initial_af", "acceleration after a reversal", 0.001, 0.02),
        factor("step_af", "added to the acceleration at every new extreme", 0.001, 0.02),
        factor("max_af", "largest acceleration", 0.01, 0.2),
    ],
    outputs: &[],
    needs_volume: false,
    formula: "the stop s moves by af (extreme - s) a bar and never into the last two bars' ranges; a bar that touches it \
              reverses the side: s = extreme, kept outside of both ranges. Row 1 starts long unless the low fell more than \
              the high rose, with the stop at row 0's low (high when short)",
    source: "Wilder (1978); TA-Lib SAR, SAREXT",
    warm_up: |_| 1,
    start: |parameters| {
        let [initial, step, limit] = ["initial_af", "step_af", "max_af"].map(|name| parameters.number(name));
        let kernel = Sar {
            initial: initial.min(limit),
            step,
            limit,
            bars: 0,
            before: [0.0; 2],
            long: true,
            extreme: 0.0,
            stop: 0.0,
            acceleration: 0.0,
        };
        engine(HIGH_LOW, kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Sar {
    initial: f64,
    step: f64,
    limit: f64,
    /// Bars so far, up to 2.
    bars: u8,
    /// High and low of the bar before.
    before: [f64; 2],
    long: bool,
    extreme: f64,
    stop: f64,
    acceleration: f64,
}

impl Sar {
    fn begin(&mut self, high: f64, low: f64) {
        let [high_before, low_before] = self.before;
        let (rise, fall) = (high - high_before, low_before - low);
        self.long = !(fall > 0.0 && rise < fall);
        (self.extreme, self.stop) = if self.long { (high, low_before) } else { (low, high_before) };
        self.acceleration = self.initial;
        // The first bar of the walk counts as its own predecessor.
        self.before = [high, low];
    }
}

impl Kernel<Bar, 1> for Sar {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let (high, low) = (bar.high, bar.low);
        if self.bars < 2 {
            self.bars += 1;
            if self.bars == 1 {
                self.before = [high, low];
                return [f64::NAN];
            }
            self.begin(high, low);
        }
        let [high_before, low_before] = std::mem::replace(&mut self.before, [high, low]);
        let touched = if self.long { low <= self.stop } else { high >= self.stop };
        let outside = |long: bool, stop: f64| {
            if long { stop.min(low_before).min(low) } else { stop.max(high_before).max(high) }
        };
        let shown = if touched {
            self.long = !self.long;
            self.acceleration = self.initial;
            let stop = outside(self.long, self.extreme);
            self.extreme = if self.long { high } else { low };
            stop
        } else {
            let further = if self.long { high > self.extreme } else { low < self.extreme };
            if further {
                self.extreme = if self.long { high } else { low };
                self.acceleration = (self.acceleration + self.step).min(self.limit);
            }
            self.stop
        };
        self.stop = outside(self.long, shown + self.acceleration * (self.extreme - shown));
        [shown]
    }
}
