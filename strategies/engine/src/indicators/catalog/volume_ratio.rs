//! Volume against its own mean.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::RollingFlow;
use crate::indicators::engine::{IndicatorSpec, Kernel, Source, period, run_steps};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "volumeratio",
    aliases: &["volumeratioindicator"],
    parameters: &[period(2, 100, 20)],
    outputs: &[],
    needs_volume: true,
    formula: "volume over its mean of the last n bars, 1 where that mean is at most 1e-10; first \
              value at row n-1",
    source: "a plain ratio",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let period = parameters.count("period");
        let kernel = VolumeRatio {
            window: RollingFlow::new(period),
            period: period as f64,
        };
        run_steps(Source::Volume, kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct VolumeRatio {
    window: RollingFlow,
    period: f64,
}

impl Kernel<f64, 1> for VolumeRatio {
    #[inline(always)]
    fn step(&mut self, volume: f64) -> [f64; 1] {
        let mean = self.window.push(volume) / self.period;
        [if mean.abs() <= 1e-10 {
            1.0
        } else {
            volume / mean
        }]
    }
}
