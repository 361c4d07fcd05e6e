//! Specifications of the decisions that a strategy makes by the predictions of its model, worked by
//! hand.

use schemas::decision_report::{Alternative, DecisionReport, PartDecisions, Suggestion, Threshold};
use schemas::training::Loss;
use strategies::{Decisions, Signal};
use trainer::metrics::{Scored, ScoredParts};
use trainer::{Labels, Objective};

const BUY: i64 = 0;
const HOLD: i64 = 1;
const SELL: i64 = 2;

fn classification(confidence_threshold: f64) -> Decisions {
    Decisions::Classification {
        confidence_threshold: Some(confidence_threshold),
        signals: &[Signal::Buy, Signal::Hold, Signal::Sell],
    }
}

/// Scores whose softmax gives these probabilities of BUY, HOLD and SELL.
fn scores_of(probabilities: &[[f32; 3]]) -> Vec<f32> {
    probabilities.iter().flatten().map(|p| p.ln()).collect()
}

/// What `rules` make of these scores, in all three parts.
fn decide(scores: &[f32], labels: &Labels, rules: Decisions) -> DecisionReport {
    let objective = match labels {
        Labels::Classes(_) => Objective::plain(Loss::CrossEntropy, 3),
        Labels::Returns(_) => Objective::plain(Loss::Mse, 0),
    };
    let scored = Scored {
        scores,
        labels,
        objective: &objective,
    };

    let parts = ScoredParts {
        train: scored,
        validation: scored,
        test: scored,
    };
    parts.decide(rules)
}

#[test]
fn a_decision_needs_the_confidence_of_the_strategy() {
    let scores = scores_of(&[
        [0.6, 0.3, 0.1],
        [0.45, 0.35, 0.2],
        [0.2, 0.2, 0.6],
        [0.1, 0.8, 0.1],
        [0.1, 0.3, 0.6],
    ]);
    let labels = Labels::Classes(vec![BUY, BUY, HOLD, HOLD, SELL]);

    let report = decide(&scores, &labels, classification(0.5));

    // One BUY and two SELL, of which a SELL is wrong; the second row is not sure enough.
    let expected = PartDecisions {
        buy: 1,
        hold: 2,
        sell: 2,
        precision: Some(2.0 / 3.0),
    };
    assert_eq!(report.parts["test"], expected);
    assert_eq!(report.threshold, Threshold::ConfidenceThreshold(0.5));
    assert_eq!(report.suggestion, None);
}

#[test]
fn thresholds_of_other_shares_are_told_lowest_first() {
    // Of ten rows BUY is likeliest on two, SELL on one; shares of 20 and 10 % are 2 rows and 1.
    let mut rows = vec![[0.2, 0.6, 0.2]; 7];
    rows.extend([
        [0.755, 0.2, 0.045],
        [0.555, 0.3, 0.145],
        [0.1, 0.245, 0.655],
    ]);
    let scores = scores_of(&rows);
    let labels = Labels::Classes([vec![HOLD; 7], vec![BUY, SELL, SELL]].concat());

    let report = decide(&scores, &labels, classification(0.6));

    // The third row of BUY and SELL is reached by no share that is listed.
    let alternative = |threshold, buy, sell| Alternative {
        threshold,
        validation: PartDecisions {
            buy,
            hold: 10 - buy - sell,
            sell,
            precision: Some(1.0),
        },
    };
    let expected = [alternative(0.65, 1, 1), alternative(0.75, 1, 0)];
    assert_eq!(report.alternatives, expected);
}

#[test]
fn a_threshold_at_which_a_mute_model_would_act_is_named() {
    // BUY is likeliest on 3 of 40 rows, at most with 0.427; 5 % are 2 rows.
    let mut rows = vec![[0.3, 0.5, 0.2]; 37];
    rows.extend([
        [0.427, 0.3, 0.273],
        [0.418, 0.3, 0.282],
        [0.396, 0.3, 0.304],
    ]);
    let labels = Labels::Classes(vec![HOLD; 40]);

    let report = decide(&scores_of(&rows), &labels, classification(0.5));

    assert_eq!(report.parts["validation"].hold, 40);
    assert_eq!(report.parts["validation"].precision, None);
    let Suggestion { threshold, share } = report.suggestion.unwrap();
    assert!((threshold - 0.41).abs() < 1e-12, "{threshold}");
    assert!((share - 0.05).abs() < 1e-12, "{share}");
}

#[test]
fn no_threshold_helps_where_hold_is_always_likeliest() {
    let mut rows = vec![[0.3, 0.5, 0.2]; 39];
    rows.push([0.45, 0.3, 0.25]);
    let labels = Labels::Classes(vec![HOLD; 40]);

    let report = decide(&scores_of(&rows), &labels, classification(0.5));

    // One row of 40 is less than 5 %.
    assert_eq!(report.suggestion, None);
}

#[test]
fn a_threshold_that_is_left_open_is_chosen_by_validation() {
    let mut rows = vec![[0.3, 0.5, 0.2]; 37];
    rows.extend([
        [0.427, 0.3, 0.273],
        [0.418, 0.3, 0.282],
        [0.396, 0.3, 0.304],
    ]);
    let labels = Labels::Classes(vec![BUY; 40]);
    let auto = Decisions::Classification {
        confidence_threshold: None,
        signals: &[Signal::Buy, Signal::Hold, Signal::Sell],
    };

    // Two of the three rows reach 0.41; a part that is always HOLD is left with any confidence.
    let report = decide(&scores_of(&rows), &labels, auto);
    assert!(report.is_chosen);
    let chosen = report.threshold.value();
    assert!((chosen - 0.41).abs() < 1e-12, "{chosen}");
    assert_eq!(report.parts["validation"].buy, 2);
    assert_eq!(report.suggestion, None);

    let report = decide(
        &scores_of(&rows[..37]),
        &Labels::Classes(vec![BUY; 37]),
        auto,
    );
    assert_eq!(report.threshold, Threshold::ConfidenceThreshold(0.0));
}

#[test]
fn a_return_has_to_exceed_a_multiple_of_its_costs() {
    // In costs of 0.001: 2.9, −1.76, 0.4 and −0.04; what came: 3, 2, −2 and 0.
    let forecasts = [0.0029, -0.00176, 0.0004, -0.00004];
    let labels = Labels::Returns(vec![0.003, 0.002, -0.002, 0.0]);
    let rules = |min_edge_multiplier| Decisions::Regression {
        round_trip_cost: 0.001,
        min_edge_multiplier,
    };

    let counts = decide(&forecasts, &labels, rules(1.5)).parts["test"];
    let half = Some(0.5);
    assert_eq!((counts.buy, counts.hold, counts.sell), (1, 2, 1));
    assert_eq!(counts.precision, half);

    // 5 % of four rows are one.
    let report = decide(&forecasts, &labels, rules(5.0));
    assert_eq!(report.parts["test"].hold, 4);
    assert_eq!(report.threshold, Threshold::MinEdgeMultiplier(5.0));
    let Suggestion { threshold, share } = report.suggestion.unwrap();
    assert!((threshold - 2.9).abs() < 0.11, "{threshold}");
    assert_eq!(share, 0.25);
}
