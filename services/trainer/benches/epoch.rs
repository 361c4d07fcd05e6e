//! Time of an epoch: a bare libtorch loop, and each of our engines with a silent control and with
//! everything on.
//!
//! `cargo bench -p trainer --features libtorch --bench epoch` prints wall milliseconds per epoch,
//! median and least of the rounds, and the median of the paired ratios. 3 500 training rows of 9
//! features, 750 for validation, a perceptron [64, 32] with 3 classes and dropout 0.2, one thread.
//! Budgets: `native` 3.5 ms at batch 32 and 2.5 ms at batch 256; `libtorch` no slower than the bare
//! loop; everything on below 1.01 of silent.
//!
//! With `-- windows` the same of an LSTM over windows of 20 rows of 16 features: 64 units in one
//! layer, dropout 0.2, batch 64. The bare loop reads a table in which all windows are written out.
//! With `-- libtorch` the native engine is left out. With `-- large` a perceptron over a million rows
//! of 40 features in batches of 1 024, and before it the most memory that the process had while the
//! native engine trained on them, beside the size of the features.
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
    manifests::{
        Activation, Architecture, FeatureColumn, MlpShape, Network, OutputKind, RecurrentShape,
    },
    training::TrainingSettings,
};
use strategies::windows::{RowBar, Windows};
use tch::{
    Device, Kind, Reduction, Tensor,
    nn::{self, Module, ModuleT, OptimizerConfig, RNN},
};
use trainer::{
    BatchProgress, ComputeDevice, Control, EngineKind, EpochRow, Labels, PartData, TrainJob,
    TrainState, TrainingData, random, train,
};

/// Feature columns of the perceptron.
const WIDTH: usize = 9;
/// Rows and feature columns of the large matrix.
const MANY_ROWS: usize = 1_000_000;
const LARGE_WIDTH: usize = 40;
/// Feature columns of the LSTM.
const WINDOW_WIDTH: usize = 16;
/// Rows of a window.
const LENGTH: usize = 20;
/// Units of the LSTM.
const UNITS: usize = 64;

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
    part_of(rows, WIDTH, seed)
}

fn part_of(rows: usize, width: usize, seed: u64) -> PartData {
    PartData {
        features: numbers(rows * width, seed),
        labels: labels(rows, seed),
        windows: None,
    }
}

/// One stretch of bars in which `windows` windows end.
fn part_of_windows(windows: usize, seed: u64) -> PartData {
    let rows = windows + LENGTH - 1;
    let bars = (0..rows as u32).map(|bar| RowBar { symbol: 0, bar });
    PartData {
        features: numbers(rows * WINDOW_WIDTH, seed),
        labels: labels(windows, seed),
        windows: Some(Windows::find(bars, LENGTH)),
    }
}

/// Numbers in 0..1.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let numbers = (0..count).map(|_| generator.next_u32() as f32 / 4_294_967_296.0);
    numbers.collect()
}

fn labels(samples: usize, seed: u64) -> Labels {
    let mut generator = ChaCha8Rng::seed_from_u64(seed + 1_000);
    let labels = (0..samples).map(|_| i64::from(generator.next_u32() % 3));
    Labels::Classes(labels.collect())
}

