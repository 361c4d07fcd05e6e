//! Specifications of the losses: values by hand, gradients against finite differences in f64.

use networks::losses::{BatchLoss, Criterion, Loss, Targets};

use crate::plain::{Numbers, assert_close, differences, to_f64};

const CLASSES: usize = 4;
const ROWS: usize = 21;
const CLASS_WEIGHTS: [f32; CLASSES] = [0.25, 1.75, 0.0, 2.0];

/// ln Σ e^s, and log-probabilities.
fn log_probabilities(scores: &[f64]) -> Vec<f64> {
    let sum: f64 = scores.iter().map(|score| score.exp()).sum();
    scores.iter().map(|score| score - sum.ln()).collect()
}

/// A batch of classes with weights of rows.
struct ClassBatch {
    scores: Vec<f32>,
    labels: Vec<i64>,
    sample_weights: Vec<f32>,
}

impl ClassBatch {
    fn new() -> Self {
        let mut numbers = Numbers::new(11);
        Self {
            scores: numbers.take(ROWS * CLASSES, 4.0),
            labels: (0..ROWS as i64).map(|row| row * row % 4).collect(),
            sample_weights: numbers.take(ROWS, 1.0).iter().map(|it| it + 1.5).collect(),
        }
    }

    /// The loss by the formulas of the module's doc, in f64.
    fn plain_loss(&self, loss: Loss, scores: &[f64]) -> f64 {
        let weights = to_f64(&CLASS_WEIGHTS);
        let mut sum = 0.0;
        let mut divisor = 0.0;

        for (row, scores) in scores.chunks(CLASSES).enumerate() {
            let logarithms = log_probabilities(scores);
            let label = self.labels[row] as usize;
            let sample_weight = f64::from(self.sample_weights[row]);
            match loss {
                Loss::CrossEntropy { smoothing } => {
                    let smoothing = f64::from(smoothing);
                    let mut value = -(1.0 - smoothing) * weights[label] * logarithms[label];
                    for (weight, logarithm) in weights.iter().zip(&logarithms) {
                        value -= smoothing / CLASSES as f64 * weight * logarithm;
                    }
                    sum += sample_weight * value;
                    divisor += sample_weight * weights[label];
                }
                Loss::Focal { gamma } => {
                    let focus = (1.0 - logarithms[label].exp()).powf(f64::from(gamma));
                    sum -= sample_weight * weights[label] * focus * logarithms[label];
                    divisor += sample_weight;
                }
                other => panic!("{other:?} is for numbers"),
            }
        }
        sum / divisor
    }
}

#[test]
fn gradients_of_classes_agree_with_finite_differences() {
    let batch = ClassBatch::new();
    let targets = Targets::Classes(&batch.labels);
    for loss in [
        Loss::CrossEntropy { smoothing: 0.0 },
        Loss::CrossEntropy { smoothing: 0.2 },
        Loss::Focal { gamma: 0.0 },
        Loss::Focal { gamma: 0.5 },
        Loss::Focal { gamma: 2.0 },
    ] {
        let mut criterion = Criterion::new(loss, &CLASS_WEIGHTS, CLASSES);
        let mut gradients = Vec::new();
        let weights = &batch.sample_weights;
        let value = criterion.differentiate(&batch.scores, targets, weights, &mut gradients);

        let scores = to_f64(&batch.scores);
        let expected = batch.plain_loss(loss, &scores);
        assert!(
            (value.mean() - expected).abs() < 1e-6,
            "{loss:?}: {value:?}"
        );
        let slopes = differences(&scores, &|scores| batch.plain_loss(loss, scores));
        assert_close(&gradients, &slopes, 1e-7, &format!("{loss:?}"));

        // Without the gradient the value is the same.
        let alone = criterion.evaluate(&batch.scores, targets, weights);
        assert_eq!(alone, value);
    }
}

#[test]
fn gradients_of_numbers_agree_with_finite_differences() {
    let mut numbers = Numbers::new(12);
    let scores = numbers.take(ROWS, 2.0);
    let targets = numbers.take(ROWS, 2.0);
    let weights: Vec<f32> = numbers.take(ROWS, 1.0).iter().map(|it| it + 1.5).collect();
    let sum_of_weights: f64 = to_f64(&weights).iter().sum();

    for loss in [Loss::MeanSquared, Loss::Huber { delta: 0.5 }] {
        let plain = |scores: &[f64]| {
            let mut sum = 0.0;
            for (row, score) in scores.iter().enumerate() {
                let size = (score - f64::from(targets[row])).abs();
                let value = match loss {
                    Loss::Huber { .. } if size > 0.5 => 0.5 * (size - 0.25),
                    Loss::Huber { .. } => 0.5 * size * size,
                    _ => size * size,
                };
                sum += f64::from(weights[row]) * value;
            }
            sum / sum_of_weights
        };

        let mut criterion = Criterion::new(loss, &[], 1);
        let mut gradients = Vec::new();
        let targets = Targets::Numbers(&targets);
        let value = criterion.differentiate(&scores, targets, &weights, &mut gradients);

        let exact = to_f64(&scores);
        assert!((value.mean() - plain(&exact)).abs() < 1e-6, "{loss:?}");
        let slopes = differences(&exact, &plain);
        assert_close(&gradients, &slopes, 1e-7, &format!("{loss:?}"));
    }
}

