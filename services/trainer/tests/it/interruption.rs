//! A training that is cancelled, resumed, or diverges.

use std::time::Duration;

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use schemas::manifests::{Network, OutputKind};
use schemas::training::{EarlyStopping, Loss, TrainingSettings};
use trainer::{TrainError, TrainState};

use crate::made_up::{
    NEVER, Recorder, class_data, classes, network, return_data, run, settings, train,
    without_clock, without_dropout,
};

/// What a later attempt reads of a checkpoint that went through the store.
fn stored_and_read(state: &TrainState, network: &Network) -> TrainState {
    let mut checkpoint = state.to_checkpoint(network).unwrap();
    checkpoint.state = serde_json::from_str(&checkpoint.state.to_string()).unwrap();
    TrainState::from_checkpoint(network, checkpoint).unwrap()
}

#[test]
fn a_resumed_training_ends_with_the_bits_of_an_unkilled_one() {
    let data = class_data(0.3);
    let network = classes();
    let settings = TrainingSettings {
        early_stopping: Some(EarlyStopping {
            patience: 30,
            ..EarlyStopping::default()
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
            panic!("a cancel was expected")
        };

        let checkpoint = control.last_checkpoint();
        assert!(checkpoint.progress.epoch.is_multiple_of(10));
        assert!(last.progress.epoch > checkpoint.progress.epoch);
        let read = stored_and_read(&checkpoint, &network);
        assert_eq!(read, checkpoint);
        resume = Some(read);
    }
    let control = Recorder::new(NEVER);
    let resumed = train(&data, &network, &settings, 7, &control, resume).unwrap();

    assert_eq!(resumed.weights, whole.weights);
    assert_eq!(
        without_clock(&resumed.history),
        without_clock(&whole.history)
    );
    assert_eq!(resumed.metrics, whole.metrics);
    assert_eq!(resumed.best_epoch, whole.best_epoch);
}

#[test]
fn a_cancel_at_any_batch_leaves_the_loop_within_50_ms() {
    let data = class_data(0.1);
    let mut generator = ChaCha8Rng::seed_from_u64(11);
    for _ in 0..20 {
        let control = Recorder::new(1 + u64::from(generator.next_u32() % 500));

        let error = train(&data, &classes(), &settings(50), 1, &control, None).unwrap_err();

        let waited = control.cancelled_at.get().unwrap().elapsed();
        assert!(matches!(error, TrainError::Cancelled { .. }), "{error}");
        assert!(waited < Duration::from_millis(50), "{waited:?}");
    }
}

#[test]
fn a_diverging_training_keeps_the_last_good_weights() {
    let network = without_dropout(network(OutputKind::Regression));
    let settings = TrainingSettings {
        epochs: 2,
        loss: Loss::Mse,
        ..TrainingSettings::for_regression()
    };
    // 200 rows are 7 batches an epoch, and one question a validation: the tenth is in epoch 2.
    let control = Recorder::new(10);
    let error = train(&return_data(), &network, &settings, 1, &control, None).unwrap_err();
    let TrainError::Cancelled { last: Some(last) } = error else {
        panic!("a cancel was expected")
    };

    // Outputs of three layers of weights of 1e13 are near 1e39, beyond f32.
    let mut state = *last;
    state.weights.fill(1e13);
    let control = Recorder::new(NEVER);
    let resume = Some(state);
    let error = train(&return_data(), &network, &settings, 1, &control, resume).unwrap_err();

    let message = error.to_string();
    assert!(
        message.starts_with("the training diverged in epoch"),
        "{message}"
    );
    let TrainError::Diverged {
        epoch,
        last_good: Some(last_good),
        ..
    } = error
    else {
        panic!("a good epoch was expected")
    };
    assert_eq!(last_good.progress.epoch + 1, epoch);
    let values = last_good.weights.iter().chain(&last_good.best_weights);
    assert!(values.copied().all(f32::is_finite));
}
