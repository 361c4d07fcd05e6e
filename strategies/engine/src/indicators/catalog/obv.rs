//! On-balance volume.

use serde::{Deserialize, Serialize};

use crate::indicators::engine::{Bar, CLOSE_VOLUME, IndicatorSpec, Kernel, run_steps};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "obv",
    aliases: &["obvindicator"],
    parameters: &[],
    outputs: &[],
    needs_volume: true,
    formula: "running sum of the volume, positive where the close rose, negative where it fell, \
              nothing where it stayed; starts with the volume of row 0",
    source: "Granville (1963); TA-Lib OBV",
    warm_up: |_| 0,
    start: |_| {
        let kernel = Obv {
            close: f64::NEG_INFINITY,
            total: 0.0,
        };
        run_steps(CLOSE_VOLUME, kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Obv {
    /// Below any price before the first bar, which so counts as a rise.
    close: f64,
    total: f64,
}

impl Kernel<Bar, 1> for Obv {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        // Chosen and not branched on, as no processor can predict where a close goes.
        let if_not_risen = if bar.close < self.close {
            -bar.volume
        } else {
            0.0
        };
        self.total += if bar.close > self.close {
            bar.volume
        } else {
            if_not_risen
        };

        self.close = bar.close;
        [self.total]
    }
}
