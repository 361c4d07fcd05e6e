//! A training that is cancelled, resumed, or diverges.

use std::time::Duration;

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use schemas::manifests::{Network, OutputKind};
use schemas::training::{EarlyStopping, Loss, TrainingSettings};
use trainer::{EngineKind, TrainError, TrainState};

use crate::made_up::{
    Case, ENGINES, NEVER, Recorder, class_data, classes, network, return_data, settings,
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
    let case = Case {
        data: &class_data(0.3),
        network: &classes(),
        settings: &TrainingSettings {
            early_stopping: Some(EarlyStopping {
                patience: 30,
                ..EarlyStopping::default()
            }),
            ..settings(25)
        },
        seed: 7,
    };

    for engine in ENGINES {
        interrupt_twice(case, *engine);
    }
}

/// Compares a training of 300 samples in batches of 32 with one that is stopped and resumed two
/// times.
pub(crate) fn interrupt_twice(case: Case<'_>, engine: EngineKind) {
    let whole = case.run_by(engine);

    // 300 rows are 10 batches an epoch, and one question a validation: 11 an epoch. Stop in epochs
    // 13 and 22.
    let mut resume = None;
    for questions in [12 * 11 + 5, 11 * 11 + 3] {
        let control = Recorder::new(questions);
        let error = case.train_by(engine, &control, resume).unwrap_err();
        let TrainError::Cancelled { last: Some(last) } = error else {
            panic!("a cancel was expected")
        };

        let checkpoint = control.last_checkpoint();
        assert!(checkpoint.progress.epoch.is_multiple_of(10));
        assert!(last.progress.epoch > checkpoint.progress.epoch);
        let read = stored_and_read(&checkpoint, case.network);
        assert_eq!(read, checkpoint);
        resume = Some(read);
    }
    let control = Recorder::new(NEVER);
    let resumed = case.train_by(engine, &control, resume).unwrap();

    assert_eq!(resumed.weights, whole.weights);
    assert_eq!(
        without_clock(&resumed.history),
        without_clock(&whole.history)
    );
    assert_eq!(resumed.metrics, whole.metrics);
    assert_eq!(resumed.best_epoch, whole.best_epoch);
}

/// Compares a training of 300 samples in batches of 32 with one that is killed twenty times, at
/// random moments, each of which loses what came after its last checkpoint.
pub(crate) fn kill_twenty_times(case: Case<'_>) {
    let whole = case.run_by(EngineKind::Native);
    let mut generator = ChaCha8Rng::seed_from_u64(29);

    let mut resume: Option<TrainState> = None;
    for _ in 0..20 {
        // 11 questions an epoch and a checkpoint every ten epochs: some kills lose all, some little.
        let control = Recorder::new(60 + u64::from(generator.next_u32() % 120));
        let killed = case.train_by(EngineKind::Native, &control, resume.clone());
        assert!(
            matches!(killed, Err(TrainError::Cancelled { .. })),
            "it ended before the twentieth kill"
        );

        if !control.checkpoints.borrow().is_empty() {
            resume = Some(stored_and_read(&control.last_checkpoint(), case.network));
        }
    }
    let begun = resume.as_ref().map_or(0, |state| state.progress.epoch);
    assert!(begun >= 50, "{begun} epochs are left of twenty attempts");
    let control = Recorder::new(NEVER);
    let resumed = case.train_by(EngineKind::Native, &control, resume).unwrap();

    assert_eq!(resumed.weights, whole.weights);
    assert_eq!(resumed.metrics, whole.metrics);
}

#[test]
fn twenty_kills_leave_the_bits_of_an_unkilled_training() {
    kill_twenty_times(Case {
        data: &class_data(0.3),
        network: &classes(),
        settings: &settings(250),
        seed: 7,
    });
}

#[test]
fn a_cancel_at_any_batch_leaves_the_loop_within_50_ms() {
    let case = Case {
        data: &class_data(0.1),
        network: &classes(),
        settings: &settings(50),
        seed: 1,
    };
    let mut generator = ChaCha8Rng::seed_from_u64(11);
    for _ in 0..20 {
        let engine = ENGINES[generator.next_u32() as usize % ENGINES.len()];
        let control = Recorder::new(1 + u64::from(generator.next_u32() % 500));

        let error = case.train_by(engine, &control, None).unwrap_err();

        let waited = control.cancelled_at.get().unwrap().elapsed();
        assert!(matches!(error, TrainError::Cancelled { .. }), "{error}");
        assert!(waited < Duration::from_millis(50), "{waited:?}");
    }
}

#[test]
fn a_diverging_training_keeps_the_last_good_weights() {
    let case = Case {
        data: &return_data(),
        network: &without_dropout(network(OutputKind::Regression)),
        settings: &TrainingSettings {
            epochs: 2,
            loss: Loss::Mse,
            ..TrainingSettings::for_regression()
        },
        seed: 1,
    };

    for engine in ENGINES {
        diverge_in_the_second_epoch(case, *engine);
    }
}

fn diverge_in_the_second_epoch(case: Case<'_>, engine: EngineKind) {
    // 200 rows are 7 batches an epoch, and one question a validation: the tenth is in epoch 2.
    let control = Recorder::new(10);
    let error = case.train_by(engine, &control, None).unwrap_err();
    let TrainError::Cancelled { last: Some(last) } = error else {
        panic!("a cancel was expected")
    };

    // Outputs of three layers of weights of 1e13 are near 1e39, beyond f32.
    let mut state = *last;
    state.weights.fill(1e13);
    let control = Recorder::new(NEVER);
    let error = case.train_by(engine, &control, Some(state)).unwrap_err();

    let message = error.to_string();
    assert!(
        message.starts_with("the training diverged in epoch"),
        "{engine}: {message}"
    );
    let TrainError::Diverged {
        epoch,
        last_good: Some(last_good),
        ..
    } = error
    else {
        panic!("a good epoch was expected of {engine}")
    };
    assert_eq!(last_good.progress.epoch + 1, epoch);
    let values = last_good.weights.iter().chain(&last_good.best_weights);
    assert!(values.copied().all(f32::is_finite));
}
