//! How the learning rate changes from epoch to epoch.

use serde::{Deserialize, Serialize};

use super::rules::{Rule, is_fraction};

/// The learning rate of each epoch, by the definitions of `torch.optim.lr_scheduler`. `r` is
/// `learning_rate`, `n` the number of epochs since the warm-up ended (0 in the first of them).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum LearningRateSchedule {
    /// r in every epoch.
    #[default]
    None,
    /// r · gamma^⌊n / step_size⌋.
    Step {
        /// Epochs between two falls, ≥ 1; 30 where nothing else is said.
        step_size: u32,
        /// Factor of a fall, in (0, 1]; 0.1 where nothing else is said.
        gamma: f64,
    },
    /// r · gamma^n.
    Exponential {
        /// Factor of each epoch, in (0, 1]; 0.95 where nothing else is said.
        gamma: f64,
    },
    /// min_lr + (r − min_lr) · (1 + cos(π·n / N)) / 2, N being the epochs after the warm-up
    /// (Loshchilov and Hutter, 2017, without restarts).
    Cosine {
        /// The rate that the fall leads to, 0 to r; 0 where nothing else is said.
        min_lr: f64,
    },
    /// The rate times `factor`, but never below `min_lr`, after more than `patience` epochs in
    /// which the validation loss has not fallen by 0.01 % of the lowest one; then they are counted
    /// from 0. Epochs of the warm-up do not count.
    ReduceOnPlateau {
        /// Factor of a fall, above 0 and below 1; 0.5 where nothing else is said.
        factor: f64,
        /// Epochs without a fall of the loss that are borne; 5 where nothing else is said.
        patience: u32,
        /// The lowest rate, 0 to r; 0 where nothing else is said.
        min_lr: f64,
    },
}

impl LearningRateSchedule {
    /// The word of `training.lr_scheduler`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Step { .. } => "step",
            Self::Exponential { .. } => "exponential",
            Self::Cosine { .. } => "cosine",
            Self::ReduceOnPlateau { .. } => "reduce_on_plateau",
        }
    }

    /// A fall every 30 epochs to a tenth.
    pub fn step() -> Self {
        Self::Step {
            step_size: 30,
            gamma: 0.1,
        }
    }

    /// 5 % lower in every epoch.
    pub fn exponential() -> Self {
        Self::Exponential { gamma: 0.95 }
    }

    /// Half a cosine down to 0.
    pub fn cosine() -> Self {
        Self::Cosine { min_lr: 0.0 }
    }

    /// Halved after more than 5 epochs without a fall of the loss.
    pub fn reduce_on_plateau() -> Self {
        Self::ReduceOnPlateau {
            factor: 0.5,
            patience: 5,
            min_lr: 0.0,
        }
    }

    pub(super) fn rules(&self, learning_rate: f64) -> [Rule; 2] {
        let has_legal_factor = match *self {
            Self::None | Self::Cosine { .. } => true,
            Self::Step { step_size, gamma } => step_size >= 1 && is_fall(gamma),
            Self::Exponential { gamma } => is_fall(gamma),
            Self::ReduceOnPlateau { factor, .. } => is_fraction(factor),
        };
        let factor = Rule {
            is_kept: has_legal_factor,
            keys: &["lr_scheduler"],
            text: "lr_scheduler: step needs step_size of 1 or more, step and exponential gamma \
                   above 0 and at most 1, reduce_on_plateau a factor above 0 and below 1",
        };

        let min_lr = match *self {
            Self::Cosine { min_lr } | Self::ReduceOnPlateau { min_lr, .. } => min_lr,
            _ => 0.0,
        };
        let floor = Rule {
            is_kept: min_lr >= 0.0 && (min_lr == 0.0 || min_lr <= learning_rate),
            keys: &["lr_scheduler", "learning_rate"],
            text: "lr_scheduler: min_lr must be 0 or more and at most learning_rate",
        };
        [factor, floor]
    }
}

/// A factor that never raises the rate.
fn is_fall(gamma: f64) -> bool {
    gamma > 0.0 && gamma <= 1.0
}

/// Stops a training that no longer improves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without an improvement after which training stops; ≥ 1.
    pub patience: u32,
    /// What counts as an improvement, as a share of the best value so far, in [0, 1): 0.001 = a
    /// loss lower by 0.1 %. Relative, because the losses of returns are as small as the returns
    /// squared.
    pub min_delta: f64,
    /// The figure that has to improve.
    #[serde(default)]
    pub monitor: Monitor,
}

/// A figure of the validation part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    /// The training criterion, which has to fall.
    #[default]
    ValLoss,
    /// The share of right answers, which has to rise.
    ValAccuracy,
}

impl EarlyStopping {
    pub(super) fn rule(&self) -> Rule {
        Rule {
            is_kept: self.patience >= 1 && (0.0..1.0).contains(&self.min_delta),
            keys: &["early_stopping"],
            text: "early_stopping needs patience of 1 or more and min_delta of 0 or more and \
                   below 1, a share of the best value so far",
        }
    }
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self {
            patience: 10,
            min_delta: 0.001,
            monitor: Monitor::ValLoss,
        }
    }
}
