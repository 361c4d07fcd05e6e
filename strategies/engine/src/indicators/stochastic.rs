//! Stochastic oscillator (slow).

use serde::{Deserialize, Serialize};

use super::extremes::RollingRange;
use super::kernel::{Bar, Kernel, Scratch, engine};
use super::reader::{BarRows, HIGH_LOW_CLOSE, Rows, part, part_mut};
use super::spec::{IndicatorSpec, bars};
use super::window::RollingSum;

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "stochastic",
    aliases: &["stochasticindicator"],
    parameters: &[
        bars("k_period", "bars of the high-low window", 1, 100, 14),
        bars("d_period", "bars of the mean of k", 1, 20, 3),
        bars("smooth_k", "bars of the mean of the raw value", 1, 20, 3),
    ],
    outputs: &["k", "d"],
    needs_volume: false,
    formula: "raw = 100 (close - lowest low)/(highest high - lowest low) over k_period; k = mean of the last smooth_k raw \
              values, d = mean of the last d_period k; both start with d; while a window without range is among the raw \
              values both are undefined",
    source: "Lane; TA-Lib STOCH with simple means, but undefined instead of 0 where there is no range",
    warm_up: |parameters| {
        (parameters.count("k_period") + parameters.count("smooth_k") + parameters.count("d_period"))
            .saturating_sub(3)
    },
    start: |parameters| {
        let kernel = Stochastic {
            window: RollingRange::new(parameters.count("k_period")),
            k: RollingSum::new(parameters.count("smooth_k")),
            d: RollingSum::new(parameters.count("d_period")),
            defined_in: 0,
            needed: parameters.count("smooth_k") + parameters.count("d_period"),
        };
        engine(HIGH_LOW_CLOSE, kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Stochastic {
    window: RollingRange,
    k: RollingSum,
    d: RollingSum,
    /// Rows since the last one without a raw value.
    defined_in: usize,
    /// Raw values that both means together need, plus one.
    needed: usize,
}

impl Kernel<Bar, 2> for Stochastic {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 2] {
        let (highest, lowest) = self.window.push(bar.high, bar.low);
        self.smooth(raw(highest, lowest, bar.close))
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        [k, d]: [&mut [f64]; 2],
        [lowest, one, other, _]: &mut Scratch,
    ) {
        let lowest = part_mut(lowest, k.len());
        self.window.block(run, from, [k, lowest], [one, other]);
        for ((cell, lowest), close) in k
            .iter_mut()
            .zip(lowest)
            .zip(part(run.close, from..run.len()))
        {
            *cell = raw(*cell, *lowest, *close);
        }
        for (k, d) in k.iter_mut().zip(d) {
            [*k, *d] = self.smooth(*k);
        }
    }
}

/// The raw value; not finite without a range.
#[inline(always)]
fn raw(highest: f64, lowest: f64, close: f64) -> f64 {
    let range = highest - lowest;
    let raw = 100.0 * ((close - lowest) / range);
    if range > 0.0 { raw } else { f64::NAN }
}

impl Stochastic {
    #[inline(always)]
    fn smooth(&mut self, raw: f64) -> [f64; 2] {
        let defined = raw.is_finite();
        self.defined_in = if defined { self.defined_in + 1 } else { 0 };
        // A zero stands in for an undefined value; nothing is shown until the means no longer hold
        // it.
        let k = self.k.mean(if defined { raw } else { 0.0 });
        let d = self.d.mean(if k.is_nan() { 0.0 } else { k });
        if self.defined_in + 1 < self.needed {
            [f64::NAN; 2]
        } else {
            [k, d]
        }
    }
}
