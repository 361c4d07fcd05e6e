//! Relative strength index.

use serde::{Deserialize, Serialize};

use super::average::SeededAverage;
use super::kernel::{Kernel, engine};
use super::spec::{IndicatorSpec, SOURCE, period};

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

impl Kernel<f64, 1> for Rsi {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let change = value - self.previous;
        self.previous = value;
        if change.is_nan() {
            return [f64::NAN];
        }
        let (gain, loss) = (self.gain.push(change.max(0.0)), self.loss.push((-change).max(0.0)));
        [if gain + loss == 0.0 { 50.0 } else { 100.0 * (gain / (gain + loss)) }]
    }
}
