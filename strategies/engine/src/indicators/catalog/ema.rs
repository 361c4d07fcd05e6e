//! Exponential moving average, seeded with a simple mean, or as a weighted mean of the whole
//! history.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::SeededAverage;
use crate::indicators::engine::{
    BlockKernel, IndicatorSpec, Kernel, SOURCE, Scratch, flag, period, run_blocks, run_steps,
    slice_of,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "ema",
    aliases: &["exponentialmovingaverage"],
    parameters: &[
        period(1, 500, 20),
        SOURCE,
        flag(
            "adjust",
            "true = weighted mean of the whole history, defined from the first row",
            false,
        ),
    ],
    outputs: &[],
    needs_volume: false,
    formula: "y = y + a (x - y), a = 2/(n+1), seeded at row n-1 with the mean of the first n \
              values; adjust: sum of (1-a)^age x over sum of (1-a)^age, from row 0",
    source: "TA-Lib EMA; adjust as pandas ewm(span=n, adjust=True)",
    warm_up: |parameters| {
        if parameters.flag("adjust") {
            0
        } else {
            parameters.count("period").saturating_sub(1)
        }
    },
    start: |parameters| {
        let period = parameters.count("period");
        if parameters.flag("adjust") {
            run_steps(parameters.source(), Adjusted::new(period))
        } else {
            let kernel = Ema(SeededAverage::exponential(period));
            run_blocks(parameters.source(), kernel)
        }
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Ema(SeededAverage);

impl Kernel<f64, 1> for Ema {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        [self.0.push(value)]
    }
}

/// Without it: 0.95 ns per row instead of 0.37.
impl BlockKernel<f64, 1> for Ema {
    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.0.is_seeded()
    }

    #[inline(always)]
    fn block(&mut self, run: &[f64], from: usize, [cells]: [&mut [f64]; 1], _: &mut Scratch) {
        self.0.fill(slice_of(run, from..run.len()), cells);
    }
}

/// Weighted mean of the whole history: weight 1 for the newest value, and 1 − a times that of the
/// value after it for each older one.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Adjusted {
    /// 1 − a.
    keep: f64,
    /// Weighted sum of the values.
    values: f64,
    /// Sum of the weights.
    weights: f64,
}

impl Adjusted {
    pub(crate) fn new(period: usize) -> Self {
        Self {
            keep: 1.0 - 2.0 / (period as f64 + 1.0),
            values: 0.0,
            weights: 0.0,
        }
    }
}

impl Kernel<f64, 1> for Adjusted {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        self.values = self.values * self.keep + value;
        self.weights = self.weights * self.keep + 1.0;
        [self.values / self.weights]
    }
}
