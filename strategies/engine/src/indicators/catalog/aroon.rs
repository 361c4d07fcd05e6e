//! Aroon: how long ago the highest high and the lowest low were.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::SinceMaximum;
use crate::indicators::engine::{Bar, HIGH_LOW, IndicatorSpec, Kernel, period, run_steps};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "aroon",
    aliases: &["aroonindicator"],
    parameters: &[period(1, 200, 14)],
    outputs: &["up", "down", "oscillator"],
    needs_volume: false,
    formula: "up = 100 (n - bars since the highest high of the last n+1 bars)/n, the newest among \
              equals; down likewise with the lowest low; oscillator = up - down; first value at \
              row n",
    source: "Chande (1995); TA-Lib AROON, AROONOSC",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| {
        let period = parameters.count("period");
        let kernel = Aroon {
            period: period as f64,
            since_highest: SinceMaximum::new(period + 1),
            since_lowest: SinceMaximum::new(period + 1),
        };
        run_steps(HIGH_LOW, kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Aroon {
    period: f64,
    since_highest: SinceMaximum,
    /// Of the lows with their sign turned.
    since_lowest: SinceMaximum,
}

impl Kernel<Bar, 3> for Aroon {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 3] {
        let since_highest = self.since_highest.push(bar.high);
        let since_lowest = self.since_lowest.push(-bar.low);
        let up = self.in_percent(since_highest);
        let down = self.in_percent(since_lowest);
        [up, down, up - down]
    }
}

impl Aroon {
    /// 100 for an extreme at this bar, 0 for one that leaves the window next.
    #[inline(always)]
    fn in_percent(&self, bars_since: f64) -> f64 {
        100.0 * (self.period - bars_since) / self.period
    }
}