fn data_of(part: fn(usize, u64) -> PartData) -> TrainingData {
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

fn network(architecture: Architecture, features: usize) -> Network {
    Network {
        architecture,
        features: (0..features).map(column).collect(),
        output: OutputKind::Classes {
            names: ["BUY", "HOLD", "SELL"].map(str::to_owned).to_vec(),
        },
    }
}

/// What is learnt, by us and by the bare loop.
struct Workload {
    name: &'static str,
    data: TrainingData,
    network: Network,
    /// Epochs of one training of the bare loop.
    epochs: u32,
    /// Rows of a batch, with the rounds that are measured.
    sizes: &'static [(u32, usize)],
    bare: fn(&nn::Path<'_>) -> Box<dyn ModuleT>,
}

fn perceptron() -> Workload {
    let shape = MlpShape {
        hidden_layers: vec![64, 32],
        activation: Activation::Relu,
        dropout: 0.2,
    };

    Workload {
        name: "perceptron",
        data: data_of(part),
        network: network(Architecture::Mlp(shape), WIDTH),
        epochs: 10,
        sizes: &[(32, 41), (256, 81)],
        bare: |root| Box::new(sequential_of(root, WIDTH)),
    }
}

/// The same over many more and wider rows.
fn large() -> Workload {
    let part = |rows, seed| part_of(rows, LARGE_WIDTH, seed);
    let small = perceptron();

    Workload {
        name: "large perceptron",
        data: TrainingData {
            train: part(MANY_ROWS, 1),
            validation: part(10_000, 2),
            test: part(10_000, 3),
            weights: None,
        },
        network: network(small.network.architecture, LARGE_WIDTH),
        epochs: 1,
        sizes: &[(1_024, 5)],
        bare: |root| Box::new(sequential_of(root, LARGE_WIDTH)),
    }
}

/// Mebibytes that this process has had at most, from `/proc/self/status`.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kilobytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes / 1_024.0
}

/// The most memory before and after a training by the native engine.
fn print_memory(workload: &Workload, settings: &TrainingSettings) {
    let before = peak_memory();
    let job = TrainJob {
        data: &workload.data,
        network: &workload.network,
        settings,
        seed: 1,
        device: ComputeDevice::Cpu,
        engine: EngineKind::Native,
        decisions: None,
    };

    train_ours(&job, &Silent(Instant::now()));
    let features = (MANY_ROWS * LARGE_WIDTH * size_of::<f32>()) as f64 / f64::from(1 << 20);
    let after = peak_memory();
    println!(
        "features {features:.0} MiB; at most {before:.0} MiB before the training, {after:.0} MiB \
         with it: {:.2} times the features",
        after / features
    );
}

fn lstm() -> Workload {
    let shape = RecurrentShape {
        sequence_length: LENGTH,
        hidden_size: UNITS,
        num_layers: 1,
        dropout: 0.2,
    };

    Workload {
        name: "lstm",
        data: data_of(part_of_windows),
        network: network(Architecture::Lstm(shape), WINDOW_WIDTH),
        epochs: 5,
        sizes: &[(64, 11)],
        bare: |root| Box::new(LastState::new(root)),
    }
}

/// Samples and labels of a part on the CPU.
struct PartTensors {
    /// `[rows, features]`, or `[windows, length, features]`.
    features: Tensor,
    labels: Tensor,
}

fn tensors_of(part: &PartData) -> PartTensors {
    let Labels::Classes(labels) = &part.labels else {
        panic!("classes were made")
    };
    let features = Tensor::from_slice(&part.features);
    let features = match &part.windows {
        None => features.view([labels.len() as i64, -1]),
        Some(_) => {
            let rows = features.view([-1, WINDOW_WIDTH as i64]);
            rows.unfold(0, LENGTH as i64, 1)
                .transpose(1, 2)
                .contiguous()
        }
    };

    PartTensors {
        features,
        labels: Tensor::from_slice(labels),
    }
}

/// An LSTM as one would write it with tch.
#[derive(Debug)]
struct LastState {
    lstm: nn::LSTM,
    linear: nn::Linear,
}

impl LastState {
    fn new(root: &nn::Path<'_>) -> Self {
        let units = UNITS as i64;
        let config = nn::RNNConfig::default();
        Self {
            lstm: nn::lstm(root / 0, WINDOW_WIDTH as i64, units, config),
            linear: nn::linear(root / 1, units, 3, nn::LinearConfig::default()),
        }
    }
}

impl ModuleT for LastState {
    fn forward_t(&self, windows: &Tensor, train: bool) -> Tensor {
        let (states, _) = self.lstm.seq(windows);
        let last = states.select(1, -1).dropout(0.2, train);
        self.linear.forward(&last)
    }
}

/// The perceptron as one would write it with tch.
fn sequential_of(root: &nn::Path<'_>, inputs: usize) -> nn::SequentialT {
    let inputs = inputs as i64;
    nn::seq_t()
        .add(nn::linear(
            root / 0,
            inputs,
            64,
            nn::LinearConfig::default(),
        ))
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
fn train_bare(workload: &Workload, settings: &TrainingSettings) -> f64 {
    tch::set_num_threads(1);
    let data = &workload.data;
    let store = nn::VarStore::new(Device::Cpu);
    let net = (workload.bare)(&store.root());
    let mut optimizer = bare_adam(&store, settings);
    let weights = Tensor::from_slice(&[1.0_f32, 1.0, 1.0]);

    let train = tensors_of(&data.train);
    let validation = tensors_of(&data.validation);
    let batch_size = settings.batch_size as usize;
    let mut total = 0.0;
    for epoch in 1..=workload.epochs {
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

        total += validation_loss(net.as_ref(), &validation, &weights);
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

fn validation_loss(net: &dyn ModuleT, validation: &PartTensors, weights: &Tensor) -> f64 {
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
fn measure(
    workload: &Workload,
    engine: EngineKind,
    settings: &TrainingSettings,
    rounds: usize,
) -> Times {
    let job = TrainJob {
        data: &workload.data,
        network: &workload.network,
        settings,
        seed: 1,
        device: ComputeDevice::Cpu,
        engine,
        decisions: None,
    };
    // Another thread encodes the checkpoints, as a task of the service does.
    let (sender, receiver) = sync_channel::<TrainState>(4);
    let net = workload.network.clone();
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
            milliseconds(workload.epochs, || {
                assert!(train_bare(workload, settings).is_finite());
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

fn print_times(
    workload: &Workload,
    settings: &TrainingSettings,
    engine: EngineKind,
    times: &Times,
) {
    println!(
        "{} by {engine}, batch {}, {} rounds of {} epochs, ms per epoch: median (least)",
        workload.name,
        settings.batch_size,
        times.bare.len(),
        settings.epochs
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
    let arguments: Vec<String> = std::env::args().collect();
    let has_argument = |word: &str| arguments.iter().any(|argument| argument == word);
    let workload = if has_argument("windows") {
        lstm()
    } else if has_argument("large") {
        large()
    } else {
        perceptron()
    };
    let engines = if has_argument("libtorch") {
        vec![EngineKind::Libtorch]
    } else {
        vec![EngineKind::Native, EngineKind::Libtorch]
    };

    if has_argument("large") {
        let settings = TrainingSettings {
            epochs: 2,
            batch_size: 1_024,
            ..TrainingSettings::for_classes()
        };
        print_memory(&workload, &settings);
    }
    for engine in engines {
        for &(batch_size, rounds) in workload.sizes {
            let settings = TrainingSettings {
                epochs: workload.epochs_of(engine),
                batch_size,
                ..TrainingSettings::for_classes()
            };
            let times = measure(&workload, engine, &settings, rounds);
            print_times(&workload, &settings, engine, &times);
        }
    }
}

impl Workload {
    /// Epochs of one training, so that it takes long enough to be timed.
    fn epochs_of(&self, engine: EngineKind) -> u32 {
        match (engine, &self.network.architecture) {
            (EngineKind::Native, Architecture::Mlp(_)) if self.epochs > 1 => 20 * self.epochs,
            _ => self.epochs,
        }
    }
}
