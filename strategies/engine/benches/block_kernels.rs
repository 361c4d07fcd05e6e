//! What each block kernel gains: nanoseconds per row step by step and by blocks, with the default
//! parameters, over a random walk that fits the second cache. `docs/block-kernels.md` holds the
//! table that this prints, and says which gain is worth a block kernel.
//!
//! `cargo bench -p strategies --bench block_kernels [-- TYPE …]`. Both ways go in turn, many times;
//! a figure is the least one, which other programs on the machine disturb least.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may fail loudly")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use market::{Bars, Utc};
use strategies::indicators::{Indicator, IndicatorError, specs};

const ROWS: usize = 100_000;
const ROUNDS: usize = 100;

fn main() {
    let names: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let is_chosen = |name: &str| names.is_empty() || names.iter().any(|each| each == name);
    let indicators = specs()
        .iter()
        .filter(|spec| is_chosen(spec.name))
        .map(|spec| Indicator::new(spec, &BTreeMap::new()).unwrap())
        .filter(Indicator::has_block_kernel);

    let bars = random_walk();
    println!("| type | by steps | by blocks | gain |\n|---|---|---|---|");
    for indicator in indicators {
        let mut columns = Vec::new();
        let mut steps = f64::MAX;
        let mut blocks = f64::MAX;
        for _ in 0..ROUNDS {
            steps = steps.min(time_per_row(|| {
                indicator.compute_by_steps(&bars, &mut columns)
            }));
            blocks = blocks.min(time_per_row(|| indicator.compute_into(&bars, &mut columns)));
        }

        let name = indicator.spec().name;
        println!(
            "| {name} | {steps:.2} | {blocks:.2} | {:.2} |",
            steps / blocks
        );
    }
}

/// Nanoseconds per row of one computation.
fn time_per_row(mut compute: impl FnMut() -> Result<(), IndicatorError>) -> f64 {
    let start = Instant::now();
    black_box(compute()).unwrap();
    start.elapsed().as_nanos() as f64 / ROWS as f64
}

/// Bars of a price that moves by up to 0.2 % per bar. Real bars are as hard to predict, and
/// formulas with branches cost more on them than on a smooth curve.
fn random_walk() -> Bars {
    let mut seed = 7_u64;
    let mut share = move || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as f64 / (1_u64 << 31) as f64
    };

    let mut bars = Bars::default();
    let mut price = 100.0_f64;
    for time in (0..).take(ROWS) {
        let open = price;
        price *= 1.0 + 0.004 * (share() - 0.5);

        bars.open_time.push(Utc(time));
        bars.close_time.push(Utc(time + 1));
        bars.open.push(open);
        bars.high.push(open.max(price) * (1.0 + 0.001 * share()));
        bars.low.push(open.min(price) * (1.0 - 0.001 * share()));
        bars.close.push(price);
        bars.volume.push((1e5 * share()).floor());
    }
    bars
}
