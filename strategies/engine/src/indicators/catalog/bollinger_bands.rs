//! Bollinger bands.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::{MeanAndDeviation, RollingMoments};
use crate::indicators::engine::{
    BlockKernel, DDOF, IndicatorSpec, Kernel, SOURCE, Scratch, above, period, run_blocks,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "bollingerbands",
    aliases: &["bollingerbandsindicator", "bbands"],
    parameters: &[
        period(2, 200, 20),
        above(
            "multiplier",
            "standard deviations between the middle and a band",
            0.0,
            10.0,
            2.0,
        ),
        SOURCE,
        DDOF,
    ],
    outputs: &["upper", "middle", "lower"],
    needs_volume: false,
    formula: "middle = mean of the last n values, bands = middle +- multiplier times their \
              standard deviation with divisor n - ddof; first value at row n-1",
    source: "Bollinger; TA-Lib BBANDS",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let kernel = Bands {
            window: RollingMoments::new(
                parameters.count("period"),
                parameters.count("ddof") as f64,
            ),
            multiplier: parameters.number("multiplier"),
        };
        run_blocks(parameters.source(), kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Bands {
    window: RollingMoments,
    multiplier: f64,
}

impl Kernel<f64, 3> for Bands {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 3] {
        let MeanAndDeviation { mean, deviation } = self.window.push(value);
        let width = self.multiplier * deviation;
        [mean + width, mean, mean - width]
    }
}

/// Without it: 3.26 ns per row instead of 2.18.
impl BlockKernel<f64, 3> for Bands {
    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.window.is_full()
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: &[f64],
        from: usize,
        [upper, middle, lower]: [&mut [f64]; 3],
        _: &mut Scratch,
    ) {
        // The lower band's column holds the deviations first.
        self.window.fill(run, from, middle, lower);

        for ((upper, mean), lower) in upper.iter_mut().zip(middle).zip(lower) {
            let width = self.multiplier * *lower;
            *upper = *mean + width;
            *lower = *mean - width;
        }
    }
}
