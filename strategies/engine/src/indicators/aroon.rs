//! Aroon: how long ago the highest high and the lowest low were.

use serde::{Deserialize, Serialize};

use super::extremes::SinceMaximum;
use super::kernel::{Bar, Kernel, engine};
use super::reader::HIGH_LOW;
use super::spec::{IndicatorSpec, period};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "aroon",
    aliases: &["aroonindicator"],
    parameters: &[period(1, 200, 14)],
    outputs: &["up", "down", "oscillator"],
    needs_volume: false,
    formula: "up = 100 (n - bars since the highest high of the last n+1 bars)/n, the newest among equals; down likewise with \
              the lowest low; oscillator = up - down; first value at row n",
    source: "Chande (1995); TA-Lib AROON, AROONOSC",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| {
        let period = parameters.count("period");
        let since = SinceMaximum::new(period + 1);
        engine(
            HIGH_LOW,
            Aroon {
                period: period as f64,
                high: since.clone(),
                negative_low: since,
            },
        )
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Aroon {
    period: f64,
    high: SinceMaximum,
    negative_low: SinceMaximum,
}

impl Kernel<Bar, 3> for Aroon {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 3] {
        let place = |since: f64| 100.0 * (self.period - since) / self.period;
        let (up, down) = (
            place(self.high.push(bar.high)),
            place(self.negative_low.push(-bar.low)),
        );
        [up, down, up - down]
    }
}
