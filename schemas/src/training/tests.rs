//! Bounds of the settings, and the JSON that stores hold.

use serde_json::json;

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

/// Asserts that the change of the defaults of classes breaks one rule, about `key`.
fn assert_refused(key: &str, change: impl FnOnce(&mut TrainingSettings)) {
    let mut settings = TrainingSettings::for_classes();
    change(&mut settings);
    let problems = settings.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with(key), "{problems:?}");
}

#[test]
fn values_out_of_bounds_name_their_key() {
    assert_refused("learning_rate", |settings| settings.learning_rate = 1e9);
    assert_refused("warmup_epochs", |settings| settings.warmup_epochs = 100);
    assert_refused("label_smoothing", |settings| settings.label_smoothing = 1.0);
    assert_refused("target_scale", |settings| {
        settings.target_scale = TargetScale::Std;
    });

    assert_refused("weight_decay", |settings| settings.weight_decay = -1.0);
    assert_refused("gradient_clip", |settings| {
        settings.gradient_clip = f64::INFINITY;
    });
    assert_refused("optimizer", |settings| {
        settings.optimizer = Optimizer::Sgd { momentum: 1.0 };
    });
    assert_refused("loss", |settings| {
        settings.loss = Loss::Focal { gamma: -0.5 };
    });
}

#[test]
fn every_schedule_has_bounds() {
    let schedules = [
        LearningRateSchedule::Step {
            step_size: 0,
            gamma: 0.1,
        },
        LearningRateSchedule::Exponential { gamma: 1.5 },
        LearningRateSchedule::Cosine { min_lr: 0.1 },
        LearningRateSchedule::ReduceOnPlateau {
            factor: 1.0,
            patience: 5,
            min_lr: 0.0,
        },
    ];
    for schedule in schedules {
        assert_refused("lr_scheduler", |settings| settings.lr_scheduler = schedule);
    }

    let defaults = [
        LearningRateSchedule::step(),
        LearningRateSchedule::exponential(),
        LearningRateSchedule::cosine(),
        LearningRateSchedule::reduce_on_plateau(),
    ];
    for schedule in defaults {
        let settings = TrainingSettings {
            lr_scheduler: schedule,
            ..TrainingSettings::for_classes()
        };
        assert!(settings.problems().is_empty(), "{schedule:?}");
    }
}

#[test]
fn a_step_of_sgd_may_be_larger_than_one_of_adam() {
    let settings = TrainingSettings {
        optimizer: Optimizer::Sgd { momentum: 0.9 },
        learning_rate: 2.0,
        ..TrainingSettings::for_classes()
    };
    assert!(settings.problems().is_empty());
    assert_refused("learning_rate", |settings| settings.learning_rate = 2.0);
}

#[test]
fn smoothing_and_class_weights_need_their_losses() {
    assert_refused("label_smoothing", |settings| {
        settings.loss = Loss::Focal { gamma: 2.0 };
        settings.label_smoothing = 0.1;
    });
    assert_refused("class_weights", |settings| {
        settings.loss = Loss::Mse;
        settings.class_weights = ClassWeights::ByName([("BUY".to_owned(), 1.0)].into());
    });
}

/// Everything that can be said.
fn full_settings() -> TrainingSettings {
    TrainingSettings {
        lr_scheduler: LearningRateSchedule::Cosine { min_lr: 1e-5 },
        warmup_epochs: 3,
        optimizer: Optimizer::Sgd { momentum: 0.9 },
        class_weights: ClassWeights::ByName([("BUY".to_owned(), 2.0)].into()),
        early_stopping: Some(EarlyStopping {
            monitor: Monitor::ValAccuracy,
            ..EarlyStopping::default()
        }),
        engine: Engine::Libtorch,
        ..TrainingSettings::for_classes()
    }
}

#[test]
fn settings_survive_json() {
    let json = serde_json::to_value(full_settings()).unwrap();

    assert_eq!(
        json,
        json!({
            "epochs": 100,
            "learning_rate": 0.001,
            "lr_scheduler": {"kind": "cosine", "min_lr": 1e-5},
            "warmup_epochs": 3,
            "batch_size": 32,
            "optimizer": {"kind": "sgd", "momentum": 0.9},
            "loss": {"kind": "cross_entropy"},
            "label_smoothing": 0.0,
            "class_weights": {"BUY": 2.0},
            "target_scale": "none",
            "calibration": "none",
            "weight_decay": 1e-4,
            "gradient_clip": 1.0,
            "early_stopping": {"patience": 10, "min_delta": 0.001, "monitor": "val_accuracy"},
            "threads": 1,
            "engine": "libtorch",
            "detailed_analytics": false,
        })
    );
    let settings: TrainingSettings = serde_json::from_value(json).unwrap();
    assert_eq!(settings, full_settings());
}

#[test]
fn settings_of_an_older_artifact_read_as_what_was_done_then() {
    let json = json!({
        "epochs": 7,
        "learning_rate": 0.01,
        "batch_size": 64,
        "loss": {"kind": "huber", "delta": 0.01},
        "weight_decay": 0.0,
        "gradient_clip": 1.0,
        "early_stopping": {"patience": 3, "min_delta": 0.01},
    });

    let settings: TrainingSettings = serde_json::from_value(json).unwrap();

    assert_eq!(settings.optimizer, Optimizer::Adam);
    assert_eq!(settings.lr_scheduler, LearningRateSchedule::None);
    assert_eq!(settings.target_scale, TargetScale::None);
    assert_eq!(settings.calibration, Calibration::None);
    assert_eq!(settings.threads, 1);
    assert!(settings.problems().is_empty());
}

#[test]
fn a_broken_rule_names_the_keys_that_it_compares() {
    let settings = TrainingSettings {
        epochs: 5,
        warmup_epochs: 5,
        label_smoothing: 0.1,
        loss: Loss::Focal { gamma: 2.0 },
        ..TrainingSettings::for_classes()
    };

    let keys: Vec<_> = settings
        .broken_rules()
        .iter()
        .map(|rule| rule.keys)
        .collect();

    let expected: [&[&str]; 2] = [&["warmup_epochs", "epochs"], &["label_smoothing", "loss"]];
    assert_eq!(keys, expected);
}

#[test]
fn an_ending_is_stored_with_all_that_decided_it() {
    let early = TrainingEnd::NoImprovement {
        monitor: Monitor::ValAccuracy,
        min_delta: 0.001,
        since: 3,
        patience: 10,
    };

    let json = serde_json::to_value(early).unwrap();
    let expected = json!({
        "kind": "no_improvement", "monitor": "val_accuracy", "min_delta": 0.001, "since": 3,
        "patience": 10,
    });
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_value::<TrainingEnd>(json).unwrap(), early);

    let all = serde_json::to_value(TrainingEnd::AllEpochs).unwrap();
    assert_eq!(all, json!({"kind": "all_epochs"}));
}

#[test]
fn settings_refuse_unknown_keys() {
    let mut json = serde_json::to_value(full_settings()).unwrap();
    json["momentum"] = json!(0.9);
    assert!(serde_json::from_value::<TrainingSettings>(json).is_err());
}

#[test]
fn a_regression_has_no_probabilities_to_calibrate() {
    let settings = |defaults| TrainingSettings {
        calibration: Calibration::Temperature,
        ..defaults
    };

    assert!(
        settings(TrainingSettings::for_classes())
            .problems()
            .is_empty()
    );
    let problems = settings(TrainingSettings::for_regression()).problems();
    assert_eq!(
        problems,
        [
            "calibration needs a loss of classes, cross_entropy or focal: a regression has no \
             probabilities"
        ]
    );
}
