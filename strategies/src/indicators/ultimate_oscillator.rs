//! Ultimate oscillator: buying pressure over three spans.

use serde::{Deserialize, Serialize};

use super::average::true_range;
use super::kernel::{Bar, HIGH_LOW_CLOSE, Kernel, engine};
use super::spec::{IndicatorSpec, bars};
use super::window::RollingPair;

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "ultosc",
    aliases: &["ultoscindicator", "ultimateoscillator"],
    parameters: &[
        bars("short_period", "bars of the span with weight 4", 1, 100, 7),
        bars("medium_period", "bars of the span with weight 2", 1, 200, 14),
        bars("long_period", "bars of the span with weight 1", 1, 400, 28),
    ],
    outputs: &[],
    needs_volume: false,
    formula: "r(n) = sum of (close - min(low, previous close)) over sum of true range, both over n bars; 100 (4 r(short) + \
              2 r(medium) + r(long))/7; undefined where a span has not moved; first value at row max(periods)",
    source: "Williams (1985); TA-Lib ULTOSC, which sorts the periods and skips a span that has not moved",
    warm_up: |parameters| {
        ["short_period", "medium_period", "long_period"].iter().map(|name| parameters.count(name)).max().unwrap_or(0)
    },
    start: |parameters| {
        let spans =
            ["short_period", "medium_period", "long_period"].map(|name| RollingPair::new(parameters.count(name)));
        engine(HIGH_LOW_CLOSE, Ultimate { close: f64::NAN, spans })
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Ultimate {
    close: f64,
    /// Buying pressure and true range of each span.
    spans: [RollingPair; 3],
}

impl Kernel<Bar, 1> for Ultimate {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let previous = std::mem::replace(&mut self.close, bar.close);
        if previous.is_nan() {
            return [f64::NAN];
        }
        let pressure = bar.close - bar.low.min(previous);
        let range = true_range(&bar, previous);
        let [short, medium, long] = self.spans.each_mut().map(|span| {
            let [pressure, range] = span.push([pressure, range]);
            pressure / range
        });
        [100.0 * ((4.0 * short + 2.0 * medium + long) / 7.0)]
    }
}
