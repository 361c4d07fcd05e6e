//! Specifications of the metrics, worked by hand.

use schemas::training::Loss;
use trainer::{
    Labels,
    metrics::{ClassMetrics, KindMetrics, PartMetrics, RegressionMetrics, Scored, class_weights},
};

fn assert_close(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-7, "{value} is not {expected}");
}

#[test]
fn class_weights_are_inverse_frequencies_that_average_to_one() {
    // 1/2 481, 1/3, 1/1 016 of the reference run, × 3 / their sum 0.334720644
    let weights = class_weights(&[2_481, 3, 1_016]);

    assert_close(weights.iter().sum::<f64>(), 3.0);
    let inverse_sum = 1.0 / 2_481.0 + 1.0 / 3.0 + 1.0 / 1_016.0;
    assert_close(weights[1], 3.0 * (1.0 / 3.0) / inverse_sum);
    assert_eq!(class_weights(&[1, 1]), [1.0, 1.0]);
}

/// Truth 0 0 0 1 2, predicted 0 0 1 1 0, weights 1 2 3.
fn five_rows() -> PartMetrics {
    let scored = Scored {
        scores: &[1., 0., 0., 1., 0., 0., 0., 1., 0., 0., 1., 0., 1., 0., 0.],
        labels: &Labels::Classes(vec![0, 0, 0, 1, 2]),
        criterion: Loss::CrossEntropy,
        class_weights: &[1.0, 2.0, 3.0],
    };
    scored.metrics(&["BUY", "HOLD", "SELL"].map(str::to_owned), 0.0)
}

fn class_metrics(part: &PartMetrics) -> &ClassMetrics {
    match &part.kind {
        KindMetrics::Classes(metrics) => metrics,
        KindMetrics::Regression(_) => panic!("classes were asked for"),
    }
}

#[test]
fn the_confusion_counts_true_class_by_predicted_class() {
    let part = five_rows();
    let metrics = class_metrics(&part);

    assert_eq!(metrics.confusion, [[2, 1, 0], [0, 1, 0], [1, 0, 0]]);
    let support: Vec<u64> = metrics.classes.iter().map(|class| class.support).collect();
    assert_eq!(support, [3, 1, 1]);
    assert_close(metrics.accuracy, 0.6);
    assert_close(metrics.majority_accuracy, 0.6);
}

#[test]
fn rates_of_five_rows_agree_with_the_count_by_hand() {
    let part = five_rows();
    let metrics = class_metrics(&part);

    // BUY: precision 2/3, recall 2/3; HOLD: precision 1/2, recall 1, f1 2/3; SELL: never right, all
    // 0.
    assert_close(metrics.classes[0].f1, 2.0 / 3.0);
    assert_close(metrics.classes[0].predicted_share, 0.6);
    assert_close(metrics.macro_precision, (2.0 / 3.0 + 0.5) / 3.0);
    assert_close(metrics.macro_recall, (2.0 / 3.0 + 1.0) / 3.0);
    assert_close(metrics.macro_f1, (2.0 / 3.0 + 2.0 / 3.0) / 3.0);
}

#[test]
fn losses_of_five_rows_agree_with_the_calculation_by_hand() {
    let part = five_rows();

    // −log softmax with scores (1, 0, 0): ln(e + 2) − 1 = 0.551444714 for the 1, ln(e + 2) =
    // 1.551444714 for a 0.
    let hit = 0.551_444_713_932_05;
    let miss = 1.551_444_713_932_05;
    assert_close(part.loss, (3.0 * hit + 2.0 * miss) / 5.0);

    // Weights 1 1 1 2 3: rows 0, 1, 3 hit, rows 2, 4 miss.
    let weighted = hit + hit + miss + 2.0 * hit + 3.0 * miss;
    assert_close(part.criterion, weighted / 8.0);
}

