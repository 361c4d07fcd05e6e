//! TRIX: the rate of change of a triple exponential average.

use serde::{Deserialize, Serialize};

use super::average::SeededAverage;
use super::kernel::{Kernel, Scratch, engine};
use super::reader::{part, part_mut};
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
        let kernel = Trix {
            averages: std::array::from_fn(|_| average.clone()),
            before: f64::NAN,
        };
        engine(parameters.source(), kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Trix {
    averages: [SeededAverage; 3],
    before: f64,
}

#[inline(always)]
fn change(smooth: f64, before: f64) -> f64 {
    100.0 * ((smooth - before) / before)
}

impl Kernel<f64, 1> for Trix {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let [first, second, third] = &mut self.averages;
        let once = first.push(value);
        let twice = second.push_from(first, once);
        let smooth = third.push_from(second, twice);
        [change(smooth, std::mem::replace(&mut self.before, smooth))]
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: &[f64],
        from: usize,
        cells: [&mut [f64]; 1],
        [once, twice, smooth, _]: &mut Scratch,
    ) {
        let [first, second, third] = &mut self.averages;
        if !third.is_seeded() {
            return self.steps(run, from, cells);
        }
        let [cells] = cells;
        let (once, twice) = (part_mut(once, cells.len()), part_mut(twice, cells.len()));
        first.block(part(run, from..run.len()), once);
        second.block(once, twice);
        let (before, rest) = smooth.split_at_mut(1);
        before.fill(self.before);
        third.block(twice, part_mut(rest, cells.len()));
        for ((cell, before), smooth) in cells
            .iter_mut()
            .zip(&*smooth)
            .zip(part(smooth, 1..smooth.len()))
        {
            *cell = change(*smooth, *before);
        }
        self.before = smooth.get(cells.len()).copied().unwrap_or(f64::NAN);
    }
}
