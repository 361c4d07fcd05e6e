//! Specifications of the training loop on small made-up data.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use schemas::{
    manifests::{Activation, FeatureColumn, Network, NetworkKind, OutputKind},
    training::{EarlyStopping, Loss, TrainingSettings},
};
use trainer::{
    BatchProgress, Control, EpochRow, Labels, Part, TrainError, TrainState, Trained, TrainingData,
    metrics::KindMetrics, random, train,
};

/// Records all calls; cancels after `cancel_after` questions.
struct Recorder {
    began: Instant,
    cancel_after: Cell<u64>,
    asked: Cell<u64>,
    cancelled_at: Cell<Option<Instant>>,
    batches: RefCell<Vec<BatchProgress>>,
    epochs: RefCell<Vec<EpochRow>>,
    checkpoints: RefCell<Vec<TrainState>>,
}

impl Recorder {
    fn new(cancel_after: u64) -> Self {
        Self {
            began: Instant::now(),
            cancel_after: Cell::new(cancel_after),
            asked: Cell::default(),
            cancelled_at: Cell::default(),
            batches: RefCell::default(),
            epochs: RefCell::default(),
            checkpoints: RefCell::default(),
        }
    }
}

impl Control for Recorder {
    fn cancelled(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        let cancel = self.asked.get() > self.cancel_after.get();
        if self.asked.get() == self.cancel_after.get() {
            // The request arrives just after this answer: the worst case.
            self.cancelled_at.set(Some(Instant::now()));
        }
        cancel
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn batch(&self, progress: &BatchProgress) {
        self.batches.borrow_mut().push(*progress);
    }

    fn epoch(&self, row: &EpochRow) {
        self.epochs.borrow_mut().push(row.clone());
    }

    fn checkpoint(&self, state: TrainState) {
        self.checkpoints.borrow_mut().push(state);
    }
}

const NEVER: u64 = u64::MAX;

fn network(output: OutputKind) -> Network {
    let features = ["a", "b", "c"]
        .map(|name| FeatureColumn {
            name: name.to_owned(),
            normalisation: None,
        })
        .to_vec();
    let (kind, activation) = (NetworkKind::Mlp, Activation::Relu);
    Network {
        kind,
        hidden_layers: vec![16, 8],
        activation,
        dropout: 0.2,
        features,
        output,
    }
}

fn classes() -> Network {
    network(OutputKind::Classes {
        names: ["BUY", "HOLD", "SELL"].map(str::to_owned).to_vec(),
    })
}

/// Rows uniform in −1..1; `label` sees the row and a number in −1..1.
fn rows(count: usize, seed: u64, mut label: impl FnMut(&[f32], f32)) -> Vec<f32> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = || generator.next_u32() as f32 / 2_147_483_648.0 - 1.0;
    let mut features = Vec::new();
    for _ in 0..count {
        let row = [uniform(), uniform(), uniform()];
        label(&row, uniform());
        features.extend(row);
    }
    features
}

/// Class by a + b: above 0.5, between, below −0.5; `noise` of the labels are random.
fn class_part(count: usize, seed: u64, noise: f32) -> Part {
    let mut labels = Vec::new();
    let features = rows(count, seed, |row, random| {
        let sum = row[0] + row[1];
        let class = if sum > 0.5 {
            0
        } else {
            1 + i64::from(sum < -0.5)
        };
        labels.push(if random.abs() < noise {
            (random * 1e4) as i64 & 1
        } else {
            class
        });
    });
    Part {
        features,
        labels: Labels::Classes(labels),
    }
}

fn class_data(noise: f32) -> TrainingData {
    let part = |count, seed| class_part(count, seed, noise);
    TrainingData {
        train: part(300, 1),
        validation: part(150, 2),
        test: part(150, 3),
        weights: None,
    }
}

