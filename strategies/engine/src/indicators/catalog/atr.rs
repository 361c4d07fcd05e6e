//! Average true range.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::{RollingSum, SeededAverage, fill_true_ranges, true_range};
use crate::indicators::engine::{
    Bar, BarRows, BlockKernel, HIGH_LOW_CLOSE, IndicatorSpec, Kernel, Scratch, choice, first_mut,
    period, run_blocks, run_steps,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "atr",
    aliases: &["atrindicator"],
    parameters: &[
        period(1, 100, 14),
        choice(
            "smoothing",
            "how true ranges are averaged",
            &["wilder", "sma"],
            "wilder",
        ),
    ],
    outputs: &[],
    needs_volume: false,
    formula: "true range = max(high - low, |high - previous close|, |low - previous close|); \
              wilder: y + (x - y)/n from row n, seeded with the mean of rows 1..n; sma: mean of \
              the last n from row n-1, row 0 counting high - low",
    source: "Wilder (1978); TA-Lib ATR",
    warm_up: |parameters| match parameters.choice("smoothing") {
        "sma" => parameters.count("period").saturating_sub(1),
        _ => parameters.count("period"),
    },
    start: |parameters| {
        let period = parameters.count("period");
        match parameters.choice("smoothing") {
            "sma" => {
                let kernel = SimpleAtr {
                    close: f64::NAN,
                    ranges: RollingSum::new(period),
                };
                run_steps(HIGH_LOW_CLOSE, kernel)
            }
            _ => run_blocks(HIGH_LOW_CLOSE, WilderAtr::new(period)),
        }
    },
};

/// Wilder's average of true ranges.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct WilderAtr {
    close: f64,
    average: SeededAverage,
}

impl WilderAtr {
    pub(crate) fn new(period: usize) -> Self {
        Self {
            close: f64::NAN,
            average: SeededAverage::wilder(period),
        }
    }
}

impl Kernel<Bar, 1> for WilderAtr {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let previous_close = std::mem::replace(&mut self.close, bar.close);
        if previous_close.is_nan() {
            return [f64::NAN];
        }
        [self.average.push(true_range(&bar, previous_close))]
    }
}

/// Without it: 1.65 ns per row instead of 0.77.
impl BlockKernel<Bar, 1> for WilderAtr {
    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.average.is_seeded()
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        [averages]: [&mut [f64]; 1],
        [ranges, ..]: &mut Scratch,
    ) {
        let ranges = first_mut(ranges, averages.len());
        fill_true_ranges(run, from, ranges);
        self.average.fill(ranges, averages);
    }
}

/// Simple mean of true ranges.
#[derive(Clone, Serialize, Deserialize)]
struct SimpleAtr {
    close: f64,
    ranges: RollingSum,
}

impl Kernel<Bar, 1> for SimpleAtr {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let previous_close = std::mem::replace(&mut self.close, bar.close);
        [self.ranges.push_mean(true_range(&bar, previous_close))]
    }
}
