//! Width of the Bollinger bands, as a share of their middle.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::RollingMoments;
use crate::indicators::engine::{
    BlockKernel, DDOF, IndicatorSpec, Kernel, SOURCE, Scratch, above, period, run_blocks,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "bollingerbandwidth",
    aliases: &["bollingerbandwidthindicator"],
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
    outputs: &[],
    needs_volume: false,
    formula: "(upper - lower)/middle of the Bollinger bands with the same parameters; 0 where \
              |middle| is at most 1e-10; first value at row n-1",
    source: "Bollinger",
    warm_up: |parameters| parameters.count("period").saturating_sub(1),
    start: |parameters| {
        let kernel = BandWidth {
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
struct BandWidth {
    window: RollingMoments,
    multiplier: f64,
}

impl Kernel<f64, 1> for BandWidth {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let window = self.window.push(value);
        [relative_width(
            window.mean,
            window.deviation,
            self.multiplier,
        )]
    }
}

/// Without it: 3.87 ns per row instead of 2.15.
impl BlockKernel<f64, 1> for BandWidth {
    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.window.is_full()
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: &[f64],
        from: usize,
        [cells]: [&mut [f64]; 1],
        [means, ..]: &mut Scratch,
    ) {
        // The cells hold the deviations first.
        self.window.fill(run, from, means, cells);

        for (cell, mean) in cells.iter_mut().zip(means) {
            *cell = relative_width(*mean, *cell, self.multiplier);
        }
    }
}

#[inline(always)]
fn relative_width(mean: f64, deviation: f64, multiplier: f64) -> f64 {
    if mean.abs() <= 1e-10 {
        0.0
    } else {
        // upper − lower, as the bands lie equally far from their middle.
        2.0 * multiplier * deviation / mean
    }
}
