//! Linearly weighted moving average.

use super::kernel::{Kernel, engine};
use super::spec::{IndicatorSpec, SOURCE, period};
use super::window::RollingSum;

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "wma",
    aliases: &["weightedmovingaverage"],
    parameters: &[period(2, 500, 20), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "mean of the last n values with weights 1..n, the newest having n; first value at row n-1",
    source: "TA-Lib WMA",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| engine(parameters.source(), Wma::new(parameters.count("period"))),
};

#[derive(Clone)]
struct Wma {
    period: f64,
    values: RollingSum,
    total: f64,
    weighted: f64,
}

impl Wma {
    fn new(period: usize) -> Self {
        Self { period: period as f64, values: RollingSum::new(period), total: f64::NAN, weighted: f64::NAN }
    }
}

impl Kernel<f64, 1> for Wma {
    /// Every weight falls by one (minus the old total), the new value comes with weight n.
    #[inline]
    fn step(&mut self, value: f64) -> [f64; 1] {
        self.weighted += self.period * value - self.total;
        self.total = self.values.push(value);
        if let Some(window) = self.values.turned() {
            self.weighted = (1..).zip(window).map(|(weight, value)| f64::from(weight) * value).sum();
        }
        [self.weighted / (self.period * (self.period + 1.0) / 2.0)]
    }
}
