//! Computes one indicator at a time on demand, for `tests/talib_speed.py`, which compares the times
//! with TA-Lib's.
//!
//! The argument is a file of five columns, open, high, low, close and volume, each of as many
//! little-endian f64 as there are bars. Each line of the input names a type; the answer is the
//! nanoseconds that computing it with its defaults took, into columns that exist already.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may fail loudly")]

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use market::{Bars, Utc};
use strategies::indicators::{Indicator, find};

fn bars(path: &str) -> Bars {
    let bytes = std::fs::read(path).unwrap();
    let (numbers, _) = bytes.as_chunks::<8>();
    let numbers: Vec<f64> = numbers
        .iter()
        .map(|bytes| f64::from_le_bytes(*bytes))
        .collect();

    let rows = numbers.len() / 5;
    let mut columns = numbers.chunks(rows).map(<[f64]>::to_vec);
    let mut next = || columns.next().unwrap();
    let open = next();
    let high = next();
    let low = next();
    let close = next();
    let volume = next();

    let times = |first: i64| (first..).take(rows).map(Utc).collect();
    Bars {
        open_time: times(0),
        close_time: times(1),
        open,
        high,
        low,
        close,
        volume,
    }
}

fn main() {
    let Some(path) = std::env::args()
        .nth(1)
        .filter(|argument| !argument.starts_with("--"))
    else {
        println!("this bench answers tests/talib_speed.py, whose head says how to run it");
        return;
    };

    let bars = bars(&path);
    let mut columns: HashMap<usize, Vec<Vec<f64>>> = HashMap::new();
    for name in std::io::stdin().lines() {
        let spec = find(&name.unwrap()).unwrap();
        let indicator = Indicator::new(spec, &BTreeMap::new()).unwrap();
        let columns = columns.entry(spec.output_count()).or_default();

        let start = Instant::now();
        indicator
            .compute_into(black_box(&bars), black_box(columns))
            .unwrap();
        println!("{}", start.elapsed().as_nanos());
        std::io::stdout().flush().unwrap();
    }
}
