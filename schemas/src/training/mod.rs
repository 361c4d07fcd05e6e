//! How a network is trained: the settings a strategy's `training` section resolves to, the trainer
//! obeys and the artifact records.

mod calibration;
mod ending;
mod halving;
mod loss;
mod optimizer;
mod rules;
mod schedule;

use serde::{Deserialize, Serialize};

pub use calibration::Calibration;
pub use ending::TrainingEnd;
pub use halving::BatchHalving;
pub use loss::{ClassWeights, Loss, TargetScale};
pub use optimizer::{DEFAULT_MOMENTUM, Engine, Optimizer};
pub use rules::BrokenRule;
pub use schedule::{EarlyStopping, LearningRateSchedule, Monitor};

use rules::{Rule, is_not_negative};

/// Most passes over the training part.
const EPOCHS_MAX: u32 = 100_000;
/// Most CPU threads of one training.
const THREADS_MAX: u32 = 64;

/// The effective training settings. A key that older documents do not have reads as what was done
/// then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSettings {
    /// Passes over the training part, 1 to 100 000.
    pub epochs: u32,
    /// Step size of the optimiser, > 0, at most 1; of `sgd` at most 10.
    pub learning_rate: f64,
    /// How the step size changes from epoch to epoch.
    #[serde(default)]
    pub lr_scheduler: LearningRateSchedule,
    /// Epochs in which the step size rises in a straight line: epoch e of W trains with
    /// e / (W + 1) of it. Fewer than `epochs`.
    #[serde(default)]
    pub warmup_epochs: u32,
    /// Rows per step, ≥ 1; the last batch of an epoch may be smaller.
    pub batch_size: u32,
    /// How weights follow the gradient.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// The criterion that training minimises.
    pub loss: Loss,
    /// Share of each label that is spread evenly over all classes, in [0, 1); cross entropy only.
    #[serde(default)]
    pub label_smoothing: f64,
    /// How much a row of each class counts; without effect on a regression.
    #[serde(default)]
    pub class_weights: ClassWeights,
    /// By what the labels of a regression are divided while they are learnt.
    #[serde(default)]
    pub target_scale: TargetScale,
    /// How the probabilities of the trained model are mended; classes only.
    #[serde(default)]
    pub calibration: Calibration,
    /// L2 penalty of the weights, not of biases, ≥ 0 and at most 1: added to the gradient, or by
    /// `adamw` to the step.
    pub weight_decay: f64,
    /// Largest L2 norm of the whole gradient; 0 switches clipping off.
    pub gradient_clip: f64,
    /// Absent = train all epochs. The best weights by validation loss are kept either way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// CPU threads of a training in libtorch, where equal weights for equal seeds are promised at
    /// an equal number only. The native engine has one.
    #[serde(default = "one_thread")]
    pub threads: u32,
    /// Which program computes it.
    #[serde(default)]
    pub engine: Engine,
    /// Whether figures of every epoch are stored with the model; without effect on its weights.
    #[serde(default)]
    pub detailed_analytics: bool,
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
            lr_scheduler: LearningRateSchedule::None,
            warmup_epochs: 0,
            batch_size: 32,
            optimizer: Optimizer::Adam,
            loss: Loss::CrossEntropy,
            label_smoothing: 0.0,
            class_weights: ClassWeights::Balanced,
            target_scale: TargetScale::None,
            calibration: Calibration::None,
            weight_decay: 1e-4,
            gradient_clip: 1.0,
            early_stopping: None,
            threads: 1,
            engine: Engine::Auto,
            detailed_analytics: false,
        }
    }

    /// The settings of a strategy that says nothing about training a regression: Huber with delta
    /// 0.01, and no weight decay, which would pull predictions as small as returns to zero.
    pub fn for_regression() -> Self {
        Self {
            loss: Loss::Huber { delta: 0.01 },
            class_weights: ClassWeights::None,
            weight_decay: 0.0,
            ..Self::for_classes()
        }
    }

    /// Every rule that the values break, each as a sentence naming the key; empty when they can be
    /// trained with. Class names are checked by [`ClassWeights::problems`].
    pub fn problems(&self) -> Vec<String> {
        let broken_rules = self.broken_rules();
        let texts = broken_rules.iter().map(|rule| rule.text.to_owned());
        texts.collect()
    }

    /// The same as [`problems`](Self::problems), each with the keys that it is about.
    pub fn broken_rules(&self) -> Vec<BrokenRule> {
        // All of them at once: a person corrects a file in one go.
        let rules = self.rules_of_steps().into_iter();
        let rules = rules.chain(self.rules_of_loss());

        let broken = rules.filter(|rule| !rule.is_kept);
        let broken = broken.map(|Rule { keys, text, .. }| BrokenRule { keys, text });
        broken.collect()
    }

    /// Rules about epochs, steps and their size.
    fn rules_of_steps(&self) -> Vec<Rule> {
        let mut rules = vec![
            Rule {
                is_kept: (1..=EPOCHS_MAX).contains(&self.epochs),
                keys: &["epochs"],
                text: "epochs must be between 1 and 100 000",
            },
            self.optimizer.rule_of_rate(self.learning_rate),
            Rule {
                is_kept: self.batch_size >= 1,
                keys: &["batch_size"],
                text: "batch_size must be at least 1",
            },
            self.optimizer.rule(),
            Rule {
                is_kept: self.warmup_epochs == 0 || self.warmup_epochs < self.epochs,
                keys: &["warmup_epochs", "epochs"],
                text: "warmup_epochs must be below epochs",
            },
            Rule {
                is_kept: (1..=THREADS_MAX).contains(&self.threads),
                keys: &["threads"],
                text: "threads must be between 1 and 64",
            },
        ];

        rules.extend(self.lr_scheduler.rules(self.learning_rate));
        rules.extend(self.early_stopping.map(|stopping| stopping.rule()));
        rules
    }

    /// Rules about what is minimised.
    fn rules_of_loss(&self) -> Vec<Rule> {
        // What is defined for one kind of output is refused for the other.
        let is_for_classes = self.loss.is_for_classes();

        vec![
            self.loss.rule(),
            loss::rule_of_smoothing(self.label_smoothing),
            Rule {
                is_kept: self.label_smoothing == 0.0 || self.loss == Loss::CrossEntropy,
                keys: &["label_smoothing", "loss"],
                text: "label_smoothing is defined for loss cross_entropy only",
            },
            Rule {
                is_kept: is_for_classes || !matches!(self.class_weights, ClassWeights::ByName(_)),
                keys: &["class_weights", "loss"],
                text: "class_weights need a loss of classes, cross_entropy or focal",
            },
            Rule {
                is_kept: self.target_scale == TargetScale::None || !is_for_classes,
                keys: &["target_scale", "loss"],
                text: "target_scale needs a loss of a regression, huber or mse",
            },
            Rule {
                is_kept: self.calibration == Calibration::None || is_for_classes,
                keys: &["calibration", "loss"],
                text: "calibration needs a loss of classes, cross_entropy or focal: a regression \
                       has no probabilities",
            },
            Rule {
                is_kept: (0.0..=1.0).contains(&self.weight_decay),
                keys: &["weight_decay"],
                text: "weight_decay must be between 0 and 1",
            },
            Rule {
                is_kept: is_not_negative(self.gradient_clip),
                keys: &["gradient_clip"],
                text: "gradient_clip must be 0 (off) or more",
            },
        ]
    }
}

#[cfg(test)]
mod tests;
