//! Trainings whose memory is small: what they do, and what they leave.

use std::cell::RefCell;
use std::time::Duration;

use schemas::codes::{self, Advice};
use schemas::manifests::{Activation, Architecture, FeatureColumn, MlpShape, Network, OutputKind};
use schemas::training::TrainingSettings;

use super::*;
use crate::engine::small_memory::{GPU_MESSAGE, Memory, with_memory};
use crate::{
    BatchProgress, ComputeDevice, Control, EngineKind, EpochRow, Labels, PartData, TrainError,
    TrainJob, Trained, TrainingData, train,
};

/// Rows of the training part: an epoch is two batches of 32.
const ROWS: usize = 64;
const EPOCHS: u32 = 6;

/// Records what a training says.
#[derive(Default)]
struct Recorder {
    halvings: RefCell<Vec<BatchHalving>>,
    checkpoints: RefCell<Vec<TrainState>>,
    batches: RefCell<Vec<BatchProgress>>,
}

impl Control for Recorder {
    fn cancelled(&self) -> bool {
        false
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn batch(&self, progress: &BatchProgress) {
        self.batches.borrow_mut().push(*progress);
    }

    fn epoch(&self, _row: &EpochRow) {}

    fn halved(&self, halving: BatchHalving) {
        self.halvings.borrow_mut().push(halving);
    }

    fn checkpoint(&self, state: TrainState) {
        self.checkpoints.borrow_mut().push(state);
    }
}

/// Rows of one feature whose class is its sign.
fn part() -> PartData {
    let features: Vec<f32> = (0..ROWS).map(|row| (row as f32 * 0.7).sin()).collect();
    let labels = features.iter().map(|value| i64::from(*value > 0.0));
    PartData {
        labels: Labels::Classes(labels.collect()),
        features,
        windows: None,
    }
}

fn network() -> Network {
    Network {
        architecture: Architecture::Mlp(MlpShape {
            hidden_layers: vec![4],
            activation: Activation::Tanh,
            dropout: 0.2,
        }),
        features: vec![FeatureColumn {
            name: "a".to_owned(),
            normalisation: None,
        }],
        output: OutputKind::Classes {
            names: ["SELL", "BUY"].map(str::to_owned).to_vec(),
        },
    }
}

/// A training in batches of 32 rows with this memory, from the beginning or from a state.
fn train_with(
    memory: Memory,
    control: &Recorder,
    resume: Option<TrainState>,
) -> Result<Trained, TrainError> {
    let data = TrainingData {
        train: part(),
        validation: part(),
        test: part(),
        weights: None,
    };
    let job = TrainJob {
        data: &data,
        network: &network(),
        settings: &TrainingSettings {
            epochs: EPOCHS,
            ..TrainingSettings::for_classes()
        },
        seed: 7,
        device: ComputeDevice::Cpu,
        engine: EngineKind::Native,
        decisions: None,
    };

    with_memory(memory, || train(&job, control, resume))
}

const fn halving(epoch: u32, batch_size: u32) -> BatchHalving {
    BatchHalving { epoch, batch_size }
}

#[test]
fn batches_are_halved_until_they_fit() {
    let recorder = Recorder::default();
    // The first batch of epoch 3 no longer fits, nor half of it.
    let memory = Memory {
        rows: 8,
        after_batches: 4,
    };

    let trained = train_with(memory, &recorder, None).unwrap();

    let halvings = [halving(3, 16), halving(3, 8)];
    assert_eq!(trained.halvings, halvings);
    assert_eq!(*recorder.halvings.borrow(), halvings);
    let epochs: Vec<u32> = trained.history.iter().map(|row| row.epoch).collect();
    assert_eq!(epochs, [1, 2, 3, 4, 5, 6], "every epoch once");
    let batches = recorder.batches.borrow();
    assert_eq!(batches.last().unwrap().batches, 8);
}

#[test]
fn the_epochs_before_are_those_of_a_training_with_memory() {
    let memory = Memory {
        rows: 16,
        after_batches: 5,
    };
    let halved = train_with(memory, &Recorder::default(), None).unwrap();
    let ample = Memory {
        rows: 32,
        after_batches: 0,
    };
    let whole = train_with(ample, &Recorder::default(), None).unwrap();

    // In the middle of epoch 3: its first batch is undone.
    assert_eq!(halved.halvings, [halving(3, 16)]);
    assert_eq!(halved.history[..2], whole.history[..2]);
    assert_ne!(halved.history[2], whole.history[2]);
}

#[test]
fn a_resume_from_the_halving_ends_with_the_same_bits() {
    let recorder = Recorder::default();
    let memory = Memory {
        rows: 16,
        after_batches: 4,
    };
    let uninterrupted = train_with(memory, &recorder, None).unwrap();

    // Whoever goes on has memory enough for whole batches.
    let ample = Memory {
        rows: 32,
        after_batches: 0,
    };
    let first = recorder.checkpoints.borrow()[0].clone();
    assert_eq!((first.progress.epoch, first.batch_size()), (2, 16));
    let stored = first.to_checkpoint(&network()).unwrap();
    let read = TrainState::from_checkpoint(&network(), stored).unwrap();
    let resumed = train_with(ample, &Recorder::default(), Some(read)).unwrap();

    assert_eq!(resumed.weights, uninterrupted.weights);
    assert_eq!(resumed.history, uninterrupted.history);
    assert_eq!(resumed.halvings, uninterrupted.halvings);
}

#[test]
fn a_halving_in_the_first_epoch_can_be_resumed_from() {
    let recorder = Recorder::default();
    let memory = Memory {
        rows: 16,
        after_batches: 0,
    };
    let uninterrupted = train_with(memory, &recorder, None).unwrap();
    assert_eq!(uninterrupted.halvings, [halving(1, 16)]);

    let first = recorder.checkpoints.borrow()[0].clone();
    let stored = first.to_checkpoint(&network()).unwrap();
    let read = TrainState::from_checkpoint(&network(), stored).unwrap();
    let resumed = train_with(memory, &Recorder::default(), Some(read)).unwrap();
    assert_eq!(resumed.weights, uninterrupted.weights);
}

#[test]
fn what_never_fits_fails_with_its_last_state() {
    let memory = Memory {
        rows: 7,
        after_batches: 4,
    };

    let error = train_with(memory, &Recorder::default(), None).unwrap_err();

    assert_eq!(
        error.to_string(),
        "the training ran out of memory with batches of 8 rows"
    );
    assert_eq!(error.code(), codes::TRAIN_OUT_OF_MEMORY);
    assert!(chain(&error).contains(GPU_MESSAGE));
    let last = error.last_state().unwrap();
    assert_eq!((last.progress.epoch, last.batch_size()), (2, 8));
    assert_eq!(
        error.hint(),
        "train again with a smaller batch: `ktrdr train NAME --batch-size 4`, or \
         training.batch_size in the strategy; else train a smaller network, or on a host with \
         more memory"
    );
}

#[test]
fn a_checkpoint_of_an_older_program_has_no_halvings() {
    let state = TrainState::new(Vec::new(), &TrainingSettings::for_classes(), 7);
    let document = serde_json::to_value(&state.progress).unwrap();
    assert!(document.get("halvings").is_none());

    let progress = serde_json::from_value(document).unwrap();
    let read = TrainState { progress, ..state };
    assert_eq!(read.batch_size(), 32);
}

#[test]
fn each_halving_is_a_warning() {
    let warnings = halving_warnings(32, &[halving(3, 16), halving(5, 8)]);
    assert_eq!(
        warnings,
        [
            "out of memory: from epoch 3 on batches had 16 rows in place of 32; set \
             training.batch_size to 16 to train so from the beginning",
            "out of memory: from epoch 5 on batches had 8 rows in place of 16; set \
             training.batch_size to 8 to train so from the beginning",
        ]
    );
}

#[test]
fn only_a_lack_of_memory_is_called_so() {
    let is_lack = |text: &str| is_out_of_memory(&EngineError::from(text));
    assert!(is_lack(GPU_MESSAGE));
    assert!(!is_lack("CUDA error: device-side assert triggered"));
    assert!(!is_lack("The size of tensor a (3) must match b (4)"));
}

/// More than any address space has, so that nothing is really exhausted.
#[cfg(feature = "libtorch")]
#[test]
fn the_message_of_the_real_allocator_is_recognised() {
    let options = (tch::Kind::Float, tch::Device::Cpu);
    let error = tch::Tensor::f_empty([1_i64 << 55], options).unwrap_err();
    let error = EngineError::from(error);
    assert!(is_out_of_memory(&error), "{error}");
}
