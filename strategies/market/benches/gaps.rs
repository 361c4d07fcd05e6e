//! Times of the gap analysis, for the table in docs/performance.md.
//!
//! `cargo bench -p market` prints medians of several runs and asserts nothing: the figures are those
//! of the machine.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench that fails may panic"
)]

use std::hint::black_box;
use std::ops::Range;
use std::time::{Duration, Instant};

use market::{
    Calendar, GapFacts, HourAnchor, Instrument, SeriesKey, Slot, Utc, analyse_gaps, expected,
};

/// Runs of which the median is printed.
const RUNS: usize = 9;

fn main() {
    // 1.5 million five-minute bars of currencies are twenty years.
    time_series("EURUSD", "5m", ["1999-01-01T00:00Z", "2019-01-20T00:00Z"]);
    time_series("EURUSD", "1m", ["2010-01-01T00:00Z", "2020-01-01T00:00Z"]);
    time_series("AAPL", "1m", ["2010-01-01T00:00Z", "2020-01-01T00:00Z"]);
}

fn utc(text: &str) -> Utc {
    Utc::from_timestamp(text.parse().unwrap())
}

/// Prints how long it takes to make the grid of a series, and to compare the stored bars with it.
fn time_series(symbol: &str, timeframe: &str, range: [&str; 2]) {
    let timeframe = timeframe.parse().unwrap();
    let key = SeriesKey::standard("file", Instrument::parse(symbol).unwrap(), timeframe).unwrap();
    let range = utc(range[0])..utc(range[1]);
    let slots = grid(&key, &range);

    // One bar in a hundred is lost, and three months of the ledger are known to be empty.
    let is_stored = |(index, slot): (usize, &Slot)| (index % 100 != 7).then_some(slot.open);
    let stored: Vec<Utc> = slots.iter().enumerate().filter_map(is_stored).collect();
    let quarter = range.start..range.start.plus_micros(90 * 86_400_000_000);

    let grid_time = median(|| grid(&key, &range).len());
    let analysis_time = median(|| {
        let analysis = analyse_gaps(&GapFacts {
            key: &key,
            calendar: Calendar::for_key(&key),
            range: range.clone(),
            slots: &slots,
            stored: &stored,
            known_empty: std::slice::from_ref(&quarter),
            head: None,
        });
        analysis.stretches.len()
    });
    println!(
        "{symbol} {timeframe}, {} bars stored of {}: grid {:.1} ms, analysis {:.1} ms",
        stored.len(),
        slots.len(),
        grid_time.as_secs_f64() * 1e3,
        analysis_time.as_secs_f64() * 1e3
    );
}

fn grid(key: &SeriesKey, range: &Range<Utc>) -> Vec<Slot> {
    expected(
        Calendar::for_key(key),
        key.timeframe,
        key.day_boundary,
        HourAnchor::ClockHour,
        range.clone(),
    )
}

/// The median time of several runs.
fn median<T>(work: impl Fn() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let started = Instant::now();
            black_box(work());
            started.elapsed()
        })
        .collect();

    times.sort_unstable();
    times[RUNS / 2]
}
