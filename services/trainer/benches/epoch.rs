//! Time of an epoch: a bare libtorch loop, our loop with a silent control, and our loop with
//! everything on.
//!
//! `cargo bench -p trainer` prints wall milliseconds per epoch, median and least of the rounds, and
//! the median of the paired ratios. 3 500 training rows of 9 features, 750 for validation, a
//! perceptron [64, 32] with 3 classes, one thread. Budgets: 53 ms at batch 32 and 11 ms at batch
//! 256; everything on below 1.01 of silent.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
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
    manifests::{Activation, FeatureColumn, Network, NetworkKind, OutputKind},
    training::TrainingSettings,
};
use tch::{
    Device, Kind, Reduction, Tensor,
    nn::{self, ModuleT, OptimizerConfig},
};
use trainer::{
    BatchProgress, ComputeDevice, Control, EpochRow, Labels, PartData, TrainJob, TrainState,
    TrainingData, random, train,
};

const EPOCHS: u32 = 10;

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
    let features = (0..rows * 9)
        .map(|_| generator.next_u32() as f32 / 4_294_967_296.0)
        .collect();
    PartData {
        features,
        labels: Labels::Classes(
            (0..rows)
                .map(|_| i64::from(generator.next_u32() % 3))
                .collect(),
        ),
    }
}

fn tensors(part: &PartData) -> (Tensor, Tensor) {
    let Labels::Classes(labels) = &part.labels else {
        return (Tensor::new(), Tensor::new());
    };
    (
        Tensor::from_slice(&part.features).view([labels.len() as i64, 9]),
        Tensor::from_slice(labels),
    )
}

/// What one would write by hand with tch, doing the same learning: running loss and accuracy,
/// validation each epoch.
fn bare(data: &TrainingData, settings: &TrainingSettings) -> f64 {
    tch::set_num_threads(1);
    let store = nn::VarStore::new(Device::Cpu);
    let root = store.root();
    let net = nn::seq_t()
        .add(nn::linear(&root / 0, 9, 64, nn::LinearConfig::default()))
        .add_fn_t(|x, train| x.relu().dropout(0.2, train))
        .add(nn::linear(&root / 1, 64, 32, nn::LinearConfig::default()))
        .add_fn_t(|x, train| x.relu().dropout(0.2, train))
        .add(nn::linear(&root / 2, 32, 3, nn::LinearConfig::default()));
    let config = nn::Adam {
        wd: settings.weight_decay,
        ..nn::Adam::default()
    };
    let mut optimizer = config.build(&store, settings.learning_rate).unwrap();
    let weights = Tensor::from_slice(&[1.0_f32, 1.0, 1.0]);
    let (features, targets) = tensors(&data.train);
    let (validation, truth) = tensors(&data.validation);
    let loss_of = |x: &Tensor, y: &Tensor| {
        x.cross_entropy_loss(y, Some(&weights), Reduction::Mean, -100, 0.0)
    };
    let mut total = 0.0;
    for epoch in 1..=EPOCHS {
        let order = random::shuffle_rows(data.train.labels.len(), 1, epoch);
        let indices = Tensor::from_slice(&order);
        let (mut loss_sum, mut right) = (Tensor::from(0.0), Tensor::from(0_i64));
        for (index, rows) in order.chunks(settings.batch_size as usize).enumerate() {
            let chosen = indices.narrow(
                0,
                index as i64 * i64::from(settings.batch_size),
                rows.len() as i64,
            );
            let (x, y) = (
                features.index_select(0, &chosen),
                targets.index_select(0, &chosen),
            );
            let scores = net.forward_t(&x, true);
            let loss = loss_of(&scores, &y);
            optimizer.backward_step_clip_norm(&loss, 1.0);
            loss_sum += loss.detach() * rows.len() as f64;
            right += scores.argmax(-1, false).eq_tensor(&y).sum(Kind::Int64);
        }
        let scores = tch::no_grad(|| net.forward_t(&validation, false));
        total += loss_of(&scores, &truth).double_value(&[])
            + loss_sum.double_value(&[])
            + right.int64_value(&[]) as f64;
    }
    total
}

fn milliseconds(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64() * 1e3 / f64::from(EPOCHS)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
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

fn main() {
    let features = (0..9)
        .map(|i| FeatureColumn {
            name: format!("f{i}"),
            normalisation: None,
        })
        .collect();
    let output = OutputKind::Classes {
        names: ["BUY", "HOLD", "SELL"].map(str::to_owned).to_vec(),
    };
    let (kind, activation) = (NetworkKind::Mlp, Activation::Relu);
    let network = Network {
        kind,
        hidden_layers: vec![64, 32],
        activation,
        dropout: 0.2,
        features,
        output,
    };
    let data = TrainingData {
        train: part(3_500, 1),
        validation: part(750, 2),
        test: part(750, 3),
        weights: None,
    };
    for (batch_size, rounds) in [(32, 41), (256, 81)] {
        let settings = TrainingSettings {
            epochs: EPOCHS,
            batch_size,
            ..TrainingSettings::for_classes()
        };
        let ours = |control: &dyn Control| {
            let job = TrainJob {
                data: &data,
                network: &network,
                settings: &settings,
                seed: 1,
                device: ComputeDevice::Cpu,
            };
            // Only its duration counts.
            let _ = train(&job, control, None).unwrap();
        };
        let (sender, receiver) = sync_channel::<TrainState>(4);
        let net = network.clone();
        let saver = std::thread::spawn(move || {
            receiver
                .iter()
                .map(|state| state.to_checkpoint(&net).unwrap().files.len())
                .sum::<usize>()
        });
        let full = Full {
            began: Instant::now(),
            flag: AtomicBool::new(false),
            slot: Mutex::new(None),
            checkpoints: sender,
        };
        let mut times = [const { Vec::new() }; 3];
        for round in 0..=rounds {
            let mut variants: [(usize, Box<dyn Fn()>); 3] = [
                (0, Box::new(|| assert!(bare(&data, &settings).is_finite()))),
                (1, Box::new(|| ours(&Silent(Instant::now())))),
                (2, Box::new(|| ours(&full))),
            ];
            if round % 2 == 1 {
                variants.reverse();
            }
            for (which, work) in variants {
                let time = milliseconds(work);
                if round > 0 {
                    times[which].push(time);
                }
            }
        }
        drop(full);
        saver.join().unwrap();
        let ratio = |over: usize, under: usize| {
            median(
                times[over]
                    .iter()
                    .zip(&times[under])
                    .map(|(a, b)| a / b)
                    .collect(),
            )
        };
        println!(
            "batch {batch_size}, {rounds} rounds of {EPOCHS} epochs, ms per epoch: median (least)"
        );
        for (name, times) in ["bare", "silent", "full"].iter().zip(&times) {
            let least = times.iter().copied().fold(f64::INFINITY, f64::min);
            println!("  {name:<7} {:>7.2} ({least:.2})", median(times.clone()));
        }
        let (low, high) = interval(&times[2], &times[1]);
        println!(
            "  silent/bare {:.3}, full/silent {:.4} (95 % interval of the mean {low:.4} to {high:.4})",
            ratio(1, 0),
            ratio(2, 1)
        );
    }
}
