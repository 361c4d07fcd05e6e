//! Momentum: the change over n bars.

use serde::{Deserialize, Serialize};

use super::kernel::{Kernel, engine};
use super::spec::{IndicatorSpec, SOURCE, period};
use super::window::Delay;

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "momentum",
    aliases: &["momentumindicator"],
    parameters: &[period(1, 100, 10), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "x[i] - x[i-n]; first value at row n",
    source: "TA-Lib MOM",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| engine(parameters.source(), Momentum(Delay::new(parameters.count("period")))),
};

#[derive(Clone, Serialize, Deserialize)]
struct Momentum(Delay);

impl Kernel<f64, 1> for Momentum {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        [value - self.0.push(value)]
    }

    fn whole(&self, values: &[f64], columns: &mut [Vec<f64>]) -> bool {
        columns.iter_mut().for_each(|cells| self.0.combine(values, cells, |value, before| value - before));
        true
    }
}
