//! How often an edge is reported: sweeps over series of pure noise, series with a planted edge, and
//! series whose labels are shuffled.
//!
//! ```text
//! cargo bench -p trainer --bench edge                    # 40 series of 50 strategies each
//! KTRDR_EDGE_RUNS=100 KTRDR_EDGE_STRATEGIES=10 cargo bench -p trainer --bench edge
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark fails by panicking"
)]

use std::time::Instant;

#[path = "../tests/it/edge_runs.rs"]
mod edge_runs;

use edge_runs::{Kind, SweepEnd, sweep};

/// Correlation of the planted column with the return of the next bar.
const PLANTED: f64 = 0.3;

fn main() {
    let runs = number("KTRDR_EDGE_RUNS", 40);
    let strategies = number("KTRDR_EDGE_STRATEGIES", 50);
    println!("{runs} series, each with {strategies} strategies");
    println!("series    edge reported  p < 0.05 on test  beats baseline  mean deflated Sharpe  s");

    for (name, kind) in [
        ("noise", Kind::Noise),
        ("planted", Kind::Planted(PLANTED)),
        ("shuffled", Kind::Shuffled(PLANTED)),
    ] {
        let began = Instant::now();
        let ends: Vec<SweepEnd> = (0..runs)
            .map(|seed| sweep(kind, strategies, seed as u64))
            .collect();

        let share = |is: fn(&SweepEnd) -> bool| {
            let count = ends.iter().filter(|end| is(end)).count();
            format!("{:.1} %", 100.0 * count as f64 / runs as f64)
        };
        let deflated: Vec<f64> = ends.iter().filter_map(|end| end.deflated).collect();
        println!(
            "{name:<9} {:>13}  {:>16}  {:>14}  {:>20.3}  {:.0}",
            share(|end| end.is_edge),
            share(|end| end.test.why_not().is_none()),
            share(|end| end.beats_baseline),
            deflated.iter().sum::<f64>() / deflated.len().max(1) as f64,
            began.elapsed().as_secs_f64()
        );
    }
}

fn number(variable: &str, default: usize) -> usize {
    let text = std::env::var(variable);
    text.ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}
