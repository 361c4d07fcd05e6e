//! From the publish of a cancel to the end of a training in plain Rust.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use runtime::{StepContext, StepError, StepHandler, StopToken};
use schemas::commands::{DummyOutcome, RunDummy};
use schemas::manifests::{
    Activation, Architecture, FeatureColumn, MlpShape, Network, OutputKind, RecurrentShape,
};
use schemas::training::TrainingSettings;
use strategies::windows::{RowBar, Windows};
use system_tests::Sandbox;
use tokio::sync::mpsc;
use trainer::{
    BatchProgress, ComputeDevice, Control, EngineKind, EpochRow, Labels, PartData, TrainError,
    TrainJob, TrainState, TrainingData, train,
};

use crate::cancels::cancel_at_moments;
use crate::print_row;

/// Rows of the training part, of the other two, and features.
const ROWS: usize = 20_000;
const OTHER_ROWS: usize = 4_000;
const WIDTH: usize = 16;
/// Rows of a window of the recurrent network.
const WINDOW: usize = 20;
/// More than any training gets to.
const EPOCHS: u32 = 100_000;

/// What a training asks while it runs.
struct Watch {
    began: Instant,
    stop: StopToken,
    /// Batches of the current operation.
    batches: Arc<AtomicU64>,
}

impl Control for Watch {
    fn cancelled(&self) -> bool {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.stop.is_requested()
    }
    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
    fn batch(&self, _: &BatchProgress) {}
    fn epoch(&self, _: &EpochRow) {}
    fn checkpoint(&self, _: TrainState) {}
}

/// Trains without an end.
struct EndlessTraining {
    data: Arc<TrainingData>,
    network: Network,
    settings: TrainingSettings,
    batches: Arc<AtomicU64>,
    /// Gets the moment at which the training is left.
    exits: mpsc::UnboundedSender<Instant>,
}

impl StepHandler for EndlessTraining {
    type Command = RunDummy;

    async fn handle(&self, _: RunDummy, step: &StepContext) -> Result<DummyOutcome, StepError> {
        let data = self.data.clone();
        let network = self.network.clone();
        let settings = self.settings.clone();
        let exits = self.exits.clone();
        let watch = Watch {
            began: Instant::now(),
            stop: step.stop().clone(),
            batches: self.batches.clone(),
        };

        step.blocking(move || {
            let job = TrainJob {
                data: &data,
                network: &network,
                settings: &settings,
                seed: 7,
                device: ComputeDevice::Cpu,
                engine: EngineKind::Native,
                decisions: None,
            };
            let result = train(&job, &watch, None);
            exits.send(Instant::now()).unwrap();
            assert!(matches!(result, Err(TrainError::Cancelled { .. })));
            Err(StepError::Stopped)
        })
        .await
    }
}

/// A perceptron and a recurrent network, in small and in large batches.
pub(crate) async fn measure_trainings() {
    let mlp = Architecture::Mlp(MlpShape {
        hidden_layers: vec![64, 32],
        activation: Activation::Relu,
        dropout: 0.2,
    });
    let lstm = Architecture::Lstm(RecurrentShape {
        sequence_length: WINDOW,
        hidden_size: 64,
        num_layers: 1,
        dropout: 0.2,
    });

    for (name, architecture) in [("mlp", mlp), ("lstm", lstm)] {
        for batch_size in [32, 4_096] {
            let times = measure(architecture.clone(), batch_size).await;
            print_row(
                &format!("cancel published -> training left, {name}, batch {batch_size}"),
                times,
            );
        }
    }
}

async fn measure(architecture: Architecture, batch_size: u32) -> Vec<Duration> {
    let sandbox = Sandbox::start().await;
    let batches = Arc::new(AtomicU64::new(0));
    let (exits, exited) = mpsc::unbounded_channel();
    let window = architecture.sequence_length();
    let training = EndlessTraining {
        data: Arc::new(TrainingData {
            train: part(ROWS, window, 1),
            validation: part(OTHER_ROWS, window, 2),
            test: part(OTHER_ROWS, window, 3),
            weights: None,
        }),
        network: network(architecture),
        settings: TrainingSettings {
            epochs: EPOCHS,
            batch_size,
            early_stopping: None,
            ..TrainingSettings::for_classes()
        },
        batches: batches.clone(),
        exits,
    };

    let _worker = sandbox.run(training).await;
    cancel_at_moments(&sandbox, &batches, exited).await
}

/// Random features and random classes.
fn part(rows: usize, window: usize, seed: u64) -> PartData {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let values = (0..rows * WIDTH).map(|_| generator.next_u32() as f32 / 4_294_967_296.0 - 0.5);
    let features = values.collect();
    let labels = (0..rows).map(|_| i64::from(generator.next_u32() % 3));
    let labels: Vec<i64> = labels.collect();

    // A window has the label of its last row.
    let bars = (0..rows as u32).map(|bar| RowBar { symbol: 0, bar });
    let windows = (window > 1).then(|| Windows::find(bars, window));
    let labels = match &windows {
        None => labels,
        Some(windows) => windows.last_rows.iter().map(|row| labels[*row]).collect(),
    };
    PartData {
        features,
        labels: Labels::Classes(labels),
        windows,
    }
}

fn network(architecture: Architecture) -> Network {
    let column = |index: usize| FeatureColumn {
        name: format!("f{index}"),
        normalisation: None,
    };
    Network {
        architecture,
        features: (0..WIDTH).map(column).collect(),
        output: OutputKind::Classes {
            names: ["BUY", "HOLD", "SELL"].map(str::to_owned).to_vec(),
        },
    }
}
