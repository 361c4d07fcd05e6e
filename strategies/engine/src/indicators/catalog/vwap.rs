//! Volume-weighted average price.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::{RollingFlow, RollingSum};
use crate::indicators::engine::{
    Bar, CLOSE_VOLUME, Engine, HIGH_LOW_CLOSE_VOLUME, IndicatorSpec, Kernel, Reader, bars, flag,
    run_steps,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
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
    formula: "sum of price times volume over sum of volume, over the last n bars or as many as \
              there are, so from row 0; undefined where no volume was traded",
    source: "Berkowitz, Logue and Noser (1988), over a moving window",
    warm_up: |_| 0,
    start: |parameters| {
        let period = parameters.count("period");
        if parameters.flag("use_typical_price") {
            start_with(HIGH_LOW_CLOSE_VOLUME, period, Price::Typical)
        } else {
            start_with(CLOSE_VOLUME, period, Price::Close)
        }
    },
};

/// The price that volume is multiplied by.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Price {
    /// (high + low + close)/3.
    Typical,
    Close,
}

impl Price {
    /// Price times volume.
    #[inline(always)]
    fn value_of(self, bar: &Bar) -> f64 {
        let price = match self {
            Self::Typical => (bar.high + bar.low + bar.close) / 3.0,
            Self::Close => bar.close,
        };
        bar.volume * price
    }
}

fn start_with<R: Reader<Input = Bar>>(reader: R, period: usize, price: Price) -> Box<dyn Engine> {
    if period > 0 {
        let kernel = Rolling {
            price,
            value: RollingSum::new(period),
            volume: RollingFlow::new(period),
        };
        return run_steps(reader, kernel);
    }

    let kernel = Cumulative {
        price,
        value: 0.0,
        volume: 0.0,
    };
    run_steps(reader, kernel)
}

/// Over all bars so far.
#[derive(Clone, Serialize, Deserialize)]
struct Cumulative {
    price: Price,
    value: f64,
    volume: f64,
}

impl Kernel<Bar, 1> for Cumulative {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        self.value += self.price.value_of(&bar);
        self.volume += bar.volume;
        [self.value / self.volume]
    }
}

/// Over the last n bars.
#[derive(Clone, Serialize, Deserialize)]
struct Rolling {
    price: Price,
    value: RollingSum,
    volume: RollingFlow,
}

impl Kernel<Bar, 1> for Rolling {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let value = self.value.push_partial(self.price.value_of(&bar));
        let volume = self.volume.push_partial(bar.volume);
        // The sum of values may keep a rounding error where the sum of volumes is exactly 0.
        [if volume == 0.0 {
            f64::NAN
        } else {
            value / volume
        }]
    }
}
