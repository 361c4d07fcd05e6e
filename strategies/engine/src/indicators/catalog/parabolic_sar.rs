//! Parabolic stop and reverse.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::{larger_of, smaller_of};
use crate::indicators::engine::{
    Bar, HIGH_LOW, IndicatorSpec, Kernel, ParameterKind, ParameterSpec, run_steps,
};
use crate::ties::{is_above, reaches};

/// An acceleration factor.
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

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
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
    formula: "the stop s moves by af (extreme - s) a bar and never into the last two bars' ranges; \
              a bar that touches it reverses the side: s = extreme, kept outside of both ranges. \
              Row 1 starts long unless the low fell more than the high rose, with the stop at row \
              0's low (high when short)",
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
            previous: HighLow {
                high: 0.0,
                low: 0.0,
            },
            side: 1.0,
            extreme: 0.0,
            stop: 0.0,
            acceleration: 0.0,
        };
        run_steps(HIGH_LOW, kernel)
    },
};

/// Extreme, stop and acceleration change with every bar and do not lie side by side: the compiler
/// would keep two neighbours in one register, and take them apart at every bar.
#[derive(Clone, Serialize, Deserialize)]
struct Sar {
    /// The extreme as the long side sees it; while short, of the market turned upside down.
    extreme: f64,
    initial: f64,
    /// The stop for the next bar, seen like the extreme.
    stop: f64,
    step: f64,
    acceleration: f64,
    limit: f64,
    /// 1 while long, −1 while short.
    side: f64,
    /// Bars so far, up to 2.
    bars: u8,
    /// The bar before.
    previous: HighLow,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct HighLow {
    high: f64,
    low: f64,
}

impl HighLow {
    /// As it is for the side 1; turned upside down for the side −1. By arithmetic and not by a
    /// branch, as no processor can predict the side.
    #[inline(always)]
    fn seen_from(self, side: f64) -> Self {
        let one = side * self.high;
        let other = side * self.low;
        Self {
            high: larger_of(one, other),
            low: smaller_of(one, other),
        }
    }
}

impl Sar {
    /// Takes the second bar: chooses the side by the larger movement.
    fn begin(&mut self, bar: HighLow) {
        let rise = bar.high - self.previous.high;
        let fall = self.previous.low - bar.low;
        let falls_more = fall > 0.0 && is_above(fall, rise, bar.high);
        self.side = if falls_more { -1.0 } else { 1.0 };
        self.extreme = bar.seen_from(self.side).high;
        self.stop = self.previous.seen_from(self.side).low;
        self.acceleration = self.initial;
        // The first bar that the stop follows counts as its own predecessor.
        self.previous = bar;
    }

    /// Takes a bar after the side is chosen; returns the stop that held during it.
    #[inline(always)]
    fn follow(&mut self, bar: HighLow) -> f64 {
        let previous = std::mem::replace(&mut self.previous, bar);
        let HighLow { high, low } = bar.seen_from(self.side);
        let mut floor = smaller_of(previous.seen_from(self.side).low, low);

        if reaches(self.stop, low, low) {
            // Reversed: the stop goes to the extreme so far, and the sides change places.
            self.side = -self.side;
            floor = smaller_of(previous.seen_from(self.side).low, -high);
            self.stop = smaller_of(-self.extreme, floor);
            self.extreme = -low;
            self.acceleration = self.initial;
        } else {
            // Chosen and not branched on, as no processor can predict a new extreme.
            let faster = smaller_of(self.acceleration + self.step, self.limit);
            self.acceleration = if high > self.extreme {
                faster
            } else {
                self.acceleration
            };
            self.extreme = larger_of(high, self.extreme);
        }

        let stop = self.side * self.stop;
        let moved = (1.0 - self.acceleration).mul_add(self.stop, self.acceleration * self.extreme);
        self.stop = smaller_of(moved, floor);
        stop
    }
}

impl Kernel<Bar, 1> for Sar {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let bar = HighLow {
            high: bar.high,
            low: bar.low,
        };

        if self.bars < 2 {
            self.bars += 1;
            if self.bars == 1 {
                self.previous = bar;
                return [f64::NAN];
            }
            self.begin(bar);
        }
        [self.follow(bar)]
    }
}
