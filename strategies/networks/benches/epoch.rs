//! CPU time of an epoch of the perceptron: 3 500 rows of 9 features, layers of 64 and 32, 3
//! classes, weighted cross entropy, clipping, Adam with L2, loss and accuracy per batch, and a
//! validation of 750 rows.
//!
//! `cargo bench -p networks --bench epoch -- [EPOCHS] [parts]` prints the mean over all epochs, the
//! last ten relative to the first ten (subnormal numbers would show there), and, with `parts`,
//! where the time goes. With `--batch B --dropout P --epochs N` it prints the milliseconds of each
//! epoch as one JSON list, for `tests/training_speed.py`.

use std::str::FromStr;
use std::time::Instant;

use networks::losses::{BatchLoss, Criterion, Loss, Targets};
use networks::optimisers::{Method, Moments, Optimiser, clip};
use networks::{Learner, learner_of};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rustix::time::{ClockId, clock_gettime};
use schemas::manifests::{Activation, Architecture, FeatureColumn, MlpShape, Network, OutputKind};

const ROWS: usize = 3_500;
const VALIDATION_ROWS: usize = 750;
const INPUTS: usize = 9;
const CLASSES: usize = 3;
/// Epochs at each end that are compared.
const END: usize = 10;

/// The parts of an epoch, in order.
const PARTS: [&str; 7] = [
    "order", "gather", "masks", "forward", "loss", "backward", "step",
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(batch) = value_after(&arguments, "--batch") {
        let dropout = value_after(&arguments, "--dropout").unwrap_or(0.0);
        let epochs: usize = value_after(&arguments, "--epochs").unwrap_or(300);
        let mut training = Training::new(batch, dropout, false);
        let times: Vec<f64> = (0..epochs)
            .map(|epoch| training.time_epoch(epoch))
            .collect();
        // A list of numbers reads as JSON.
        println!("{times:?}");
        return;
    }

    let number = arguments.iter().find_map(|argument| argument.parse().ok());
    let epochs: usize = number.unwrap_or(300).max(2 * END);
    let has_parts = arguments.iter().any(|argument| argument == "parts");

    for (batch, dropout) in [(32, 0.0), (32, 0.2), (256, 0.0), (256, 0.2)] {
        let mut training = Training::new(batch, dropout, has_parts);
        let times: Vec<f64> = (0..epochs)
            .map(|epoch| training.time_epoch(epoch))
            .collect();
        training.report(&times);
    }
}

/// The value of a flag, if it is there.
fn value_after<T: FromStr>(arguments: &[String], flag: &str) -> Option<T> {
    let place = arguments.iter().position(|argument| argument == flag)?;
    arguments.get(place + 1)?.parse().ok()
}

fn network() -> Network {
    let column = |index| FeatureColumn {
        name: format!("f{index}"),
        normalisation: None,
    };

    Network {
        architecture: Architecture::Mlp(MlpShape {
            hidden_layers: vec![64, 32],
            activation: Activation::Relu,
            dropout: 0.0,
        }),
        features: (0..INPUTS).map(column).collect(),
        output: OutputKind::Classes {
            names: (0..CLASSES).map(|class| format!("c{class}")).collect(),
        },
    }
}

/// CPU time of this thread, in ms.
fn cpu_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// A number in [0, 1).
fn uniform(generator: &mut ChaCha8Rng) -> f32 {
    (generator.next_u32() >> 8) as f32 / 16_777_216.0
}

/// The generator of one purpose in one epoch.
fn generator_of(purpose: u64, epoch: usize) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(7);
    generator.set_stream((epoch as u64) << 2 | purpose);
    generator
}

/// Rows with something to learn.
struct Part {
    /// `[rows, INPUTS]`
    features: Vec<f32>,
    labels: Vec<i64>,
}

impl Part {
    fn new(rows: usize, generator: &mut ChaCha8Rng) -> Self {
        let features: Vec<f32> = (0..rows * INPUTS).map(|_| uniform(generator)).collect();
        let (table, _) = features.as_chunks::<INPUTS>();
        let mut labels = Vec::with_capacity(rows);
        for [a, b, c, d, ..] in table {
            let level = a + b * c - d + 0.3 * uniform(generator);
            labels.push(i64::from(level > 0.2) + i64::from(level > 0.5));
        }

        Self { features, labels }
    }
}

/// Everything that a step reads and writes.
struct Training {
    batch: usize,
    dropout: f64,
    train: Part,
    validation: Part,
    order: Vec<usize>,
    learner: Box<dyn Learner>,
    criterion: Criterion,
    optimiser: Optimiser,
    moments: Moments,
    parameters: Vec<f32>,
    gradients: Vec<f32>,
    inputs: Vec<f32>,
    labels: Vec<i64>,
    words: Vec<u8>,
    masks: Vec<f32>,
    scores: Vec<f32>,
    score_gradients: Vec<f32>,
    train_loss: BatchLoss,
    validation_loss: BatchLoss,
    laps: Option<Laps>,
}

/// Wall time of each part, in ms.
struct Laps {
    sums: [f64; PARTS.len()],
    last: Instant,
}

