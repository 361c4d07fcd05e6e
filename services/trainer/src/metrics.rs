//! What a model's scores are worth: losses, rates per class, baselines. Pure, in f64, without
//! libtorch.

use std::collections::BTreeMap;

use schemas::training::Loss;
use serde::{Deserialize, Serialize};

use crate::data::Labels;

/// Scores of a part, `[rows, outputs]`, row-major, and what they are measured against.
#[derive(Clone, Copy, Debug)]
pub struct Scored<'a> {
    /// Raw scores, before any softmax.
    pub scores: &'a [f32],
    /// True labels, one a row.
    pub labels: &'a Labels,
    /// What training minimised.
    pub criterion: Loss,
    /// Weight of each class in the criterion; empty for a regression.
    pub class_weights: &'a [f64],
}

/// How good a model is on one part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartMetrics {
    /// Rows.
    pub rows: u64,
    /// The criterion that training minimised, with its weights.
    pub criterion: f64,
    /// The plain loss, comparable between trainings: unweighted cross entropy, or mean squared
    /// error.
    pub loss: f64,
    /// By kind of output.
    #[serde(flatten)]
    pub kind: KindMetrics,
}

/// Metrics of classes or of a regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KindMetrics {
    /// Of classes.
    Classes(ClassMetrics),
    /// Of a regression.
    Regression(RegressionMetrics),
}

/// Metrics of a classifier. A rate without cases is 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Share of rows whose highest score is the true class.
    pub accuracy: f64,
    /// Accuracy of always answering this part's most frequent class: what a model has to beat.
    pub majority_accuracy: f64,
    /// Unweighted mean over classes.
    pub macro_precision: f64,
    /// Unweighted mean over classes.
    pub macro_recall: f64,
    /// Unweighted mean over classes.
    pub macro_f1: f64,
    /// In class order.
    pub classes: Vec<ClassRates>,
    /// Rows are true classes, columns predicted ones.
    pub confusion: Vec<Vec<u64>>,
}

/// Rates of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassRates {
    /// Its name.
    pub name: String,
    /// Rows of this class.
    pub support: u64,
    /// Share of all rows predicted to be of this class: 1 for one class means that the model has
    /// collapsed.
    pub predicted_share: f64,
    /// Right among those predicted.
    pub precision: f64,
    /// Found among those that are.
    pub recall: f64,
    /// 2·precision·recall / (precision + recall).
    pub f1: f64,
}

/// Metrics of a regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegressionMetrics {
    /// Mean absolute error.
    pub mae: f64,
    /// Mean squared error.
    pub mse: f64,
    /// 1 − mse / variance of the labels; 0 when they do not vary.
    pub r2: f64,
    /// Share of rows whose sign is right, rows with label 0 left out; absent when no row is left.
    pub directional_accuracy: Option<f64>,
    /// Rows with label 0.
    pub zero_labels: u64,
    /// Mean absolute error of always predicting the training part's mean: what a model has to beat.
    pub baseline_mae: f64,
    /// Mean squared error of the same.
    pub baseline_mse: f64,
}

