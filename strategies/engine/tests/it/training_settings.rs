//! Every key of `training` that sets the trainer: what it gives, which values it refuses, and where
//! it has no effect.

use schemas::training::{
    Calibration, ClassWeights, EarlyStopping, Engine, LearningRateSchedule, Loss, Monitor,
    Optimizer, TargetScale, TrainingSettings,
};
use strategies::{Findings, Overrides, Strategy, training_keys};

use crate::good_strategy::{Case, GOOD, report_cases, resolve_after};

/// Edits of the strategy without faults into a regression.
const REGRESSION: [(&str, &str); 2] = [
    (
        "output_format: classification",
        "output_format: regression, cost_model: {round_trip_cost: 0.001, min_edge_multiplier: 1}",
    ),
    ("source: zigzag", "source: forward_return"),
];

/// The settings of the strategy with these keys in its section `training`.
fn settings_of(keys: &str) -> TrainingSettings {
    let edit = format!("training: {{{keys}, ");
    resolve_after(&[("training: {", &edit)], &Overrides::default()).settings
}

/// The same of a regression.
fn settings_of_regression(keys: &str) -> TrainingSettings {
    let edit = format!("training: {{{keys}, ");
    let edits = [REGRESSION[0], REGRESSION[1], ("training: {", &edit)];
    resolve_after(&edits, &Overrides::default()).settings
}

#[test]
fn every_optimizer_has_its_word() {
    assert_eq!(settings_of("optimizer: adam").optimizer, Optimizer::Adam);
    assert_eq!(settings_of("optimizer: adamw").optimizer, Optimizer::Adamw);
    let rmsprop = settings_of("optimizer: rmsprop").optimizer;
    assert_eq!(rmsprop, Optimizer::Rmsprop);

    let sgd = settings_of("optimizer: sgd, learning_rate: 2.0");
    assert_eq!(sgd.optimizer, Optimizer::Sgd { momentum: 0.9 });
    assert_eq!(sgd.learning_rate, 2.0);
    let still = settings_of("optimizer: sgd, momentum: 0");
    assert_eq!(still.optimizer, Optimizer::Sgd { momentum: 0.0 });
}

#[test]
fn a_schedule_is_a_word_or_a_section() {
    let schedule_of = |keys: &str| settings_of(keys).lr_scheduler;

    for (word, schedule) in [
        ("none", LearningRateSchedule::None),
        ("step", LearningRateSchedule::step()),
        ("exponential", LearningRateSchedule::exponential()),
        ("cosine", LearningRateSchedule::cosine()),
        (
            "reduce_on_plateau",
            LearningRateSchedule::reduce_on_plateau(),
        ),
    ] {
        assert_eq!(schedule_of(&format!("lr_scheduler: {word}")), schedule);
        let section = format!("lr_scheduler: {{type: {word}}}");
        assert_eq!(schedule_of(&section), schedule);
    }

    let step = schedule_of("lr_scheduler: {type: step, step_size: 7, gamma: 0.5}");
    let expected = LearningRateSchedule::Step {
        step_size: 7,
        gamma: 0.5,
    };
    assert_eq!(step, expected);

    let plateau = schedule_of("lr_scheduler: {type: reduce_on_plateau, patience: 0, min_lr: 1e-5}");
    let expected = LearningRateSchedule::ReduceOnPlateau {
        factor: 0.5,
        patience: 0,
        min_lr: 1e-5,
    };
    assert_eq!(plateau, expected);
}

#[test]
fn keys_of_classes_reach_the_settings() {
    let settings = settings_of(
        "warmup_epochs: 3, label_smoothing: 0.1, engine: native, calibration: temperature, \
         detailed_analytics: true, \
         class_weights: {BUY: 2, HOLD: 1.0, SELL: 2.5}, \
         early_stopping: {monitor: val_accuracy, patience: 4}",
    );

    let expected = TrainingSettings {
        warmup_epochs: 3,
        label_smoothing: 0.1,
        calibration: Calibration::Temperature,
        detailed_analytics: true,
        engine: Engine::Native,
        class_weights: ClassWeights::ByName(
            [("BUY", 2.0), ("HOLD", 1.0), ("SELL", 2.5)]
                .map(|(name, weight)| (name.to_owned(), weight))
                .into(),
        ),
        early_stopping: Some(EarlyStopping {
            patience: 4,
            min_delta: 0.001,
            monitor: Monitor::ValAccuracy,
        }),
        ..TrainingSettings::for_classes()
    };
    assert_eq!(settings, expected);
    assert_eq!(
        settings_of("class_weights: none").class_weights,
        ClassWeights::None
    );
}

#[test]
fn keys_of_a_regression_reach_the_settings() {
    let settings = settings_of_regression("target_scale: std, loss: mse, engine: libtorch");

    let expected = TrainingSettings {
        target_scale: TargetScale::Std,
        loss: Loss::Mse,
        engine: Engine::Libtorch,
        ..TrainingSettings::for_regression()
    };
    assert_eq!(settings, expected);
}

