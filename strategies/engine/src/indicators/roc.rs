//! Rate of change, in percent.

use serde::{Deserialize, Serialize};

use super::kernel::{BLOCK, Kernel, Scratch, engine};
use super::spec::{IndicatorSpec, SOURCE, period};
use super::window::Delay;

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "roc",
    aliases: &["rocindicator"],
    parameters: &[period(1, 100, 10), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "100 (x[i] - x[i-n]) / x[i-n]; undefined where x[i-n] is 0; first value at row n",
    source: "TA-Lib ROC, but undefined instead of 0 on a division by zero",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| {
        engine(
            parameters.source(),
            Roc(Delay::new(parameters.count("period"))),
        )
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Roc(Delay);

impl Kernel<f64, 1> for Roc {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let before = self.0.push(value);
        [change(value, before)]
    }

    #[inline(always)]
    fn block(&mut self, run: &[f64], from: usize, [cells]: [&mut [f64]; 1], _: &mut Scratch) {
        self.0.block(run, from, cells, change);
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
        self.0.block(run, from, cells, change) == 0
    }
}

#[inline(always)]
fn change(value: f64, before: f64) -> f64 {
    100.0 * ((value - before) / before)
}
