//! How a network is trained, in words: its settings, and why a training ended.

use std::collections::BTreeMap;

use schemas::training::{
    Calibration, ClassWeights, Engine, LearningRateSchedule, Loss, Monitor, Optimizer, TargetScale,
    TrainingEnd, TrainingSettings,
};

use super::words::count_of;

/// The effective settings in lines of a name and a text. `fitted_weights` are the class weights
/// that a training has taken from its rows, by class; empty where there are none yet.
pub(crate) fn describe_settings(
    settings: &TrainingSettings,
    fitted_weights: &BTreeMap<String, f64>,
) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("optimizer", optimizer_line(settings)),
        ("schedule", schedule_line(settings)),
        ("loss", loss_line(settings, fitted_weights)),
    ];

    // Most strategies leave probabilities as they are.
    if settings.calibration == Calibration::Temperature {
        let text = "scores divided by a temperature that is fitted to the validation part";
        lines.push(("calibration", text.to_owned()));
    }
    lines.extend([
        ("stopping", stopping_line(settings)),
        ("engine", engine_line(settings)),
    ]);
    if settings.detailed_analytics {
        let text = "figures of every epoch are stored: `ktrdr models show NAME --analytics`";
        lines.push(("analytics", text.to_owned()));
    }
    lines
}

/// `sgd with momentum 0.9, learning rate 0.01, weight decay 0.0001, gradient norm up to 1`.
fn optimizer_line(settings: &TrainingSettings) -> String {
    let optimizer = match settings.optimizer {
        Optimizer::Sgd { momentum } => format!("sgd with momentum {momentum}"),
        other => other.name().to_owned(),
    };
    let clip = match settings.gradient_clip {
        0.0 => "no gradient clipping".to_owned(),
        norm => format!("gradient norm up to {norm}"),
    };
    format!(
        "{optimizer}, learning rate {}, weight decay {}, {clip}",
        settings.learning_rate, settings.weight_decay
    )
}

fn schedule_line(settings: &TrainingSettings) -> String {
    let schedule = match settings.lr_scheduler {
        LearningRateSchedule::None => "none, the learning rate stays as it is".to_owned(),
        LearningRateSchedule::Step { step_size, gamma } => {
            format!("step, rate times {gamma} every {}", epochs(step_size))
        }
        LearningRateSchedule::Exponential { gamma } => {
            format!("exponential, rate times {gamma} every epoch")
        }
        LearningRateSchedule::Cosine { min_lr } => format!("cosine, down to {min_lr}"),
        LearningRateSchedule::ReduceOnPlateau {
            factor,
            patience,
            min_lr,
        } => format!(
            "reduce_on_plateau, rate times {factor} after more than {} without a lower val_loss, \
             down to {min_lr} at most",
            epochs(patience)
        ),
    };

    match settings.warmup_epochs {
        0 => schedule,
        count => format!("{schedule}; after {} of warm-up", epochs(count)),
    }
}

fn loss_line(settings: &TrainingSettings, fitted_weights: &BTreeMap<String, f64>) -> String {
    let loss = match settings.loss {
        Loss::CrossEntropy => "cross_entropy".to_owned(),
        Loss::Focal { gamma } => format!("focal with gamma {gamma}"),
        Loss::Huber { delta } => format!("huber with delta {delta}"),
        Loss::Mse => "mse".to_owned(),
    };
    let mut texts = vec![loss];
    if settings.label_smoothing > 0.0 {
        texts.push(format!("label smoothing {}", settings.label_smoothing));
    }

    // What the loss cannot have is left out, not denied.
    if settings.loss.is_for_classes() {
        texts.push(weights_text(&settings.class_weights, fitted_weights));
    } else if settings.target_scale == TargetScale::Std {
        texts.push("labels divided by their deviation in the training part".to_owned());
    }
    texts.join(", ")
}

