//! Relative strength index.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::{SeededAverage, larger_of};
use crate::indicators::engine::{
    BlockKernel, IndicatorSpec, Kernel, SOURCE, Scratch, first_mut, period, run_blocks, slice_of,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "rsi",
    aliases: &["rsiindicator"],
    parameters: &[period(2, 100, 14), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "100 gain/(gain+loss), gain and loss being Wilder averages of rises and falls from \
              the bar before, seeded at row n with the means of the first n; 50 while nothing has \
              moved",
    source: "Wilder (1978); TA-Lib RSI, but for 50 instead of 0 on a series that never moved",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| {
        let average = SeededAverage::wilder(parameters.count("period"));
        let kernel = Rsi {
            previous: f64::NAN,
            gain: average.clone(),
            loss: average,
        };
        run_blocks(parameters.source(), kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Rsi {
    previous: f64,
    gain: SeededAverage,
    loss: SeededAverage,
}

impl Kernel<f64, 1> for Rsi {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let change = value - std::mem::replace(&mut self.previous, value);
        if change.is_nan() {
            return [f64::NAN];
        }
        let gain = self.gain.push(larger_of(change, 0.0));
        let loss = self.loss.push(larger_of(-change, 0.0));
        [gain_share(gain, loss)]
    }
}

/// Without it: 2.29 ns per row instead of 0.99.
impl BlockKernel<f64, 1> for Rsi {
    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.gain.is_seeded() && self.loss.is_seeded()
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: &[f64],
        from: usize,
        [cells]: [&mut [f64]; 1],
        [rises, falls, gains, losses]: &mut Scratch,
    ) {
        let rows = cells.len();
        let gains = first_mut(gains, rows);
        let losses = first_mut(losses, rows);

        let values = slice_of(run, from..run.len());
        let previous = slice_of(run, from - 1..run.len());
        let changes = rises.iter_mut().zip(&mut *falls);
        for ((rise, fall), (value, previous)) in changes.zip(values.iter().zip(previous)) {
            let change = value - previous;
            *rise = larger_of(change, 0.0);
            *fall = larger_of(-change, 0.0);
        }

        self.gain.fill(rises, gains);
        self.loss.fill(falls, losses);
        for ((cell, gain), loss) in cells.iter_mut().zip(gains).zip(losses) {
            *cell = gain_share(*gain, *loss);
        }
    }
}

/// The gains' share of all movement, in percent.
#[inline(always)]
fn gain_share(gain: f64, loss: f64) -> f64 {
    if gain + loss == 0.0 {
        50.0
    } else {
        100.0 * (gain / (gain + loss))
    }
}