/// y = 0.02 a − 0.01 b.
fn return_data() -> TrainingData {
    let part = |seed| {
        let mut labels = Vec::new();
        let features = rows(200, seed, |row, _| {
            labels.push(0.02 * row[0] - 0.01 * row[1])
        });
        Part {
            features,
            labels: Labels::Returns(labels),
        }
    };
    TrainingData {
        train: part(1),
        validation: part(2),
        test: part(3),
        weights: None,
    }
}

fn settings(epochs: u32) -> TrainingSettings {
    TrainingSettings {
        epochs,
        learning_rate: 0.01,
        ..TrainingSettings::for_classes()
    }
}

fn run(data: &TrainingData, network: &Network, settings: &TrainingSettings, seed: u64) -> Trained {
    train(data, network, settings, seed, &Recorder::new(NEVER), None).unwrap()
}

fn without_clock(history: &[EpochRow]) -> Vec<EpochRow> {
    history
        .iter()
        .map(|row| EpochRow {
            seconds: 0.0,
            ..row.clone()
        })
        .collect()
}

#[test]
fn separable_classes_are_learnt() {
    let trained = run(&class_data(0.0), &classes(), &settings(40), 1);
    let KindMetrics::Classes(test) = &trained.metrics["test"].kind else {
        panic!("classes were asked for")
    };
    assert!(
        test.accuracy > 0.9 && test.accuracy > test.majority_accuracy + 0.3,
        "{test:?}"
    );
    assert_eq!(test.confusion.iter().flatten().sum::<u64>(), 150);
}

#[test]
fn a_linear_return_is_learnt_by_both_regression_losses() {
    let network = Network {
        dropout: 0.0,
        ..network(OutputKind::Regression)
    };
    for loss in [Loss::Huber { delta: 0.01 }, Loss::Mse] {
        let settings = TrainingSettings {
            epochs: 60,
            learning_rate: 0.005,
            loss,
            ..TrainingSettings::for_regression()
        };
        let trained = run(&return_data(), &network, &settings, 1);
        let KindMetrics::Regression(test) = &trained.metrics["test"].kind else {
            panic!("a regression was asked for")
        };
        assert!(
            test.r2 > 0.9 && test.mae < 0.3 * test.baseline_mae,
            "{test:?}"
        );
        assert!(trained.class_weights.is_empty());
    }
}

#[test]
fn focal_loss_learns_too_and_its_two_implementations_agree() {
    let settings = TrainingSettings {
        loss: Loss::Focal { gamma: 2.0 },
        batch_size: 1_000,
        epochs: 2,
        ..settings(2)
    };
    let network = Network {
        dropout: 0.0,
        ..classes()
    };
    let data = class_data(0.0);
    let data = TrainingData {
        validation: data.train.clone(),
        ..data
    };
    let trained = run(&data, &network, &settings, 1);
    // One batch, no dropout: libtorch's loss in epoch 2 is of the weights that epoch 1 validated on
    // the host, on equal rows.
    assert!((trained.history[1].train_loss - trained.history[0].validation_loss).abs() < 1e-6);
    assert!(trained.history[1].validation_loss < trained.history[0].validation_loss);
}

#[test]
fn one_seed_gives_the_same_bits_twice_and_another_seed_other_weights() {
    let (data, network, settings) = (class_data(0.1), classes(), settings(5));
    let first = run(&data, &network, &settings, 42);
    let again = run(&data, &network, &settings, 42);
    assert_eq!(first.weights, again.weights);
    assert_eq!(without_clock(&first.history), without_clock(&again.history));
    assert_ne!(first.weights, run(&data, &network, &settings, 43).weights);
}

