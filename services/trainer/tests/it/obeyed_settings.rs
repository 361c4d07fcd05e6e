//! Every setting of a training changes what is computed, in both engines alike.

use schemas::manifests::OutputKind;
use schemas::training::{
    ClassWeights, LearningRateSchedule, Loss, Optimizer, TargetScale, TrainingSettings,
};
use trainer::{EpochRow, Labels, Trained, TrainingData};

use crate::made_up::{
    Case, ENGINES, NEVER, Recorder, class_data, classes, network, return_data, run, settings,
    train, without_clock, without_dropout,
};

/// Five epochs of classes with settings that `change` makes of the defaults.
fn run_classes(change: impl Fn(TrainingSettings) -> TrainingSettings) -> Vec<EpochRow> {
    let data = class_data(0.3);
    let network = classes();
    let settings = change(settings(5));
    let case = Case {
        data: &data,
        network: &network,
        settings: &settings,
        seed: 7,
    };

    let histories = ENGINES.iter().map(|engine| case.run_by(*engine).history);
    let histories: Vec<Vec<EpochRow>> = histories.collect();
    assert_alike(&histories);
    histories.into_iter().next().unwrap()
}

/// The engines differ by rounding only.
fn assert_alike(histories: &[Vec<EpochRow>]) {
    for other in histories {
        for (row, same) in histories[0].iter().zip(other) {
            let train = (row.train_loss - same.train_loss).abs();
            let validation = (row.validation_loss - same.validation_loss).abs();
            assert!(train < 1e-4 && validation < 1e-4, "{row:?} and {same:?}");
            assert_eq!(row.learning_rate, same.learning_rate);
        }
    }
}

/// No two of them are the same training.
fn assert_all_differ(histories: &[Vec<EpochRow>]) {
    for (index, history) in histories.iter().enumerate() {
        for other in &histories[index + 1..] {
            assert_ne!(without_clock(history), without_clock(other));
        }
    }
}

#[test]
fn each_optimiser_is_another_training() {
    let optimizers = [
        Optimizer::Adam,
        Optimizer::Adamw,
        Optimizer::Sgd { momentum: 0.9 },
        Optimizer::Sgd { momentum: 0.0 },
        Optimizer::Rmsprop,
    ];

    let histories = optimizers.map(|optimizer| {
        run_classes(|defaults| TrainingSettings {
            optimizer,
            weight_decay: 0.01,
            ..defaults
        })
    });

    assert_all_differ(&histories);
}

#[test]
fn weights_of_classes_and_smoothing_change_the_loss() {
    let by_name = [("BUY", 1.0), ("HOLD", 5.0), ("SELL", 2.0)];
    let by_name = by_name.map(|entry| (entry.0.to_owned(), entry.1));
    let weights = [
        ClassWeights::Balanced,
        ClassWeights::None,
        ClassWeights::ByName(by_name.into()),
    ];
    let mut histories = Vec::new();
    for class_weights in weights {
        for label_smoothing in [0.0, 0.2] {
            histories.push(run_classes(|defaults| TrainingSettings {
                class_weights: class_weights.clone(),
                label_smoothing,
                ..defaults
            }));
        }
    }

    assert_all_differ(&histories);
}

#[test]
fn the_rate_of_each_epoch_is_that_of_the_schedule() {
    let history = run_classes(|defaults| TrainingSettings {
        learning_rate: 0.08,
        warmup_epochs: 1,
        lr_scheduler: LearningRateSchedule::Exponential { gamma: 0.5 },
        ..defaults
    });

    let rates: Vec<f64> = history.iter().map(|row| row.learning_rate).collect();
    assert_eq!(rates, [0.04, 0.08, 0.04, 0.02, 0.01]);
}

