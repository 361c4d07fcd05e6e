//! Specifications of `training.detailed_analytics`: what is kept of each epoch, and that keeping it
//! changes nothing.

use schemas::manifests::OutputKind;
use schemas::metrics::KindMetrics;
use schemas::training::{Optimizer, TrainingSettings};
use strategies::{Decisions, Signal};
use trainer::{ComputeDevice, EngineKind, TrainError, TrainJob, TrainState, Trained};

use crate::made_up::{
    ENGINES, NEVER, Recorder, class_data, classes, network, return_data, run, settings,
    without_clock, without_dropout,
};

const EPOCHS: u32 = 12;

fn detailed(settings: TrainingSettings) -> TrainingSettings {
    TrainingSettings {
        detailed_analytics: true,
        ..settings
    }
}

/// A training of classes by `engine`, whose strategy acts above 0.4.
fn train_classes(
    engine: EngineKind,
    settings: &TrainingSettings,
    control: &Recorder,
    resume: Option<TrainState>,
) -> Result<Trained, TrainError> {
    let job = TrainJob {
        data: &class_data(0.3),
        network: &classes(),
        settings,
        seed: 7,
        device: ComputeDevice::Cpu,
        engine,
        decisions: Some(Decisions::Classification {
            confidence_threshold: Some(0.4),
            signals: &[Signal::Buy, Signal::Hold, Signal::Sell],
        }),
    };

    trainer::train(&job, control, resume)
}

fn run_classes(engine: EngineKind, settings: &TrainingSettings) -> Trained {
    train_classes(engine, settings, &Recorder::new(NEVER), None).unwrap()
}

#[test]
fn weights_have_the_same_bits_with_and_without_analytics() {
    for engine in ENGINES {
        let without = run_classes(*engine, &settings(EPOCHS));
        let with = run_classes(*engine, &detailed(settings(EPOCHS)));

        assert_eq!(with.weights, without.weights, "{engine}");
        let history = without_clock(&with.history);
        assert_eq!(history, without_clock(&without.history));
        assert!(without.analytics.is_empty());
        let epochs: Vec<u32> = with.analytics.iter().map(|row| row.epoch).collect();
        assert_eq!(epochs, (1..=EPOCHS).collect::<Vec<u32>>());
    }
}

#[test]
fn the_norm_of_a_gradient_is_that_of_the_step_it_makes() {
    // One batch an epoch, w' = w - rate · g: |g| = |w' - w| / rate, before it is clipped to nothing.
    let network = without_dropout(classes());
    let data = class_data(0.3);
    let plain = TrainingSettings {
        batch_size: 1_000,
        optimizer: Optimizer::Sgd { momentum: 0.0 },
        weight_decay: 0.0,
        gradient_clip: 0.0,
        ..detailed(settings(2))
    };

    let recorder = Recorder::new(NEVER);
    let one = TrainingSettings {
        epochs: 1,
        ..plain.clone()
    };
    let before = run(&data, &network, &one, 7);
    crate::made_up::train(&data, &network, &plain, 7, &recorder, None).unwrap();
    let after = recorder.last_checkpoint();
    let analytics = &after.progress.analytics[1];

    let moved = before.weights.iter().zip(&after.weights);
    let moved = moved.map(|pair| f64::from(pair.1 - pair.0).powi(2));
    let norm = moved.sum::<f64>().sqrt() / 0.01;
    assert!((analytics.gradient_norm_mean - norm).abs() < 1e-3 * norm);
    assert_eq!(analytics.gradient_norm_mean, analytics.gradient_norm_max);

    let squares = analytics.weight_norms.iter().map(|norm| norm * norm);
    let all = after
        .weights
        .iter()
        .map(|weight| f64::from(*weight).powi(2));
    assert!((squares.sum::<f64>() - all.sum::<f64>()).abs() < 1e-9);
    assert_eq!(analytics.weight_norms.len(), network.tensors().len());
}

#[test]
fn clipping_does_not_change_the_norm_that_is_kept() {
    for engine in ENGINES {
        let first_norm = |gradient_clip| {
            let settings = TrainingSettings {
                batch_size: 1_000,
                gradient_clip,
                ..detailed(settings(1))
            };
            run_classes(*engine, &settings).analytics[0].gradient_norm_max
        };

        let norm = first_norm(0.0);
        assert!(norm > 0.01);
        assert_eq!(first_norm(0.01), norm, "{engine}");
    }
}

#[test]
fn both_engines_keep_the_same_figures() {
    let trained_by_each: Vec<Trained> = ENGINES
        .iter()
        .map(|engine| run_classes(*engine, &detailed(settings(3))))
        .collect();

    for other in &trained_by_each {
        for (row, same) in trained_by_each[0].analytics.iter().zip(&other.analytics) {
            let distance = row.gradient_norm_mean - same.gradient_norm_mean;
            assert!(distance.abs() < 1e-3, "{row:?} and {same:?}");
            let distance = row.gradient_norm_max - same.gradient_norm_max;
            assert!(distance.abs() < 1e-3, "{row:?} and {same:?}");
            assert!((row.weight_norms[0] - same.weight_norms[0]).abs() < 1e-3);
        }
    }
}

#[test]
fn rates_and_decisions_are_those_of_the_validation_part() {
    let trained = run_classes(EngineKind::Native, &detailed(settings(EPOCHS)));
    let best = &trained.analytics[trained.best_epoch as usize - 1];

    let KindMetrics::Classes(validation) = &trained.metrics["validation"].kind else {
        panic!("classes were made");
    };
    assert_eq!(best.classes, validation.classes);
    let rate = trained.history[trained.best_epoch as usize - 1].learning_rate;
    assert_eq!(best.learning_rate, rate);
    assert_eq!(best.decisions.unwrap().rows(), 150);
}

#[test]
fn a_resumed_training_keeps_the_epochs_before() {
    let settings = detailed(settings(EPOCHS));
    let recorder = Recorder::new(NEVER);
    let whole = train_classes(EngineKind::Native, &settings, &recorder, None).unwrap();

    let tenth = recorder.checkpoints.borrow()[0].clone();
    assert_eq!(tenth.progress.analytics.len(), 10);
    let stored = tenth.to_checkpoint(&classes()).unwrap();
    let read = TrainState::from_checkpoint(&classes(), stored).unwrap();
    let recorder = Recorder::new(NEVER);
    let resumed = train_classes(EngineKind::Native, &settings, &recorder, Some(read)).unwrap();
    assert_eq!(resumed.analytics, whole.analytics);
}

#[test]
fn a_regression_has_norms_and_no_classes() {
    let settings = detailed(TrainingSettings {
        epochs: 2,
        ..TrainingSettings::for_regression()
    });
    let trained = run(
        &return_data(),
        &network(OutputKind::Regression),
        &settings,
        7,
    );

    let last = &trained.analytics[1];
    assert!(last.gradient_norm_mean > 0.0 && last.classes.is_empty());
    assert_eq!(last.decisions, None);
}
