//! Nanoseconds a row of every indicator with its defaults over 100 000 bars, beside TA-Lib's where a file with its
//! figures is given: `cargo bench -p strategies --bench speed -- talib.txt`, the file being what `talib_speed.py` printed.
//! Best of 300, as the machine may be shared; inputs and outputs exist before the call. Budget: a ratio of at most 1.0, where `README.md` does not say why not.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may fail loudly")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use market::{Bars, Utc};
use strategies::indicators::{Bar, Indicator, specs};

const ROWS: i32 = 100_000;
const REPETITIONS: usize = 300;

/// The bars of `talib_speed.py`.
fn bars() -> Bars {
    let mut bars = Bars::default();
    for row in 0..ROWS {
        let x = f64::from(row);
        let open = 100.0 + 10.0 * (x / 700.0).sin() + (x / 11.0).sin() + 0.3 * (x * 1.7).sin();
        let close = open + 0.2 * (x * 2.3).cos();
        bars.open_time.push(Utc(i64::from(row)));
        bars.close_time.push(Utc(i64::from(row) + 1));
        bars.open.push(open);
        bars.high.push(open.max(close) + 0.1 + 0.1 * (x * 0.9).sin());
        bars.low.push(open.min(close) - 0.1 - 0.1 * (x * 0.7).sin());
        bars.close.push(close);
        bars.volume.push(1e6 + 1e5 * (x * 0.3).sin());
    }
    bars
}

/// Fewest nanoseconds a row.
fn best(mut run: impl FnMut()) -> f64 {
    let times = (0..REPETITIONS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() * 1e9 / f64::from(ROWS)
    });
    times.fold(f64::INFINITY, f64::min)
}

fn main() {
    let figures = std::env::args().nth(1).and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let talib: BTreeMap<&str, f64> = figures
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(name, figure)| Some((name, figure.trim().parse().ok()?)))
        .collect();
    let bars = bars();
    println!("| type | ns a row | TA-Lib | ratio | streaming |\n|---|---|---|---|---|");
    for spec in specs() {
        let indicator = Indicator::new(spec, &BTreeMap::new()).unwrap();
        let mut columns = Vec::new();
        let ours = best(|| indicator.compute_into(black_box(&bars), black_box(&mut columns)).unwrap());
        let streaming = best(|| {
            let mut stream = indicator.stream();
            let prices = bars.open.iter().zip(&bars.high).zip(&bars.low).zip(&bars.close).zip(&bars.volume);
            for ((((&open, &high), &low), &close), &volume) in prices {
                black_box(stream.push(&Bar { open, high, low, close, volume }));
            }
        });
        let (other, ratio) = talib
            .get(spec.name)
            .map_or_else(Default::default, |other| (format!("{other:.2}"), format!("{:.2}", ours / other)));
        println!("| {} | {ours:.2} | {other} | {ratio} | {streaming:.2} |", spec.name);
    }
}
