//! Every indicator with its defaults, and every label source, over 100 000 hourly bars. Budget: ten
//! million bars a second for one indicator (10 ms here), a million for labels.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may fail loudly")]

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use market::{Bars, Utc};
use strategies::indicators::{Indicator, specs};
use strategies::labels::{LabelSource, TripleBarrier, compute_labels};

const ROWS: i64 = 100_000;

/// A price that drifts and swings, without randomness.
fn bars() -> Bars {
    let mut bars = Bars::default();
    for row in 0..ROWS {
        let x = row as f64;
        let open = 100.0 + 10.0 * (x / 700.0).sin() + (x / 11.0).sin() + 0.3 * (x * 1.7).sin();
        let close = open + 0.2 * (x * 2.3).cos();

        bars.open_time.push(Utc(row * 3_600_000_000));
        bars.close_time.push(Utc((row + 1) * 3_600_000_000));
        bars.open.push(open);
        bars.high
            .push(open.max(close) + 0.1 + 0.1 * (x * 0.9).sin());
        bars.low.push(open.min(close) - 0.1 - 0.1 * (x * 0.7).sin());
        bars.close.push(close);
        bars.volume.push(1e6 + 1e5 * (x * 0.3).sin());
    }
    bars
}

fn indicators(criterion: &mut Criterion) {
    let bars = bars();
    let mut group = criterion.benchmark_group("indicators");
    group.throughput(Throughput::Elements(ROWS.unsigned_abs()));
    for spec in specs() {
        let indicator = Indicator::new(spec, &BTreeMap::new()).unwrap();
        group.bench_function(spec.name, |bencher| {
            bencher.iter(|| black_box(indicator.compute(black_box(&bars)).unwrap()))
        });
    }
    group.finish();
}

fn labels(criterion: &mut Criterion) {
    let bars = bars();
    let mut group = criterion.benchmark_group("labels");
    group.throughput(Throughput::Elements(ROWS.unsigned_abs()));
    let sources = [
        LabelSource::ForwardReturn { horizon: 20 },
        LabelSource::Zigzag { threshold: 0.02 },
        LabelSource::TripleBarrier(TripleBarrier::default()),
    ];

    for source in sources {
        group.bench_function(source.name(), |bencher| {
            bencher.iter(|| black_box(compute_labels(&source, black_box(&bars)).unwrap()))
        });
    }
    group.finish();
}

criterion_group!(benches, indicators, labels);
criterion_main!(benches);
