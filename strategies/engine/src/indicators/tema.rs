//! Triple exponential moving average.

use serde::{Deserialize, Serialize};

use super::average::SeededAverage;
use super::kernel::{Kernel, Scratch, engine};
use super::reader::{part, part_mut};
use super::spec::{IndicatorSpec, SOURCE, period};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "tema",
    aliases: &["temaindicator"],
    parameters: &[period(2, 500, 20), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "3 a - 3 b + c, a = EMA(x), b = EMA(a), c = EMA(b), all over n and seeded with a simple mean; first value at row \
              3(n-1)",
    source: "Mulloy (1994); TA-Lib TEMA",
    warm_up: |parameters| 3 * parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let average = SeededAverage::exponential(parameters.count("period"));
        engine(
            parameters.source(),
            Tema([average.clone(), average.clone(), average]),
        )
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Tema([SeededAverage; 3]);

impl Kernel<f64, 1> for Tema {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let [first, second, third] = &mut self.0;
        let once = first.push(value);
        let twice = second.push_from(first, once);
        [3.0 * once - 3.0 * twice + third.push_from(second, twice)]
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: &[f64],
        from: usize,
        cells: [&mut [f64]; 1],
        [once, twice, ..]: &mut Scratch,
    ) {
        let [first, second, third] = &mut self.0;
        if !third.is_seeded() {
            return self.steps(run, from, cells);
        }
        let [cells] = cells;
        let (once, twice) = (part_mut(once, cells.len()), part_mut(twice, cells.len()));
        first.block(part(run, from..run.len()), once);
        second.block(once, twice);
        third.block(twice, cells);
        for ((cell, once), twice) in cells.iter_mut().zip(once).zip(twice) {
            *cell += 3.0 * *once - 3.0 * *twice;
        }
    }
}