fn focal_loss(gamma: f64) -> f64 {
    let scored = Scored {
        scores: &[1.0, 0.0, 0.0, 0.0],
        labels: &Labels::Classes(vec![0, 1]),
        criterion: Loss::Focal { gamma },
        class_weights: &[1.0, 3.0],
    };
    scored.criterion_value()
}

#[test]
fn focal_loss_is_divided_by_rows_and_not_by_weights() {
    let p: f64 = 0.731_058_578_63;
    let q: f64 = 0.5;

    assert_close(focal_loss(0.0), (-p.ln() - 3.0 * q.ln()) / 2.0);
    let focused = (1.0 - p).powi(2) * -p.ln() + 3.0 * 0.25 * -q.ln();
    assert_close(focal_loss(2.0), focused / 2.0);
}

/// Errors 0.01, −0.01, 0.03, 0; labels 0.01, 0.02, −0.02, 0; the training part's mean is 0.01.
fn four_returns() -> PartMetrics {
    let scored = Scored {
        scores: &[0.02, 0.01, 0.01, 0.0],
        labels: &Labels::Returns(vec![0.01, 0.02, -0.02, 0.0]),
        criterion: Loss::Huber { delta: 0.01 },
        class_weights: &[],
    };
    scored.metrics(&[], 0.01)
}

fn regression_metrics(part: &PartMetrics) -> &RegressionMetrics {
    match &part.kind {
        KindMetrics::Regression(metrics) => metrics,
        KindMetrics::Classes(_) => panic!("a regression was asked for"),
    }
}

#[test]
fn regression_errors_agree_with_the_calculation_by_hand() {
    let part = four_returns();
    let metrics = regression_metrics(&part);

    assert_close(metrics.mae, 0.05 / 4.0);
    assert_close(metrics.mse, 0.0011 / 4.0);
    assert_close(part.loss, 0.0011 / 4.0);
    // mean 0.0025; variance (0.0075² + 0.0175² + 0.0225² + 0.0025²)/4 = 0.00021875
    assert_close(metrics.r2, 1.0 - 0.000_275 / 0.000_218_75);
    // Huber: two of 0.5·0.01² = 0.00005, one of 0.01·(0.03 − 0.005) = 0.00025, one 0.
    assert_close(part.criterion, 0.000_35 / 4.0);
}

#[test]
fn a_regression_is_compared_with_the_mean_of_the_training_part() {
    let part = four_returns();
    let metrics = regression_metrics(&part);

    // Around 0.01: 0, 0.01, 0.03, 0.01.
    assert_close(metrics.baseline_mae, 0.05 / 4.0);
    assert_close(metrics.baseline_mse, 0.0011 / 4.0);
}

#[test]
fn a_label_of_zero_has_no_direction() {
    let part = four_returns();
    let metrics = regression_metrics(&part);

    // Signs of the three moved rows: right, right, wrong.
    assert_eq!(metrics.directional_accuracy, Some(2.0 / 3.0));
    assert_eq!(metrics.zero_labels, 1);
}

#[test]
fn metrics_survive_json() {
    let part = four_returns();
    let json = serde_json::to_string(&part).unwrap();
    assert_eq!(serde_json::from_str::<PartMetrics>(&json).unwrap(), part);
}

#[test]
fn the_headline_of_classes_has_precision_recall_and_f1() {
    let headline = five_rows().headline();
    let names: Vec<&String> = headline.keys().collect();

    assert_eq!(
        names,
        [
            "accuracy",
            "criterion",
            "loss",
            "macro_f1",
            "macro_precision",
            "macro_recall",
            "majority_accuracy"
        ]
    );
    assert_close(headline["macro_precision"], (2.0 / 3.0 + 0.5) / 3.0);
    assert_close(headline["macro_recall"], (2.0 / 3.0 + 1.0) / 3.0);
}

#[test]
fn the_headline_of_a_regression_has_six_figures() {
    let headline = four_returns().headline();
    let names: Vec<&String> = headline.keys().collect();

    assert_eq!(
        names,
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
