//! Parabolic stop and reverse.

use serde::{Deserialize, Serialize};

use super::kernel::{Bar, Kernel, engine};
use super::reader::HIGH_LOW;
use super::spec::{IndicatorSpec, ParameterKind, ParameterSpec};
use super::window::larger;

const fn factor(
    name: &'static str,
    description: &'static str,
    min: f64,
    default: f64,
) -> ParameterSpec {
    let kind = ParameterKind::Float {
        min,
        min_exclusive: false,
        max: 1.0,
        max_exclusive: false,
        default,
    };
    ParameterSpec {
        name,
        kind,
        description,
    }
}

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "parabolicsar",
    aliases: &["parabolicsarindicator"],
    parameters: &[
        factor("initial_af", "acceleration after a reversal", 0.001, 0.02),
        factor(
            "step_af",
            "added to the acceleration at every new extreme",
            0.001,
            0.02,
        ),
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
        let [initial, step, limit] =
            ["initial_af", "step_af", "max_af"].map(|name| parameters.number(name));
        let kernel = Sar {
            initial: initial.min(limit),
            step,
            limit,
            bars: 0,
            before: [0.0; 2],
            side: 1.0,
            extreme: 0.0,
            stop: 0.0,
            acceleration: 0.0,
        };
        engine(HIGH_LOW, kernel)
    },
};

/// Numbers that change with every bar are no neighbours: the compiler would keep two of those in
/// one register, and take them apart at every bar.
#[derive(Clone, Serialize, Deserialize)]
struct Sar {
    /// Extreme and stop as the long side sees them; while short, of the market turned upside down.
    extreme: f64,
    initial: f64,
    stop: f64,
    step: f64,
    acceleration: f64,
    limit: f64,
    /// 1 while long, −1 while short.
    side: f64,
    /// Bars so far, up to 2.
    bars: u8,
    /// High and low of the bar before.
    before: [f64; 2],
}

/// High and low as they are, or of the market turned upside down. By arithmetic and not by a
/// branch: nobody can predict the side.
#[inline(always)]
fn seen_from(side: f64, [high, low]: [f64; 2]) -> [f64; 2] {
    let (one, other) = (side * high, side * low);
    [larger(one, other), smaller(one, other)]
}

impl Sar {
    fn begin(&mut self, bar: [f64; 2]) {
        let ([high, low], [high_before, low_before]) = (bar, self.before);
        let (rise, fall) = (high - high_before, low_before - low);
        self.side = if fall > 0.0 && rise < fall { -1.0 } else { 1.0 };
        self.extreme = seen_from(self.side, bar)[0];
        self.stop = seen_from(self.side, self.before)[1];
        self.acceleration = self.initial;
        // The first bar of the walk counts as its own predecessor.
        self.before = bar;
    }
}

impl Kernel<Bar, 1> for Sar {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        if !self.is_warm() {
            self.bars += 1;
            if self.bars == 1 {
                self.before = [bar.high, bar.low];
                return [f64::NAN];
            }
            self.begin([bar.high, bar.low]);
        }
        self.warm_step(bar)
    }

    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.bars == 2
    }

    #[inline(always)]
    fn warm_step(&mut self, bar: Bar) -> [f64; 1] {
        let bar = [bar.high, bar.low];
        let before = std::mem::replace(&mut self.before, bar);
        let [high, low] = seen_from(self.side, bar);
        let mut floor = smaller(seen_from(self.side, before)[1], low);
        if low <= self.stop {
            self.side = -self.side;
            floor = smaller(seen_from(self.side, before)[1], -high);
            self.stop = smaller(-self.extreme, floor);
            self.extreme = -low;
            self.acceleration = self.initial;
        } else {
            // Chosen and not branched on: whether a bar is a new extreme is what nobody can
            // predict.
            let faster = smaller(self.acceleration + self.step, self.limit);
            self.acceleration = if high > self.extreme {
                faster
            } else {
                self.acceleration
            };
            self.extreme = larger(high, self.extreme);
        }
        let shown = self.side * self.stop;
        let moved = (1.0 - self.acceleration).mul_add(self.stop, self.acceleration * self.extreme);
        self.stop = smaller(moved, floor);
        [shown]
    }
}

#[inline(always)]
fn smaller(left: f64, right: f64) -> f64 {
    if left < right { left } else { right }
}
