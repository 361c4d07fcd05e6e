//! Specifications of the metrics, worked by hand.

use schemas::training::Loss;
use trainer::{
    Labels, Objective,
    metrics::{
        Baseline, ClassMetrics, KindMetrics, PartMetrics, RegressionMetrics, Scored, class_weights,
    },
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
        objective: &Objective {
            class_weights: vec![1.0, 2.0, 3.0],
            ..Objective::plain(Loss::CrossEntropy, 3)
        },
    };
    scored.metrics(&names(), &baseline_of([0.5, 0.3, 0.2]))
}

fn names() -> [String; 3] {
    ["BUY", "HOLD", "SELL"].map(str::to_owned)
}

fn baseline_of(class_shares: [f64; 3]) -> Baseline {
    Baseline {
        class_shares: class_shares.to_vec(),
        mean: 0.0,
    }
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

/// Twelve rows, scored so that a softmax gives every kind of confidence.
fn twelve_rows() -> PartMetrics {
    let scored = Scored {
        scores: &[
            2., 0., -1., 0.5, 0., 1., 0., 1., 0., 1., 0.5, 0., 3., -1., 0., 0., 1., 0.75, -1., 0.,
            2., 1., 0., 0., 0., 0.25, 0.5, 0.5, 0., 0., 0., 2., 1., 0., 0., 4.,
        ],
        labels: &Labels::Classes(vec![0, 2, 1, 1, 0, 2, 2, 0, 1, 0, 0, 2]),
        objective: &Objective::plain(Loss::CrossEntropy, 3),
    };
    scored.metrics(&names(), &baseline_of([0.5, 0.3, 0.2]))
}

/// scikit-learn 1.9.1, with `p` the softmax of the scores and `q` the shares on every row:
///
/// ```python
/// balanced_accuracy_score(labels, p.argmax(1)), matthews_corrcoef(labels, p.argmax(1))
/// log_loss(labels, p), brier_score_loss(labels, p, labels=[0, 1, 2], scale_by_half=False)
/// log_loss(labels, q), brier_score_loss(labels, q, labels=[0, 1, 2], scale_by_half=False)
/// ```
#[test]
fn the_skill_of_twelve_rows_is_that_of_scikit_learn() {
    let part = twelve_rows();
    let skill = class_metrics(&part).skill.as_ref().unwrap();

    assert_close(skill.balanced_accuracy, 0.627_777_777_777_777_8);
    assert_close(skill.mcc, 0.489_361_702_127_659_56);
    assert_close(part.loss, 0.728_352_033_091_896_1);
    assert_close(skill.brier, 0.408_107_875_640_295_1);
    assert_close(skill.prior_loss, 1.126_283_830_459_494_7);
    assert_close(skill.prior_brier, 0.68);
}

/// numpy 2.4.6, with `confidence = p.max(1)` and `right = p.argmax(1) == labels`:
///
/// ```python
/// for bin in range(10):
///     rows = np.minimum(confidence * 10, 9).astype(int) == bin
///     print(rows.sum(), confidence[rows].mean(), right[rows].mean())
/// ```
#[test]
fn the_reliability_of_twelve_rows_is_that_of_numpy() {
    let part = twelve_rows();
    let calibration = &class_metrics(&part).skill.as_ref().unwrap().calibration;

    let rows: Vec<u64> = calibration.bins.iter().map(|bin| bin.rows).collect();
    assert_eq!(rows, [0, 0, 0, 0, 3, 4, 1, 0, 2, 2]);
    assert_close(calibration.bins[4].confidence, 0.445_642_426_917_943_26);
    assert_close(calibration.bins[4].accuracy, 1.0 / 3.0);
    assert_close(calibration.bins[9].confidence, 0.950_451_353_924_204_8);
    assert_close(calibration.ece, 0.187_373_459_006_216_4);
    assert_eq!(
        (calibration.bins[3].low, calibration.bins[3].high),
        (0.3, 0.4)
    );
}

#[test]
fn classes_that_are_absent_or_never_answered_spoil_no_rate() {
    let part = five_rows();
    let skill = class_metrics(&part).skill.as_ref().unwrap();

    // scikit-learn: balanced_accuracy_score and matthews_corrcoef of [0, 0, 0, 1, 2] and
    // [0, 0, 1, 1, 0].
    assert_close(skill.balanced_accuracy, 5.0 / 9.0);
    assert_close(skill.mcc, 0.308_606_699_924_183_8);

    // One constant answer: no correlation.
    let constant = Scored {
        scores: &[1., 0., 0., 1., 0., 0.],
        labels: &Labels::Classes(vec![0, 1]),
        objective: &Objective::plain(Loss::CrossEntropy, 3),
    };
    let part = constant.metrics(&names(), &baseline_of([0.5, 0.3, 0.2]));
    let skill = class_metrics(&part).skill.as_ref().unwrap();
    assert_eq!((skill.mcc, skill.balanced_accuracy), (0.0, 0.5));
}

#[test]
fn a_baseline_has_the_shares_or_the_mean_of_the_training_part() {
    let classes = Baseline::of(&Labels::Classes(vec![0, 2, 2, 2]), 3);
    assert_eq!(classes.class_shares, [0.25, 0.0, 0.75]);

    let returns = Baseline::of(&Labels::Returns(vec![0.5, -0.25, 0.5]), 0);
    assert_eq!((returns.mean, returns.class_shares), (0.25, vec![]));
}

fn focal_loss(gamma: f64) -> f64 {
    let scored = Scored {
        scores: &[1.0, 0.0, 0.0, 0.0],
        labels: &Labels::Classes(vec![0, 1]),
        objective: &Objective {
            class_weights: vec![1.0, 3.0],
            ..Objective::plain(Loss::Focal { gamma }, 2)
        },
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
        objective: &Objective::plain(Loss::Huber { delta: 0.01 }, 0),
    };
    let baseline = Baseline {
        class_shares: Vec::new(),
        mean: 0.01,
    };
    scored.metrics(&[], &baseline)
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
    // Two of the three rose; the only prediction of 0 is that of the row that did not move.
    assert_eq!(metrics.always_up_accuracy, Some(2.0 / 3.0));
    assert_eq!(metrics.zero_predictions, 1);
}

#[test]
fn metrics_survive_json() {
    let part = four_returns();
    let json = serde_json::to_string(&part).unwrap();
    assert_eq!(serde_json::from_str::<PartMetrics>(&json).unwrap(), part);
}

#[test]
fn the_headline_of_classes_has_twelve_figures() {
    let headline = five_rows().headline();
    let names: Vec<&String> = headline.keys().collect();

    assert_eq!(
        names,
        [
            "accuracy",
            "balanced_accuracy",
            "brier",
            "criterion",
            "ece",
            "loss",
            "macro_f1",
            "macro_precision",
            "macro_recall",
            "majority_accuracy",
            "mcc",
            "prior_loss"
        ]
    );
    assert_close(headline["macro_precision"], (2.0 / 3.0 + 0.5) / 3.0);
    assert_close(headline["macro_recall"], (2.0 / 3.0 + 1.0) / 3.0);
}

#[test]
fn the_headline_of_a_regression_has_seven_figures() {
    let headline = four_returns().headline();
    let names: Vec<&String> = headline.keys().collect();

    assert_eq!(
        names,
        [
            "always_up_accuracy",
            "baseline_mae",
            "criterion",
            "directional_accuracy",
            "loss",
            "mae",
            "r2"
        ]
    );
}