fn weights_text(class_weights: &ClassWeights, fitted_weights: &BTreeMap<String, f64>) -> String {
    match class_weights {
        ClassWeights::Balanced if fitted_weights.is_empty() => {
            "classes weighted by their rows in the training part (balanced)".to_owned()
        }
        ClassWeights::Balanced => {
            format!("balanced class weights {}", list_weights(fitted_weights))
        }
        ClassWeights::None => "no class weights".to_owned(),
        ClassWeights::ByName(weights) => format!("class weights {}", list_weights(weights)),
    }
}

/// `BUY 2, HOLD 1, SELL 2`.
fn list_weights(weights: &BTreeMap<String, f64>) -> String {
    let texts = weights
        .iter()
        .map(|(name, weight)| format!("{name} {}", rounded(*weight)));
    texts.collect::<Vec<_>>().join(", ")
}

fn stopping_line(settings: &TrainingSettings) -> String {
    match settings.early_stopping {
        None => "none, all epochs are trained".to_owned(),
        Some(rule) => format!(
            "after {} in which {} than the best before",
            epochs(rule.patience),
            never_better(rule.monitor, rule.min_delta)
        ),
    }
}

/// `val_loss was never lower by 0.05 %`.
fn never_better(monitor: Monitor, min_delta: f64) -> String {
    let better = match monitor {
        Monitor::ValLoss => "lower",
        Monitor::ValAccuracy => "higher",
    };
    let by = match min_delta {
        0.0 => String::new(),
        share => format!(" by {} %", rounded(100.0 * share)),
    };
    format!("{} was never {better}{by}", monitor.name())
}

fn engine_line(settings: &TrainingSettings) -> String {
    let engine = match settings.engine {
        Engine::Auto => "auto, libtorch on a GPU unless it is a tsk, else native",
        // It has one thread, whatever the setting.
        Engine::Native => return "native".to_owned(),
        Engine::Libtorch => "libtorch",
    };
    format!(
        "{engine}; {}",
        count_of(settings.threads as usize, "thread")
    )
}

/// Why a training ended.
pub(crate) fn describe_ending(ending: &TrainingEnd) -> String {
    match *ending {
        TrainingEnd::AllEpochs => "all epochs are trained".to_owned(),
        TrainingEnd::NoImprovement {
            monitor,
            since: 0,
            patience,
            ..
        } => format!(
            "stopped early: in {} there was no {}",
            epochs(patience),
            monitor.name()
        ),
        TrainingEnd::NoImprovement {
            monitor,
            min_delta,
            since,
            patience,
        } => format!(
            "stopped early: in {} {} than in epoch {since}",
            epochs(patience),
            never_better(monitor, min_delta)
        ),
    }
}

fn epochs(count: u32) -> String {
    count_of(count as usize, "epoch")
}

