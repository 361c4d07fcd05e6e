//! What the runtime costs inside a hot loop: one progress report (budget 1 µs) and one look at the
//! stop token (budget 10 ns).
#![allow(
    missing_docs,
    reason = "criterion's macros write undocumented functions"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use runtime::{ProgressSlot, StopToken};
use schemas::progress::{Context, Count, Device, Progress};

fn training_progress(batch: u64) -> Progress {
    Progress {
        fraction: 0.5,
        message: String::new(),
        items: Some(Count {
            done: batch,
            total: 1_100,
        }),
        context: Context::Train {
            model_type: String::new(),
            strategy: String::new(),
            symbols: Vec::new(),
            timeframes: Vec::new(),
            epoch: Count { done: 5, total: 10 },
            batch: Count {
                done: batch,
                total: 110,
            },
            train_loss: Some(0.7),
            val_loss: Some(0.8),
            learning_rate: 0.001,
            device: Device {
                kind: String::new(),
                name: String::new(),
            },
        },
        waiting: None,
    }
}

fn hot_loop(criterion: &mut Criterion) {
    let slot = ProgressSlot::default();
    criterion.bench_function("report progress", |bencher| {
        let mut batch = 0;
        bencher.iter(|| {
            batch += 1;
            slot.put(training_progress(batch));
        });
    });
    let stop = StopToken::default();
    criterion.bench_function("look at the stop token", |bencher| {
        bencher.iter(|| std::hint::black_box(&stop).is_requested())
    });
}

criterion_group!(benches, hot_loop);
criterion_main!(benches);
