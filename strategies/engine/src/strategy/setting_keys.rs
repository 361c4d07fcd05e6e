//! The settings of a training as a file or a request says them: each key alone, before it is joined
//! with the keys that it belongs to.

use schemas::training::{
    Calibration, ClassWeights, EarlyStopping, Engine, LearningRateSchedule, Loss, Optimizer,
    TargetScale, TrainingSettings,
};

/// Keys of `training` with their values; what nobody says stays as it is. Optimisers and losses
/// have the parameters that are theirs by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SettingKeys {
    pub(crate) epochs: Option<u32>,
    pub(crate) learning_rate: Option<f64>,
    pub(crate) lr_scheduler: Option<LearningRateSchedule>,
    pub(crate) warmup_epochs: Option<u32>,
    pub(crate) batch_size: Option<u32>,
    pub(crate) optimizer: Option<Optimizer>,
    pub(crate) momentum: Option<f64>,
    pub(crate) loss: Option<Loss>,
    pub(crate) focal_gamma: Option<f64>,
    pub(crate) huber_delta: Option<f64>,
    pub(crate) label_smoothing: Option<f64>,
    pub(crate) class_weights: Option<ClassWeights>,
    pub(crate) target_scale: Option<TargetScale>,
    pub(crate) calibration: Option<Calibration>,
    pub(crate) weight_decay: Option<f64>,
    pub(crate) gradient_clip: Option<f64>,
    /// `Some(None)` switches it off.
    pub(crate) early_stopping: Option<Option<EarlyStopping>>,
    pub(crate) threads: Option<u32>,
    pub(crate) engine: Option<Engine>,
    pub(crate) detailed_analytics: Option<bool>,
}

impl SettingKeys {
    /// The settings with these keys; they may break rules.
    pub(crate) fn apply_to(&self, before: &TrainingSettings) -> TrainingSettings {
        let class_weights = self.class_weights.as_ref();

        TrainingSettings {
            epochs: self.epochs.unwrap_or(before.epochs),
            learning_rate: self.learning_rate.unwrap_or(before.learning_rate),
            lr_scheduler: self.lr_scheduler.unwrap_or(before.lr_scheduler),
            warmup_epochs: self.warmup_epochs.unwrap_or(before.warmup_epochs),
            batch_size: self.batch_size.unwrap_or(before.batch_size),
            optimizer: self.optimizer_after(before.optimizer),
            loss: self.loss_after(before.loss),
            label_smoothing: self.label_smoothing.unwrap_or(before.label_smoothing),
            class_weights: class_weights.unwrap_or(&before.class_weights).clone(),
            target_scale: self.target_scale.unwrap_or(before.target_scale),
            calibration: self.calibration.unwrap_or(before.calibration),
            weight_decay: self.weight_decay.unwrap_or(before.weight_decay),
            gradient_clip: self.gradient_clip.unwrap_or(before.gradient_clip),
            early_stopping: self.early_stopping.unwrap_or(before.early_stopping),
            threads: self.threads.unwrap_or(before.threads),
            engine: self.engine.unwrap_or(before.engine),
            detailed_analytics: self.detailed_analytics.unwrap_or(before.detailed_analytics),
        }
    }

    /// The optimiser, with the momentum that it had before if it is the same one.
    fn optimizer_after(&self, before: Optimizer) -> Optimizer {
        let optimizer = match (self.optimizer, before) {
            (Some(Optimizer::Sgd { .. }), Optimizer::Sgd { .. }) | (None, _) => before,
            (Some(other), _) => other,
        };
        match (optimizer, self.momentum) {
            (Optimizer::Sgd { .. }, Some(momentum)) => Optimizer::Sgd { momentum },
            _ => optimizer,
        }
    }

