//! TRIX: the rate of change of a triple exponential average.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::SeededAverage;
use crate::indicators::engine::{
    BlockKernel, IndicatorSpec, Kernel, SOURCE, Scratch, first_mut, period, run_blocks, slice_of,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "trix",
    aliases: &["trixindicator"],
    parameters: &[period(1, 100, 15), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "e = EMA of the EMA of the EMA, each over n and seeded with a simple mean; 100 \
              (e[i]/e[i-1] - 1); first value at row 3(n-1)+1",
    source: "Hutson; TA-Lib TRIX",
    warm_up: |parameters| 3 * parameters.count("period").saturating_sub(1) + 1,
    start: |parameters| {
        let average = SeededAverage::exponential(parameters.count("period"));
        let kernel = Trix {
            first: average.clone(),
            second: average.clone(),
            third: average,
            previous: f64::NAN,
        };
        run_blocks(parameters.source(), kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Trix {
    first: SeededAverage,
    second: SeededAverage,
    third: SeededAverage,
    /// The third average one bar before.
    previous: f64,
}

#[inline(always)]
fn rate_of_change(smooth: f64, previous: f64) -> f64 {
    100.0 * ((smooth - previous) / previous)
}

impl Kernel<f64, 1> for Trix {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let once = self.first.push(value);
        let twice = self.second.push_from(&self.first, once);
        let smooth = self.third.push_from(&self.second, twice);
        let previous = std::mem::replace(&mut self.previous, smooth);
        [rate_of_change(smooth, previous)]
    }
}

/// Without it: 4.42 ns per row instead of 1.11.
impl BlockKernel<f64, 1> for Trix {
    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.third.is_seeded()
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: &[f64],
        from: usize,
        [cells]: [&mut [f64]; 1],
        [once, twice, smooth, _]: &mut Scratch,
    ) {
        let rows = cells.len();
        let once = first_mut(once, rows);
        let twice = first_mut(twice, rows);
        self.first.fill(slice_of(run, from..run.len()), once);
        self.second.fill(once, twice);

        // The average before the block first, so that each row finds its predecessor.
        let (previous, rest) = smooth.split_at_mut(1);
        previous.fill(self.previous);
        self.third.fill(twice, first_mut(rest, rows));

        let pairs = smooth.iter().zip(slice_of(smooth, 1..smooth.len()));
        for (cell, (previous, smooth)) in cells.iter_mut().zip(pairs) {
            *cell = rate_of_change(*smooth, *previous);
        }
        self.previous = smooth.get(rows).copied().unwrap_or(f64::NAN);
    }
}
