//! What a trained model is worth: the layout of an artifact's `metrics.json`. The page
//! `docs/metrics.md` says how each figure is computed.
//!
//! Fields that older programs did not write are optional, so that their documents can be read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::decision_report::DecisionReport;
use crate::edge::EdgeReport;
use crate::training::{BatchHalving, TrainingEnd};

/// The document `metrics.json` of an artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsDocument {
    /// Version of this layout.
    pub v: u16,
    /// The few numbers of the test part that a list of models shows.
    pub headline: BTreeMap<String, f64>,
    /// What a reader must know before trusting the model; empty is best.
    pub warnings: Vec<String>,
    /// Number of epochs trained.
    pub epochs: u32,
    /// Epoch whose weights are stored.
    pub best_epoch: u32,
    /// True when early stopping ended the run.
    pub stopped_early: bool,
    /// Why the run ended. Absent in documents of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<TrainingEnd>,
    /// Where the batches became smaller for lack of memory, in order; empty is best.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub halvings: Vec<BatchHalving>,
    /// Seed of the run.
    pub seed: u64,
    /// Number of trainable parameters.
    pub parameters: u64,
    /// `cpu` or `cuda:0`.
    pub device: String,
    /// Weight of each class in the criterion; empty for a regression.
    pub class_weights: BTreeMap<String, f64>,
    /// Metrics of `train`, `validation` and `test`.
    pub parts: BTreeMap<String, PartMetrics>,
    /// Everything that takes more than one pass over the rows.
    #[serde(flatten)]
    pub evaluation: Evaluation,
}

impl MetricsDocument {
    /// Version of the layout written now.
    pub const VERSION: u16 = 1;
}

/// What is measured once, with the weights that are stored. All of it is absent in documents of
/// older programs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// How far the figures of the test part would differ on other rows of the same kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncertainty: Option<Uncertainty>,
    /// The test part by symbol and by month, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupMetrics>,
    /// How much the network relies on each feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<Importance>,
    /// Classes only: by how much the probabilities are too sure or too cautious.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<Temperature>,
    /// What the strategy decides by these predictions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions: Option<DecisionReport>,
    /// Whether predictions and decisions are worth anything. Absent for a data set without forward
    /// returns, which an older program has made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<EdgeReport>,
}

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
    /// What answers and probabilities are worth beside those of the class shares. Absent in
    /// documents of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<ClassSkill>,
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

/// Figures of a classifier that frequent classes cannot flatter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassSkill {
    /// Mean recall of the classes that occur in the part: 1 / classes for one constant answer.
    pub balanced_accuracy: f64,
    /// Matthews' correlation for several classes (Gorodkin, 2004): 1 is perfect, 0 is no better
    /// than chance or than one constant answer.
    pub mcc: f64,
    /// Mean over rows of Σ over classes of (probability − truth)², 0 to 2 (Brier, 1950).
    pub brier: f64,
    /// Plain loss of always giving the class shares of the training part as probabilities.
    pub prior_loss: f64,
    /// Brier score of the same.
    pub prior_brier: f64,
    /// How often an answer is right that the model is so sure of.
    pub calibration: Calibration,
}

/// The reliability of the probabilities of the answers (Guo and others, 2017).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Expected calibration error: Σ rows of a bin / rows · |accuracy − confidence|.
    pub ece: f64,
    /// Ten bins of equal width, from 0 to 1.
    pub bins: Vec<CalibrationBin>,
}

/// Rows whose answer has a probability within [low, high); the last bin has 1 as well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Lowest probability of an answer in it.
    pub low: f64,
    /// The probability where the next bin begins.
    pub high: f64,
    /// Rows of the bin.
    pub rows: u64,
    /// Their mean probability; 0 without rows.
    pub confidence: f64,
    /// Share of right answers among them; 0 without rows.
    pub accuracy: f64,
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
    /// Share of the same rows that have risen: the direction of always answering "up". Absent when
    /// no row is left, and in documents of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub always_up_accuracy: Option<f64>,
    /// Rows whose prediction is exactly 0; their direction counts as wrong.
    #[serde(default)]
    pub zero_predictions: u64,
}

/// Intervals of the figures of the test part by a circular block bootstrap (Politis and Romano,
/// 1992): rows are drawn in blocks of neighbours, because neighbours resemble each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Uncertainty {
    /// Share of the draws within an interval: 0.95.
    pub level: f64,
    /// How many times rows were drawn.
    pub draws: u32,
    /// Rows of a block.
    pub block_rows: u64,
    /// Seed of the draws: that of the training.
    pub seed: u64,
    /// Interval of each figure by its name, those of the baselines and of the gain over them as
    /// well.
    pub intervals: BTreeMap<String, Interval>,
}

/// A figure, and what lies between a low and a high quantile of its draws.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The figure of the part as it is.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// What the rows of a group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grouping {
    /// The instrument of the rows.
    Symbol,
    /// The month in UTC in which the features were known.
    Month,
}

/// Some rows of the test part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupMetrics {
    /// What they have in common.
    pub by: Grouping,
    /// Id of the instrument, or `2024-03`.
    pub name: String,
    /// Number of rows.
    pub rows: u64,
    /// The figures that also have intervals, for these rows alone.
    pub figures: BTreeMap<String, f64>,
}