    /// The loss, with the parameter that it had before if it is the same one.
    fn loss_after(&self, before: Loss) -> Loss {
        let loss = match (self.loss, before) {
            (Some(Loss::Focal { .. }), Loss::Focal { .. })
            | (Some(Loss::Huber { .. }), Loss::Huber { .. })
            | (None, _) => before,
            (Some(other), _) => other,
        };
        match (loss, self.focal_gamma, self.huber_delta) {
            (Loss::Focal { .. }, Some(gamma), _) => Loss::Focal { gamma },
            (Loss::Huber { .. }, _, Some(delta)) => Loss::Huber { delta },
            _ => loss,
        }
    }
}

/// A key that only one choice of another key has.
pub(crate) struct OwnedKey {
    /// The key of the parameter.
    pub(crate) key: &'static str,
    /// The other key.
    pub(crate) choice: &'static str,
    /// The word of it that has the parameter.
    pub(crate) word: &'static str,
    /// Whether the settings have chosen that word.
    pub(crate) is_in_use: bool,
}

/// The parameters of optimisers and losses, and which of them `settings` use.
pub(crate) fn owned_keys(settings: &TrainingSettings) -> [OwnedKey; 3] {
    [
        OwnedKey {
            key: "momentum",
            choice: "optimizer",
            word: "sgd",
            is_in_use: matches!(settings.optimizer, Optimizer::Sgd { .. }),
        },
        OwnedKey {
            key: "focal_gamma",
            choice: "loss",
            word: "focal",
            is_in_use: matches!(settings.loss, Loss::Focal { .. }),
        },
        OwnedKey {
            key: "huber_delta",
            choice: "loss",
            word: "huber",
            is_in_use: matches!(settings.loss, Loss::Huber { .. }),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_changes_what_it_names_and_nothing_else() {
        let before = TrainingSettings {
            optimizer: Optimizer::Sgd { momentum: 0.8 },
            loss: Loss::Focal { gamma: 3.0 },
            early_stopping: Some(EarlyStopping::default()),
            ..TrainingSettings::for_classes()
        };

        assert_eq!(SettingKeys::default().apply_to(&before), before);
        let keys = SettingKeys {
            warmup_epochs: Some(3),
            early_stopping: Some(None),
            ..SettingKeys::default()
        };
        let expected = TrainingSettings {
            warmup_epochs: 3,
            early_stopping: None,
            ..before.clone()
        };
        assert_eq!(keys.apply_to(&before), expected);
    }

    #[test]
    fn the_same_choice_keeps_its_parameter() {
        let sgd = SettingKeys {
            optimizer: Some(Optimizer::Sgd { momentum: 0.9 }),
            loss: Some(Loss::Focal { gamma: 2.0 }),
            ..SettingKeys::default()
        };
        let before = TrainingSettings {
            optimizer: Optimizer::Sgd { momentum: 0.8 },
            loss: Loss::Focal { gamma: 3.0 },
            ..TrainingSettings::for_classes()
        };

        assert_eq!(sgd.apply_to(&before), before);
        let fresh = sgd.apply_to(&TrainingSettings::for_classes());
        assert_eq!(fresh.optimizer, Optimizer::Sgd { momentum: 0.9 });
        assert_eq!(fresh.loss, Loss::Focal { gamma: 2.0 });
    }

    #[test]
    fn a_parameter_alone_changes_the_choice_that_has_it() {
        let keys = SettingKeys {
            momentum: Some(0.5),
            huber_delta: Some(0.02),
            ..SettingKeys::default()
        };
        let before = TrainingSettings {
            optimizer: Optimizer::Sgd { momentum: 0.9 },
            ..TrainingSettings::for_regression()
        };

        let after = keys.apply_to(&before);
        assert_eq!(after.optimizer, Optimizer::Sgd { momentum: 0.5 });
        assert_eq!(after.loss, Loss::Huber { delta: 0.02 });

        // The other choice has no such parameter.
        let classes = keys.apply_to(&TrainingSettings::for_classes());
        assert_eq!(classes, TrainingSettings::for_classes());
    }
}