#[test]
fn an_interrupted_and_resumed_training_ends_with_the_same_bits_as_an_unkilled_one() {
    let (data, network) = (class_data(0.3), classes());
    let settings = TrainingSettings {
        early_stopping: Some(EarlyStopping {
            patience: 30,
            min_delta: 0.001,
        }),
        ..settings(25)
    };
    let whole = run(&data, &network, &settings, 7);
    // 300 rows are 10 batches an epoch, and one question a validation: 11 an epoch. Stop in epochs
    // 13 and 22.
    let mut resume = None;
    for questions in [12 * 11 + 5, 11 * 11 + 3] {
        let control = Recorder::new(questions);
        let error = train(&data, &network, &settings, 7, &control, resume).unwrap_err();
        let TrainError::Cancelled { last: Some(last) } = error else {
            panic!("cancelled was expected")
        };
        let kept = control.checkpoints.into_inner().pop().unwrap();
        assert!(
            kept.progress.epoch.is_multiple_of(10) && last.progress.epoch > kept.progress.epoch
        );
        let mut stored = kept.to_checkpoint(&network).unwrap();
        stored.state = serde_json::from_str(&stored.state.to_string()).unwrap();
        let read = TrainState::from_checkpoint(&network, stored).unwrap();
        assert_eq!(read, kept);
        resume = Some(read);
    }
    let resumed = train(&data, &network, &settings, 7, &Recorder::new(NEVER), resume).unwrap();
    assert_eq!(resumed.weights, whole.weights);
    assert_eq!(
        without_clock(&resumed.history),
        without_clock(&whole.history)
    );
    assert_eq!(resumed.metrics, whole.metrics);
    assert_eq!(resumed.best_epoch, whole.best_epoch);
}

/// Noise where a > 0, the class of a + b elsewhere: weights that leave the noise out learn the
/// other half as if it were all.
fn half_noise() -> TrainingData {
    let mut data = class_data(0.0);
    let Labels::Classes(labels) = &mut data.train.labels else {
        panic!("classes were made")
    };
    let noisy: Vec<bool> = data
        .train
        .features
        .chunks(3)
        .map(|row| row[2] > 0.0)
        .collect();
    let noise = random::order(labels.len(), 5, 1);
    labels
        .iter_mut()
        .zip(&noise)
        .zip(&noisy)
        .filter(|(_, noisy)| **noisy)
        .for_each(|((label, word), _)| *label = word % 3);
    data.weights = Some(
        noisy
            .into_iter()
            .map(|noisy| if noisy { 1e-6 } else { 1.0 })
            .collect(),
    );
    data
}

#[test]
fn rows_of_little_weight_teach_little() {
    let (network, settings) = (classes(), settings(30));
    let weighted = half_noise();
    let plain = TrainingData {
        weights: None,
        ..weighted.clone()
    };
    let loss = |data: &TrainingData| run(data, &network, &settings, 1).metrics["test"].loss;
    let (with, without) = (loss(&weighted), loss(&plain));
    assert!(
        with < 0.6 * without,
        "test loss {with} with weights, {without} without"
    );
}

#[test]
fn a_weighted_training_resumes_to_the_same_bits_and_equal_weights_are_no_shuffle() {
    let (data, network, settings) = (half_noise(), classes(), settings(25));
    let whole = run(&data, &network, &settings, 7);
    let control = Recorder::new(12 * 11 + 5);
    train(&data, &network, &settings, 7, &control, None).unwrap_err();
    let kept = control.checkpoints.into_inner().pop();
    assert_eq!(kept.as_ref().map(|state| state.progress.epoch), Some(10));
    let resumed = train(&data, &network, &settings, 7, &Recorder::new(NEVER), kept).unwrap();
    assert_eq!(resumed.weights, whole.weights);
    assert_eq!(
        without_clock(&resumed.history),
        without_clock(&whole.history)
    );
    // Equal weights still draw with replacement; no weights are a shuffle.
    let equal = TrainingData {
        weights: Some(vec![1.0; 300]),
        ..data.clone()
    };
    let plain = TrainingData {
        weights: None,
        ..data
    };
    assert_ne!(
        run(&equal, &network, &settings, 7).weights,
        run(&plain, &network, &settings, 7).weights
    );
}

