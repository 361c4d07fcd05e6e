//! Supertrend: a band of true ranges that trails the price.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::{RollingSum, true_range};
use crate::indicators::engine::{
    Bar, HIGH_LOW_CLOSE, IndicatorSpec, Kernel, above, period, run_steps,
};
use crate::ties::{is_above, reaches};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
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
    formula: "bands = (high + low)/2 +- multiplier times the mean true range of n bars; the upper \
              one only falls while the close stays below it, the lower one only rises while the \
              close stays above; direction starts at 1, is -1 from a close at or below the lower \
              band, 1 again from one at or above the upper; trend = lower band while 1, upper \
              while -1; both from row n-1, row 0 counting high - low as its true range",
    source: "Seban, with a simple mean of true ranges",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let kernel = Supertrend {
            close: f64::NAN,
            ranges: RollingSum::new(parameters.count("period")),
            multiplier: parameters.number("multiplier"),
            bands: None,
            is_rising: true,
        };
        run_steps(HIGH_LOW_CLOSE, kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Supertrend {
    close: f64,
    ranges: RollingSum,
    multiplier: f64,
    /// Of the bar before.
    bands: Option<Bands>,
    is_rising: bool,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Bands {
    upper: f64,
    lower: f64,
}

impl Kernel<Bar, 2> for Supertrend {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 2] {
        let previous_close = std::mem::replace(&mut self.close, bar.close);
        let range = self.ranges.push_mean(true_range(&bar, previous_close));
        let width = self.multiplier * range;
        if width.is_nan() {
            return [f64::NAN; 2];
        }

        let middle = (bar.high + bar.low) / 2.0;
        let mut bands = Bands {
            upper: middle + width,
            lower: middle - width,
        };
        if let Some(before) = self.bands {
            // A band has the rounding of the prices in its ranges, as often as the multiplier says.
            let scale = (bar.high.abs() + bar.low.abs()) * (1.0 + self.multiplier);
            // A band only moves towards the price, until the close has crossed it.
            if reaches(bands.upper, before.upper, scale)
                && reaches(before.upper, previous_close, scale)
            {
                bands.upper = before.upper;
            }
            if reaches(before.lower, bands.lower, scale)
                && reaches(previous_close, before.lower, scale)
            {
                bands.lower = before.lower;
            }

            self.is_rising = if self.is_rising {
                is_above(bar.close, bands.lower, scale)
            } else {
                reaches(bar.close, bands.upper, scale)
            };
        }
        self.bands = Some(bands);

        if self.is_rising {
            [bands.lower, 1.0]
        } else {
            [bands.upper, -1.0]
        }
    }
}
