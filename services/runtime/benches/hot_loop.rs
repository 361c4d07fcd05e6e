//! The cost of the runtime inside a hot loop: one progress report (budget 1 µs) and one look at the
//! stop token (budget 10 ns). Prints figures, asserts nothing.
//!
//! `cargo bench -p runtime --bench hot_loop`. The report is what the trainer sends once per batch:
//! its text is formatted and its lists are copied for every single one. The bare slot is next to
//! it, so that one sees what the text costs.
#![allow(
    missing_docs,
    reason = "criterion's macros write undocumented functions"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use runtime::{ProgressSlot, StopToken};
use schemas::progress::{Context, Count, Device, Progress};

fn training_progress(batch: u64) -> Progress {
    let message = format!("Training MLP model on EURUSD [1h] [epoch 5/10] (batch {batch}/110)");
    let device = Device {
        kind: "cpu".to_owned(),
        name: "AMD EPYC 9B14".to_owned(),
        ..Device::default()
    };

    Progress {
        fraction: 0.5,
        message,
        items: Some(Count {
            done: 440 + batch,
            total: 1_100,
        }),
        context: Context::Train {
            model_type: "mlp".to_owned(),
            strategy: "eurusd_rsi_macd".to_owned(),
            symbols: vec!["EURUSD".to_owned()],
            timeframes: vec!["1h".to_owned()],
            epoch: Count { done: 5, total: 10 },
            batch: Count {
                done: batch,
                total: 110,
            },
            train_loss: Some(0.7),
            val_loss: Some(0.8),
            learning_rate: 0.001,
            device,
        },
        waiting: None,
    }
}

fn hot_loop(criterion: &mut Criterion) {
    let slot = ProgressSlot::default();
    let mut batch = 0;
    criterion.bench_function("report the progress of a training", |bencher| {
        bencher.iter(|| {
            batch = batch % 110 + 1;
            slot.put(training_progress(batch));
        });
    });

    criterion.bench_function("report without any text", |bencher| {
        bencher.iter(|| slot.put(black_box(Progress::default())));
    });

    let stop = StopToken::default();
    criterion.bench_function("look at the stop token", |bencher| {
        bencher.iter(|| black_box(&stop).is_requested());
    });
}

criterion_group!(benches, hot_loop);
criterion_main!(benches);
