//! Average true range in percent of the close.

use serde::{Deserialize, Serialize};

use super::atr::Wilder;
use super::kernel::{Bar, Kernel, Scratch, engine};
use super::reader::{BarRows, HIGH_LOW_CLOSE, Rows, gap, part};
use super::spec::{IndicatorSpec, period};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "natr",
    aliases: &["natrindicator"],
    parameters: &[period(1, 100, 14)],
    outputs: &[],
    needs_volume: false,
    formula: "100 atr/close, Wilder's atr; first value at row n",
    source: "Forman; TA-Lib NATR",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| {
        engine(
            HIGH_LOW_CLOSE,
            Natr(Wilder::new(parameters.count("period"))),
        )
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Natr(Wilder);

impl Kernel<Bar, 1> for Natr {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let [atr] = self.0.step(bar);
        [100.0 * (atr / bar.close)]
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        [cells]: [&mut [f64]; 1],
        scratch: &mut Scratch,
    ) {
        self.0.block(run, from, [&mut *cells], scratch);
        in_percent(cells, part(run.close, from..run.len()));
    }

    const UNSEEN: usize = Wilder::UNSEEN;

    #[inline(always)]
    fn unseen_block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        [cells]: [&mut [f64]; 1],
        scratch: &mut Scratch,
    ) -> bool {
        let before = self.0.clone();
        let finite = self.0.unseen_block(run, from, [&mut *cells], scratch)
            && in_percent(cells, part(run.close, from..run.len())) == 0;
        if !finite {
            self.0 = before;
        }
        finite
    }
}

/// Divides every range by its close; how many of the quotients are not finite.
#[inline(always)]
fn in_percent(ranges: &mut [f64], close: &[f64]) -> u64 {
    let mut undefined = 0;
    for (range, close) in ranges.iter_mut().zip(close) {
        *range = 100.0 * (*range / close);
        undefined += gap(*range);
    }
    undefined
}