#[test]
fn the_stored_model_has_the_validation_loss_of_the_best_epoch_not_of_the_last() {
    // Random labels: the longer the fit, the worse the validation loss.
    let (data, network) = (
        class_data(1.0),
        Network {
            dropout: 0.0,
            ..classes()
        },
    );
    let data = TrainingData {
        train: class_part(60, 9, 0.7),
        ..data
    };
    let trained = run(&data, &network, &settings(80), 3);
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
    // And the weights as they are stored say the same through the other implementation.
    let model = networks::Model::from_safetensors(
        &network,
        &trainer::model_file(&network, &trained.weights).unwrap(),
    )
    .unwrap();
    let rows: Vec<&[f32]> = data.validation.features.chunks(3).collect();
    let Labels::Classes(labels) = &data.validation.labels else {
        panic!("classes were made")
    };
    let predicted = model.predict(&rows).unwrap();
    let weighted = labels.iter().zip(predicted).map(|(&label, row)| {
        let weight = trained.class_weights[label as usize];
        (weight * -f64::from(row[label as usize]).ln(), weight)
    });
    let (sum, weight) = weighted.fold((0.0, 0.0), |(sum, weights), (loss, weight)| {
        (sum + loss, weights + weight)
    });
    assert!((sum / weight - best).abs() < 1e-5);
}

#[test]
fn early_stopping_ends_the_run_with_its_last_epoch_reported_and_checkpointed() {
    let data = TrainingData {
        train: class_part(60, 9, 0.7),
        ..class_data(1.0)
    };
    let settings = TrainingSettings {
        early_stopping: Some(EarlyStopping {
            patience: 4,
            min_delta: 0.0,
        }),
        ..settings(200)
    };
    let control = Recorder::new(NEVER);
    let trained = train(&data, &classes(), &settings, 3, &control, None).unwrap();
    let last = trained.history.len() as u32;
    assert!(
        trained.stopped_early && last == trained.best_epoch + 4,
        "{last} {}",
        trained.best_epoch
    );
    assert_eq!(control.epochs.borrow().len() as u32, last);
    let kept = control.checkpoints.into_inner().pop().unwrap();
    assert_eq!(kept.progress.epoch, last);
    // Resuming what had finished trains nothing more and gives the same model.
    let again = train(
        &data,
        &classes(),
        &settings,
        3,
        &Recorder::new(NEVER),
        Some(kept),
    )
    .unwrap();
    assert_eq!(
        (again.weights, again.history.len() as u32),
        (trained.weights, last)
    );
}

#[test]
fn a_diverging_training_is_an_error_that_keeps_the_last_good_weights() {
    // One step of 1e10 a weight: outputs of three layers near 1e30 are finite, their f32 squares in
    // the next epoch are not.
    let network = Network {
        dropout: 0.0,
        ..network(OutputKind::Regression)
    };
    let rates = TrainingSettings {
        learning_rate: 1e10,
        batch_size: 500,
        gradient_clip: 0.0,
        ..TrainingSettings::for_regression()
    };
    let settings = TrainingSettings {
        loss: Loss::Mse,
        ..rates
    };
    let error = train(
        &return_data(),
        &network,
        &settings,
        1,
        &Recorder::new(NEVER),
        None,
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the training diverged in epoch"),
        "{error}"
    );
    let TrainError::Diverged {
        epoch,
        last_good: Some(good),
        ..
    } = error
    else {
        panic!("a good epoch was expected")
    };
    assert_eq!(good.progress.epoch + 1, epoch);
    assert!(
        good.weights
            .iter()
            .chain(&good.best_weights)
            .all(|value| value.is_finite())
    );
}

#[test]
fn a_cancel_at_any_of_twenty_batches_leaves_the_loop_within_50_ms() {
    let (data, network, settings) = (class_data(0.1), classes(), settings(50));
    let mut generator = ChaCha8Rng::seed_from_u64(11);
    for _ in 0..20 {
        let control = Recorder::new(1 + u64::from(generator.next_u32() % 500));
        let error = train(&data, &network, &settings, 1, &control, None).unwrap_err();
        let waited = control.cancelled_at.get().unwrap().elapsed();
        assert!(matches!(error, TrainError::Cancelled { .. }), "{error}");
        assert!(waited < Duration::from_millis(50), "{waited:?}");
    }
}

