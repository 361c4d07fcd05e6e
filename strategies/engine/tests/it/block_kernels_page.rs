//! `docs/block-kernels.md` and `benches/block_kernels.rs` keep account of the block kernels: every
//! type that has one is in the table with a gain of at least a tenth, and no other type is.

use std::collections::{BTreeMap, BTreeSet};

use strategies::indicators::{Indicator, specs};

/// Least worthwhile ratio of the time by steps to the time by blocks.
const GAIN_MIN: f64 = 1.10;

const PAGE: &str = include_str!("../../../../docs/block-kernels.md");

/// Type and gain of each row of the page's table.
fn table_of_gains() -> Vec<(&'static str, f64)> {
    let rows = PAGE.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, _, _, gain, _] = cells[..] else {
            return None;
        };
        Some((name, gain.parse().ok()?))
    });
    rows.collect()
}

#[test]
fn every_block_kernel_has_its_measured_gain() {
    let listed: BTreeSet<&str> = table_of_gains().into_iter().map(|(name, _)| name).collect();

    let implemented: BTreeSet<&str> = specs()
        .iter()
        .filter(|spec| {
            let indicator = Indicator::new(spec, &BTreeMap::new()).unwrap();
            indicator.has_block_kernel()
        })
        .map(|spec| spec.name)
        .collect();

    assert_eq!(
        listed, implemented,
        "measure it with `cargo bench -p strategies --bench block_kernels`"
    );
}

#[test]
fn every_block_kernel_gains_a_tenth() {
    for (name, gain) in table_of_gains() {
        assert!(gain >= GAIN_MIN, "{name} gains {gain}: let it go by steps");
    }
}
