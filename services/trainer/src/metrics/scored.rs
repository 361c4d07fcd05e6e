//! From scores and labels to metrics: the formulas. Exponentials and logarithms are those of the
//! crate `libm`, because the losses choose the best epoch: the host's own differ in the last bit
//! between machines.

use schemas::training::Loss;

use super::{ClassMetrics, ClassRates, KindMetrics, PartMetrics, RegressionMetrics};
use crate::data::Labels;

/// Scores of a part, `[rows, outputs]`, row-major, and what they are measured against.
#[derive(Clone, Copy, Debug)]
pub struct Scored<'a> {
    /// Raw scores, before any softmax.
    pub scores: &'a [f32],
    /// True labels, one per row.
    pub labels: &'a Labels,
    /// The criterion that training minimised.
    pub criterion: Loss,
    /// Weight of each class in the criterion; empty for a regression.
    pub class_weights: &'a [f64],
}

impl Scored<'_> {
    /// The value of the training criterion.
    pub fn criterion_value(&self) -> f64 {
        self.loss_by(self.criterion, self.class_weights)
    }

    /// Share of right classes, or of right signs among labels other than 0; absent when no row
    /// counts.
    pub fn accuracy(&self) -> Option<f64> {
        let tally = match self.labels {
            Labels::Classes(labels) => self.count_right_classes(labels),
            Labels::Returns(labels) => self.count_right_signs(labels),
        };
        (tally.counted > 0).then(|| tally.right as f64 / tally.counted as f64)
    }

    /// All metrics; `names` are the class names, `train_mean` is the mean label of the training
    /// part of a regression.
    pub fn metrics(&self, names: &[String], train_mean: f64) -> PartMetrics {
        let (plain_loss, kind) = match self.labels {
            Labels::Classes(labels) => {
                let metrics = self.class_metrics(labels, names);
                (Loss::CrossEntropy, KindMetrics::Classes(metrics))
            }
            Labels::Returns(labels) => {
                let metrics = self.regression_metrics(labels, train_mean);
                (Loss::Mse, KindMetrics::Regression(metrics))
            }
        };

        // Weights of classes differ between data sets; without them losses can be compared.
        PartMetrics {
            rows: self.labels.len() as u64,
            criterion: self.criterion_value(),
            loss: self.loss_by(plain_loss, &vec![1.0; names.len()]),
            kind,
        }
    }

    /// The scores of each row, `[outputs]` at a time.
    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        let outputs = self.scores.len() / self.labels.len().max(1);
        self.scores.chunks_exact(outputs.max(1))
    }

    fn count_right_classes(&self, labels: &[i64]) -> RightCount {
        let right = self
            .rows()
            .zip(labels)
            .filter(|(row, label)| index_of_max(row) as i64 == **label)
            .count();
        RightCount {
            right,
            counted: labels.len(),
        }
    }

    fn count_right_signs(&self, labels: &[f32]) -> RightCount {
        let mut count = RightCount {
            right: 0,
            counted: 0,
        };

        for (score, label) in self.scores.iter().zip(labels) {
            // A price that did not move has no direction to be right about.
            if *label == 0.0 {
                continue;
            }
            count.counted += 1;
            if *score != 0.0 && (*score > 0.0) == (*label > 0.0) {
                count.right += 1;
            }
        }
        count
    }

    /// The mean of `loss`, as [`Loss`] defines it; `weights` has one weight per class.
    fn loss_by(&self, loss: Loss, weights: &[f64]) -> f64 {
        match self.labels {
            Labels::Classes(labels) => self.class_loss(loss, weights, labels),
            Labels::Returns(labels) => {
                let errors = prediction_errors(self.scores, labels);
                mean_of(errors.map(|error| regression_loss(loss, error)))
            }
        }
    }

    fn class_loss(&self, loss: Loss, weights: &[f64], labels: &[i64]) -> f64 {
        let mut loss_sum = 0.0;
        let mut weight_sum = 0.0;
        for (row, &label) in self.rows().zip(labels) {
            // The data were checked: a label that is not a class is a defect, and gives NaN.
            let class = usize::try_from(label).unwrap_or(usize::MAX);
            let weight = weights.get(class).copied().unwrap_or(f64::NAN);
            let log_probability = log_probability_of(class, row);
            let focus = match loss {
                Loss::Focal { gamma } => libm::pow(1.0 - libm::exp(log_probability), gamma),
                _ => 1.0,
            };
            loss_sum -= weight * focus * log_probability;
            weight_sum += weight;
        }

        match loss {
            Loss::Focal { .. } => loss_sum / labels.len() as f64,
            _ => loss_sum / weight_sum,
        }
    }

    fn class_metrics(&self, labels: &[i64], names: &[String]) -> ClassMetrics {
        let confusion = self.confusion(labels, names.len());
        let total = labels.len() as f64;
        let classes: Vec<ClassRates> = names
            .iter()
            .enumerate()
            .map(|(class, name)| class_rates(class, name, &confusion, total))
            .collect();

        let macro_mean = |rate: fn(&ClassRates) -> f64| mean_of(classes.iter().map(rate));
        let majority = classes.iter().map(|class| class.support).max().unwrap_or(0);
        ClassMetrics {
            accuracy: self.accuracy().unwrap_or(0.0),
            majority_accuracy: ratio_or_zero(majority as f64, total),
            macro_precision: macro_mean(|class| class.precision),
            macro_recall: macro_mean(|class| class.recall),
            macro_f1: macro_mean(|class| class.f1),
            classes,
            confusion,
        }
    }

    /// Counts `[true class, predicted class]`.
    fn confusion(&self, labels: &[i64], classes: usize) -> Vec<Vec<u64>> {
        let mut confusion = vec![vec![0_u64; classes]; classes];
        for (row, &label) in self.rows().zip(labels) {
            let of_class = usize::try_from(label)
                .ok()
                .and_then(|class| confusion.get_mut(class));
            if let Some(cell) = of_class.and_then(|counts| counts.get_mut(index_of_max(row))) {
                *cell += 1;
            }
        }
        confusion
    }

    fn regression_metrics(&self, labels: &[f32], train_mean: f64) -> RegressionMetrics {
        let errors = || prediction_errors(self.scores, labels);
        let mse = mean_of(errors().map(|error| error * error));

        let mean = mean_of(labels.iter().map(|&label| f64::from(label)));
        let variance = mean_squared_distance(labels, mean);
        // Labels that do not vary leave nothing to explain.
        let r2 = if variance == 0.0 {
            0.0
        } else {
            1.0 - mse / variance
        };

        let distances = labels
            .iter()
            .map(|&label| (f64::from(label) - train_mean).abs());
        RegressionMetrics {
            mae: mean_of(errors().map(f64::abs)),
            mse,
            r2,
            directional_accuracy: self.accuracy(),
            zero_labels: labels.iter().filter(|label| **label == 0.0).count() as u64,
            baseline_mae: mean_of(distances),
            baseline_mse: mean_squared_distance(labels, train_mean),
        }
    }
}

