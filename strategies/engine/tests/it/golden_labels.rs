//! Labels of 5000 real hourly bars agree, row counts and summed look-ahead, with a second
//! implementation: plain walks and explicit weights, written from the definitions in another
//! language.

use crate::golden_data;
use strategies::labels::{LabelSource, TripleBarrier, VolatilityMethod, compute_labels};

/// Rows of BUY, HOLD and SELL, rows without a label, and the sum of all look-aheads.
fn check(source: LabelSource, classes: [usize; 3], unlabelled: usize, look_ahead: u64) {
    let labels = compute_labels(&source, &golden_data::bars("eurusd_1h")).unwrap();
    let count = |class: f32| {
        labels
            .values
            .iter()
            .filter(|value| **value == class)
            .count()
    };
    assert_eq!([0.0, 1.0, 2.0].map(count), classes, "{source:?}");
    assert_eq!(
        labels.values.iter().filter(|value| value.is_nan()).count(),
        unlabelled,
        "{source:?}"
    );
    assert_eq!(
        labels
            .look_ahead
            .iter()
            .map(|ahead| u64::from(*ahead))
            .sum::<u64>(),
        look_ahead,
        "{source:?}"
    );
}

#[test]
fn zigzag_labels_of_hourly_eurusd() {
    // Pivots at rows 0, 2014, 2776, 3443 and 3880, the last one confirmed at row 4266.
    check(
        LabelSource::Zigzag { threshold: 0.025 },
        [2679, 5, 1197],
        1119,
        4_809_624,
    );
    check(
        LabelSource::Zigzag { threshold: 0.005 },
        [2973, 61, 1879],
        87,
        616_381,
    );
}

#[test]
fn triple_barrier_labels_of_hourly_eurusd() {
    check(
        LabelSource::TripleBarrier(TripleBarrier::default()),
        [2213, 13, 2724],
        50,
        46_456,
    );
    let barrier = TripleBarrier {
        pt_multiplier: 3.0,
        sl_multiplier: 3.0,
        max_holding_period: 10,
        vol_span: 20,
        vol_method: VolatilityMethod::Std,
    };
    check(
        LabelSource::TripleBarrier(barrier),
        [1725, 1727, 1536],
        12,
        35_122,
    );
}
