//! What training minimises, and what it does to labels first.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rules::{Rule, is_not_negative, is_positive};

/// Largest weight of a class, and the inverse of the smallest.
const CLASS_WEIGHT_MAX: f64 = 1e6;

/// The criterion that training minimises.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Loss {
    /// −log softmax of the true class, weighted: Σ w·l / Σ w. Classes only.
    CrossEntropy,
    /// Mean of w·(1 − p)^gamma·(−log p), `p` being the probability of the true class (Lin and
    /// others, 2017). Not divided by the weights. Classes only.
    Focal {
        /// Exponent, 0 to 10; 0 is a weighted cross entropy divided by the rows instead of by the
        /// weights.
        gamma: f64,
    },
    /// Mean of 0.5·d² where |d| ≤ delta, else delta·(|d| − delta/2). Regression only.
    Huber {
        /// Width of the quadratic part, > 0, in units of the label (0.01 = 1 %), also where
        /// [`TargetScale`] divides the labels: it is divided along with them.
        delta: f64,
    },
    /// Mean of d². Regression only.
    Mse,
}

impl Loss {
    /// True for the criteria that need classes, false for those that need one number.
    pub fn is_for_classes(&self) -> bool {
        matches!(self, Self::CrossEntropy | Self::Focal { .. })
    }

    /// The same criterion of labels that are divided by `scale`.
    #[must_use]
    pub fn of_labels_divided_by(self, scale: f64) -> Self {
        match self {
            Self::Huber { delta } => Self::Huber {
                delta: delta / scale,
            },
            other => other,
        }
    }

    pub(super) fn rule(&self) -> Rule {
        let is_kept = match *self {
            Self::CrossEntropy | Self::Mse => true,
            Self::Focal { gamma } => (0.0..=10.0).contains(&gamma),
            Self::Huber { delta } => is_positive(delta),
        };
        Rule {
            is_kept,
            keys: &["loss"],
            text: "loss: huber needs delta above 0, focal needs gamma between 0 and 10",
        }
    }
}

/// How much a row of each class counts in the loss.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeights {
    /// By the rows n of the class in the training part: w = (1/n) / Σ(1/n) · classes, and 0 for a
    /// class without rows.
    #[default]
    Balanced,
    /// Every row counts 1.
    None,
    /// A weight for each class by its name, > 0.
    #[serde(untagged)]
    ByName(BTreeMap<String, f64>),
}

impl ClassWeights {
    /// Every way in which the weights do not fit the classes `names`, each as a sentence; empty
    /// when they do.
    pub fn problems(&self, names: &[&str]) -> Vec<String> {
        let Self::ByName(weights) = self else {
            return Vec::new();
        };
        let mut problems = Vec::new();

        // A class without a weight would take one that nobody has chosen.
        for name in names {
            if !weights.contains_key(*name) {
                problems.push(format!("class_weights has no weight for {name}"));
            }
        }

        for (name, &weight) in weights {
            if !names.contains(&name.as_str()) {
                let allowed = names.join(", ");
                problems.push(format!(
                    "class_weights names {name}, which is not a class; the classes are {allowed}"
                ));
            }
            if !(1.0 / CLASS_WEIGHT_MAX..=CLASS_WEIGHT_MAX).contains(&weight) {
                problems.push(format!(
                    "class_weights: the weight of {name} must be between 0.000001 and 1 000 000"
                ));
            }
        }
        problems
    }
}

/// By what the labels of a regression are divided before they are learnt from. The last layer of
/// the finished model is multiplied by it again, so predictions are returns in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetScale {
    /// Labels are learnt as they are.
    #[default]
    None,
    /// Their standard deviation over the training part, so that a loss of 1 (mean squared error)
    /// is that of always predicting the mean, whatever the horizon.
    Std,
}

/// The share of each label that label smoothing spreads over all classes (Szegedy and others,
/// 2016).
pub(super) fn rule_of_smoothing(label_smoothing: f64) -> Rule {
    Rule {
        is_kept: is_not_negative(label_smoothing) && label_smoothing < 1.0,
        keys: &["label_smoothing"],
        text: "label_smoothing must be 0 or more and below 1",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn weights_of(json: serde_json::Value) -> ClassWeights {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn class_weights_are_a_word_or_a_weight_for_each_class() {
        assert_eq!(weights_of(json!("balanced")), ClassWeights::Balanced);
        assert_eq!(weights_of(json!("none")), ClassWeights::None);

        let json = json!({"BUY": 2.0, "SELL": 1.0});
        let weights = weights_of(json.clone());
        assert_eq!(serde_json::to_value(&weights).unwrap(), json);
        assert!(weights.problems(&["BUY", "SELL"]).is_empty());
    }

    #[test]
    fn class_weights_name_every_class_and_no_other() {
        let weights = weights_of(json!({"BUY": 0.0, "HODL": 1.0}));
        assert_eq!(
            weights.problems(&["BUY", "HOLD"]),
            [
                "class_weights has no weight for HOLD",
                "class_weights: the weight of BUY must be between 0.000001 and 1 000 000",
                "class_weights names HODL, which is not a class; the classes are BUY, HOLD",
            ]
        );
    }

    #[test]
    fn the_delta_of_huber_is_divided_along_with_the_labels() {
        let huber = Loss::Huber { delta: 0.01 };
        assert_eq!(
            huber.of_labels_divided_by(0.005),
            Loss::Huber { delta: 2.0 }
        );
        assert_eq!(Loss::Mse.of_labels_divided_by(0.005), Loss::Mse);
    }
}