/// Right answers among the rows that count.
struct RightCount {
    right: usize,
    counted: usize,
}

/// Rates of one class from the counts `[true class, predicted class]` of `total` rows.
fn class_rates(class: usize, name: &str, confusion: &[Vec<u64>], total: f64) -> ClassRates {
    let predicted_in = |counts: &Vec<u64>| counts.get(class).copied().unwrap_or(0);
    let predicted: u64 = confusion.iter().map(predicted_in).sum();
    let of_class = confusion.get(class);
    let right = of_class.map_or(0, predicted_in) as f64;
    let support: u64 = of_class.map_or(0, |counts| counts.iter().sum());

    // A class that is never predicted has no precision, one that never occurs no recall: 0.
    let precision = ratio_or_zero(right, predicted as f64);
    let recall = ratio_or_zero(right, support as f64);
    ClassRates {
        name: name.to_owned(),
        support,
        predicted_share: ratio_or_zero(predicted as f64, total),
        precision,
        recall,
        f1: ratio_or_zero(2.0 * precision * recall, precision + recall),
    }
}

/// The loss of one row of a regression.
fn regression_loss(loss: Loss, error: f64) -> f64 {
    match loss {
        Loss::Huber { delta } if error.abs() <= delta => 0.5 * error * error,
        Loss::Huber { delta } => delta * (error.abs() - 0.5 * delta),
        _ => error * error,
    }
}

/// Prediction minus label, row by row.
fn prediction_errors(scores: &[f32], labels: &[f32]) -> impl Iterator<Item = f64> {
    scores
        .iter()
        .zip(labels)
        .map(|(&score, &label)| f64::from(score) - f64::from(label))
}

fn mean_squared_distance(labels: &[f32], centre: f64) -> f64 {
    mean_of(labels.iter().map(|&label| {
        let distance = f64::from(label) - centre;
        distance * distance
    }))
}

/// s_c − max − ln Σ e^(s − max): softmax in logarithms, which large scores do not overflow.
fn log_probability_of(class: usize, scores: &[f32]) -> f64 {
    let max = f64::from(scores.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = scores
        .iter()
        .map(|&score| libm::exp(f64::from(score) - max))
        .sum();
    scores
        .get(class)
        .map_or(f64::NAN, |&score| f64::from(score) - max - libm::log(sum))
}

/// Index of the highest score, the first of equals.
fn index_of_max(scores: &[f32]) -> usize {
    let mut best = 0;
    let mut best_score = f32::NEG_INFINITY;
    for (index, &score) in scores.iter().enumerate() {
        if score > best_score {
            best = index;
            best_score = score;
        }
    }
    best
}

/// The mean; 0 of nothing.
pub(super) fn mean_of(values: impl Iterator<Item = f64>) -> f64 {
    let mut sum = 0.0;
    let mut count = 0.0;
    for value in values {
        sum += value;
        count += 1.0;
    }
    ratio_or_zero(sum, count)
}

/// `part` of `whole`; 0 where the whole is 0.
pub(super) fn ratio_or_zero(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}
