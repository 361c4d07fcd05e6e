//! Relative strength index.

use serde::{Deserialize, Serialize};

use super::average::SeededAverage;
use super::kernel::{Kernel, engine};
use super::spec::{IndicatorSpec, SOURCE, period};
use super::window::larger;

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "rsi",
    aliases: &["rsiindicator"],
    parameters: &[period(2, 100, 14), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "100 gain/(gain+loss), gain and loss being Wilder averages of rises and falls from the bar before, seeded \
              at row n with the means of the first n; 50 while nothing has moved",
    source: "Wilder (1978); TA-Lib RSI, but for 50 instead of 0 on a series that never moved",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| {
        let average = SeededAverage::wilder(parameters.count("period"));
        engine(parameters.source(), Rsi { previous: f64::NAN, gain: average.clone(), loss: average })
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Rsi {
    previous: f64,
    gain: SeededAverage,
    loss: SeededAverage,
}

#[inline(always)]
fn share(gain: f64, loss: f64) -> [f64; 1] {
    [if gain + loss == 0.0 { 50.0 } else { 100.0 * (gain / (gain + loss)) }]
}

impl Kernel<f64, 1> for Rsi {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        if self.is_warm() {
            return self.warm_step(value);
        }
        let change = value - std::mem::replace(&mut self.previous, value);
        if change.is_nan() {
            return [f64::NAN];
        }
        share(self.gain.push(larger(change, 0.0)), self.loss.push(larger(-change, 0.0)))
    }

    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.gain.is_seeded()
    }

    #[inline(always)]
    fn warm_step(&mut self, value: f64) -> [f64; 1] {
        let change = value - std::mem::replace(&mut self.previous, value);
        share(self.gain.next(larger(change, 0.0)), self.loss.next(larger(-change, 0.0)))
    }
}
