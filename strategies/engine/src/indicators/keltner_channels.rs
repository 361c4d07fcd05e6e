//! Keltner channels.

use serde::{Deserialize, Serialize};

use super::average::{FirstSeeded, true_range};
use super::kernel::{Bar, Kernel, engine};
use super::reader::HIGH_LOW_CLOSE;
use super::spec::{IndicatorSpec, above, bars, period};
use super::window::RollingFlow;

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "keltnerchannels",
    aliases: &["keltnerchannelsindicator"],
    parameters: &[
        period(2, 500, 20),
        bars("atr_period", "bars of the mean true range", 2, 200, 10),
        above(
            "multiplier",
            "true ranges between the middle and a band",
            0.0,
            10.0,
            2.0,
        ),
    ],
    outputs: &["upper", "middle", "lower"],
    needs_volume: false,
    formula: "middle = exponential average of the close that starts at its first value, from row 0; bands = middle +- \
              multiplier times the mean true range of atr_period bars, from row atr_period-1, row 0 counting high - low",
    source: "Raschke's form of Keltner (1960), with a simple mean of true ranges",
    warm_up: |parameters| parameters.count("atr_period").saturating_sub(1),
    start: |parameters| {
        let multiplier = parameters.number("multiplier");
        engine(
            HIGH_LOW_CLOSE,
            Keltner::new(
                parameters.count("period"),
                parameters.count("atr_period"),
                multiplier,
            ),
        )
    },
};

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Keltner {
    close: f64,
    middle: FirstSeeded,
    ranges: RollingFlow,
    /// Multiplier over the period of the ranges.
    share: f64,
}

impl Keltner {
    pub(super) fn new(period: usize, atr_period: usize, multiplier: f64) -> Self {
        let (middle, ranges) = (FirstSeeded::new(period), RollingFlow::new(atr_period));
        Self {
            close: f64::NAN,
            middle,
            ranges,
            share: multiplier / atr_period as f64,
        }
    }
}

impl Kernel<Bar, 3> for Keltner {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 3] {
        let previous = std::mem::replace(&mut self.close, bar.close);
        let middle = self.middle.push(bar.close);
        let width = self.share * self.ranges.push(true_range(&bar, previous));
        [middle + width, middle, middle - width]
    }
}