/// Value and gradients of a batch.
fn measure(loss: Loss, class_weights: &[f32], scores: &[f32], labels: &[i64]) -> (f64, Vec<f32>) {
    let mut criterion = Criterion::new(loss, class_weights, 2);
    let mut gradients = Vec::new();
    let targets = Targets::Classes(labels);
    let value = criterion.differentiate(scores, targets, &[], &mut gradients);
    (value.mean(), gradients)
}

#[test]
fn weighted_cross_entropy_agrees_with_the_calculation_by_hand() {
    // p = (3/4, 1/4) in both rows: l = ln 4/3 with weight 1 and ln 4 with weight 3, so the mean is
    // (0.287 682 + 3 · 1.386 294) / 4 = 1.111 641.
    let scores = [3_f32.ln(), 0.0, 3_f32.ln(), 0.0];
    let loss = Loss::CrossEntropy { smoothing: 0.0 };
    let (value, gradients) = measure(loss, &[1.0, 3.0], &scores, &[0, 1]);

    assert!((value - 1.111_641).abs() < 1e-6, "{value}");
    // w (p − target) / 4
    let expected = [-0.062_5, 0.062_5, 0.562_5, -0.562_5];
    assert_close(&gradients, &expected, 1e-7, "gradients");
}

#[test]
fn focal_loss_agrees_with_the_calculation_by_hand() {
    // p = 3/4: (1/4)² · ln 4/3 = 0.017 980.
    let (value, _) = measure(Loss::Focal { gamma: 2.0 }, &[], &[3_f32.ln(), 0.0], &[0]);
    assert!((value - 0.017_980).abs() < 1e-6, "{value}");

    // A row of which nothing is left to learn: 1 − p is 0 in f32, and no power of it is NaN.
    let (value, gradients) = measure(Loss::Focal { gamma: 0.5 }, &[], &[200.0, 0.0], &[0]);
    assert_eq!(value, 0.0);
    assert_eq!(gradients, [0.0, 0.0]);
}

#[test]
fn huber_and_squares_agree_with_the_calculation_by_hand() {
    // d = (0.5, −3): 0.125 and 1 · (3 − 0.5), or 0.25 and 9.
    let targets = Targets::Numbers(&[1.0, 1.0]);
    let scores = [1.5, -2.0];
    let mut gradients = Vec::new();

    let mut huber = Criterion::new(Loss::Huber { delta: 1.0 }, &[], 1);
    let value = huber.differentiate(&scores, targets, &[], &mut gradients);
    assert_eq!(value.mean(), 1.312_5);
    assert_eq!(gradients, [0.25, -0.5]);

    let mut squares = Criterion::new(Loss::MeanSquared, &[], 1);
    let value = squares.differentiate(&scores, targets, &[], &mut gradients);
    assert_eq!(value.mean(), 4.625);
    assert_eq!(gradients, [0.5, -3.0]);
}

#[test]
fn answers_are_counted_by_the_largest_score_or_the_sign() {
    let mut criterion = Criterion::new(Loss::CrossEntropy { smoothing: 0.0 }, &[], 3);
    // The first of two largest scores counts; −1 and 3 are no classes.
    let scores = [1.0, 1.0, 0.0, 0.0, 2.0, 1.0, 5.0, 0.0, 0.0, 5.0, 0.0, 0.0];
    let batch = criterion.evaluate(&scores, Targets::Classes(&[0, 2, -1, 3]), &[]);
    assert_eq!((batch.right, batch.countable), (1, 2));
    assert_eq!(batch.weight_sum, 2.0);

    let mut criterion = Criterion::new(Loss::MeanSquared, &[], 1);
    let targets = Targets::Numbers(&[2.0, -1.0, -1.0, 0.0, 1.0]);
    let batch = criterion.evaluate(&[0.1, -3.0, 0.5, 1.0, 0.0], targets, &[]);
    assert_eq!((batch.right, batch.countable), (2, 4));
}

#[test]
fn sums_of_batches_are_the_sums_of_all_rows() {
    let batch = ClassBatch::new();
    let loss = Loss::CrossEntropy { smoothing: 0.1 };
    let mut criterion = Criterion::new(loss, &CLASS_WEIGHTS, CLASSES);
    let whole = criterion.evaluate(&batch.scores, Targets::Classes(&batch.labels), &[]);

    let mut sums = BatchLoss::default();
    let batches = batch.scores.chunks(8 * CLASSES).zip(batch.labels.chunks(8));
    for (scores, labels) in batches {
        sums.add(criterion.evaluate(scores, Targets::Classes(labels), &[]));
    }

    assert_eq!((sums.right, sums.countable), (whole.right, whole.countable));
    assert!((sums.mean() - whole.mean()).abs() < 1e-12);
    assert_eq!(BatchLoss::default().mean(), 0.0);
}

#[test]
fn gradients_below_the_smallest_are_zero() {
    // p of the second class is e^−75 = 2.7e−33.
    let loss = Loss::CrossEntropy { smoothing: 0.0 };
    let (_, gradients) = measure(loss, &[], &[75.0, 0.0], &[0]);
    assert_eq!(gradients, [0.0, 0.0]);
}
