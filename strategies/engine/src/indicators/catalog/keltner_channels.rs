//! Keltner channels.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::{FirstSeeded, RollingFlow, true_range};
use crate::indicators::engine::{
    Bar, HIGH_LOW_CLOSE, IndicatorSpec, Kernel, above, bars, period, run_steps,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
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
    formula: "middle = exponential average of the close that starts at its first value, from row \
              0; bands = middle +- multiplier times the mean true range of atr_period bars, from \
              row atr_period-1, row 0 counting high - low",
    source: "Raschke's form of Keltner (1960), with a simple mean of true ranges",
    warm_up: |parameters| parameters.count("atr_period").saturating_sub(1),
    start: |parameters| {
        let kernel = Keltner::new(
            parameters.count("period"),
            parameters.count("atr_period"),
            parameters.number("multiplier"),
        );
        run_steps(HIGH_LOW_CLOSE, kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Keltner {
    close: f64,
    middle: FirstSeeded,
    ranges: RollingFlow,
    /// Multiplier over the period of the ranges, which turns their sum into the half width.
    width_share: f64,
}

impl Keltner {
    pub(crate) fn new(period: usize, atr_period: usize, multiplier: f64) -> Self {
        Self {
            close: f64::NAN,
            middle: FirstSeeded::new(period),
            ranges: RollingFlow::new(atr_period),
            width_share: multiplier / atr_period as f64,
        }
    }
}

impl Kernel<Bar, 3> for Keltner {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 3] {
        let previous_close = std::mem::replace(&mut self.close, bar.close);
        let middle = self.middle.push(bar.close);
        let range_sum = self.ranges.push(true_range(&bar, previous_close));

        let width = self.width_share * range_sum;
        [middle + width, middle, middle - width]
    }
}
