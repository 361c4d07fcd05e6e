//! Kaufman's adaptive moving average.

use serde::{Deserialize, Serialize};

use super::kernel::{Kernel, engine};
use super::spec::{IndicatorSpec, SOURCE, bars, period};
use super::window::{Delay, RollingFlow};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "kama",
    aliases: &["kamaindicator"],
    parameters: &[
        period(2, 200, 10),
        bars("fast_period", "bars of the average in a straight move", 1, 100, 2),
        bars("slow_period", "bars of the average in a sideways move", 1, 200, 30),
        SOURCE,
    ],
    outputs: &[],
    needs_volume: false,
    formula: "y = y + s^2 (x - y), s = e (2/(fast+1) - 2/(slow+1)) + 2/(slow+1), e = |x[i] - x[i-n]| over the sum of the last \
              n |x[j] - x[j-1]|, 1 where nothing has moved; seeded with x[n-1], first value at row n",
    source: "Kaufman (1995); TA-Lib KAMA",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| {
        let period = parameters.count("period");
        let weight = |name: &str| 2.0 / (parameters.count(name) as f64 + 1.0);
        let kernel = Kama {
            fast: weight("fast_period"),
            slow: weight("slow_period"),
            before: f64::NAN,
            delay: Delay::new(period),
            path: RollingFlow::new(period),
            seeded: false,
            value: 0.0,
        };
        engine(parameters.source(), kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Kama {
    fast: f64,
    slow: f64,
    /// The input one step ago.
    before: f64,
    delay: Delay,
    path: RollingFlow,
    seeded: bool,
    value: f64,
}

impl Kernel<f64, 1> for Kama {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let before = std::mem::replace(&mut self.before, value);
        let change = (value - self.delay.push(value)).abs();
        if before.is_nan() {
            return [f64::NAN];
        }
        let path = self.path.push((value - before).abs());
        if path.is_nan() || change.is_nan() {
            return [f64::NAN];
        }
        if !self.seeded {
            (self.seeded, self.value) = (true, before);
        }
        let efficiency = if path <= change { 1.0 } else { change / path };
        let weight = efficiency * (self.fast - self.slow) + self.slow;
        let weight = weight * weight;
        self.value = (1.0 - weight) * self.value + weight * value;
        [self.value]
    }
}
