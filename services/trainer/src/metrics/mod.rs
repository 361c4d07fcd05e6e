//! What a model's scores are worth: losses, rates per class, baselines. Pure, in f64, without
//! libtorch.

mod scored;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::Labels;

pub use scored::Scored;
use scored::{mean_of, ratio_or_zero};

/// How good a model is on one part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartMetrics {
    /// Rows of the part.
    pub rows: u64,
    /// The criterion that training minimised, with its weights.
    pub criterion: f64,
    /// The plain loss, comparable between trainings: unweighted cross entropy, or mean squared
    /// error.
    pub loss: f64,
    /// Metrics of the network's kind of output.
    #[serde(flatten)]
    pub kind: KindMetrics,
}

/// Metrics of classes or of a regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KindMetrics {
    /// The network chooses among classes.
    Classes(ClassMetrics),
    /// The network gives one number.
    Regression(RegressionMetrics),
}

/// Metrics of a classifier. A rate whose divisor is 0 is 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Share of rows whose highest score is the true class.
    pub accuracy: f64,
    /// Accuracy of always answering this part's most frequent class: what a model has to beat.
    pub majority_accuracy: f64,
    /// Unweighted mean of the precision of the classes.
    pub macro_precision: f64,
    /// Unweighted mean of the recall of the classes.
    pub macro_recall: f64,
    /// Unweighted mean of the F1 of the classes.
    pub macro_f1: f64,
    /// Rates of each class, in class order.
    pub classes: Vec<ClassRates>,
    /// Rows are true classes, columns predicted ones.
    pub confusion: Vec<Vec<u64>>,
}

/// Rates of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassRates {
    /// Name of the class.
    pub name: String,
    /// Rows of this class.
    pub support: u64,
    /// Share of all rows predicted to be of this class: 1 for one class means that the model has
    /// collapsed.
    pub predicted_share: f64,
    /// Share of right answers among the rows predicted to be of this class.
    pub precision: f64,
    /// Share of right answers among the rows of this class.
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
    /// Rows whose label is exactly 0.
    pub zero_labels: u64,
    /// Mean absolute error of always predicting the training part's mean: what a model has to beat.
    pub baseline_mae: f64,
    /// Mean squared error of always predicting the training part's mean.
    pub baseline_mse: f64,
}

impl PartMetrics {
    /// The few numbers that a list of models shows.
    pub fn headline(&self) -> BTreeMap<String, f64> {
        let of_kind: Vec<(&str, Option<f64>)> = match &self.kind {
            KindMetrics::Classes(metrics) => vec![
                ("accuracy", Some(metrics.accuracy)),
                ("majority_accuracy", Some(metrics.majority_accuracy)),
                ("macro_precision", Some(metrics.macro_precision)),
                ("macro_recall", Some(metrics.macro_recall)),
                ("macro_f1", Some(metrics.macro_f1)),
            ],
            KindMetrics::Regression(metrics) => vec![
                ("mae", Some(metrics.mae)),
                ("baseline_mae", Some(metrics.baseline_mae)),
                ("r2", Some(metrics.r2)),
                ("directional_accuracy", metrics.directional_accuracy),
            ],
        };

        // Both kinds of output have these two.
        let mut headline = BTreeMap::from([
            ("criterion".to_owned(), self.criterion),
            ("loss".to_owned(), self.loss),
        ]);
        for (name, value) in of_kind {
            if let Some(value) = value {
                headline.insert(name.to_owned(), value);
            }
        }
        headline
    }
}

/// Weights of the classes in a criterion from their training rows: (1/n_c) / Σ(1/n_j) × C, so that
/// they average to 1. A class without rows weighs 0.
pub fn class_weights(counts: &[u64]) -> Vec<f64> {
    let inverse: Vec<f64> = counts
        .iter()
        .map(|&count| ratio_or_zero(1.0, count as f64))
        .collect();
    let sum: f64 = inverse.iter().sum();

    let classes = counts.len() as f64;
    inverse
        .iter()
        .map(|value| ratio_or_zero(value * classes, sum))
        .collect()
}

/// Mean label of a regression; 0 for classes.
pub fn mean_label(labels: &Labels) -> f64 {
    match labels {
        Labels::Classes(_) => 0.0,
        Labels::Returns(labels) => mean_of(labels.iter().map(|&label| f64::from(label))),
    }
}
