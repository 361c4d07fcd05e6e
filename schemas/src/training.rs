//! How a network is trained: the settings a strategy's `training` section resolves to, the trainer
//! obeys and the artifact records.

use serde::{Deserialize, Serialize};

/// Most passes over the training part.
const EPOCHS_MAX: u32 = 100_000;
/// Most CPU threads of one training.
const THREADS_MAX: u32 = 64;

/// The criterion that training minimises.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Loss {
    /// −log softmax of the true class, weighted: Σ w·l / Σ w. Classes only.
    CrossEntropy,
    /// Mean of w·(1 − p)^gamma·(−log p), `p` being the probability of the true class. Not divided
    /// by the weights. Classes only.
    Focal {
        /// Exponent, ≥ 0; 0 is a weighted cross entropy divided by the rows instead of by the
        /// weights.
        gamma: f64,
    },
    /// Mean of 0.5·d² where |d| ≤ delta, else delta·(|d| − delta/2). Regression only.
    Huber {
        /// Width of the quadratic part, > 0, in units of the label (0.01 = 1 %).
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

    fn has_legal_parameter(&self) -> bool {
        match *self {
            Self::CrossEntropy | Self::Mse => true,
            Self::Focal { gamma } => is_not_negative(gamma),
            Self::Huber { delta } => is_positive(delta),
        }
    }
}

/// Stops a training whose validation loss no longer falls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without an improvement after which training stops; ≥ 1.
    pub patience: u32,
    /// The fall of the validation loss that counts as an improvement; ≥ 0. Absolute for classes;
    /// for regression a share of the best loss so far (0.001 = 0.1 %), because losses of returns
    /// are as small as the returns squared.
    pub min_delta: f64,
}

impl EarlyStopping {
    fn is_legal(&self) -> bool {
        self.patience >= 1 && is_not_negative(self.min_delta)
    }
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self {
            patience: 10,
            min_delta: 0.001,
        }
    }
}

/// The effective training settings. The optimiser is Adam (betas 0.9 and 0.999, eps 1e-8) at a
/// constant rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSettings {
    /// Passes over the training part, 1 to 100 000.
    pub epochs: u32,
    /// Step size of Adam, > 0.
    pub learning_rate: f64,
    /// Rows per step, ≥ 1; the last batch of an epoch may be smaller.
    pub batch_size: u32,
    /// The criterion that training minimises.
    pub loss: Loss,
    /// L2 penalty added to the gradient (coupled, not AdamW), ≥ 0.
    pub weight_decay: f64,
    /// Largest L2 norm of the whole gradient; 0 switches clipping off.
    pub gradient_clip: f64,
    /// Absent = train all epochs. The best weights by validation loss are kept either way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// CPU threads of one training. Equal weights for equal seeds are promised at an equal number
    /// only.
    #[serde(default = "one_thread")]
    pub threads: u32,
}

fn one_thread() -> u32 {
    1
}

impl TrainingSettings {
    /// The settings of a strategy that says nothing about training classes.
    pub fn for_classes() -> Self {
        Self {
            epochs: 100,
            learning_rate: 0.001,
            batch_size: 32,
            loss: Loss::CrossEntropy,
            weight_decay: 1e-4,
            gradient_clip: 1.0,
            early_stopping: None,
            threads: 1,
        }
    }

    /// The settings of a strategy that says nothing about training a regression: Huber with delta
    /// 0.01, no weight decay, which would drive the weights of targets as small as returns to zero.
    pub fn for_regression() -> Self {
        Self {
            loss: Loss::Huber { delta: 0.01 },
            weight_decay: 0.0,
            ..Self::for_classes()
        }
    }

    /// Every rule that the values break, each as a sentence naming the key; empty when they can be
    /// trained with.
    pub fn problems(&self) -> Vec<String> {
        // All of them at once: a person corrects a file in one go.
        let rules = [
            Rule {
                is_kept: (1..=EPOCHS_MAX).contains(&self.epochs),
                text: "epochs must be between 1 and 100 000",
            },
            Rule {
                is_kept: is_positive(self.learning_rate),
                text: "learning_rate must be above 0",
            },
            Rule {
                is_kept: self.batch_size >= 1,
                text: "batch_size must be at least 1",
            },
            Rule {
                is_kept: self.loss.has_legal_parameter(),
                text: "loss: huber needs delta above 0, focal needs gamma of 0 or more",
            },
            Rule {
                is_kept: is_not_negative(self.weight_decay),
                text: "weight_decay must be 0 or more",
            },
            Rule {
                is_kept: is_not_negative(self.gradient_clip),
                text: "gradient_clip must be 0 (off) or more",
            },
            Rule {
                is_kept: self.early_stopping.is_none_or(|rule| rule.is_legal()),
                text: "early_stopping needs patience of 1 or more and min_delta of 0 or more",
            },
            Rule {
                is_kept: (1..=THREADS_MAX).contains(&self.threads),
                text: "threads must be between 1 and 64",
            },
        ];

        let broken = rules.into_iter().filter(|rule| !rule.is_kept);
        broken.map(|rule| rule.text.to_owned()).collect()
    }
}

/// A rule about the settings, and whether they keep it.
struct Rule {
    is_kept: bool,
    text: &'static str,
}

fn is_positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

fn is_not_negative(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_both_kinds_break_no_rule() {
        assert!(TrainingSettings::for_classes().problems().is_empty());
        assert!(TrainingSettings::for_regression().problems().is_empty());
    }

    #[test]
    fn every_broken_rule_is_named_at_once() {
        let settings = TrainingSettings {
            epochs: 0,
            learning_rate: f64::NAN,
            batch_size: 0,
            ..TrainingSettings::for_classes()
        };

        let problems = settings.problems();

        assert_eq!(problems.len(), 3);
        for (problem, key) in problems
            .iter()
            .zip(["epochs", "learning_rate", "batch_size"])
        {
            assert!(problem.starts_with(key), "{problem}");
        }
    }

    fn with_early_stopping() -> TrainingSettings {
        TrainingSettings {
            early_stopping: Some(EarlyStopping::default()),
            ..TrainingSettings::for_regression()
        }
    }

    #[test]
    fn settings_survive_json() {
        let json = serde_json::to_value(with_early_stopping()).unwrap();
        let huber = serde_json::json!({"kind": "huber", "delta": 0.01});
        assert_eq!(json["loss"], huber);

        let settings: TrainingSettings = serde_json::from_value(json).unwrap();
        assert_eq!(settings, with_early_stopping());
    }

    #[test]
    fn settings_refuse_unknown_keys() {
        let mut json = serde_json::to_value(with_early_stopping()).unwrap();
        json["momentum"] = serde_json::json!(0.9);
        assert!(serde_json::from_value::<TrainingSettings>(json).is_err());
    }
}
