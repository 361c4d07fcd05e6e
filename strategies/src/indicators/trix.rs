//! TRIX: the rate of change of a triple exponential average.

use serde::{Deserialize, Serialize};

use super::average::SeededAverage;
use super::kernel::{Kernel, engine};
use super::spec::{IndicatorSpec, SOURCE, period};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "trix",
    aliases: &["trixindicator"],
    parameters: &[period(1, 100, 15), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "e = EMA of the EMA of the EMA, each over n and seeded with a simple mean; 100 (e[i]/e[i-1] - 1); first value at \
              row 3(n-1)+1",
    source: "Hutson; TA-Lib TRIX",
    warm_up: |parameters| 3 * parameters.count("period").saturating_sub(1) + 1,
    start: |parameters| {
        let average = SeededAverage::exponential(parameters.count("period"));
        let kernel = Trix { averages: std::array::from_fn(|_| average.clone()), before: f64::NAN };
        engine(parameters.source(), kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Trix {
    averages: [SeededAverage; 3],
    before: f64,
}

impl Kernel<f64, 1> for Trix {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let smooth = self.averages.iter_mut().fold(value, |value, average| average.push_defined(value));
        let before = std::mem::replace(&mut self.before, smooth);
        [100.0 * ((smooth - before) / before)]
    }
}
