//! Relative strength index.

use serde::{Deserialize, Serialize};

use super::average::SeededAverage;
use super::kernel::{Kernel, Scratch, engine};
use super::reader::{part, part_mut};
use super::spec::{IndicatorSpec, SOURCE, period};
use super::window::larger;

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "rsi",
    aliases: &["rsiindicator"],
    parameters: &[period(2, 100, 14), SOURCE],
    outputs: &[],
    needs_volume: false,
    formula: "100 gain/(gain+loss), gain and loss being Wilder averages of rises and falls from the bar before, seeded \
              at row n with the means of the first n; 50 while nothing has moved",
    source: "Wilder (1978); TA-Lib RSI, but for 50 instead of 0 on a series that never moved",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| {
        let average = SeededAverage::wilder(parameters.count("period"));
        engine(
            parameters.source(),
            Rsi {
                previous: f64::NAN,
                gain: average.clone(),
                loss: average,
            },
        )
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Rsi {
    previous: f64,
    gain: SeededAverage,
    loss: SeededAverage,
}

#[inline(always)]
fn share(gain: f64, loss: f64) -> [f64; 1] {
    [if gain + loss == 0.0 {
        50.0
    } else {
        100.0 * (gain / (gain + loss))
    }]
}

impl Kernel<f64, 1> for Rsi {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let change = value - std::mem::replace(&mut self.previous, value);
        if change.is_nan() {
            return [f64::NAN];
        }
        share(
            self.gain.push(larger(change, 0.0)),
            self.loss.push(larger(-change, 0.0)),
        )
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: &[f64],
        from: usize,
        [cells]: [&mut [f64]; 1],
        [rises, falls, gains, losses]: &mut Scratch,
    ) {
        // Row 0 has no bar before it.
        let (undefined, cells) = cells.split_at_mut(usize::from(from == 0).min(cells.len()));
        undefined.fill(f64::NAN);
        let first = from + undefined.len();
        let pairs = part(run, first..run.len())
            .iter()
            .zip(part(run, first.saturating_sub(1)..run.len()));
        for ((rise, fall), (value, before)) in rises.iter_mut().zip(&mut *falls).zip(pairs) {
            let change = value - before;
            (*rise, *fall) = (larger(change, 0.0), larger(-change, 0.0));
        }
        let (gains, losses) = (part_mut(gains, cells.len()), part_mut(losses, cells.len()));
        self.gain.block(rises, gains);
        self.loss.block(falls, losses);
        for ((cell, gain), loss) in cells.iter_mut().zip(gains).zip(losses) {
            [*cell] = share(*gain, *loss);
        }
    }
}
