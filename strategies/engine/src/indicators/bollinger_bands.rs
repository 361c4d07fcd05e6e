//! Bollinger bands.

use serde::{Deserialize, Serialize};

use super::kernel::{Kernel, Scratch, engine};
use super::moments::RollingMoments;
use super::spec::{IndicatorSpec, SOURCE, above, ddof, period};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
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
        ddof(0),
    ],
    outputs: &["upper", "middle", "lower"],
    needs_volume: false,
    formula: "middle = mean of the last n values, bands = middle +- multiplier times their standard deviation with \
              divisor n - ddof; first value at row n-1",
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
        engine(parameters.source(), kernel)
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
        let (mean, deviation) = self.window.push(value);
        let width = self.multiplier * deviation;
        [mean + width, mean, mean - width]
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: &[f64],
        from: usize,
        [upper, middle, lower]: [&mut [f64]; 3],
        _: &mut Scratch,
    ) {
        self.window.block(run, from, middle, lower);
        for ((upper, mean), lower) in upper.iter_mut().zip(middle).zip(lower) {
            let width = self.multiplier * *lower;
            (*upper, *lower) = (*mean + width, *mean - width);
        }
    }
}