#[test]
fn progress_comes_at_the_first_every_tenth_and_the_last_two_batches_and_never_falls() {
    let settings = TrainingSettings {
        batch_size: 10,
        ..settings(12)
    }; // 300 rows: 30 batches
    let control = Recorder::new(NEVER);
    train(&class_data(0.1), &classes(), &settings, 1, &control, None).unwrap();
    let batches = control.batches.borrow();
    assert_eq!(
        batches
            .iter()
            .take(5)
            .map(|at| at.batch)
            .collect::<Vec<_>>(),
        [1, 11, 21, 29, 30]
    );
    assert_eq!(batches.len(), 12 * 5);
    assert!(
        batches
            .windows(2)
            .all(|pair| pair[0].done() < pair[1].done())
    );
    assert_eq!(batches.last().unwrap().done(), 1.0);
    let checkpoints: Vec<u32> = control
        .checkpoints
        .borrow()
        .iter()
        .map(|state| state.progress.epoch)
        .collect();
    assert_eq!(
        (checkpoints, control.epochs.borrow().len()),
        (vec![10, 12], 12)
    );
}

#[test]
fn a_checkpoint_of_another_training_is_refused_by_what_differs() {
    let (data, network, settings) = (class_data(0.1), classes(), settings(2));
    let control = Recorder::new(NEVER);
    train(&data, &network, &settings, 1, &control, None).unwrap();
    let state = control.checkpoints.into_inner().pop().unwrap();
    let other = Network {
        hidden_layers: vec![4],
        ..network.clone()
    };
    let longer = TrainingSettings {
        epochs: 3,
        ..settings.clone()
    };
    let tries = [
        (&other, &settings, 1, "network"),
        (&network, &longer, 1, "training settings"),
        (&network, &settings, 2, "seed"),
    ];
    for (network, settings, seed, what) in tries {
        let error = train(
            &data,
            network,
            settings,
            seed,
            &Recorder::new(NEVER),
            Some(state.clone()),
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the checkpoint does not belong to this training: its {what} differs")
        );
    }
}

#[test]
fn unfit_data_is_refused_before_the_first_step_with_the_place_named() {
    let refuse = |data: &TrainingData| {
        train(
            data,
            &classes(),
            &settings(1),
            1,
            &Recorder::new(NEVER),
            None,
        )
        .unwrap_err()
        .to_string()
    };
    let good = class_data(0.0);
    let mut data = good.clone();
    let Labels::Classes(labels) = &mut data.train.labels else {
        panic!("classes were made")
    };
    labels
        .iter_mut()
        .filter(|label| **label == 1)
        .for_each(|label| *label = 0);
    assert_eq!(refuse(&data), "the train part has no row of class HOLD");
    let mut data = good.clone();
    data.test.labels = Labels::Classes(vec![3; 150]);
    assert_eq!(
        refuse(&data),
        "row 0 of the test part has class 3; the network has 3 classes"
    );
    let mut data = good.clone();
    data.validation.features[4] = f32::NAN;
    assert_eq!(refuse(&data), "row 1 of the validation part holds NaN in b");
    let mut data = good.clone();
    data.test = Part {
        features: vec![],
        labels: Labels::Classes(vec![]),
    };
    assert_eq!(refuse(&data), "the test part has no rows");
    for (weights, message) in [
        (vec![1.0; 299], "300 training rows have 299 weights"),
        (
            [vec![1.0; 7], vec![0.0; 293]].concat(),
            "row 7 of the train part holds 0 in weight",
        ),
    ] {
        assert_eq!(
            refuse(&TrainingData {
                weights: Some(weights),
                ..good.clone()
            }),
            message
        );
    }
    let mut data = good;
    data.train.features.pop();
    assert_eq!(
        refuse(&data),
        "the train part has 899 feature values for 300 labels; the network takes 3 a row"
    );
    assert_eq!(
        refuse(&return_data()),
        "labels, outputs and loss must all be for classes or all for regression"
    );
}
