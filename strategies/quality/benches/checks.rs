//! All checks over a million bars of a minute.
//!
//! Budget: no slower than the same checks in polars (`tests/` compares them), about 0.3 s.

use std::error::Error;

use criterion::{Criterion, criterion_group, criterion_main};
use market::{
    Bars, Calendar, HourAnchor, Instrument, SeriesKey, Timeframe, Utc, close_times, expected,
};
use quality::{Options, check};

const BARS: usize = 1_000_000;

/// The first million minutes of the calendar from 2020 on: a random walk with volume.
fn million_bars(symbol: &str) -> Result<(SeriesKey, Bars), Box<dyn Error>> {
    let instrument = Instrument::parse(symbol)?;
    let key = SeriesKey::standard("file", instrument, Timeframe::MINUTE_1)?;
    let calendar = Calendar::for_key(&key);
    let start = Utc::midnight(jiff::civil::date(2020, 1, 1));
    let end = Utc::midnight(jiff::civil::date(2032, 1, 1));
    let slots = expected(
        calendar,
        key.timeframe,
        key.day_boundary,
        HourAnchor::ClockHour,
        start..end,
    );

    let mut bars = Bars::default();
    let mut state = 7_u64;
    let mut price = 100.0_f64;
    for slot in slots.iter().take(BARS) {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let random = (state >> 11) as f64 / (1_u64 << 53) as f64;
        let open = price;
        price *= 1.0 + 0.002 * (random - 0.5);
        bars.open_time.push(slot.open);
        bars.open.push(open);
        bars.high.push(open.max(price) * 1.0005);
        bars.low.push(open.min(price) * 0.9995);
        bars.close.push(price);
        bars.volume.push((1_000.0 + 1_000.0 * random).round());
    }
    bars.close_time = close_times(calendar, &key, &bars.open_time)?;
    Ok((key, bars))
}

fn all_checks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("all checks of 1 000 000 bars");
    group.sample_size(10);
    for symbol in ["crypto:BTC/USD", "AAPL"] {
        let Ok((key, bars)) = million_bars(symbol) else {
            continue;
        };
        let calendar = Calendar::for_key(&key);
        group.bench_function(symbol, |bencher| {
            bencher.iter(|| check(&bars, &key, calendar, &Options::default()));
        });
    }
    group.finish();
}

criterion_group!(benches, all_checks);
criterion_main!(benches);
