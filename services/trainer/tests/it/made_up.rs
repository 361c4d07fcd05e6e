//! Small made-up networks and data, and a control that records what a training reports.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use schemas::manifests::{Activation, Architecture, FeatureColumn, MlpShape, Network, OutputKind};
use schemas::training::TrainingSettings;
use trainer::{
    BatchProgress, ComputeDevice, Control, EngineKind, EpochRow, Labels, PartData, TrainError,
    TrainJob, TrainState, Trained, TrainingData,
};

/// For [`Recorder::new`]: no question is answered with a cancel.
pub(crate) const NEVER: u64 = u64::MAX;

/// Records all calls; cancels after `cancel_after` questions.
pub(crate) struct Recorder {
    began: Instant,
    cancel_after: u64,
    questions: Cell<u64>,
    /// When the request arrived, just after the last answer that was not a cancel.
    pub(crate) cancelled_at: Cell<Option<Instant>>,
    pub(crate) batches: RefCell<Vec<BatchProgress>>,
    pub(crate) epochs: RefCell<Vec<EpochRow>>,
    pub(crate) checkpoints: RefCell<Vec<TrainState>>,
}

impl Recorder {
    pub(crate) fn new(cancel_after: u64) -> Self {
        Self {
            began: Instant::now(),
            cancel_after,
            questions: Cell::default(),
            cancelled_at: Cell::default(),
            batches: RefCell::default(),
            epochs: RefCell::default(),
            checkpoints: RefCell::default(),
        }
    }

    /// The newest checkpoint.
    pub(crate) fn last_checkpoint(&self) -> TrainState {
        self.checkpoints.borrow().last().unwrap().clone()
    }
}

impl Control for Recorder {
    fn cancelled(&self) -> bool {
        self.questions.set(self.questions.get() + 1);
        if self.questions.get() == self.cancel_after {
            // The request arrives just after this answer: the worst case.
            self.cancelled_at.set(Some(Instant::now()));
        }
        self.questions.get() > self.cancel_after
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

/// The engines of this build.
pub(crate) const ENGINES: &[EngineKind] = &[
    EngineKind::Native,
    #[cfg(feature = "libtorch")]
    EngineKind::Libtorch,
];

/// What a training is made of, but for its engine.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) data: &'a TrainingData,
    pub(crate) network: &'a Network,
    pub(crate) settings: &'a TrainingSettings,
    pub(crate) seed: u64,
}

impl Case<'_> {
    /// A training on the CPU by `engine`, from the beginning or from a state.
    pub(crate) fn train_by(
        &self,
        engine: EngineKind,
        control: &dyn Control,
        resume: Option<TrainState>,
    ) -> Result<Trained, TrainError> {
        let job = TrainJob {
            data: self.data,
            network: self.network,
            settings: self.settings,
            seed: self.seed,
            device: ComputeDevice::Cpu,
            engine,
            decisions: None,
        };

        trainer::train(&job, control, resume)
    }

    /// A training by `engine` that nothing interrupts.
    pub(crate) fn run_by(&self, engine: EngineKind) -> Trained {
        self.train_by(engine, &Recorder::new(NEVER), None).unwrap()
    }
}

/// A training in plain Rust, from the beginning or from a state.
pub(crate) fn train(
    data: &TrainingData,
    network: &Network,
    settings: &TrainingSettings,
    seed: u64,
    control: &dyn Control,
    resume: Option<TrainState>,
) -> Result<Trained, TrainError> {
    let case = Case {
        data,
        network,
        settings,
        seed,
    };

    case.train_by(EngineKind::Native, control, resume)
}

/// A training that nothing interrupts.
pub(crate) fn run(
    data: &TrainingData,
    network: &Network,
    settings: &TrainingSettings,
    seed: u64,
) -> Trained {
    train(data, network, settings, seed, &Recorder::new(NEVER), None).unwrap()
}

fn column(name: &str) -> FeatureColumn {
    FeatureColumn {
        name: name.to_owned(),
        normalisation: None,
    }
}

/// Three features, two hidden layers.
pub(crate) fn network(output: OutputKind) -> Network {
    Network {
        architecture: Architecture::Mlp(MlpShape {
            hidden_layers: vec![16, 8],
            activation: Activation::Relu,
            dropout: 0.2,
        }),
        features: ["a", "b", "c"].map(column).to_vec(),
        output,
    }
}

pub(crate) fn classes() -> Network {
    network(OutputKind::Classes {
        names: ["BUY", "HOLD", "SELL"].map(str::to_owned).to_vec(),
    })
}

/// The same network without dropout, so that nothing but data and weights decides its loss.
pub(crate) fn without_dropout(network: Network) -> Network {
    let Architecture::Mlp(shape) = network.architecture else {
        panic!("only an MLP is made up")
    };
    Network {
        architecture: Architecture::Mlp(MlpShape {
            dropout: 0.0,
            ..shape
        }),
        ..network
    }
}

/// Rows uniform in −1..1; `label` sees the row and a number in −1..1.
fn make_rows(count: usize, seed: u64, mut label: impl FnMut(&[f32], f32)) -> Vec<f32> {
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
pub(crate) fn class_part(count: usize, seed: u64, noise: f32) -> PartData {
    let mut labels = Vec::new();
    let features = make_rows(count, seed, |row, random| {
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

    PartData {
        features,
        labels: Labels::Classes(labels),
        windows: None,
    }
}

pub(crate) fn class_data(noise: f32) -> TrainingData {
    TrainingData {
        train: class_part(300, 1, noise),
        validation: class_part(150, 2, noise),
        test: class_part(150, 3, noise),
        weights: None,
    }
}

/// y = 0.02 a − 0.01 b.
fn return_part(seed: u64) -> PartData {
    let mut labels = Vec::new();
    let features = make_rows(200, seed, |row, _| {
        labels.push(0.02 * row[0] - 0.01 * row[1]);
    });
    PartData {
        features,
        labels: Labels::Returns(labels),
        windows: None,
    }
}

pub(crate) fn return_data() -> TrainingData {
    TrainingData {
        train: return_part(1),
        validation: return_part(2),
        test: return_part(3),
        weights: None,
    }
}

/// The class labels of a part that was made with classes.
pub(crate) fn class_labels(part: &mut PartData) -> &mut Vec<i64> {
    match &mut part.labels {
        Labels::Classes(labels) => labels,
        Labels::Returns(_) => panic!("classes were made"),
    }
}

pub(crate) fn settings(epochs: u32) -> TrainingSettings {
    TrainingSettings {
        epochs,
        learning_rate: 0.01,
        ..TrainingSettings::for_classes()
    }
}

pub(crate) fn without_clock(history: &[EpochRow]) -> Vec<EpochRow> {
    history
        .iter()
        .map(|row| EpochRow {
            seconds: 0.0,
            ..row.clone()
        })
        .collect()
}
