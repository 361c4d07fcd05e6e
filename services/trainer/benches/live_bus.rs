//! Time of an epoch with and without the bus: the same training as a plain call, and as an
//! operation of the real service.
//!
//! `cargo bench -p trainer --bench live_bus` (a NATS server from `infra/setup nats`). "Live" is
//! everything on: a worker on a NATS server that syncs every write, claim, heartbeats, control
//! subscription, progress on the bus, a follower that reads it, checkpoints in an object store on
//! disk. "Silent" is the same function on the same thread pool while the worker waits. Rounds are
//! interleaved silent, live, live, silent; a pair is two neighbours. Time is what the history of a
//! training says, the mean of its epochs. Printed: medians, the median of the paired ratios and its
//! 95 % interval by order statistics, which assumes nothing about the noise. 200 rounds of four at
//! batch 256 and 100 at 32 take some twenty minutes; `-- 10` makes it 20 and 10. A round in which
//! other processes use the machine is left out and tried again. Budget: a ratio of at most 1.01.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark fails by panicking"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::Profile;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use schemas::{
    command::Command,
    commands::{TrainModel, TrainRequest},
    events::What,
    ids::Lane,
    manifests::{DataSetManifest, FeatureColumn, Network},
    operation::{NewOperation, OperationRecord, OperationState},
    plan::{Plan, StepSpec},
    training::TrainingSettings,
};
use store::{DataSetTable, sha256_hex};
use strategies::{Overrides, Resolved, Strategy};
use system_tests::Sandbox;
use trainer::{
    BatchProgress, ComputeDevice, Control, EngineKind, EpochRow, TrainJob, TrainState, Trainer,
    TrainingData, data_set::training_data, train,
};

/// Rows of the three parts.
const ROWS: [usize; 3] = [3_500, 750, 750];

/// Nine features, a perceptron [64, 32], three classes.
const STRATEGY: &str = r#"name: bench
training_data:
  symbols: {mode: single, symbol: EURUSD}
  timeframes: {mode: single, timeframe: "1h"}
indicators: {rsi: {type: rsi}, roc: {type: roc}, adx: {type: adx}}
fuzzy_sets:
  one: {indicator: rsi, low: [0, 30, 50], middle: [30, 50, 70], high: [50, 70, 100]}
  two: {indicator: roc, low: [-5, -3, 0], middle: [-3, 0, 3], high: [0, 3, 5]}
  three: {indicator: adx.adx, low: [0, 15, 25], middle: [15, 25, 40], high: [25, 40, 100]}
nn_inputs: [{fuzzy_set: one, timeframes: all}, {fuzzy_set: two, timeframes: all}, {fuzzy_set: three, timeframes: all}]
model: {type: mlp, architecture: {hidden_layers: [64, 32], activation: relu, dropout: 0.2}}
decisions: {output_format: classification}
training: {labels: {source: triple_barrier}}
"#;

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

/// One system with a trainer, and the same training without it.
struct Bench {
    sandbox: Sandbox,
    dataset: String,
    data: Arc<TrainingData>,
    network: Network,
    settings: TrainingSettings,
}

fn main() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let rounds = std::env::args()
            .find_map(|argument| argument.parse().ok())
            .unwrap_or(100);
        for (batch_size, epochs, rounds) in [(256, 800, 2 * rounds), (32, 600, rounds)] {
            Bench::start(batch_size, epochs).await.run(rounds).await;
        }
    });
}

impl Bench {
    async fn start(batch_size: u32, epochs: u32) -> Self {
        let sandbox = Sandbox::start_in(Profile::Dev).await;
        let resolved = Strategy::parse(STRATEGY)
            .unwrap()
            .resolve(&Overrides::default())
            .unwrap();
        let columns = resolved.feature_columns();
        let table = table(&resolved);
        let draft = draft(&resolved, &columns);
        let network = resolved.network(columns);

        // Both sides train on these rows: one from memory, one from the store.
        let data = Arc::new(training_data(&table, &network, false).unwrap());
        let manifest = sandbox
            .store()
            .data_sets()
            .publish(table, draft)
            .await
            .unwrap();
        let settings = TrainingSettings {
            epochs,
            batch_size,
            ..resolved.settings
        };
        Self {
            sandbox,
            dataset: manifest.inputs_sha256,
            data,
            network,
            settings,
        }
    }

