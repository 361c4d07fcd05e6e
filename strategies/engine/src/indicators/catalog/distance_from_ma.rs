//! Distance of the price from its moving average, in percent.

use serde::{Deserialize, Serialize};

use super::ema::Adjusted;
use super::sma::Sma;
use crate::indicators::engine::{IndicatorSpec, Kernel, SOURCE, choice, period, run_steps};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "distancefromma",
    aliases: &["distancefrommaindicator"],
    parameters: &[
        period(1, 200, 20),
        choice(
            "ma_type",
            "the average: simple, or the exponentially weighted mean of the whole history",
            &["sma", "ema"],
            "sma",
        ),
        SOURCE,
    ],
    outputs: &[],
    needs_volume: false,
    formula: "100 (x - m)/m, m = simple mean of the last n from row n-1, or adjusted exponential \
              mean from row 0; 0 where |m| is at most 1e-10",
    source: "the averages of sma and of ema with adjust: true",
    warm_up: |parameters| match parameters.choice("ma_type") {
        "ema" => 0,
        _ => parameters.count("period").saturating_sub(1),
    },
    start: |parameters| {
        let source = parameters.source();
        let period = parameters.count("period");
        match parameters.choice("ma_type") {
            "ema" => run_steps(source, Distance(Adjusted::new(period))),
            _ => run_steps(source, Distance(Sma::new(period))),
        }
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Distance<Average>(Average);

impl<Average: Kernel<f64, 1>> Kernel<f64, 1> for Distance<Average> {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let [mean] = self.0.step(value);
        [if mean.abs() <= 1e-10 {
            0.0
        } else {
            100.0 * (value - mean) / mean
        }]
    }
}