#[test]
fn a_resumed_training_is_at_its_place_of_the_schedule() {
    let data = class_data(0.9);
    let network = classes();
    let settings = TrainingSettings {
        lr_scheduler: LearningRateSchedule::ReduceOnPlateau {
            factor: 0.5,
            patience: 1,
            min_lr: 0.0,
        },
        ..settings(30)
    };

    let whole = run(&data, &network, &settings, 7);
    // A checkpoint after each tenth epoch: the first and the second are in mid-schedule.
    let recorder = Recorder::new(NEVER);
    train(&data, &network, &settings, 7, &recorder, None).unwrap();
    for checkpoint in recorder.checkpoints.take() {
        let never = Recorder::new(NEVER);
        let resumed = train(&data, &network, &settings, 7, &never, Some(checkpoint)).unwrap();
        assert_eq!(resumed.weights, whole.weights);
        assert_eq!(
            without_clock(&resumed.history),
            without_clock(&whole.history)
        );
    }

    let last = whole.history.last().unwrap();
    assert!(last.learning_rate < 0.01, "it never fell: {last:?}");
}

fn regression(target_scale: TargetScale, loss: Loss) -> TrainingSettings {
    TrainingSettings {
        epochs: 5,
        learning_rate: 0.01,
        loss,
        target_scale,
        ..TrainingSettings::for_regression()
    }
}

fn labels_of(labels: &Labels) -> &[f32] {
    match labels {
        Labels::Returns(labels) => labels,
        Labels::Classes(_) => panic!("returns were made"),
    }
}

/// The standard deviation, as of a population.
fn deviation(labels: &[f32]) -> f64 {
    let count = labels.len() as f64;
    let mean = labels.iter().map(|&label| f64::from(label)).sum::<f64>() / count;
    let squares = labels
        .iter()
        .map(|&label| (f64::from(label) - mean).powi(2));
    (squares.sum::<f64>() / count).sqrt()
}

/// The data with every label divided by `scale`.
fn divided(mut data: TrainingData, scale: f64) -> TrainingData {
    for part in [&mut data.train, &mut data.validation, &mut data.test] {
        let scaled = labels_of(&part.labels).iter();
        let scaled = scaled.map(|&label| (f64::from(label) / scale) as f32);
        part.labels = Labels::Returns(scaled.collect());
    }
    data
}

fn run_regression(data: &TrainingData, settings: &TrainingSettings) -> Vec<Trained> {
    let network = without_dropout(network(OutputKind::Regression));
    let case = Case {
        data,
        network: &network,
        settings,
        seed: 7,
    };
    ENGINES.iter().map(|engine| case.run_by(*engine)).collect()
}

#[test]
fn scaled_labels_are_learnt_and_returns_are_predicted() {
    let scale = deviation(labels_of(&return_data().train.labels));
    let huber = Loss::Huber { delta: 0.01 };
    let scaled_huber = Loss::Huber {
        delta: 0.01 / scale,
    };

    let by_setting = run_regression(&return_data(), &regression(TargetScale::Std, huber));
    let by_hand = regression(TargetScale::None, scaled_huber);
    let by_hand = run_regression(&divided(return_data(), scale), &by_hand);

    for (trained, same) in by_setting.iter().zip(&by_hand) {
        assert_alike(&[trained.history.clone(), same.history.clone()]);
        // 8 weights and a bias of the output; all before it is the same.
        let inner = trained.weights.len() - 9;
        assert_eq!(trained.weights[..inner], same.weights[..inner]);
        for (weight, scaled) in trained.weights[inner..].iter().zip(&same.weights[inner..]) {
            let expected = f64::from(*scaled) * scale;
            assert!((f64::from(*weight) - expected).abs() < 1e-7 * expected.abs().max(1.0));
        }

        // The figures are those of returns.
        let mse = trained.metrics["test"].loss;
        let expected = same.metrics["test"].loss * scale * scale;
        assert!(
            (mse - expected).abs() < 1e-4 * expected,
            "{mse}, {expected}"
        );
    }
}

#[test]
fn losses_of_a_regression_are_alike_in_both_engines() {
    for loss in [Loss::Mse, Loss::Huber { delta: 0.01 }] {
        for target_scale in [TargetScale::None, TargetScale::Std] {
            let trained = run_regression(&return_data(), &regression(target_scale, loss));
            let histories: Vec<_> = trained.into_iter().map(|each| each.history).collect();
            assert_alike(&histories);
        }
    }
}
