//! Trains a neuro-fuzzy classifier on one fold and prints, as JSON, its accuracy on the other rows
//! and the mean CPU time of an epoch: `tests/tsk_keel.py` compares both with a Python library.
//!
//! `tsk_folds TRAIN TEST RULES WIDTH EPOCHS BATCH RATE SEED`; a width of 0 is that of the clusters.
//! A file has a line for each row, its class from 0 and its inputs, with spaces between.

use std::error::Error;

use networks::losses::{Criterion, Loss, Targets};
use networks::optimisers::{Method, Moments, Optimiser};
use networks::tsk::{Growth, Start};
use networks::{Learner, Tsk};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use schemas::manifests::{Firing, TensorSpec};

/// Decay of weights, that of the library.
const WEIGHT_DECAY: f64 = 1e-8;

/// Rows with their classes.
struct Rows {
    classes: Vec<i64>,
    /// `[rows, width]`.
    inputs: Vec<f32>,
    width: usize,
}

/// What the command line says.
struct Arguments {
    train: Rows,
    test: Rows,
    growth: Growth,
    epochs: usize,
    batch: usize,
    rate: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = read_arguments()?;
    let names: Vec<String> = (0..arguments.train.width)
        .map(|column| format!("x{column}"))
        .collect();
    let classes = arguments
        .train
        .classes
        .iter()
        .max()
        .map_or(0, |class| *class as usize + 1);

    let start = Start::grow(&arguments.train.inputs, &names, arguments.growth);
    let mut network = Tsk::new(&start.base, classes);
    let mut parameters = start.parameters(classes, arguments.growth.seed);

    let before = cpu_seconds();
    let mut training = Training::new(&arguments, &start.base.tensors(classes), classes);
    for _ in 0..arguments.epochs {
        training.run_epoch(&arguments.train, &mut network, &mut parameters);
    }
    let epoch_ms = 1_000.0 * (cpu_seconds() - before) / arguments.epochs.max(1) as f64;

    let accuracy = measure_accuracy(&arguments.test, &mut network, &parameters);
    let rules = start.base.rules.len();
    println!(r#"{{"accuracy": {accuracy}, "epoch_ms": {epoch_ms}, "rules": {rules}}}"#);
    Ok(())
}

fn read_arguments() -> Result<Arguments, Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [train, test, rules, width, epochs, batch, rate, seed] = words.as_slice() else {
        return Err("usage: tsk_folds TRAIN TEST RULES WIDTH EPOCHS BATCH RATE SEED".into());
    };

    let rules = rules.parse()?;
    let width: f32 = width.parse()?;
    Ok(Arguments {
        train: read_rows(train)?,
        test: read_rows(test)?,
        growth: Growth {
            rules,
            members: rules,
            width: (width > 0.0).then_some(width),
            firing: Firing::Mean,
            seed: seed.parse()?,
        },
        epochs: epochs.parse()?,
        batch: batch.parse()?,
        rate: rate.parse()?,
    })
}

fn read_rows(path: &str) -> Result<Rows, Box<dyn Error>> {
    let text = std::fs::read_to_string(path)?;
    let mut rows = Rows {
        classes: Vec::new(),
        inputs: Vec::new(),
        width: 0,
    };

    // Every line has as many inputs as the last.
    for line in text.lines() {
        let mut words = line.split_whitespace();
        rows.classes.push(words.next().unwrap_or_default().parse()?);
        let before = rows.inputs.len();
        for word in words {
            rows.inputs.push(word.parse()?);
        }
        rows.width = rows.inputs.len() - before;
    }
    Ok(rows)
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Adam on the mean cross entropy of a batch.
struct Training {
    generator: ChaCha8Rng,
    batch: usize,
    rate: f64,
    criterion: Criterion,
    optimiser: Optimiser,
    moments: Moments,
    order: Vec<usize>,
    inputs: Vec<f32>,
    classes: Vec<i64>,
    scores: Vec<f32>,
    score_gradients: Vec<f32>,
    gradients: Vec<f32>,
}

impl Training {
    fn new(arguments: &Arguments, tensors: &[TensorSpec], outputs: usize) -> Self {
        let parameters = tensors.iter().map(TensorSpec::count).sum();
        let loss = Loss::CrossEntropy { smoothing: 0.0 };

        Self {
            generator: ChaCha8Rng::seed_from_u64(arguments.growth.seed),
            batch: arguments.batch,
            rate: arguments.rate,
            criterion: Criterion::new(loss, &[], outputs),
            optimiser: Optimiser::new(Method::Adam, WEIGHT_DECAY, tensors),
            moments: Moments::new(parameters),
            order: (0..arguments.train.classes.len()).collect(),
            inputs: Vec::new(),
            classes: Vec::new(),
            scores: Vec::new(),
            score_gradients: Vec::new(),
            gradients: vec![0.0; parameters],
        }
    }

    fn run_epoch(&mut self, rows: &Rows, network: &mut Tsk, parameters: &mut [f32]) {
        for last in (1..self.order.len()).rev() {
            let chosen = self.generator.next_u64() % (last as u64 + 1);
            self.order.swap(last, chosen as usize);
        }

        let order = std::mem::take(&mut self.order);
        for batch in order.chunks(self.batch.max(1)) {
            self.gather(rows, batch);
            network.forward(parameters, &self.inputs, &[], &mut self.scores);
            let targets = Targets::Classes(&self.classes);
            let by_score = &mut self.score_gradients;
            self.criterion
                .differentiate(&self.scores, targets, &[], by_score);
            network.backward(parameters, &self.inputs, &[], by_score, &mut self.gradients);

            let moments = &mut self.moments;
            self.optimiser
                .step(parameters, &self.gradients, moments, self.rate);
            network.constrain(parameters);
        }
        self.order = order;
    }

    fn gather(&mut self, rows: &Rows, batch: &[usize]) {
        self.inputs.clear();
        self.classes.clear();
        for row in batch {
            let start = row * rows.width;
            let inputs = rows.inputs.get(start..start + rows.width);
            self.inputs.extend_from_slice(inputs.unwrap_or_default());
            self.classes.extend(rows.classes.get(*row));
        }
    }
}

/// Share of the rows whose class has the highest score.
fn measure_accuracy(rows: &Rows, network: &mut Tsk, parameters: &[f32]) -> f64 {
    let mut scores = Vec::new();
    network.score(parameters, &rows.inputs, &mut scores);

    let mut right = 0;
    let outputs = network.output_count().max(1);
    for (scores, class) in scores.chunks_exact(outputs).zip(&rows.classes) {
        let best = scores
            .iter()
            .enumerate()
            .max_by(|one, other| one.1.total_cmp(other.1));
        right += usize::from(best.is_some_and(|(best, _)| best as i64 == *class));
    }
    right as f64 / rows.classes.len().max(1) as f64
}