/// Permutation importance (Breiman, 2001; Fisher, Rudin and Dominici, 2019): how much worse the
/// criterion is when a feature's values are those of other rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// Rows of the validation part that it was measured on.
    pub rows: u64,
    /// How often each feature was shuffled.
    pub repeats: u32,
    /// Seed of the orders: that of the training.
    pub seed: u64,
    /// The criterion of these rows as they are.
    pub criterion: f64,
    /// Each feature, in the network's order.
    pub features: Vec<FeatureImportance>,
}

/// What one feature is worth to the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureImportance {
    /// Name of the feature.
    pub name: String,
    /// Mean rise of the criterion over the repeats; about 0 or below for a feature that is of no
    /// use.
    pub rise: f64,
    /// Sample deviation of the rise between the repeats.
    pub deviation: f64,
}

/// One number by which all scores are divided so that probabilities fit (Guo and others, 2017). It
/// changes no answer. Fitted to the validation part, and tried on the test part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Temperature {
    /// Above 1 where the probabilities are too sure.
    pub value: f64,
    /// Plain loss of the test part with it.
    pub loss: f64,
    /// Brier score of the test part with it.
    pub brier: f64,
    /// Calibration of the test part with it.
    pub calibration: Calibration,
    /// The same of the scores before the division. Present where the temperature is stored with the
    /// model, so that all other figures are those with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncalibrated: Option<Uncalibrated>,
}

/// What the probabilities of the test part are worth without the temperature of the model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Uncalibrated {
    /// Plain loss of these probabilities.
    pub loss: f64,
    /// Brier score of the same.
    pub brier: f64,
    /// Expected calibration error.
    pub ece: f64,
}

impl PartMetrics {
    /// The few numbers that a list of models shows.
    pub fn headline(&self) -> BTreeMap<String, f64> {
        let of_kind = match &self.kind {
            KindMetrics::Classes(metrics) => metrics.headline(),
            KindMetrics::Regression(metrics) => metrics.headline(),
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

impl ClassMetrics {
    fn headline(&self) -> Vec<(&'static str, Option<f64>)> {
        let skill = self.skill.as_ref();

        vec![
            ("accuracy", Some(self.accuracy)),
            ("majority_accuracy", Some(self.majority_accuracy)),
            ("macro_precision", Some(self.macro_precision)),
            ("macro_recall", Some(self.macro_recall)),
            ("macro_f1", Some(self.macro_f1)),
            (
                "balanced_accuracy",
                skill.map(|skill| skill.balanced_accuracy),
            ),
            ("mcc", skill.map(|skill| skill.mcc)),
            ("brier", skill.map(|skill| skill.brier)),
            ("ece", skill.map(|skill| skill.calibration.ece)),
            ("prior_loss", skill.map(|skill| skill.prior_loss)),
        ]
    }
}

impl RegressionMetrics {
    fn headline(&self) -> Vec<(&'static str, Option<f64>)> {
        vec![
            ("mae", Some(self.mae)),
            ("baseline_mae", Some(self.baseline_mae)),
            ("r2", Some(self.r2)),
            ("directional_accuracy", self.directional_accuracy),
            ("always_up_accuracy", self.always_up_accuracy),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As programs wrote it before intervals and groups were measured.
    const OLDER: &str = r#"{
        "v": 1, "headline": {"accuracy": 0.75}, "warnings": [], "epochs": 3, "best_epoch": 2,
        "stopped_early": false, "seed": 7, "parameters": 4, "device": "cpu",
        "class_weights": {"BUY": 0.5, "SELL": 1.5},
        "parts": {
            "test": {
                "rows": 4, "criterion": 0.5, "loss": 0.4, "accuracy": 0.75, "majority_accuracy": 0.75,
                "macro_precision": 0.375, "macro_recall": 0.5, "macro_f1": 0.42857,
                "classes": [], "confusion": [[3, 0], [1, 0]]
            }
        }
    }"#;

    #[test]
    fn a_document_of_an_older_program_can_be_read() {
        let document: MetricsDocument = serde_json::from_str(OLDER).unwrap();

        assert_eq!(document.evaluation, Evaluation::default());
        let KindMetrics::Classes(metrics) = &document.parts["test"].kind else {
            panic!("the part has classes");
        };
        assert_eq!((metrics.accuracy, &metrics.skill), (0.75, &None));
        assert!(!document.parts["test"].headline().contains_key("mcc"));
    }

    #[test]
    fn a_regression_of_an_older_program_can_be_read() {
        let older = r#"{
            "rows": 4, "criterion": 0.1, "loss": 0.2, "mae": 0.3, "mse": 0.2, "r2": 0.1,
            "directional_accuracy": null, "zero_labels": 4, "baseline_mae": 0.4, "baseline_mse": 0.5
        }"#;
        let part: PartMetrics = serde_json::from_str(older).unwrap();
        let headline = part.headline();

        let names: Vec<&str> = headline.keys().map(String::as_str).collect();
        assert_eq!(names, ["baseline_mae", "criterion", "loss", "mae", "r2"]);
    }
}
