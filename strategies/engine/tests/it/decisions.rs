//! Which signal a prediction suggests.

use strategies::{Decisions, Overrides, Signal};

use crate::good_strategy::resolve_after;

fn decisions_after(edits: &[(&str, &str)]) -> Decisions {
    resolve_after(edits, &Overrides::default()).decisions
}

#[test]
fn the_signal_of_classes_is_the_surest_one_above_the_threshold() {
    let decisions =
        decisions_after(&[("output_format: classification", "confidence_threshold: 0.6")]);

    let predictions = [
        [0.7, 0.2, 0.1],
        [0.5, 0.4, 0.1],
        [0.1, 0.2, 0.7],
        [0.1, 0.8, 0.1],
    ];

    assert_eq!(
        predictions.map(|prediction| decisions.signal(&prediction)),
        [Signal::Buy, Signal::Hold, Signal::Sell, Signal::Hold]
    );
}

#[test]
fn a_threshold_that_is_left_to_the_training_is_the_chosen_one() {
    let auto = decisions_after(&[(
        "output_format: classification",
        "confidence_threshold: auto",
    )]);
    assert!(auto.is_auto());
    let signal_of = |decisions: Decisions| decisions.signal(&[0.4, 0.35, 0.25]);

    assert_eq!(signal_of(auto), Signal::Buy);
    assert_eq!(signal_of(auto.with_chosen(Some(0.41))), Signal::Hold);
    assert_eq!(signal_of(auto.with_chosen(Some(0.39))), Signal::Buy);

    // A number of the strategy's own stays.
    let fixed = decisions_after(&[("output_format: classification", "confidence_threshold: 0.5")]);
    assert_eq!(signal_of(fixed.with_chosen(Some(0.1))), Signal::Hold);
}

#[test]
fn the_signal_of_a_return_must_exceed_its_costs() {
    let costs =
        "output_format: regression, cost_model: {round_trip_cost: 0.001, min_edge_multiplier: 1.5}";
    let decisions = decisions_after(&[
        ("output_format: classification", costs),
        ("source: zigzag", "source: forward_return"),
    ]);

    // 0.001 × 1.5 = 0.0015
    let returns = [0.0016, 0.0015, -0.0016, f64::NAN];

    assert_eq!(
        returns.map(|value| decisions.signal(&[value])),
        [Signal::Buy, Signal::Hold, Signal::Sell, Signal::Hold]
    );
}
