//! The cost of the runtime inside a hot loop.
//!
//! The promise is 1 µs for a report with its text and 10 ns for a look at the stop token, and the
//! bench `hot_loop` measures it. Tests run unoptimised on a busy host, so they take the best of
//! some rounds and allow twenty times as much: what fails here waits, or locks, or grew by a
//! magnitude.

use std::hint::black_box;
use std::time::{Duration, Instant};

use runtime::{ProgressSlot, StopToken};
use schemas::progress::{Context, Count, Device, Progress};

const ROUNDS: usize = 10;
const CALLS: u32 = 2_000;

/// The shortest mean duration of one call over some rounds.
fn best_mean(mut call: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        best = best.min(start.elapsed() / CALLS);
    }

    best
}

/// A report as the trainer makes it for every batch.
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

#[test]
fn a_report_and_a_look_at_the_stop_token_cost_little() {
    let slot = ProgressSlot::default();
    let stop = StopToken::default();

    let report = best_mean(|| slot.put(training_progress(black_box(7))));
    let look = best_mean(|| {
        black_box(stop.is_requested());
    });

    assert!(report < Duration::from_micros(20), "{report:?} per report");
    assert!(look < Duration::from_nanos(200), "{look:?} per look");
}
