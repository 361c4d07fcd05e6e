//! Time of an epoch: a bare libtorch loop, and each of our engines with a silent control and with
//! everything on.
//!
//! `cargo bench -p trainer --features libtorch --bench epoch` prints wall milliseconds per epoch,
//! median and least of the rounds, and the median of the paired ratios. 3 500 training rows of 9
//! features, 750 for validation, a perceptron [64, 32] with 3 classes and dropout 0.2, one thread.
//! Budgets: `native` 3.5 ms at batch 32 and 2.5 ms at batch 256; `libtorch` no slower than the bare
//! loop; everything on below 1.01 of silent.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a benchmark fails by panicking"
)]

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use schemas::{
    manifests::{Activation, Architecture, FeatureColumn, MlpShape, Network, OutputKind},
    training::TrainingSettings,
};
use tch::{
    Device, Kind, Reduction, Tensor,
    nn::{self, ModuleT, OptimizerConfig},
};
use trainer::{
    BatchProgress, ComputeDevice, Control, EngineKind, EpochRow, Labels, PartData, TrainJob,
    TrainState, TrainingData, random, train,
};

/// Epochs of one training of the bare loop.
const BARE_EPOCHS: u32 = 10;
/// Number of feature columns.
const WIDTH: usize = 9;

struct Silent(Instant);

impl Control for Silent {
    fn cancelled(&self) -> bool {
        false
    }
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
    fn batch(&self, _: &BatchProgress) {}
    fn epoch(&self, _: &EpochRow) {}
    fn checkpoint(&self, _: TrainState) {}
}

/// As the service does it: a flag, a slot with a rendered line, checkpoints encoded and sent to
/// another task.
struct Full {
    began: Instant,
    flag: AtomicBool,
    slot: Mutex<Option<(f64, String)>>,
    checkpoints: SyncSender<TrainState>,
}

impl Control for Full {
    fn cancelled(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }
    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
    fn batch(&self, at: &BatchProgress) {
        let line = format!(
            "Training MLP [epoch {}/{}] (batch {}/{}) {:.4}",
            at.epoch, at.epochs, at.batch, at.batches, at.loss
        );
        *self.slot.lock().unwrap() = Some((at.fraction_done(), line));
    }
    fn epoch(&self, row: &EpochRow) {
        *self.slot.lock().unwrap() = Some((0.0, format!("{row:?}")));
    }
    fn checkpoint(&self, state: TrainState) {
        let _ = self.checkpoints.try_send(state);
    }
}

fn part(rows: usize, seed: u64) -> PartData {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let features = (0..rows * WIDTH).map(|_| generator.next_u32() as f32 / 4_294_967_296.0);
    let features = features.collect();
    let labels = (0..rows).map(|_| i64::from(generator.next_u32() % 3));
    PartData {
        features,
        labels: Labels::Classes(labels.collect()),
        windows: None,
    }
}

fn data() -> TrainingData {
    TrainingData {
        train: part(3_500, 1),
        validation: part(750, 2),
        test: part(750, 3),
        weights: None,
    }
}

fn column(index: usize) -> FeatureColumn {
    FeatureColumn {
        name: format!("f{index}"),
        normalisation: None,
    }
}

fn network() -> Network {
    Network {
        architecture: Architecture::Mlp(MlpShape {
            hidden_layers: vec![64, 32],
            activation: Activation::Relu,
            dropout: 0.2,
        }),
        features: (0..WIDTH).map(column).collect(),
        output: OutputKind::Classes {
            names: ["BUY", "HOLD", "SELL"].map(str::to_owned).to_vec(),
        },
    }
}

/// Rows and labels of a part on the CPU.
struct PartTensors {
    features: Tensor,
    labels: Tensor,
}

fn tensors_of(part: &PartData) -> PartTensors {
    let Labels::Classes(labels) = &part.labels else {
        panic!("classes were made")
    };
    let features = Tensor::from_slice(&part.features);
    PartTensors {
        features: features.view([labels.len() as i64, WIDTH as i64]),
        labels: Tensor::from_slice(labels),
    }
}

/// The network as one would write it with tch.
fn sequential(root: &nn::Path<'_>) -> nn::SequentialT {
    nn::seq_t()
        .add(nn::linear(root / 0, 9, 64, nn::LinearConfig::default()))
        .add_fn_t(|x, train| x.relu().dropout(0.2, train))
        .add(nn::linear(root / 1, 64, 32, nn::LinearConfig::default()))
        .add_fn_t(|x, train| x.relu().dropout(0.2, train))
        .add(nn::linear(root / 2, 32, 3, nn::LinearConfig::default()))
}

fn weighted_loss(scores: &Tensor, classes: &Tensor, weights: &Tensor) -> Tensor {
    scores.cross_entropy_loss(classes, Some(weights), Reduction::Mean, -100, 0.0)
}

/// A training loop by hand with tch that learns the same: running loss and accuracy, validation
/// after each epoch. Returns a number that depends on all of it, so that nothing is left out.
fn train_bare(data: &TrainingData, settings: &TrainingSettings) -> f64 {
    tch::set_num_threads(1);
    let store = nn::VarStore::new(Device::Cpu);
    let net = sequential(&store.root());
    let mut optimizer = bare_adam(&store, settings);
    let weights = Tensor::from_slice(&[1.0_f32, 1.0, 1.0]);

    let train = tensors_of(&data.train);
    let validation = tensors_of(&data.validation);
    let batch_size = settings.batch_size as usize;
    let mut total = 0.0;
    for epoch in 1..=BARE_EPOCHS {
        let order = random::shuffle_rows(data.train.labels.len(), 1, epoch);
        let indices = Tensor::from_slice(&order);
        let mut loss_sum = Tensor::from(0.0);
        let mut right = Tensor::from(0_i64);

        for (index, rows) in order.chunks(batch_size).enumerate() {
            let chosen = indices.narrow(0, (index * batch_size) as i64, rows.len() as i64);
            let x = train.features.index_select(0, &chosen);
            let y = train.labels.index_select(0, &chosen);
            let scores = net.forward_t(&x, true);
            let loss = weighted_loss(&scores, &y, &weights);
            optimizer.backward_step_clip_norm(&loss, 1.0);
            loss_sum += loss.detach() * rows.len() as f64;
            right += scores.argmax(-1, false).eq_tensor(&y).sum(Kind::Int64);
        }

        total += validation_loss(&net, &validation, &weights);
        total += loss_sum.double_value(&[]) + right.int64_value(&[]) as f64;
    }
    total
}