/// Keys that a section of its own must name before a parameter of it is legal.
fn context_of(needs: &str) -> String {
    match needs.split_once(": ") {
        Some(("type", word)) => word.split(" or ").next().unwrap().to_owned(),
        _ => String::new(),
    }
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    for key in training_keys() {
        // `0.0001; 0 for a regression`: the first is that of classes.
        let default = key.default.split(';').next().unwrap();
        let needs_regression = key.needs.contains("huber");
        let (keys, without) = match key.section {
            "lr_scheduler" => {
                let kind = context_of(key.needs);
                let without = format!("lr_scheduler: {{type: {kind}}}");
                let with = format!("lr_scheduler: {{type: {kind}, {}: {default}}}", key.name);
                (with, without)
            }
            "early_stopping" => {
                let with = format!("early_stopping: {{{}: {default}}}", key.name);
                (with, "early_stopping: {}".to_owned())
            }
            _ if key.name == "seed" => continue,
            _ if key.needs.starts_with("optimizer") || key.needs == "loss: focal" => (
                format!("{}, {}: {default}", key.needs, key.name),
                key.needs.to_owned(),
            ),
            _ => (format!("{}: {default}", key.name), "threads: 1".to_owned()),
        };

        let of = if needs_regression {
            settings_of_regression
        } else {
            settings_of
        };
        assert_eq!(of(&keys), of(&without), "{keys}");
    }
}

/// Values at the edges of what the table says, and just outside of them.
const EDGES: &[(&str, &[&str], &[&str])] = &[
    ("epochs: ", &["1", "100000"], &["0", "100001", "1.5"]),
    ("batch_size: ", &["1", "1000000"], &["0", "1000001"]),
    (
        "learning_rate: ",
        &["1", "1e-9"],
        &["0", "1.1", "1e9", ".nan"],
    ),
    ("optimizer: sgd, learning_rate: ", &["10"], &["10.1", "0"]),
    (
        "optimizer: sgd, momentum: ",
        &["0", "0.999"],
        &["1", "-0.1"],
    ),
    ("weight_decay: ", &["0", "1"], &["-0.1", "1.1"]),
    ("gradient_clip: ", &["0", "1000"], &["-1", ".inf"]),
    (
        "lr_scheduler: ",
        &["none", "cosine"],
        &["linear", "true", "3"],
    ),
    (
        "lr_scheduler: {type: step, step_size: ",
        &["1}", "100000}"],
        &["0}", "100001}"],
    ),
    (
        "lr_scheduler: {type: exponential, gamma: ",
        &["1}", "0.001}"],
        &["0}", "1.1}"],
    ),
    (
        "lr_scheduler: {type: reduce_on_plateau, factor: ",
        &["0.001}", "0.999}"],
        &["0}", "1}"],
    ),
    (
        "lr_scheduler: {type: reduce_on_plateau, patience: ",
        &["0}", "100000}"],
        &["-1}", "100001}"],
    ),
    (
        "lr_scheduler: {type: cosine, min_lr: ",
        &["0}", "0.001}"],
        &["-0.1}", "0.002}"],
    ),
    ("warmup_epochs: ", &["0", "99"], &["100", "-1"]),
    (
        "loss: ",
        &["cross_entropy", "focal"],
        &["huber", "mse", "mae"],
    ),
    (
        "loss: focal, focal_gamma: ",
        &["0", "10"],
        &["-0.1", "10.1"],
    ),
    ("label_smoothing: ", &["0", "0.999"], &["1", "-0.1"]),
    (
        "class_weights: ",
        &[
            "balanced",
            "none",
            "{BUY: 0.000001, HOLD: 1000000, SELL: 1}",
        ],
        &[
            "{BUY: 1, HOLD: 1}",
            "{BUY: 0, HOLD: 1, SELL: 1}",
            "{BUY: 1, HOLD: 1, SELL: 1, UP: 1}",
            "2",
        ],
    ),
    (
        "early_stopping: ",
        &["none", "{}"],
        &[
            "true",
            "always",
            "{patience: 0}",
            "{min_delta: 1}",
            "{monitor: loss}",
        ],
    ),
    (
        "engine: ",
        &["auto", "native", "libtorch"],
        &["torch", "true"],
    ),
    ("threads: ", &["1", "64"], &["0", "65"]),
    (
        "detailed_analytics: ",
        &["true", "false"],
        &["yes please", "1"],
    ),
    (
        "calibration: ",
        &["none", "temperature"],
        &["platt", "true", "1.5"],
    ),
    ("seed: ", &["0", "4294967295"], &["-1", "4294967296"]),
];

fn is_accepted(keys: &str) -> bool {
    let text = GOOD.replace("training: {", &format!("training: {{{keys}, "));
    Strategy::parse(&text).is_ok()
}

#[test]
fn every_key_has_the_bounds_that_its_text_names() {
    for (keys, legal, illegal) in EDGES {
        for value in *legal {
            assert!(is_accepted(&format!("{keys}{value}")), "{keys}{value}");
        }
        for value in *illegal {
            assert!(!is_accepted(&format!("{keys}{value}")), "{keys}{value}");
        }
    }
}

