//! How soon a training is left once it is cancelled, at 100 random moments of each.
//!
//! `cargo bench -p trainer --bench cancel` (with `--features libtorch` for both engines) prints
//! milliseconds from setting the flag that a cancel message sets to the return of the training: the
//! 50th, 95th and 99th percentile, and the longest. Networks of 9 features (lstm: 16, windows of 20
//! rows, one layer of 64) over 20 000 rows, batches of 32 and 4 096; `evaluation` trains on 64 rows
//! and measures 200 000, so that nearly every moment lies in an evaluation.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a benchmark fails by panicking"
)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use networks::tsk::build_rules;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use schemas::manifests::{
    Activation, Architecture, FeatureColumn, Firing, FuzzyInput, MlpShape, Network, OutputKind,
    RecurrentShape, RuleBase, RuleSource, TskShape,
};
use schemas::training::TrainingSettings;
use strategies::windows::{RowBar, Windows};
use trainer::{
    BatchProgress, ComputeDevice, Control, EngineKind, EpochRow, Labels, PartData, TrainError,
    TrainJob, TrainState, Trained, TrainingData, train,
};

const MOMENTS: usize = 100;
/// The moments lie within it: several epochs of the fastest network.
const SPAN: Duration = Duration::from_millis(200);
/// More than any training gets to.
const EPOCHS: u32 = 100_000;
const ENGINES: &[EngineKind] = &[
    EngineKind::Native,
    #[cfg(feature = "libtorch")]
    EngineKind::Libtorch,
];

/// When a training has returned, and what.
type Return = (Instant, Result<Trained, TrainError>);

/// The flag of a cancel message.
struct Flag {
    began: Instant,
    is_set: AtomicBool,
}

impl Control for Flag {
    fn cancelled(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }
    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
    fn batch(&self, _: &BatchProgress) {}
    fn epoch(&self, _: &EpochRow) {}
    fn checkpoint(&self, _: TrainState) {}
}

fn part(rows: usize, width: usize, window: usize, seed: u64) -> PartData {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let values = (0..rows * width).map(|_| generator.next_u32() as f32 / 4_294_967_296.0 - 0.5);
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

fn network(architecture: Architecture, width: usize) -> Network {
    let column = |index: usize| FeatureColumn {
        name: format!("f{index}"),
        normalisation: None,
    };
    Network {
        architecture,
        features: (0..width).map(column).collect(),
        output: OutputKind::Classes {
            names: ["BUY", "HOLD", "SELL"].map(str::to_owned).to_vec(),
        },
    }
}

fn mlp() -> Architecture {
    Architecture::Mlp(MlpShape {
        hidden_layers: vec![64, 32],
        activation: Activation::Relu,
        dropout: 0.2,
    })
}

fn lstm() -> Architecture {
    Architecture::Lstm(RecurrentShape {
        sequence_length: 20,
        hidden_size: 64,
        num_layers: 1,
        dropout: 0.2,
    })
}

/// Sixteen rules that are grown from the rows.
fn rules(inputs: usize) -> Architecture {
    let input = |index: usize| FuzzyInput {
        name: format!("f{index}"),
        members: Vec::new(),
        low: 0.0,
        high: 0.0,
    };

    Architecture::Tsk(TskShape {
        from: RuleSource::Data,
        rules_max: 16,
        prune_below: 0.0,
        pruned_rules: 0,
        base: RuleBase {
            inputs: (0..inputs).map(input).collect(),
            rules: Vec::new(),
            firing: Firing::Mean,
        },
    })
}

/// Milliseconds from the flag to the return of the training, once for each moment.
fn leave_times(job: &TrainJob<'_>) -> Vec<f64> {
    let mut generator = ChaCha8Rng::seed_from_u64(7);
    let mut times = Vec::with_capacity(MOMENTS);
    for _ in 0..MOMENTS {
        let share = f64::from(generator.next_u32()) / 4_294_967_296.0;
        times.push(leave_time(job, SPAN.mul_f64(share)));
    }
    times
}

fn leave_time(job: &TrainJob<'_>, moment: Duration) -> f64 {
    let flag = Flag {
        began: Instant::now(),
        is_set: AtomicBool::new(false),
    };
    let (sender, ended) = channel();

    std::thread::scope(|scope| {
        scope.spawn(|| {
            let result = train(job, &flag, None);
            sender.send((Instant::now(), result)).unwrap();
        });

        wait(&ended, moment);
        let cancelled = Instant::now();
        flag.is_set.store(true, Ordering::Relaxed);
        let (returned, result) = ended.recv().unwrap();
        assert!(matches!(result, Err(TrainError::Cancelled { .. })));
        returned.duration_since(cancelled).as_secs_f64() * 1e3
    })
}

/// Waits for the moment; the training does not end before.
fn wait(ended: &Receiver<Return>, moment: Duration) {
    if let Ok((_, result)) = ended.recv_timeout(moment) {
        panic!("the training has ended: {result:?}");
    }
}

/// The value below which that share of the sorted `times` lies.
fn percentile(times: &[f64], share: f64) -> f64 {
    let position = (share * times.len() as f64).ceil() as usize;
    times[position.saturating_sub(1)]
}

/// A network, the rows that it learns from and those that it is measured on.
struct Case {
    name: &'static str,
    architecture: Architecture,
    width: usize,
    train_rows: usize,
    measured_rows: usize,
}

impl Case {
    fn data(&self) -> TrainingData {
        let window = self.architecture.sequence_length();
        let part = |rows, seed| part(rows, self.width, window, seed);
        TrainingData {
            train: part(self.train_rows, 1),
            validation: part(self.measured_rows, 2),
            test: part(100, 3),
            weights: None,
        }
    }

    fn print(&self, engine: EngineKind, batch_size: u32) {
        let data = self.data();
        let network = network(self.architecture.clone(), self.width);
        let network = build_rules(&network, &data.train.features, 7);
        let settings = TrainingSettings {
            epochs: EPOCHS,
            batch_size,
            early_stopping: None,
            ..TrainingSettings::for_classes()
        };
        let job = TrainJob {
            data: &data,
            network: &network,
            settings: &settings,
            seed: 7,
            device: ComputeDevice::Cpu,
            engine,
            decisions: None,
        };

        let mut times = leave_times(&job);
        times.sort_by(f64::total_cmp);
        println!(
            "{:<9} {:<11} {batch_size:>5}  {:>6.2} {:>6.2} {:>6.2} {:>6.2}",
            engine.to_string(),
            self.name,
            percentile(&times, 0.50),
            percentile(&times, 0.95),
            percentile(&times, 0.99),
            times[times.len() - 1]
        );
    }
}

fn main() {
    let case = |name, architecture, width| Case {
        name,
        architecture,
        width,
        train_rows: 20_000,
        measured_rows: 4_000,
    };
    let cases = [
        case("mlp", mlp(), 9),
        case("lstm", lstm(), 16),
        case("tsk", rules(9), 9),
        Case {
            train_rows: 64,
            measured_rows: 200_000,
            ..case("evaluation", mlp(), 9)
        },
    ];

    println!("engine    network     batch     p50    p95    p99    max  (ms)");
    for engine in ENGINES {
        for case in cases.iter().filter(|it| engine.can_train(&it.architecture)) {
            for batch_size in [32, 4_096] {
                case.print(*engine, batch_size);
            }
        }
    }
}