    async fn run(&self, rounds: usize) {
        let _worker = self.sandbox.run(Trainer::new(ComputeDevice::Cpu)).await;
        let (messages, checkpoints) = self.live().await.1; // also warms both up
        self.silent().await;
        let mut times = [const { Vec::new() }; 2];
        let mut left_out = 0;
        let mut round = Vec::new();
        while times[0].len() < 2 * rounds {
            // A round counts only when nothing else used the machine before and during it.
            while self.others_are_busy(async {}).await {}
            let busy = self.others_are_busy(async {
                for live in [false, true, true, false] {
                    let time = if live {
                        self.live().await.0
                    } else {
                        self.silent().await
                    };
                    round.push((live, time));
                }
            });

            let busy = busy.await;
            left_out += usize::from(busy);
            for (live, time) in round.drain(..).filter(|_| !busy) {
                times[usize::from(live)].push(time);
            }
            if !busy && times[0].len().is_multiple_of(20) {
                eprintln!("  so far {}", summary(&times));
            }
        }

        let TrainingSettings {
            batch_size, epochs, ..
        } = self.settings;
        println!(
            "batch {batch_size}: {}, {epochs} epochs each; a live one publishes {messages} progress records and writes \
             {checkpoints} checkpoints; {left_out} rounds left out",
            summary(&times)
        );
    }

    /// Does `work` and a tenth of a second of nothing, and says whether other processes meanwhile
    /// took more than a sixth of a core. The NATS server counts as one of them and takes less.
    async fn others_are_busy(&self, work: impl Future<Output = ()>) -> bool {
        let began = Instant::now();
        let before = others();

        work.await;
        self.sandbox.after(Duration::from_millis(100)).await;
        (others() - before) * 6.0 > began.elapsed().as_secs_f64()
    }

    /// Milliseconds per epoch of a plain call.
    async fn silent(&self) -> f64 {
        let data = self.data.clone();
        let network = self.network.clone();
        let settings = self.settings.clone();

        let training = tokio::task::spawn_blocking(move || {
            let job = TrainJob {
                data: &data,
                network: &network,
                settings: &settings,
                seed: 42,
                device: ComputeDevice::Cpu,
                engine: EngineKind::Native,
                decisions: None,
            };
            train(&job, &Silent(Instant::now()), None).unwrap()
        });
        let history = training.await.unwrap().history;
        mean(history.iter().map(|row| row.seconds))
    }

    /// Milliseconds per epoch of a finished operation.
    async fn epoch_time(&self, record: &OperationRecord) -> f64 {
        let artifacts = self.sandbox.store().artifacts();
        let artifact = record.steps[0].result["artifact"].as_str().unwrap();
        let manifest = artifacts.manifest(artifact).await.unwrap();
        let losses = artifacts.losses(artifact, &manifest).await.unwrap();
        mean(losses.iter().map(|epoch| epoch.seconds))
    }

    /// Milliseconds per epoch of an operation; how many progress records and checkpoints it left
    /// behind on its way.
    async fn live(&self) -> (f64, (usize, usize)) {
        let op = self.sandbox.submit(&self.operation()).await;
        let record = self.sandbox.until_concluded(&op).await;
        assert_eq!(record.state, OperationState::Completed, "{record:#?}");

        // A finished training has no checkpoint any more: how many there were, its events say.
        let events = self.sandbox.events(&op).await;
        let saved = events
            .iter()
            .filter(|event| event.what == What::Checkpointed);
        let messages = self.sandbox.progress_of(&op).await.len();
        (self.epoch_time(&record).await, (messages, saved.count()))
    }

    fn operation(&self) -> NewOperation {
        let overrides = serde_json::json!({ "epochs": self.settings.epochs, "batch_size": self.settings.batch_size, "seed": 42 });
        let request = TrainRequest {
            strategy: STRATEGY.to_owned(),
            overrides,
            model: None,
        };
        let train = StepSpec {
            service: TrainModel::SERVICE,
            verb: TrainModel::VERB.to_owned(),
            lane: Lane::Default,
            weight: 1.0,
            command: serde_json::to_value(TrainModel {
                dataset: Some(self.dataset.clone()),
                bundle: None,
            })
            .unwrap(),
        };

        NewOperation {
            kind: "train".to_owned(),
            params: serde_json::to_value(request).unwrap(),
            plan: Plan::sequence(vec![train]),
            ..NewOperation::default()
        }
    }
}

