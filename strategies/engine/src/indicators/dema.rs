//! Double exponential moving average.

use serde::{Deserialize, Serialize};

use super::average::SeededAverage;
use super::kernel::{Kernel, Scratch, engine};
use super::reader::{part, part_mut};
use super::spec::{IndicatorSpec, SOURCE, period};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "dema",
    aliases: &["demaindicator"],
    parameters: &[period(2, 500, 20), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "2 e - EMA(e), e = EMA(x), both over n and seeded with a simple mean; first value at row 2(n-1)",
    source: "Mulloy (1994); TA-Lib DEMA",
    warm_up: |parameters| 2 * parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let average = SeededAverage::exponential(parameters.count("period"));
        engine(parameters.source(), Dema([average.clone(), average]))
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Dema([SeededAverage; 2]);

impl Kernel<f64, 1> for Dema {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let [first, second] = &mut self.0;
        let once = first.push(value);
        [2.0 * once - second.push_from(first, once)]
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: &[f64],
        from: usize,
        cells: [&mut [f64]; 1],
        [once, ..]: &mut Scratch,
    ) {
        let [first, second] = &mut self.0;
        if !second.is_seeded() {
            return self.steps(run, from, cells);
        }
        let [cells] = cells;
        let once = part_mut(once, cells.len());
        first.block(part(run, from..run.len()), once);
        second.block(once, cells);
        for (cell, once) in cells.iter_mut().zip(once) {
            *cell = 2.0 * *once - *cell;
        }
    }
}