const REFUSED: &[Case] = &[
    Case {
        name: "a learning rate of a thousand million",
        edits: &[("training: {", "training: {learning_rate: 1e9, ")],
    },
    Case {
        name: "a schedule as a choice of yes and no",
        edits: &[("training: {", "training: {lr_scheduler: true, ")],
    },
    Case {
        name: "names of earlier grammars",
        edits: &[(
            "training: {",
            "training: {lr_schedule: cosine, optimizer_params: {weight_decay: 0.1}, ",
        )],
    },
    Case {
        name: "parameters of other choices",
        edits: &[(
            "training: {",
            "training: {optimizer: adamw, momentum: 0.9, loss: focal, huber_delta: 0.1, label_smoothing: 0.1, lr_scheduler: {type: cosine, gamma: 0.5}, ",
        )],
    },
    Case {
        name: "a misspelt choice and its parameter",
        edits: &[(
            "training: {",
            "training: {optimizer: sdg, momentum: 0.9, learning_rate: 5, lr_scheduler: {typ: step, gamma: 2}, ",
        )],
    },
    Case {
        name: "values that do not fit each other",
        edits: &[(
            "training: {",
            "training: {epochs: 5, warmup_epochs: 5, lr_scheduler: {type: cosine, min_lr: 0.01}, ",
        )],
    },
    Case {
        name: "classes that the labels do not have",
        edits: &[(
            "training: {",
            "training: {class_weights: {BUY: 2, HODL: 1, SELL: heavy}, ",
        )],
    },
    Case {
        name: "keys of a regression",
        edits: &[("training: {", "training: {target_scale: std, ")],
    },
    Case {
        name: "keys of classes in a regression",
        edits: &[
            REGRESSION[0],
            REGRESSION[1],
            (
                "training: {",
                "training: {class_weights: balanced, label_smoothing: 0.1, calibration: temperature, ",
            ),
        ],
    },
    Case {
        name: "early stopping as a word, and by a figure that is not measured",
        edits: &[
            ("training: {", "training: {early_stopping: true, "),
            (
                "model: {",
                "model: {training: {early_stopping: {monitor: loss}}, ",
            ),
        ],
    },
];

#[test]
fn settings_that_would_be_ignored_or_fail_are_refused() {
    insta::assert_snapshot!(report_cases(REFUSED));
}

/// The strategy with these keys, with a request that changes keys of `training`.
fn change_keys(keys: &str, changes: serde_json::Value) -> Result<TrainingSettings, Findings> {
    let text = GOOD.replace("training: {", &format!("training: {{{keys}, "));
    let overrides: Overrides =
        serde_json::from_value(serde_json::json!({ "training": changes })).unwrap();
    let resolved = Strategy::parse(&text).unwrap().resolve(&overrides)?;
    Ok(resolved.settings)
}

#[test]
fn a_request_changes_keys_as_if_the_file_said_them() {
    let changes = serde_json::json!({
        "optimizer": "adam", "loss": "focal", "lr_scheduler": {"gamma": 0.5},
        "early_stopping": {"patience": 8},
    });
    let settings = change_keys(
        "optimizer: sgd, momentum: 0.8, lr_scheduler: step, early_stopping: {min_delta: 0.01}",
        changes,
    )
    .unwrap();

    // The momentum went with its optimiser; a section keeps what the request does not say.
    assert_eq!(settings.optimizer, Optimizer::Adam);
    assert_eq!(settings.loss, Loss::Focal { gamma: 2.0 });
    let schedule = LearningRateSchedule::Step {
        step_size: 30,
        gamma: 0.5,
    };
    assert_eq!(settings.lr_scheduler, schedule);
    let stopping = EarlyStopping {
        patience: 8,
        min_delta: 0.01,
        monitor: Monitor::ValLoss,
    };
    assert_eq!(settings.early_stopping, Some(stopping));
}

#[test]
fn a_request_can_switch_early_stopping_off() {
    let changes = serde_json::json!({ "early_stopping": "none" });
    let settings = change_keys("early_stopping: {patience: 3}", changes).unwrap();
    assert_eq!(settings.early_stopping, None);
}

#[test]
fn a_request_is_no_way_around_the_grammar() {
    let changes = serde_json::json!({
        "optimzer": "sgd", "momentum": 0.5, "learning_rate": 1e9, "epochs": 3,
        "class_weights": {"BUY": 1},
    });
    let findings = change_keys("warmup_epochs: 5, label_smoothing: 0.1", changes).unwrap_err();
    insta::assert_snapshot!(findings);
}

#[test]
fn a_seed_is_changed_like_any_other_key() {
    let overrides = serde_json::json!({ "seed": 5, "training": {"seed": 7} });
    let overrides: Overrides = serde_json::from_value(overrides).unwrap();
    assert_eq!(resolve_after(&[], &overrides).seed, 7);
}
