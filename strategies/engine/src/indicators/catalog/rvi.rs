//! Relative vigor index: where bars close against their open, in shares of their range.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::{PatchyMean, RollingFlow};
use crate::indicators::engine::{
    Bar, IndicatorSpec, Kernel, OPEN_HIGH_LOW_CLOSE, bars, period, run_steps,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "rvi",
    aliases: &["rviindicator"],
    parameters: &[
        period(4, 100, 10),
        bars("signal_period", "bars of the mean of the line", 1, 50, 4),
    ],
    outputs: &["rvi", "signal"],
    needs_volume: false,
    formula: "w(x) = (x[i-3] + 2 x[i-2] + 2 x[i-1] + x[i])/6; rvi = mean of w(close - open) over \
              mean of w(high - low), both over n bars, undefined where nothing has moved, from row \
              n+2; signal = mean of the last rvi, undefined while one of them is",
    source: "Ehlers (2002), with a simple mean as the signal",
    warm_up: |parameters| parameters.count("period") + parameters.count("signal_period") + 1,
    start: |parameters| {
        let period = parameters.count("period");
        let kernel = Rvi {
            bodies: [0.0; 3],
            ranges: [0.0; 3],
            bars: 0,
            body: RollingFlow::new(period),
            range: RollingFlow::new(period),
            signal: PatchyMean::new(parameters.count("signal_period")),
        };
        run_steps(OPEN_HIGH_LOW_CLOSE, kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Rvi {
    /// close − open of the last three bars, newest first.
    bodies: [f64; 3],
    /// high − low of the last three bars, newest first.
    ranges: [f64; 3],
    /// Bars so far, up to 3.
    bars: u8,
    body: RollingFlow,
    range: RollingFlow,
    signal: PatchyMean,
}

/// Takes the newest value in; returns the weighted mean of the last four.
#[inline(always)]
fn push_weighted_mean(last: &mut [f64; 3], newest: f64) -> f64 {
    let [one, two, three] = *last;
    *last = [newest, one, two];
    (three + 2.0 * two + 2.0 * one + newest) / 6.0
}

impl Kernel<Bar, 2> for Rvi {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 2] {
        let body = push_weighted_mean(&mut self.bodies, bar.close - bar.open);
        let range = push_weighted_mean(&mut self.ranges, bar.high - bar.low);
        // The weights span four bars, so the first three bars only fill their places.
        if self.bars < 3 {
            self.bars += 1;
            return [f64::NAN; 2];
        }

        let body_sum = self.body.push(body);
        let range_sum = self.range.push(range);
        // Both means divide by the same n, so the sums have the same ratio.
        let rvi = if range_sum == 0.0 {
            f64::NAN
        } else {
            body_sum / range_sum
        };
        [rvi, self.signal.push(rvi)]
    }
}
