//! Labels of 5000 real hourly bars agree, row counts and summed look-ahead, with a second
//! implementation: plain walks and explicit weights, written from the definitions in another
//! language.

use crate::golden_data;
use strategies::labels::{LabelSource, TripleBarrier, VolatilityMethod, compute_labels};

/// What two implementations must agree on.
#[derive(Debug, PartialEq, Eq)]
struct LabelTotals {
    buy: usize,
    hold: usize,
    sell: usize,
    unlabelled: usize,
    /// Sum over all rows.
    look_ahead: u64,
}

fn totals_of(source: LabelSource) -> LabelTotals {
    let labels = compute_labels(&source, &golden_data::bars("eurusd_1h")).unwrap();
    let count_class = |class: f32| {
        labels
            .values
            .iter()
            .filter(|value| **value == class)
            .count()
    };

    LabelTotals {
        buy: count_class(0.0),
        hold: count_class(1.0),
        sell: count_class(2.0),
        unlabelled: labels.values.iter().filter(|value| value.is_nan()).count(),
        look_ahead: labels.look_ahead.iter().copied().map(u64::from).sum(),
    }
}

/// Pivots at rows 0, 2014, 2776, 3443 and 3880, the last one confirmed at row 4266.
#[test]
fn long_zigzags_of_hourly_eurusd() {
    let expected = LabelTotals {
        buy: 2679,
        hold: 5,
        sell: 1197,
        unlabelled: 1119,
        look_ahead: 4_809_624,
    };
    assert_eq!(
        totals_of(LabelSource::Zigzag { threshold: 0.025 }),
        expected
    );
}

#[test]
fn short_zigzags_of_hourly_eurusd() {
    let expected = LabelTotals {
        buy: 2973,
        hold: 61,
        sell: 1879,
        unlabelled: 87,
        look_ahead: 616_381,
    };
    assert_eq!(
        totals_of(LabelSource::Zigzag { threshold: 0.005 }),
        expected
    );
}

#[test]
fn default_triple_barriers_of_hourly_eurusd() {
    let expected = LabelTotals {
        buy: 2213,
        hold: 13,
        sell: 2724,
        unlabelled: 50,
        look_ahead: 46_456,
    };
    let source = LabelSource::TripleBarrier(TripleBarrier::default());
    assert_eq!(totals_of(source), expected);
}

#[test]
fn triple_barriers_by_deviation_of_hourly_eurusd() {
    let barrier = TripleBarrier {
        pt_multiplier: 3.0,
        sl_multiplier: 3.0,
        max_holding_period: 10,
        vol_span: 20,
        vol_method: VolatilityMethod::Std,
    };

    let expected = LabelTotals {
        buy: 1725,
        hold: 1727,
        sell: 1536,
        unlabelled: 12,
        look_ahead: 35_122,
    };
    assert_eq!(totals_of(LabelSource::TripleBarrier(barrier)), expected);
}