/// Four decimals at most, and no zeros at the end: 0.05 and not 0.05000000000000001. What would be
/// 0 is written whole.
fn rounded(value: f64) -> String {
    let text = format!("{value:.4}");
    match text.trim_end_matches('0').trim_end_matches('.') {
        "0" => value.to_string(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use schemas::training::EarlyStopping;

    use super::*;

    fn text_of(settings: &TrainingSettings, fitted_weights: &BTreeMap<String, f64>) -> String {
        let lines = describe_settings(settings, fitted_weights);
        let lines = lines.iter();
        lines
            .map(|(name, text)| format!("{name:<9} {text}\n"))
            .collect()
    }

    #[test]
    fn the_defaults_of_classes_are_shown_whole() {
        let text = text_of(&TrainingSettings::for_classes(), &BTreeMap::new());

        insta::assert_snapshot!(text, @"
        optimizer adam, learning rate 0.001, weight decay 0.0001, gradient norm up to 1
        schedule  none, the learning rate stays as it is
        loss      cross_entropy, classes weighted by their rows in the training part (balanced)
        stopping  none, all epochs are trained
        engine    auto, libtorch on a GPU unless it is a tsk, else native; 1 thread
        ");
    }

    #[test]
    fn every_choice_is_shown_with_its_parameters() {
        let settings = TrainingSettings {
            optimizer: Optimizer::Sgd { momentum: 0.8 },
            lr_scheduler: LearningRateSchedule::reduce_on_plateau(),
            warmup_epochs: 1,
            loss: Loss::Focal { gamma: 2.5 },
            class_weights: ClassWeights::ByName([("BUY".to_owned(), 2.0)].into()),
            gradient_clip: 0.0,
            early_stopping: Some(EarlyStopping::default()),
            calibration: Calibration::Temperature,
            engine: Engine::Native,
            detailed_analytics: true,
            threads: 2,
            ..TrainingSettings::for_classes()
        };

        insta::assert_snapshot!(text_of(&settings, &BTreeMap::new()), @"
        optimizer sgd with momentum 0.8, learning rate 0.001, weight decay 0.0001, no gradient clipping
        schedule  reduce_on_plateau, rate times 0.5 after more than 5 epochs without a lower val_loss, down to 0 at most; after 1 epoch of warm-up
        loss      focal with gamma 2.5, class weights BUY 2
        calibration scores divided by a temperature that is fitted to the validation part
        stopping  after 10 epochs in which val_loss was never lower by 0.1 % than the best before
        engine    native
        analytics figures of every epoch are stored: `ktrdr models show NAME --analytics`
        ");
    }

    fn line_of(lr_scheduler: LearningRateSchedule) -> String {
        schedule_line(&TrainingSettings {
            lr_scheduler,
            ..TrainingSettings::for_classes()
        })
    }

    #[test]
    fn every_schedule_has_words_of_its_own() {
        assert_eq!(
            line_of(LearningRateSchedule::step()),
            "step, rate times 0.1 every 30 epochs"
        );
        assert_eq!(
            line_of(LearningRateSchedule::exponential()),
            "exponential, rate times 0.95 every epoch"
        );
        assert_eq!(line_of(LearningRateSchedule::cosine()), "cosine, down to 0");
    }

    #[test]
    fn a_regression_has_a_scale_and_no_class_weights() {
        let settings = TrainingSettings {
            target_scale: TargetScale::Std,
            ..TrainingSettings::for_regression()
        };
        assert_eq!(
            loss_line(&settings, &BTreeMap::new()),
            "huber with delta 0.01, labels divided by their deviation in the training part"
        );
    }

    #[test]
    fn weights_of_a_finished_training_are_those_of_its_rows() {
        let fitted = [("BUY".to_owned(), 1.25), ("SELL".to_owned(), 2.0 / 3.0)].into();
        assert_eq!(
            weights_text(&ClassWeights::Balanced, &fitted),
            "balanced class weights BUY 1.25, SELL 0.6667"
        );
        assert_eq!(
            weights_text(&ClassWeights::None, &fitted),
            "no class weights"
        );
    }

    #[test]
    fn an_early_end_names_what_was_not_beaten() {
        let ending = TrainingEnd::NoImprovement {
            monitor: Monitor::ValLoss,
            min_delta: 0.0005,
            since: 8,
            patience: 5,
        };
        assert_eq!(
            describe_ending(&ending),
            "stopped early: in 5 epochs val_loss was never lower by 0.05 % than in epoch 8"
        );

        let at_once = TrainingEnd::NoImprovement {
            monitor: Monitor::ValAccuracy,
            min_delta: 0.0,
            since: 1,
            patience: 1,
        };
        assert_eq!(
            describe_ending(&at_once),
            "stopped early: in 1 epoch val_accuracy was never higher than in epoch 1"
        );
        assert_eq!(
            describe_ending(&TrainingEnd::AllEpochs),
            "all epochs are trained"
        );
    }

    #[test]
    fn an_accuracy_that_never_was_is_named() {
        let ending = TrainingEnd::NoImprovement {
            monitor: Monitor::ValAccuracy,
            min_delta: 0.001,
            since: 0,
            patience: 3,
        };
        assert_eq!(
            describe_ending(&ending),
            "stopped early: in 3 epochs there was no val_accuracy"
        );
    }
}
