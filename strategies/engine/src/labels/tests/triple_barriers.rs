//! Triple barriers worked by hand.

use super::{Prices, bars, classes, text};
use crate::labels::{LabelSource, TripleBarrier, VolatilityMethod, compute_labels};

const QUIET: Prices = [100.5, 99.5, 100.0];

/// The label of a bar that closes at 100, with these three bars after it.
///
/// Volatility is (high − low)/close, 2 % on the labelled bar: barriers at 102 (+2 %) and 99 (−1 %),
/// HOLD below ½·2 %·√3 = 1.73 % after three bars.
fn label_before(later: [Prices; 3]) -> String {
    let [first, second, third] = later;
    let rows = [[101.0, 99.0, 100.0], first, second, third];
    let barrier = TripleBarrier {
        pt_multiplier: 1.0,
        sl_multiplier: 0.5,
        max_holding_period: 3,
        ..TripleBarrier::default()
    };

    let labels = compute_labels(&LabelSource::TripleBarrier(barrier), &bars(&rows)).unwrap();
    text(&labels).split(' ').next().unwrap().to_owned()
}

#[test]
fn the_profit_barrier_met_first_is_a_buy() {
    let label = label_before([QUIET, [102.0, 100.0, 101.0], QUIET]);
    assert_eq!(label, "B2");
}

#[test]
fn the_loss_barrier_met_first_is_a_sell() {
    let label = label_before([[101.0, 99.0, 100.5], QUIET, QUIET]);
    assert_eq!(label, "S1");
}

#[test]
fn a_bar_that_meets_both_barriers_counts_by_its_close() {
    let closes_at_the_entry = label_before([[103.0, 98.0, 100.0], QUIET, QUIET]);
    assert_eq!(closes_at_the_entry, "B1");

    let closes_below_the_entry = label_before([[103.0, 98.0, 99.9], QUIET, QUIET]);
    assert_eq!(closes_below_the_entry, "S1");
}

#[test]
fn at_the_time_barrier_a_move_within_the_noise_is_a_hold() {
    let move_of_170_points = label_before([QUIET, QUIET, [101.8, 99.5, 101.7]]);
    assert_eq!(move_of_170_points, "H3", "1.7 % is below 1.73 %");

    let move_of_175_points = label_before([QUIET, QUIET, [101.8, 99.5, 101.75]]);
    assert_eq!(move_of_175_points, "B3", "1.75 % is above it");
}

/// A deviation needs two returns, the first of which is at row 1. The last row has no bar after it.
#[test]
fn rows_without_volatility_or_a_whole_walk_have_no_label() {
    let barrier = TripleBarrier {
        max_holding_period: 1,
        vol_method: VolatilityMethod::Std,
        ..TripleBarrier::default()
    };

    let labels = classes(
        LabelSource::TripleBarrier(barrier),
        &[100.0, 101.0, 100.0, 104.0, 104.0],
    );

    assert_eq!(labels, "- - B1 H1 -");
}
