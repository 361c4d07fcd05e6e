//! Stochastic oscillator (slow).

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::{RollingRange, RollingSum};
use crate::indicators::engine::{
    Bar, BarRows, BlockKernel, HIGH_LOW_CLOSE, IndicatorSpec, Kernel, Rows, Scratch, bars,
    first_mut, run_blocks, slice_of,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "stochastic",
    aliases: &["stochasticindicator"],
    parameters: &[
        bars("k_period", "bars of the high-low window", 1, 100, 14),
        bars("d_period", "bars of the mean of k", 1, 20, 3),
        bars("smooth_k", "bars of the mean of the raw value", 1, 20, 3),
    ],
    outputs: &["k", "d"],
    needs_volume: false,
    formula: "raw = 100 (close - lowest low)/(highest high - lowest low) over k_period; k = mean \
              of the last smooth_k raw values, d = mean of the last d_period k; both start with d; \
              while a window without range is among the raw values both are undefined",
    source: "Lane; TA-Lib STOCH with simple means, but undefined instead of 0 where there is no \
             range",
    warm_up: |parameters| {
        (parameters.count("k_period") + parameters.count("smooth_k") + parameters.count("d_period"))
            .saturating_sub(3)
    },
    start: |parameters| {
        let kernel = Stochastic {
            window: RollingRange::new(parameters.count("k_period")),
            k: RollingSum::new(parameters.count("smooth_k")),
            d: RollingSum::new(parameters.count("d_period")),
            defined: 0,
            needed: parameters.count("smooth_k") + parameters.count("d_period") - 1,
        };
        run_blocks(HIGH_LOW_CLOSE, kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Stochastic {
    window: RollingRange,
    k: RollingSum,
    d: RollingSum,
    /// How many of the last raw values were defined without a break.
    defined: usize,
    /// Raw values that both means together need.
    needed: usize,
}

impl Kernel<Bar, 2> for Stochastic {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 2] {
        let range = self.window.push(bar.high, bar.low);
        let raw = position_in_range(range.highest, range.lowest, bar.close);
        self.push_raw(raw)
    }
}

/// Without it: 6.64 ns per row instead of 4.15.
impl BlockKernel<Bar, 2> for Stochastic {
    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.window.is_full()
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        [k, d]: [&mut [f64]; 2],
        [lowest, one, other, _]: &mut Scratch,
    ) {
        // The column of k holds the highest highs first, then the raw values.
        let lowest = first_mut(lowest, k.len());
        self.window.fill(run, from, k, lowest, [one, other]);

        let closes = slice_of(run.close, from..run.len());
        for ((cell, lowest), close) in k.iter_mut().zip(lowest).zip(closes) {
            *cell = position_in_range(*cell, *lowest, *close);
        }

        for (k, d) in k.iter_mut().zip(d) {
            [*k, *d] = self.push_raw(*k);
        }
    }
}

/// Where the close lies in the range, in percent; NaN without a range.
#[inline(always)]
fn position_in_range(highest: f64, lowest: f64, close: f64) -> f64 {
    let range = highest - lowest;
    // Divided before the range is looked at, so that four rows can be divided at once.
    let position = 100.0 * ((close - lowest) / range);
    if range > 0.0 { position } else { f64::NAN }
}

impl Stochastic {
    /// Takes a raw value; returns k and d.
    #[inline(always)]
    fn push_raw(&mut self, raw: f64) -> [f64; 2] {
        let is_defined = raw.is_finite();
        self.defined = if is_defined { self.defined + 1 } else { 0 };

        // An undefined value counts as zero; nothing is shown until the means no longer hold it.
        let k = self.k.push_mean(if is_defined { raw } else { 0.0 });
        let d = self.d.push_mean(if k.is_nan() { 0.0 } else { k });
        if self.defined < self.needed {
            [f64::NAN; 2]
        } else {
            [k, d]
        }
    }
}