impl Training {
    fn new(batch: usize, dropout: f64, has_parts: bool) -> Self {
        let network = network();
        let mut generator = generator_of(0, 0);
        let mut parameters = Vec::new();
        for layer in network.widths().windows(2) {
            let [inputs, outputs] = layer else { continue };
            let bound = 1.0 / (*inputs as f32).sqrt();
            for _ in 0..(inputs + 1) * outputs {
                parameters.push((2.0 * uniform(&mut generator) - 1.0) * bound);
            }
        }

        let loss = Loss::CrossEntropy { smoothing: 0.0 };
        Self {
            batch,
            dropout,
            train: Part::new(ROWS, &mut generator),
            validation: Part::new(VALIDATION_ROWS, &mut generator),
            order: (0..ROWS).collect(),
            learner: learner_of(&network),
            criterion: Criterion::new(loss, &[0.8, 1.2, 1.0], CLASSES),
            optimiser: Optimiser::new(Method::Adam, 1e-4, &network.tensors()),
            moments: Moments::new(parameters.len()),
            gradients: vec![0.0; parameters.len()],
            parameters,
            inputs: Vec::new(),
            labels: Vec::new(),
            words: Vec::new(),
            masks: Vec::new(),
            scores: Vec::new(),
            score_gradients: Vec::new(),
            train_loss: BatchLoss::default(),
            validation_loss: BatchLoss::default(),
            laps: has_parts.then(Laps::start),
        }
    }

    /// CPU time of one epoch, in ms.
    fn time_epoch(&mut self, epoch: usize) -> f64 {
        let start = cpu_time();
        self.shuffle(epoch);
        self.lap(0);

        let mut masks = generator_of(3, epoch);
        self.train_loss = BatchLoss::default();
        let order = std::mem::take(&mut self.order);
        for rows in order.chunks(self.batch) {
            self.step(rows, &mut masks);
        }
        self.order = order;

        let Part { features, labels } = &self.validation;
        self.learner
            .score(&self.parameters, features, &mut self.scores);
        let targets = Targets::Classes(labels);
        self.validation_loss = self.criterion.evaluate(&self.scores, targets, &[]);
        cpu_time() - start
    }

    fn shuffle(&mut self, epoch: usize) {
        let mut generator = generator_of(2, epoch);
        for last in (1..ROWS).rev() {
            let chosen = (u128::from(generator.next_u64()) * (last as u128 + 1)) >> 64;
            self.order.swap(last, chosen as usize);
        }
    }

    fn step(&mut self, rows: &[usize], generator: &mut ChaCha8Rng) {
        self.gather(rows);
        self.lap(1);
        self.draw_masks(rows.len(), generator);
        self.lap(2);

        self.learner.forward(
            &self.parameters,
            &self.inputs,
            &self.masks,
            &mut self.scores,
        );
        self.lap(3);
        let targets = Targets::Classes(&self.labels);
        let slopes = &mut self.score_gradients;
        let loss = self
            .criterion
            .differentiate(&self.scores, targets, &[], slopes);
        self.train_loss.add(loss);
        self.lap(4);

        self.learner.backward(
            &self.parameters,
            &self.inputs,
            &self.masks,
            &self.score_gradients,
            &mut self.gradients,
        );
        self.lap(5);
        clip(&mut self.gradients, 1.0);
        let moments = &mut self.moments;
        self.optimiser
            .step(&mut self.parameters, &self.gradients, moments, 0.001);
        self.lap(6);
    }

    fn gather(&mut self, rows: &[usize]) {
        let (table, _) = self.train.features.as_chunks::<INPUTS>();
        self.inputs.clear();
        self.labels.clear();
        for &row in rows {
            self.inputs.extend(table.get(row).into_iter().flatten());
            self.labels.extend(self.train.labels.get(row));
        }
    }

    /// As the trainer draws them: a word per unit.
    fn draw_masks(&mut self, rows: usize, generator: &mut ChaCha8Rng) {
        if self.dropout == 0.0 {
            return;
        }
        self.words
            .resize(4 * rows * self.learner.dropout_count(), 0);
        generator.fill_bytes(&mut self.words);

        let threshold = (self.dropout * 4_294_967_296.0) as u32;
        let scale = (1.0 / (1.0 - self.dropout)) as f32;
        let (words, _) = self.words.as_chunks::<4>();
        self.masks.clear();
        self.masks.extend(words.iter().map(|word| {
            let is_dropped = u32::from_le_bytes(*word) < threshold;
            if is_dropped { 0.0 } else { scale }
        }));
    }

    fn lap(&mut self, part: usize) {
        if let Some(laps) = &mut self.laps {
            laps.end(part);
        }
    }

    fn report(&self, times: &[f64]) {
        let epochs = times.len();
        let mean = times.iter().sum::<f64>() / epochs as f64;
        let first: f64 = times.iter().take(END).sum();
        let last: f64 = times.iter().rev().take(END).sum();
        println!(
            "batch {:3}, dropout {:.1}: {mean:.3} ms an epoch, last {END} / first {END} {:.2}, \
             loss {:.4} and {:.4}, {} and {} right",
            self.batch,
            self.dropout,
            last / first,
            self.train_loss.mean(),
            self.validation_loss.mean(),
            self.train_loss.right,
            self.validation_loss.right,
        );

        if let Some(laps) = &self.laps {
            for (part, sum) in PARTS.iter().zip(laps.sums) {
                println!("  {part:8} {:.3} ms", sum / epochs as f64);
            }
        }
    }
}

impl Laps {
    fn start() -> Self {
        Self {
            sums: [0.0; PARTS.len()],
            last: Instant::now(),
        }
    }

    /// Adds the time since the last lap to a part.
    fn end(&mut self, part: usize) {
        let now = Instant::now();
        if let Some(sum) = self.sums.get_mut(part) {
            *sum += (now - self.last).as_secs_f64() * 1e3;
        }
        self.last = now;
    }
}
