//! Specifications of the training loop on small made-up data: what is learnt, and what is reported.

use schemas::manifests::OutputKind;
use schemas::training::{EarlyStopping, Loss, TrainingSettings};
use trainer::metrics::{ClassMetrics, KindMetrics, RegressionMetrics};
use trainer::{Labels, Trained, TrainingData, random};

use crate::made_up::{
    Case, ENGINES, NEVER, Recorder, class_data, class_labels, class_part, classes, network,
    return_data, run, settings, train, without_clock, without_dropout,
};

fn test_of_classes(trained: &Trained) -> &ClassMetrics {
    match &trained.metrics["test"].kind {
        KindMetrics::Classes(metrics) => metrics,
        KindMetrics::Regression(_) => panic!("classes were asked for"),
    }
}

fn test_of_regression(trained: &Trained) -> &RegressionMetrics {
    match &trained.metrics["test"].kind {
        KindMetrics::Regression(metrics) => metrics,
        KindMetrics::Classes(_) => panic!("a regression was asked for"),
    }
}

#[test]
fn separable_classes_are_learnt() {
    let case = Case {
        data: &class_data(0.0),
        network: &classes(),
        settings: &settings(40),
        seed: 1,
    };

    for engine in ENGINES {
        let trained = case.run_by(*engine);
        let test = test_of_classes(&trained);
        assert!(test.accuracy > 0.9, "{engine}: {test:?}");
        assert!(
            test.accuracy > test.majority_accuracy + 0.3,
            "{engine}: {test:?}"
        );
        assert_eq!(test.confusion.iter().flatten().sum::<u64>(), 150);
    }
}

#[test]
fn a_linear_return_is_learnt_by_both_regression_losses() {
    for loss in [Loss::Huber { delta: 0.01 }, Loss::Mse] {
        let case = Case {
            data: &return_data(),
            network: &without_dropout(network(OutputKind::Regression)),
            settings: &TrainingSettings {
                epochs: 60,
                learning_rate: 0.005,
                loss,
                ..TrainingSettings::for_regression()
            },
            seed: 1,
        };

        for engine in ENGINES {
            let trained = case.run_by(*engine);
            let test = test_of_regression(&trained);
            assert!(test.r2 > 0.9, "{engine}: {test:?}");
            assert!(test.mae < 0.3 * test.baseline_mae, "{engine}: {test:?}");
            assert!(trained.objective.class_weights.is_empty());
        }
    }
}

#[test]
fn every_implementation_of_focal_loss_agrees() {
    let settings = TrainingSettings {
        loss: Loss::Focal { gamma: 2.0 },
        batch_size: 1_000,
        ..settings(2)
    };
    let data = class_data(0.0);
    let data = TrainingData {
        validation: data.train.clone(),
        ..data
    };

    let case = Case {
        data: &data,
        network: &without_dropout(classes()),
        settings: &settings,
        seed: 1,
    };
    for engine in ENGINES {
        // One batch, no dropout: the engine's loss in epoch 2 is that of the weights which epoch 1
        // validated by the formulas of the metrics, on equal rows.
        let history = case.run_by(*engine).history;
        assert!((history[1].train_loss - history[0].validation_loss).abs() < 1e-6);
        assert!(history[1].validation_loss < history[0].validation_loss);
    }
}

#[test]
fn one_seed_gives_the_same_bits_twice() {
    let data = class_data(0.1);
    let settings = settings(5);

    let first = run(&data, &classes(), &settings, 42);
    let again = run(&data, &classes(), &settings, 42);

    assert_eq!(first.weights, again.weights);
    assert_eq!(without_clock(&first.history), without_clock(&again.history));
}

#[test]
fn another_seed_gives_other_weights() {
    let data = class_data(0.1);
    let settings = settings(5);
    let first = run(&data, &classes(), &settings, 42);
    let other = run(&data, &classes(), &settings, 43);
    assert_ne!(first.weights, other.weights);
}

/// Noise where c > 0, the class of a + b elsewhere: weights that leave the noise out learn the
/// other half as if it were all.
fn half_noise() -> TrainingData {
    let mut data = class_data(0.0);
    let is_noisy: Vec<bool> = data
        .train
        .features
        .chunks(3)
        .map(|row| row[2] > 0.0)
        .collect();

    let labels = class_labels(&mut data.train);
    let noise = random::shuffle_rows(labels.len(), 5, 1);
    for ((label, word), is_noisy) in labels.iter_mut().zip(&noise).zip(&is_noisy) {
        if *is_noisy {
            *label = word % 3;
        }
    }

    let weights = is_noisy.iter().map(|noisy| if *noisy { 1e-6 } else { 1.0 });
    data.weights = Some(weights.collect());
    data
}

#[test]
fn rows_of_little_weight_teach_little() {
    let weighted = half_noise();
    let plain = TrainingData {
        weights: None,
        ..weighted.clone()
    };

    let loss = |data: &TrainingData| run(data, &classes(), &settings(30), 1).metrics["test"].loss;
    let with_weights = loss(&weighted);
    let without_weights = loss(&plain);

    assert!(
        with_weights < 0.6 * without_weights,
        "test loss {with_weights} with weights, {without_weights} without"
    );
}

#[test]
fn a_weighted_training_resumes_to_the_same_bits() {
    let data = half_noise();
    let settings = settings(25);
    let whole = run(&data, &classes(), &settings, 7);

    // 11 questions per epoch: the cancel comes in epoch 13.
    let control = Recorder::new(12 * 11 + 5);
    train(&data, &classes(), &settings, 7, &control, None).unwrap_err();
    let checkpoint = control.last_checkpoint();
    assert_eq!(checkpoint.progress.epoch, 10);
    let control = Recorder::new(NEVER);
    let resumed = train(&data, &classes(), &settings, 7, &control, Some(checkpoint)).unwrap();

    assert_eq!(resumed.weights, whole.weights);
    assert_eq!(
        without_clock(&resumed.history),
        without_clock(&whole.history)
    );
}

