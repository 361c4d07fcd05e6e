//! Supertrend: a band of true ranges that trails the price.

use serde::{Deserialize, Serialize};

use super::average::true_range;
use super::kernel::{Bar, Kernel, engine};
use super::reader::HIGH_LOW_CLOSE;
use super::spec::{IndicatorSpec, above, period};
use super::window::RollingSum;

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "supertrend",
    aliases: &["supertrendindicator"],
    parameters: &[
        period(2, 200, 10),
        above(
            "multiplier",
            "true ranges between the middle and a band",
            0.0,
            10.0,
            3.0,
        ),
    ],
    outputs: &["trend", "direction"],
    needs_volume: false,
    formula: "bands = (high + low)/2 +- multiplier times the mean true range of n bars; the upper one only falls while the \
              close stays below it, the lower one only rises while the close stays above; direction starts at 1, is -1 from \
              a close at or below the lower band, 1 again from one at or above the upper; trend = lower band while 1, \
              upper while -1; both from row n-1, row 0 counting high - low as its true range",
    source: "Seban, with a simple mean of true ranges",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let kernel = Supertrend {
            close: f64::NAN,
            ranges: RollingSum::new(parameters.count("period")),
            multiplier: parameters.number("multiplier"),
            bands: None,
            rising: true,
        };
        engine(HIGH_LOW_CLOSE, kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Supertrend {
    close: f64,
    ranges: RollingSum,
    multiplier: f64,
    /// Final upper and lower band of the bar before.
    bands: Option<(f64, f64)>,
    rising: bool,
}

impl Kernel<Bar, 2> for Supertrend {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 2] {
        let previous = std::mem::replace(&mut self.close, bar.close);
        let width = self.multiplier * self.ranges.mean(true_range(&bar, previous));
        if width.is_nan() {
            return [f64::NAN; 2];
        }
        let middle = (bar.high + bar.low) / 2.0;
        let (mut upper, mut lower) = (middle + width, middle - width);
        if let Some((upper_before, lower_before)) = self.bands {
            if upper >= upper_before && previous <= upper_before {
                upper = upper_before;
            }
            if lower <= lower_before && previous >= lower_before {
                lower = lower_before;
            }
            self.rising = if self.rising {
                bar.close > lower
            } else {
                bar.close >= upper
            };
        }
        self.bands = Some((upper, lower));
        if self.rising {
            [lower, 1.0]
        } else {
            [upper, -1.0]
        }
    }
}
