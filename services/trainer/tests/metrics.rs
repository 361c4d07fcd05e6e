//! Specifications of the metrics, worked by hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

use schemas::training::Loss;
use trainer::{
    Labels,
    metrics::{KindMetrics, Scored, class_weights},
};

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-7, "{found} is not {expected}");
}

#[test]
fn class_weights_are_inverse_frequencies_that_average_to_one() {
    // 1/2 481, 1/3, 1/1 016 of the reference run, × 3 / their sum 0.334720644
    let weights = class_weights(&[2_481, 3, 1_016]);
    close(weights.iter().sum::<f64>(), 3.0);
    close(
        weights[1],
        3.0 * (1.0 / 3.0) / (1.0 / 2_481.0 + 1.0 / 3.0 + 1.0 / 1_016.0),
    );
    assert_eq!(class_weights(&[1, 1]), [1.0, 1.0]);
}

#[test]
fn rates_confusion_and_baseline_of_five_rows_agree_with_the_count_by_hand() {
    // Truth 0 0 0 1 2, predicted 0 0 1 1 0.
    let scores = [1., 0., 0., 1., 0., 0., 0., 1., 0., 0., 1., 0., 1., 0., 0.];
    let labels = Labels::Classes(vec![0, 0, 0, 1, 2]);
    let scored = Scored {
        scores: &scores,
        labels: &labels,
        criterion: Loss::CrossEntropy,
        class_weights: &[1.0, 2.0, 3.0],
    };
    let names = ["BUY", "HOLD", "SELL"].map(str::to_owned);
    let part = scored.metrics(&names, 0.0);
    let KindMetrics::Classes(metrics) = &part.kind else {
        panic!("classes were asked for")
    };
    assert_eq!(metrics.confusion, [[2, 1, 0], [0, 1, 0], [1, 0, 0]]);
    assert_eq!(
        metrics
            .classes
            .iter()
            .map(|class| class.support)
            .collect::<Vec<_>>(),
        [3, 1, 1]
    );
    close(metrics.accuracy, 0.6);
    close(metrics.majority_accuracy, 0.6);
    // BUY: precision 2/3, recall 2/3; HOLD: precision 1/2, recall 1, f1 2/3; SELL: never right, all
    // 0.
    close(metrics.classes[0].f1, 2.0 / 3.0);
    close(metrics.classes[0].predicted_share, 0.6);
    close(metrics.macro_precision, (2.0 / 3.0 + 0.5) / 3.0);
    close(metrics.macro_recall, (2.0 / 3.0 + 1.0) / 3.0);
    close(metrics.macro_f1, (2.0 / 3.0 + 2.0 / 3.0) / 3.0);
    // −log softmax with scores (1, 0, 0): ln(e + 2) − 1 = 0.551444714 for the 1, ln(e + 2) =
    // 1.551444714 for a 0.
    let (hit, miss) = (0.551_444_713_932_05, 1.551_444_713_932_05);
    close(part.loss, (3.0 * hit + 2.0 * miss) / 5.0);
    // Weights 1 1 1 2 3: rows 0, 1, 3 hit, rows 2, 4 miss.
    close(
        part.criterion,
        (hit + hit + miss + 2.0 * hit + 3.0 * miss) / 8.0,
    );
}

#[test]
fn focal_loss_is_divided_by_rows_and_with_gamma_zero_is_the_weighted_sum() {
    let (scores, labels) = ([1.0, 0.0, 0.0, 0.0], Labels::Classes(vec![0, 1]));
    let of = |gamma| {
        let scored = Scored {
            scores: &scores,
            labels: &labels,
            criterion: Loss::Focal { gamma },
            class_weights: &[1.0, 3.0],
        };
        scored.criterion()
    };
    // p = 0.731058579 and 0.5
    let (p, q): (f64, f64) = (0.731_058_578_63, 0.5);
    close(of(0.0), (-p.ln() - 3.0 * q.ln()) / 2.0);
    close(
        of(2.0),
        ((1.0 - p).powi(2) * -p.ln() + 3.0 * 0.25 * -q.ln()) / 2.0,
    );
}

#[test]
fn regression_errors_and_direction_agree_with_the_calculation_by_hand() {
    // Errors 0.01, −0.01, 0.03, 0; labels 0.01, 0.02, −0.02, 0.
    let (scores, labels) = (
        [0.02, 0.01, 0.01, 0.0],
        Labels::Returns(vec![0.01, 0.02, -0.02, 0.0]),
    );
    let scored = Scored {
        scores: &scores,
        labels: &labels,
        criterion: Loss::Huber { delta: 0.01 },
        class_weights: &[],
    };
    let part = scored.metrics(&[], 0.01);
    let KindMetrics::Regression(metrics) = &part.kind else {
        panic!("a regression was asked for")
    };
    close(metrics.mae, 0.05 / 4.0);
    close(metrics.mse, 0.0011 / 4.0);
    close(part.loss, 0.0011 / 4.0);
    // mean 0.0025; variance (0.0075² + 0.0175² + 0.0225² + 0.0025²)/4 = 0.00021875
    close(metrics.r2, 1.0 - 0.000_275 / 0.000_218_75);
    // Signs of the three moved rows: right, right, wrong.
    assert_eq!(
        (metrics.directional_accuracy, metrics.zero_labels),
        (Some(2.0 / 3.0), 1)
    );
    // Around 0.01: 0, 0.01, 0.03, 0.01.
    close(metrics.baseline_mae, 0.05 / 4.0);
    close(metrics.baseline_mse, 0.0011 / 4.0);
    // Huber: two of 0.5·0.01² = 0.00005, one of 0.01·(0.03 − 0.005) = 0.00025, one 0.
    close(part.criterion, 0.000_35 / 4.0);
}

#[test]
fn metrics_survive_json() {
    let (scores, labels) = ([0.02, 0.01], Labels::Returns(vec![0.01, 0.0]));
    let scored = Scored {
        scores: &scores,
        labels: &labels,
        criterion: Loss::Mse,
        class_weights: &[],
    };
    let part = scored.metrics(&[], 0.0);
    assert_eq!(
        serde_json::from_str::<trainer::metrics::PartMetrics>(
            &serde_json::to_string(&part).unwrap()
        )
        .unwrap(),
        part
    );
    assert_eq!(
        part.headline().into_keys().collect::<Vec<_>>(),
        [
            "baseline_mae",
            "criterion",
            "directional_accuracy",
            "loss",
            "mae",
            "r2"
        ]
    );
}
