//! Parabolic stop and reverse.

use serde::{Deserialize, Serialize};

use super::kernel::{Bar, Kernel, engine};
use super::reader::HIGH_LOW;
use super::spec::{IndicatorSpec, ParameterKind, ParameterSpec};
use super::window::larger;

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
    /// Extreme and stop as the long side sees them; while short, of the market turned upside down.
    extreme: f64,
    stop: f64,
    acceleration: f64,
}

/// High and low as they are, or of the market turned upside down.
#[inline(always)]
fn seen_from(long: bool, [high, low]: [f64; 2]) -> [f64; 2] {
    if long { [high, low] } else { [-low, -high] }
}

impl Sar {
    fn begin(&mut self, bar: [f64; 2]) {
        let ([high, low], [high_before, low_before]) = (bar, self.before);
        let (rise, fall) = (high - high_before, low_before - low);
        self.long = !(fall > 0.0 && rise < fall);
        self.extreme = seen_from(self.long, bar)[0];
        self.stop = seen_from(self.long, self.before)[1];
        self.acceleration = self.initial;
        // The first bar of the walk counts as its own predecessor.
        self.before = bar;
    }
}

impl Kernel<Bar, 1> for Sar {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let bar = [bar.high, bar.low];
        if self.bars < 2 {
            self.bars += 1;
            if self.bars == 1 {
                self.before = bar;
                return [f64::NAN];
            }
            self.begin(bar);
        }
        let before = std::mem::replace(&mut self.before, bar);
        let [mut high, mut low] = seen_from(self.long, bar);
        let mut floor = smaller(seen_from(self.long, before)[1], low);
        if low <= self.stop {
            self.long = !self.long;
            [high, low] = seen_from(self.long, bar);
            floor = smaller(seen_from(self.long, before)[1], low);
            self.stop = smaller(-self.extreme, floor);
            self.extreme = high;
            self.acceleration = self.initial;
        } else {
            // Chosen and not branched on: whether a bar is a new extreme is what nobody can predict.
            let faster = smaller(self.acceleration + self.step, self.limit);
            self.acceleration = if high > self.extreme { faster } else { self.acceleration };
            self.extreme = larger(high, self.extreme);
        }
        let shown = if self.long { self.stop } else { -self.stop };
        let moved = (1.0 - self.acceleration).mul_add(self.stop, self.acceleration * self.extreme);
        self.stop = smaller(moved, floor);
        [shown]
    }
}

#[inline(always)]
fn smaller(left: f64, right: f64) -> f64 {
    if left < right { left } else { right }
}