fn bare_adam(store: &nn::VarStore, settings: &TrainingSettings) -> nn::Optimizer {
    let config = nn::Adam {
        wd: settings.weight_decay,
        ..nn::Adam::default()
    };
    config.build(store, settings.learning_rate).unwrap()
}

fn validation_loss(net: &nn::SequentialT, validation: &PartTensors, weights: &Tensor) -> f64 {
    let scores = tch::no_grad(|| net.forward_t(&validation.features, false));
    weighted_loss(&scores, &validation.labels, weights).double_value(&[])
}

/// Milliseconds per epoch of a training of `epochs` epochs.
fn milliseconds(epochs: u32, training: impl FnOnce()) -> f64 {
    let began = Instant::now();
    training();
    began.elapsed().as_secs_f64() * 1e3 / f64::from(epochs)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn median_ratio(over: &[f64], under: &[f64]) -> f64 {
    median(over.iter().zip(under).map(|(a, b)| a / b).collect())
}

/// 95 % interval of the geometric mean of paired ratios, by the normal approximation on their
/// logarithms.
fn interval(over: &[f64], under: &[f64]) -> (f64, f64) {
    let logs: Vec<f64> = over.iter().zip(under).map(|(a, b)| (a / b).ln()).collect();
    let count = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / count;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let half = 1.96 * (variance / count).sqrt();
    ((mean - half).exp(), (mean + half).exp())
}

/// Only its duration counts.
fn train_ours(job: &TrainJob<'_>, control: &dyn Control) {
    let _ = train(job, control, None).unwrap();
}

/// Milliseconds per epoch of each round.
#[derive(Default)]
struct Times {
    bare: Vec<f64>,
    silent: Vec<f64>,
    full: Vec<f64>,
}

/// Times of `rounds` rounds, after one that warms everything up.
fn measure(engine: EngineKind, settings: &TrainingSettings, rounds: usize) -> Times {
    let data = data();
    let network = network();
    let job = TrainJob {
        data: &data,
        network: &network,
        settings,
        seed: 1,
        device: ComputeDevice::Cpu,
        engine,
    };
    // Another thread encodes the checkpoints, as a task of the service does.
    let (sender, receiver) = sync_channel::<TrainState>(4);
    let net = network.clone();
    let saver = std::thread::spawn(move || {
        let files = receiver
            .iter()
            .map(|state| state.to_checkpoint(&net).unwrap().files.len());
        files.sum::<usize>()
    });
    let full = Full {
        began: Instant::now(),
        flag: AtomicBool::new(false),
        slot: Mutex::new(None),
        checkpoints: sender,
    };

    let mut times = Times::default();
    for round in 0..=rounds {
        let epochs = settings.epochs;
        let bare = || {
            milliseconds(BARE_EPOCHS, || {
                assert!(train_bare(&data, settings).is_finite());
            })
        };
        let silent = || milliseconds(epochs, || train_ours(&job, &Silent(Instant::now())));
        let everything = || milliseconds(epochs, || train_ours(&job, &full));

        // The order alternates, so that a machine that slows down hits all three alike.
        let round_times = if round % 2 == 0 {
            [bare(), silent(), everything()]
        } else {
            let mut reversed = [everything(), silent(), bare()];
            reversed.reverse();
            reversed
        };
        if round > 0 {
            times.bare.push(round_times[0]);
            times.silent.push(round_times[1]);
            times.full.push(round_times[2]);
        }
    }

    std::mem::drop(full);
    saver.join().unwrap();
    times
}

fn print_times(engine: EngineKind, batch_size: u32, rounds: usize, times: &Times) {
    println!(
        "{engine}, batch {batch_size}, {rounds} rounds of {} epochs, ms per epoch: median (least)",
        epochs_of(engine)
    );
    for (name, values) in [
        ("bare", &times.bare),
        ("silent", &times.silent),
        ("full", &times.full),
    ] {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        println!("  {name:<7} {:>7.2} ({least:.2})", median(values.clone()));
    }

    let (low, high) = interval(&times.full, &times.silent);
    println!(
        "  silent/bare {:.3}, full/silent {:.4} \
         (95 % interval of the mean {low:.4} to {high:.4})",
        median_ratio(&times.silent, &times.bare),
        median_ratio(&times.full, &times.silent)
    );
}

fn main() {
    for engine in [EngineKind::Native, EngineKind::Libtorch] {
        for (batch_size, rounds) in [(32, 41), (256, 81)] {
            let settings = TrainingSettings {
                epochs: epochs_of(engine),
                batch_size,
                ..TrainingSettings::for_classes()
            };
            let times = measure(engine, &settings, rounds);
            print_times(engine, batch_size, rounds, &times);
        }
    }
}

/// Epochs of one training, so that it takes long enough to be timed.
fn epochs_of(engine: EngineKind) -> u32 {
    match engine {
        EngineKind::Native => 20 * BARE_EPOCHS,
        EngineKind::Libtorch => BARE_EPOCHS,
    }
}
