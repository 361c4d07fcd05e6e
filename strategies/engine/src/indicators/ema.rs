//! Exponential moving average, seeded with a simple mean, or as a weighted mean of the whole
//! history.

use serde::{Deserialize, Serialize};

use super::average::SeededAverage;
use super::kernel::{Kernel, Scratch, engine};
use super::reader::part;
use super::spec::{IndicatorSpec, ParameterKind, ParameterSpec, SOURCE, period};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "ema",
    aliases: &["exponentialmovingaverage"],
    parameters: &[
        period(1, 500, 20),
        SOURCE,
        ParameterSpec {
            name: "adjust",
            kind: ParameterKind::Boolean { default: false },
            description: "true = weighted mean of the whole history, defined from the first row",
        },
    ],
    outputs: &[],
    needs_volume: false,
    formula: "y = y + a (x - y), a = 2/(n+1), seeded at row n-1 with the mean of the first n values; \
              adjust: sum of (1-a)^age x over sum of (1-a)^age, from row 0",
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
            engine(parameters.source(), Adjusted::new(period))
        } else {
            engine(parameters.source(), Ema(SeededAverage::exponential(period)))
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

    #[inline(always)]
    fn block(&mut self, run: &[f64], from: usize, [cells]: [&mut [f64]; 1], _: &mut Scratch) {
        self.0.block(part(run, from..run.len()), cells);
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Adjusted {
    keep: f64,
    values: f64,
    weights: f64,
}

impl Adjusted {
    pub(super) fn new(period: usize) -> Self {
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
