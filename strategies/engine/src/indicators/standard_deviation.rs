//! Standard deviation over the last n values.

use serde::{Deserialize, Serialize};

use super::kernel::{Kernel, Scratch, engine};
use super::moments::RollingMoments;
use super::spec::{IndicatorSpec, SOURCE, ddof, period};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "stddev",
    aliases: &["stddevindicator", "standarddeviation"],
    parameters: &[period(2, 500, 20), SOURCE, ddof(0)],
    outputs: &[],
    needs_volume: false,
    formula: "square root of the mean squared distance from the mean of the last n, divisor n - ddof; first value at row n-1",
    source: "TA-Lib STDDEV",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let window =
            RollingMoments::new(parameters.count("period"), parameters.count("ddof") as f64);
        engine(parameters.source(), Deviation { window })
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Deviation {
    window: RollingMoments,
}

impl Kernel<f64, 1> for Deviation {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        [self.window.push(value).1]
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: &[f64],
        from: usize,
        [cells]: [&mut [f64]; 1],
        [means, ..]: &mut Scratch,
    ) {
        self.window.block(run, from, means, cells);
    }
}
