//! Momentum: the change over n bars.

use serde::{Deserialize, Serialize};

use super::kernel::{BLOCK, Kernel, Scratch, engine};
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
    start: |parameters| {
        engine(
            parameters.source(),
            Momentum(Delay::new(parameters.count("period"))),
        )
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Momentum(Delay);

impl Kernel<f64, 1> for Momentum {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        [value - self.0.push(value)]
    }

    #[inline(always)]
    fn block(&mut self, run: &[f64], from: usize, [cells]: [&mut [f64]; 1], _: &mut Scratch) {
        self.0
            .block(run, from, cells, |value, before| value - before);
    }

    const UNSEEN: usize = 64 * BLOCK;

    #[inline(always)]
    fn unseen_block(
        &mut self,
        run: &[f64],
        from: usize,
        [cells]: [&mut [f64]; 1],
        _: &mut Scratch,
    ) -> bool {
        // A value is missing wherever its input is.
        self.0
            .block(run, from, cells, |value, before| value - before)
            == 0
    }
}