#[test]
fn equal_weights_still_draw_with_replacement() {
    let plain = class_data(0.0);
    let equal = TrainingData {
        weights: Some(vec![1.0; 300]),
        ..plain.clone()
    };
    let weights = |data: &TrainingData| run(data, &classes(), &settings(25), 7).weights;
    assert_ne!(weights(&equal), weights(&plain));
}

/// Random labels: the longer the fit, the worse the validation loss.
fn data_to_overfit() -> TrainingData {
    TrainingData {
        train: class_part(60, 9, 0.7),
        ..class_data(1.0)
    }
}

#[test]
fn the_stored_model_is_that_of_the_best_epoch() {
    let network = without_dropout(classes());

    let trained = run(&data_to_overfit(), &network, &settings(80), 3);

    let losses: Vec<f64> = trained
        .history
        .iter()
        .map(|row| row.validation_loss)
        .collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(
        losses[79] > 1.2 * best,
        "the loss must worsen for this test to say anything: {losses:?}"
    );
    assert_eq!(losses[trained.best_epoch as usize - 1], best);
    assert_eq!(trained.metrics["validation"].criterion, best);
}

#[test]
fn the_stored_weights_give_the_same_loss_in_plain_rust() {
    let network = without_dropout(classes());
    let data = data_to_overfit();
    let trained = run(&data, &network, &settings(80), 3);

    let file = trainer::model_file(&network, &trained.weights).unwrap();
    let model = networks::Model::from_safetensors(&network, &file).unwrap();
    let rows: Vec<&[f32]> = data.validation.features.chunks(3).collect();
    let predicted = model.predict(&rows).unwrap();

    let Labels::Classes(labels) = &data.validation.labels else {
        panic!("classes were made")
    };
    let mut loss_sum = 0.0;
    let mut weight_sum = 0.0;
    for (label, probabilities) in labels.iter().zip(predicted) {
        let class = *label as usize;
        let weight = trained.objective.class_weights[class];
        loss_sum -= weight * f64::from(probabilities[class]).ln();
        weight_sum += weight;
    }
    let stored = trained.metrics["validation"].criterion;
    assert!((loss_sum / weight_sum - stored).abs() < 1e-5);
}

fn with_patience(settings: TrainingSettings, patience: u32, min_delta: f64) -> TrainingSettings {
    TrainingSettings {
        early_stopping: Some(EarlyStopping {
            patience,
            min_delta,
            ..EarlyStopping::default()
        }),
        ..settings
    }
}

#[test]
fn early_stopping_reports_and_checkpoints_its_last_epoch() {
    let settings = with_patience(settings(200), 4, 0.0);
    let control = Recorder::new(NEVER);

    let trained = train(&data_to_overfit(), &classes(), &settings, 3, &control, None).unwrap();

    let epochs = trained.history.len() as u32;
    assert!(trained.ending.is_early(), "{:?}", trained.ending);
    assert_eq!(epochs, trained.best_epoch + 4);
    assert_eq!(control.epochs.borrow().len() as u32, epochs);
    assert_eq!(control.last_checkpoint().progress.epoch, epochs);
}

#[test]
fn resuming_a_finished_training_gives_the_same_model() {
    let data = data_to_overfit();
    let settings = with_patience(settings(200), 4, 0.0);
    let control = Recorder::new(NEVER);
    let trained = train(&data, &classes(), &settings, 3, &control, None).unwrap();

    let finished = Some(control.last_checkpoint());
    let control = Recorder::new(NEVER);
    let again = train(&data, &classes(), &settings, 3, &control, finished).unwrap();

    assert_eq!(again.weights, trained.weights);
    assert_eq!(again.history.len(), trained.history.len());
}

#[test]
fn progress_comes_with_every_tenth_batch_and_the_last_two() {
    // 300 rows are 30 batches.
    let settings = TrainingSettings {
        batch_size: 10,
        ..settings(12)
    };
    let control = Recorder::new(NEVER);
    train(&class_data(0.1), &classes(), &settings, 1, &control, None).unwrap();

    let batches = control.batches.borrow();
    let of_first_epoch: Vec<u32> = batches.iter().take(5).map(|at| at.batch).collect();
    assert_eq!(of_first_epoch, [1, 11, 21, 29, 30]);
    assert_eq!(batches.len(), 12 * 5);
}

#[test]
fn progress_never_falls_and_ends_at_one() {
    let control = Recorder::new(NEVER);
    train(
        &class_data(0.1),
        &classes(),
        &settings(12),
        1,
        &control,
        None,
    )
    .unwrap();

    let batches = control.batches.borrow();
    for pair in batches.windows(2) {
        assert!(pair[0].fraction_done() < pair[1].fraction_done());
    }
    assert_eq!(batches.last().unwrap().fraction_done(), 1.0);
}

#[test]
fn checkpoints_come_every_tenth_epoch_and_after_the_last() {
    let control = Recorder::new(NEVER);
    train(
        &class_data(0.1),
        &classes(),
        &settings(12),
        1,
        &control,
        None,
    )
    .unwrap();

    let checkpoints = control.checkpoints.borrow();
    let epochs: Vec<u32> = checkpoints
        .iter()
        .map(|state| state.progress.epoch)
        .collect();
    assert_eq!(epochs, [10, 12]);
    assert_eq!(control.epochs.borrow().len(), 12);
}
