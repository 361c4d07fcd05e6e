//! How weights follow the gradient.

use serde::{Deserialize, Serialize};

use super::rules::Rule;

/// The optimiser, by the names and with the defaults of `torch.optim`. `g` is the gradient after
/// clipping, `r` the learning rate of the epoch, `d` the weight decay, which never touches a bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Optimizer {
    /// Kingma and Ba (2015), betas 0.9 and 0.999, eps 1e-8; g ← g + d·w first.
    #[default]
    Adam,
    /// Adam with decoupled decay (Loshchilov and Hutter, 2019): w ← w − r·d·w, then the step.
    Adamw,
    /// b ← momentum·b + (g + d·w), w ← w − r·b; b begins as the first gradient.
    Sgd {
        /// Share of the last step that goes on, in [0, 1); 0.9 where nothing else is said.
        momentum: f64,
    },
    /// v ← 0.99·v + 0.01·g², w ← w − r·g/(√v + 1e-8), with g ← g + d·w first (Hinton, 2012).
    Rmsprop,
}

/// Momentum of a strategy that says nothing else.
pub const DEFAULT_MOMENTUM: f64 = 0.9;

impl Optimizer {
    /// The word of `training.optimizer`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Adam => "adam",
            Self::Adamw => "adamw",
            Self::Sgd { .. } => "sgd",
            Self::Rmsprop => "rmsprop",
        }
    }

    /// The largest learning rate that can be meant. Adam and RMSprop divide by the size of the
    /// gradient, so the rate is about the distance that every weight goes in one step.
    pub fn learning_rate_max(&self) -> f64 {
        match self {
            Self::Adam | Self::Adamw | Self::Rmsprop => 1.0,
            Self::Sgd { .. } => 10.0,
        }
    }

    pub(super) fn rule(&self) -> Rule {
        let is_kept = match self {
            Self::Sgd { momentum } => (0.0..1.0).contains(momentum),
            Self::Adam | Self::Adamw | Self::Rmsprop => true,
        };
        Rule {
            is_kept,
            keys: &["optimizer"],
            text: "optimizer: the momentum of sgd must be 0 or more and below 1",
        }
    }

    pub(super) fn rule_of_rate(&self, learning_rate: f64) -> Rule {
        let text = match self {
            Self::Adam | Self::Adamw | Self::Rmsprop => {
                "learning_rate must be above 0 and at most 1"
            }
            Self::Sgd { .. } => "learning_rate must be above 0 and, with sgd, at most 10",
        };
        Rule {
            is_kept: learning_rate > 0.0 && learning_rate <= self.learning_rate_max(),
            keys: &["learning_rate", "optimizer"],
            text,
        }
    }
}

/// Which program computes a training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// `native` on a CPU, `libtorch` on a GPU.
    #[default]
    Auto,
    /// Plain Rust on the CPU: the same bits on every machine.
    Native,
    /// libtorch on any device, in trainers that are built with it.
    Libtorch,
}
