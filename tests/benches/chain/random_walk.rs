//! Bars of a random walk: the same for the same seed, on every machine.

use market::{Bars, Timeframe, Utc};
use store::{RawBar, RawBars};

const FIRST_PRICE: f64 = 20_000.0;

/// A walk whose bars move by about half a per cent.
pub fn walk(mut seed: u64, count: usize, timeframe: Timeframe) -> RawBars {
    let start = Utc::from_timestamp("2020-01-01T00:00:00Z".parse().unwrap());
    let mut price = FIRST_PRICE;
    let mut bars = RawBars::default();

    for row in 0..count {
        let open = price;
        let close = price * factor(&mut seed, 0.005);
        let high = open.max(close) * factor(&mut seed, 0.001).max(1.0);
        let low = open.min(close) * factor(&mut seed, 0.001).min(1.0);
        bars.push(RawBar {
            open_time: start.plus_micros(timeframe.micros() * row as i64),
            prices: [open, high, low, close],
            volume: 10.0 * factor(&mut seed, 0.5),
        });

        // A walk of a million bars would leave the range of prices.
        price = if (2_000.0..200_000.0).contains(&close) {
            close
        } else {
            FIRST_PRICE
        };
    }
    bars
}

/// A factor of 1 ± `size`.
fn factor(seed: &mut u64, size: f64) -> f64 {
    1.0 + size * (2.0 * next_share(seed) - 1.0)
}

/// The next number from 0 to 1 of a linear congruential generator.
fn next_share(seed: &mut u64) -> f64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);

    (*seed >> 11) as f64 / (1_u64 << 53) as f64
}

/// Bars of a coarser timeframe: one for every `each` bars of `base`, which has 15 minutes.
pub fn coarsen(base: &RawBars, each: usize) -> Bars {
    let mut bars = Bars::default();

    // An incomplete last bar is left out.
    for number in 0..base.len() / each {
        let rows = number * each..(number + 1) * each;
        let last = rows.end - 1;
        let close_time = base.open_time[last].plus_micros(Timeframe::MINUTE_15.micros());
        let highs = base.high[rows.clone()].iter().copied();
        let lows = base.low[rows.clone()].iter().copied();

        bars.open_time.push(base.open_time[rows.start]);
        bars.close_time.push(close_time);
        bars.open.push(base.open[rows.start]);
        bars.high.push(highs.fold(f64::MIN, f64::max));
        bars.low.push(lows.fold(f64::MAX, f64::min));
        bars.close.push(base.close[last]);
        bars.volume.push(base.volume[rows].iter().sum());
    }
    bars
}
