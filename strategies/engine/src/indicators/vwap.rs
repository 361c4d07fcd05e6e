//! Volume-weighted average price.

use serde::{Deserialize, Serialize};

use super::kernel::{Bar, Kernel, engine};
use super::reader::{CLOSE_VOLUME, HIGH_LOW_CLOSE_VOLUME};
use super::spec::{IndicatorSpec, bars, flag};
use super::window::{RollingFlow, RollingSum};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "vwap",
    aliases: &["vwapindicator"],
    parameters: &[
        bars(
            "period",
            "bars in the window; 0 = all bars so far",
            0,
            200,
            20,
        ),
        flag(
            "use_typical_price",
            "true = (high + low + close)/3, false = close",
            true,
        ),
    ],
    outputs: &[],
    needs_volume: true,
    formula: "sum of price times volume over sum of volume, over the last n bars or as many as there are, so from row 0; \
              undefined where no volume was traded",
    source: "Berkowitz, Logue and Noser (1988), over a moving window",
    warm_up: |_| 0,
    start: |parameters| {
        let typical = parameters.flag("use_typical_price");
        match (parameters.count("period"), typical) {
            (0, true) => engine(
                HIGH_LOW_CLOSE_VOLUME,
                Cumulative {
                    typical,
                    value: 0.0,
                    volume: 0.0,
                },
            ),
            (0, false) => engine(
                CLOSE_VOLUME,
                Cumulative {
                    typical,
                    value: 0.0,
                    volume: 0.0,
                },
            ),
            (period, true) => engine(HIGH_LOW_CLOSE_VOLUME, Rolling::new(period, typical)),
            (period, false) => engine(CLOSE_VOLUME, Rolling::new(period, typical)),
        }
    },
};

#[inline(always)]
fn traded(bar: &Bar, typical: bool) -> f64 {
    bar.volume
        * if typical {
            (bar.high + bar.low + bar.close) / 3.0
        } else {
            bar.close
        }
}

#[derive(Clone, Serialize, Deserialize)]
struct Cumulative {
    typical: bool,
    value: f64,
    volume: f64,
}

impl Kernel<Bar, 1> for Cumulative {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        self.value += traded(&bar, self.typical);
        self.volume += bar.volume;
        [self.value / self.volume]
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Rolling {
    typical: bool,
    value: RollingSum,
    volume: RollingFlow,
}

impl Rolling {
    fn new(period: usize, typical: bool) -> Self {
        Self {
            typical,
            value: RollingSum::new(period),
            volume: RollingFlow::new(period),
        }
    }
}

impl Kernel<Bar, 1> for Rolling {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let (value, volume) = (
            self.value.partial(traded(&bar, self.typical)),
            self.volume.partial(bar.volume),
        );
        [if volume == 0.0 {
            f64::NAN
        } else {
            value / volume
        }]
    }
}