/// A column of random numbers in 0..1.
fn random_column(generator: &mut ChaCha8Rng, rows: usize) -> Vec<f32> {
    let words = (0..rows).map(|_| generator.next_u32());
    words.map(|word| word as f32 / 4_294_967_296.0).collect()
}

/// Random features in 0..1 and random classes.
fn table(resolved: &Resolved) -> DataSetTable {
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    let rows: usize = ROWS.iter().sum();
    let times: Vec<i64> = (0..rows as i64).map(|row| row * 3_600_000_000).collect();
    let columns = resolved.feature_columns();
    let feature_names: Vec<String> = columns.into_iter().map(|column| column.name).collect();

    let labels = random_column(&mut generator, rows);
    let labels = labels.into_iter().map(|value| (value * 3.0).floor());
    DataSetTable {
        symbols: vec!["fx:EUR.USD".to_owned()],
        symbol: vec![0; rows],
        open_time: times.clone(),
        known_at: times.clone(),
        part: ROWS
            .iter()
            .zip(0..)
            .flat_map(|(rows, part)| vec![part; *rows])
            .collect(),
        label: labels.collect(),
        label_known_at: times,
        bar: None,
        weight: None,
        forward_return: None,
        features: feature_names
            .iter()
            .map(|_| random_column(&mut generator, rows))
            .collect(),
        feature_names,
    }
}

/// The manifest of a data set that was made from nothing.
fn draft(resolved: &Resolved, features: &[FeatureColumn]) -> DataSetManifest {
    let draft = serde_json::json!({
        "v": DataSetManifest::VERSION, "inputs_sha256": sha256_hex(b"bench"), "sha256": "", "size_bytes": 0, "rows": 0,
        "inputs": null, "series": [], "features": features, "output": resolved.output(), "validation_start": 0,
        "test_start": 0, "embargo_micros": 0, "parts": [], "dropped": {}, "coverage": {}, "leak_test_cuts": 1,
        "created_at": 0, "written_by": "bench",
    });
    serde_json::from_value(draft).unwrap()
}

/// CPU seconds that all processes but this one have used since the machine started, what the host
/// stole included.
fn others() -> f64 {
    // user, nice, system, irq, softirq, steal; and utime, stime of this process. A tick is 10 ms.
    let all = sum_of_fields("/proc/stat", &[1, 2, 3, 6, 7, 8]);
    let this_process = sum_of_fields("/proc/self/stat", &[13, 14]);
    (all - this_process) / 100.0
}

/// The sum of fields, counted from 0, of the first line of a file.
fn sum_of_fields(file: &str, fields: &[usize]) -> f64 {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().next().unwrap();
    let values: Vec<f64> = line
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    fields.iter().map(|field| values[*field]).sum()
}

/// Medians of silent and live, and of their ratio with its interval.
fn summary([silent, live]: &[Vec<f64>; 2]) -> String {
    let mut ratios: Vec<f64> = live
        .iter()
        .zip(silent)
        .map(|(live, silent)| live / silent)
        .collect();
    ratios.sort_by(f64::total_cmp);
    // Ranks n/2 ± 0.98 √n enclose the median in 95 % of all samples.
    let middle = ratios.len() as f64 / 2.0;
    let half = 0.98 * (ratios.len() as f64).sqrt();
    let low = ratios[(middle - half) as usize];
    let high = ratios[(middle + half) as usize];

    format!(
        "silent {:.3} ms, live {:.3} ms, live/silent {:.4} (95 % {low:.4} to {high:.4}) over {} pairs",
        median(silent.clone()),
        median(live.clone()),
        median(ratios.clone()),
        ratios.len()
    )
}

/// Milliseconds of the mean of these seconds.
fn mean(seconds: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = seconds.len() as f64;
    seconds.sum::<f64>() * 1e3 / count
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