impl Scored<'_> {
    /// The training criterion.
    pub fn criterion(&self) -> f64 {
        self.loss_as(self.criterion, self.class_weights)
    }

    /// Share of right classes, or of right signs among labels other than 0; absent when nothing can
    /// be counted.
    pub fn accuracy(&self) -> Option<f64> {
        let (right, counted) = match self.labels {
            Labels::Classes(labels) => {
                let right = self
                    .rows()
                    .zip(labels)
                    .filter(|(row, label)| argmax(row) as i64 == **label)
                    .count();
                (right, labels.len())
            }
            Labels::Returns(labels) => {
                let moved = self
                    .scores
                    .iter()
                    .zip(labels)
                    .filter(|(_, label)| **label != 0.0);
                let right = moved
                    .clone()
                    .filter(|(score, label)| **score != 0.0 && (**score > 0.0) == (**label > 0.0));
                (right.count(), moved.count())
            }
        };
        (counted > 0).then(|| right as f64 / counted as f64)
    }

    /// All metrics; `names` are the class names, `train_mean` is the mean label of the training
    /// part of a regression.
    pub fn metrics(&self, names: &[String], train_mean: f64) -> PartMetrics {
        let (plain, kind) = match self.labels {
            Labels::Classes(labels) => (
                Loss::CrossEntropy,
                KindMetrics::Classes(self.class_metrics(labels, names)),
            ),
            Labels::Returns(labels) => (
                Loss::Mse,
                KindMetrics::Regression(self.regression_metrics(labels, train_mean)),
            ),
        };
        let loss = self.loss_as(plain, &vec![1.0; names.len()]);
        PartMetrics {
            rows: self.labels.len() as u64,
            criterion: self.criterion(),
            loss,
            kind,
        }
    }

    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.scores
            .chunks_exact((self.scores.len() / self.labels.len().max(1)).max(1))
    }

    fn loss_as(&self, loss: Loss, weights: &[f64]) -> f64 {
        match self.labels {
            Labels::Classes(labels) => {
                let (mut sum, mut weight_sum) = (0.0, 0.0);
                for (row, &label) in self.rows().zip(labels) {
                    let class = usize::try_from(label).unwrap_or(usize::MAX);
                    let weight = weights.get(class).copied().unwrap_or(f64::NAN);
                    let log = log_probability(row, class);
                    let focus = if let Loss::Focal { gamma } = loss {
                        (1.0 - log.exp()).powf(gamma)
                    } else {
                        1.0
                    };
                    sum -= weight * focus * log;
                    weight_sum += weight;
                }
                sum / if matches!(loss, Loss::Focal { .. }) {
                    labels.len() as f64
                } else {
                    weight_sum
                }
            }
            Labels::Returns(labels) => mean(errors(self.scores, labels).map(|error| match loss {
                Loss::Huber { delta } if error.abs() <= delta => 0.5 * error * error,
                Loss::Huber { delta } => delta * (error.abs() - 0.5 * delta),
                _ => error * error,
            })),
        }
    }

    fn class_metrics(&self, labels: &[i64], names: &[String]) -> ClassMetrics {
        let mut confusion = vec![vec![0_u64; names.len()]; names.len()];
        for (row, &label) in self.rows().zip(labels) {
            let truth = usize::try_from(label)
                .ok()
                .and_then(|label| confusion.get_mut(label));
            if let Some(cell) = truth.and_then(|counts| counts.get_mut(argmax(row))) {
                *cell += 1;
            }
        }
        let total = labels.len() as f64;
        let rates = |(class, name): (usize, &String)| {
            let of = |row: &Vec<u64>| row.get(class).copied().unwrap_or(0);
            let (right, support) = confusion
                .get(class)
                .map_or((0, 0), |row| (of(row), row.iter().sum::<u64>()));
            let predicted: u64 = confusion.iter().map(of).sum();
            let (precision, recall) = (
                ratio(right as f64, predicted as f64),
                ratio(right as f64, support as f64),
            );
            let f1 = ratio(2.0 * precision * recall, precision + recall);
            ClassRates {
                name: name.clone(),
                support,
                predicted_share: ratio(predicted as f64, total),
                precision,
                recall,
                f1,
            }
        };
        let classes: Vec<ClassRates> = names.iter().enumerate().map(rates).collect();
        let macro_mean = |rate: fn(&ClassRates) -> f64| mean(classes.iter().map(rate));
        let majority = classes.iter().map(|class| class.support).max().unwrap_or(0);
        ClassMetrics {
            accuracy: self.accuracy().unwrap_or(0.0),
            majority_accuracy: ratio(majority as f64, total),
            macro_precision: macro_mean(|class| class.precision),
            macro_recall: macro_mean(|class| class.recall),
            macro_f1: macro_mean(|class| class.f1),
            classes,
            confusion,
        }
    }

    fn regression_metrics(&self, labels: &[f32], train_mean: f64) -> RegressionMetrics {
        let values = || labels.iter().map(|&label| f64::from(label));
        let squares = |centre: f64| mean(values().map(|label| (label - centre) * (label - centre)));
        let mse = mean(errors(self.scores, labels).map(|error| error * error));
        let variance = squares(mean(values()));
        RegressionMetrics {
            mae: mean(errors(self.scores, labels).map(f64::abs)),
            mse,
            r2: if variance == 0.0 {
                0.0
            } else {
                1.0 - mse / variance
            },
            directional_accuracy: self.accuracy(),
            zero_labels: labels.iter().filter(|label| **label == 0.0).count() as u64,
            baseline_mae: mean(values().map(|label| (label - train_mean).abs())),
            baseline_mse: squares(train_mean),
        }
    }
}

impl PartMetrics {
    /// The few numbers that a list of models shows.
    pub fn headline(&self) -> BTreeMap<String, f64> {
        let mut headline = BTreeMap::from([
            ("criterion".to_owned(), self.criterion),
            ("loss".to_owned(), self.loss),
        ]);
        let more: Vec<(&str, Option<f64>)> = match &self.kind {
            KindMetrics::Classes(metrics) => vec![
                ("accuracy", Some(metrics.accuracy)),
                ("majority_accuracy", Some(metrics.majority_accuracy)),
                ("macro_f1", Some(metrics.macro_f1)),
            ],
            KindMetrics::Regression(metrics) => vec![
                ("mae", Some(metrics.mae)),
                ("baseline_mae", Some(metrics.baseline_mae)),
                ("r2", Some(metrics.r2)),
                ("directional_accuracy", metrics.directional_accuracy),
            ],
        };
        headline.extend(
            more.into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?))),
        );
        headline
    }
}

/// Weights of the classes in a criterion from their training rows: (1/n_c) / Σ(1/n_j) × C, so that
/// they average to 1. A class without rows weighs 0.
pub fn class_weights(counts: &[u64]) -> Vec<f64> {
    let inverse: Vec<f64> = counts
        .iter()
        .map(|&count| ratio(1.0, count as f64))
        .collect();
    let sum: f64 = inverse.iter().sum();
    inverse
        .iter()
        .map(|value| ratio(value * counts.len() as f64, sum))
        .collect()
}

/// Mean label of a regression; 0 for classes.
pub fn mean_label(labels: &Labels) -> f64 {
    match labels {
        Labels::Classes(_) => 0.0,
        Labels::Returns(labels) => mean(labels.iter().map(|&label| f64::from(label))),
    }
}

fn errors(scores: &[f32], labels: &[f32]) -> impl Iterator<Item = f64> {
    scores
        .iter()
        .zip(labels)
        .map(|(&score, &label)| f64::from(score) - f64::from(label))
}

/// s_c − max − ln Σ e^(s − max): softmax in logarithms, safe for large scores.
fn log_probability(scores: &[f32], class: usize) -> f64 {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = scores
        .iter()
        .map(|&score| (f64::from(score) - f64::from(max)).exp())
        .sum();
    scores.get(class).map_or(f64::NAN, |&score| {
        f64::from(score) - f64::from(max) - sum.ln()
    })
}

/// Index of the highest score, the first of equals.
fn argmax(scores: &[f32]) -> usize {
    let better = |best: (usize, f32), (index, &score): (usize, &f32)| {
        if score > best.1 { (index, score) } else { best }
    };
    scores
        .iter()
        .enumerate()
        .fold((0, f32::NEG_INFINITY), better)
        .0
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    ratio(sum, count)
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}
