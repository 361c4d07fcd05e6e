//! The training loop: epochs of shuffled or drawn batches, validation, best weights, early
//! stopping, checkpoints.
//!
//! Invariants:
//! - the training matrix stays on the device; a batch is gathered there by index;
//! - between two batches stand one load of a flag and, every tenth batch, one reading of the
//!   running sums: no wait, no lock;
//! - the state changes only at the end of an epoch whose losses are finite, so it is always the
//!   last good one;
//! - an interrupted and resumed training ends with the same bits as an uninterrupted one, on CPU at
//!   one number of threads.

use std::{collections::BTreeMap, time::Duration};

use schemas::{
    manifests::{Network, OutputKind},
    training::TrainingSettings,
};
use tch::{Device, Kind, TchError, Tensor};

use crate::{
    EpochRow, TrainError,
    adam::{self, Adam},
    control::{BatchProgress, Control},
    criterion::{self, Criterion},
    data::{Part, TrainingData},
    metrics::{self, PartMetrics, Scored},
    mlp::{Mlp, to_host},
    random::{self, Dropout, Lottery},
    state::TrainState,
};

/// Epochs after which a checkpoint is due.
pub const CHECKPOINT_EPOCHS: u32 = 10;
/// Time after which a checkpoint is due at the end of the epoch.
pub const CHECKPOINT_AGE: Duration = Duration::from_secs(300);
/// Batches between two reports.
const REPORT_BATCHES: usize = 10;
/// Multiply-adds in a chunk of an evaluation: some 10 ms on one CPU core, so that a cancel is heard
/// in time.
const CHUNK_OPERATIONS: usize = 20_000_000;

/// A finished training.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Weights of the epoch with the lowest validation loss, flat, in file order.
    pub weights: Vec<f32>,
    /// That epoch, from 1.
    pub best_epoch: u32,
    /// Every epoch.
    pub history: Vec<EpochRow>,
    /// True when early stopping ended the run.
    pub stopped_early: bool,
    /// Metrics of the best weights by part: `train`, `validation`, `test`.
    pub metrics: BTreeMap<String, PartMetrics>,
    /// Weight of each class in the criterion; empty for a regression.
    pub class_weights: Vec<f64>,
    /// `cpu` or `cuda:0`.
    pub device: String,
}

/// Trains `network` on `data`, from the beginning or from the state of a checkpoint.
///
/// # Errors
/// When settings, data or checkpoint do not fit the network, the loss diverges, libtorch refuses,
/// or `control` cancels. The last two of these variants hold the last good state.
pub fn train(
    data: &TrainingData,
    network: &Network,
    settings: &TrainingSettings,
    seed: u64,
    control: &dyn Control,
    resume: Option<TrainState>,
) -> Result<Trained, TrainError> {
    check(data, network, settings)?;
    if let Some(state) = &resume {
        state.check(network, settings, seed)?;
    }
    let first = || TrainState::new(random::first_weights(network, seed), settings, seed);
    let mut state = resume.unwrap_or_else(first);
    let mut session = Session::new(data, network, settings, control, &state)?;
    let mut saved = (state.progress.epoch, control.elapsed());
    while !state.is_finished() {
        match session.epoch(state.progress.epoch + 1, seed) {
            Ok(row) => {
                session.snapshot(&mut state)?;
                control.epoch(&row);
                state.finish_epoch(row);
            }
            Err(stop) => return Err(stop.with(state)),
        }
        let due = state.progress.epoch - saved.0 >= CHECKPOINT_EPOCHS
            || control.elapsed() - saved.1 >= CHECKPOINT_AGE;
        if due || state.is_finished() {
            control.checkpoint(state.clone());
            saved = (state.progress.epoch, control.elapsed());
        }
    }
    match session.finish(&state) {
        Ok(metrics) => Ok(Trained {
            best_epoch: state.progress.best_epoch,
            stopped_early: state.stopped_early(),
            metrics,
            class_weights: session.class_weights,
            device: device_name(session.device),
            weights: state.best_weights,
            history: state.progress.history,
        }),
        Err(stop) => Err(stop.with(state)),
    }
}

fn check(
    data: &TrainingData,
    network: &Network,
    settings: &TrainingSettings,
) -> Result<(), TrainError> {
    let mut problems = settings.problems();
    if !(0.0..1.0).contains(&network.dropout) {
        problems.push("dropout must be at least 0 and below 1".to_owned());
    }
    if !problems.is_empty() {
        return Err(TrainError::Settings { problems });
    }
    if settings.loss.is_for_classes() != matches!(network.output, OutputKind::Classes { .. }) {
        return Err(TrainError::Kinds);
    }
    data.check(network)
}

/// Why an epoch did not end.
enum Stop {
    Cancelled,
    Diverged { epoch: u32, batch: u32 },
    Libtorch(TchError),
}

impl From<TchError> for Stop {
    fn from(error: TchError) -> Self {
        Self::Libtorch(error)
    }
}

impl Stop {
    fn with(self, last: TrainState) -> TrainError {
        let last = (last.progress.epoch > 0).then(|| Box::new(last));
        match self {
            Self::Cancelled => TrainError::Cancelled { last },
            Self::Diverged { epoch, batch } => TrainError::Diverged {
                epoch,
                batch,
                last_good: last,
            },
            Self::Libtorch(error) => TrainError::Libtorch(error),
        }
    }
}

/// Everything that lives on the device for one run.
struct Session<'a> {
    data: &'a TrainingData,
    network: &'a Network,
    settings: &'a TrainingSettings,
    control: &'a dyn Control,
    device: Device,
    class_weights: Vec<f64>,
    /// Draws the rows of an epoch; without it they are shuffled.
    lottery: Option<Lottery>,
    criterion: Criterion,
    features: Tensor,
    targets: Tensor,
    validation: Tensor,
    mlp: Mlp,
    adam: Adam,
}

/// Running sums of an epoch, read only to report.
struct Sums {
    loss: Tensor,
    right: Tensor,
    rows: u64,
    counted: u64,
}

impl<'a> Session<'a> {
    fn new(
        data: &'a TrainingData,
        network: &'a Network,
        settings: &'a TrainingSettings,
        control: &'a dyn Control,
        state: &TrainState,
    ) -> Result<Self, TrainError> {
        tch::set_num_threads(settings.threads as i32);
        let device = Device::cuda_if_available();
        let class_weights = match &network.output {
            OutputKind::Classes { names } => {
                metrics::class_weights(&data.train.labels.counts(names.len()))
            }
            OutputKind::Regression => Vec::new(),
        };
        let resident = |values: &[f32]| Tensor::f_from_slice(values)?.f_to_device(device);
        let adam = Adam {
            first: resident(&state.first_moment)?,
            second: resident(&state.second_moment)?,
            step: state.progress.step,
            learning_rate: settings.learning_rate,
            weight_decay: settings.weight_decay,
        };
        Ok(Self {
            criterion: Criterion::new(settings.loss, &class_weights, device)?,
            features: matrix(&data.train, network, device)?,
            targets: criterion::targets(&data.train.labels, device)?,
            validation: matrix(&data.validation, network, device)?,
            mlp: Mlp::new(network, &state.weights, device)?,
            lottery: data.weights.as_deref().map(Lottery::new),
            adam,
            data,
            network,
            settings,
            control,
            device,
            class_weights,
        })
    }

    /// One pass over the training part, then validation.
    fn epoch(&mut self, epoch: u32, seed: u64) -> Result<EpochRow, Stop> {
        let began = self.control.elapsed();
        let order = match &self.lottery {
            Some(lottery) => lottery.order(seed, epoch),
            None => random::order(self.data.train.labels.len(), seed, epoch),
        };
        let indices = Tensor::f_from_slice(&order)?.f_to_device(self.device)?;
        let mut dropout = Dropout::new(self.network.dropout, seed, epoch);
        let zero = |kind| Tensor::f_zeros([0_i64; 0], (kind, self.device));
        let mut sums = Sums {
            loss: zero(Kind::Double)?,
            right: zero(Kind::Int64)?,
            rows: 0,
            counted: 0,
        };
        let size = self.settings.batch_size as usize;
        let batches = order.len().div_ceil(size);
        let (mut train_loss, mut train_accuracy) = (0.0, None);
        for (index, rows) in order.chunks(size).enumerate() {
            if self.control.cancelled() {
                return Err(Stop::Cancelled);
            }
            let chosen = indices.f_narrow(0, (index * size) as i64, rows.len() as i64)?;
            self.step(&chosen, dropout.as_mut(), &mut sums)?;
            sums.counted += self.data.train.labels.countable(rows);
            if index % REPORT_BATCHES == 0 || index + 2 >= batches {
                let batch = index as u32 + 1;
                (train_loss, train_accuracy) = sums.read()?;
                if !train_loss.is_finite() {
                    return Err(Stop::Diverged { epoch, batch });
                }
                let (epochs, batches, loss, accuracy) = (
                    self.settings.epochs,
                    batches as u32,
                    train_loss,
                    train_accuracy,
                );
                self.control.batch(&BatchProgress {
                    epoch,
                    epochs,
                    batch,
                    batches,
                    loss,
                    accuracy,
                });
            }
        }
        let scores = self.scores(&self.validation)?;
        let scored = self.scored(&scores, &self.data.validation);
        let validation_loss = scored.criterion();
        if !validation_loss.is_finite() {
            return Err(Stop::Diverged {
                epoch,
                batch: batches as u32 + 1,
            });
        }
        Ok(EpochRow {
            epoch,
            train_loss,
            train_accuracy,
            validation_loss,
            validation_accuracy: scored.accuracy(),
            learning_rate: self.settings.learning_rate,
            seconds: (self.control.elapsed() - began).as_secs_f64(),
        })
    }

    /// One step of the optimiser on the rows `chosen`.
    fn step(
        &mut self,
        chosen: &Tensor,
        dropout: Option<&mut Dropout>,
        sums: &mut Sums,
    ) -> Result<(), TchError> {
        let features = self.features.f_index_select(0, chosen)?;
        let targets = self.targets.f_index_select(0, chosen)?;
        let scores = self.mlp.forward(&features, dropout)?;
        let loss = self.criterion.loss(&scores, &targets)?;
        let mut gradient = self.mlp.gradient(&loss)?;
        let _guard = tch::no_grad_guard();
        adam::clip(&mut gradient, self.settings.gradient_clip)?;
        self.adam.update(&mut self.mlp.flat, gradient)?;
        let rows = chosen.numel() as u64;
        let _ = sums
            .loss
            .f_add_(&loss.f_detach()?.f_mul_scalar(rows as f64)?)?;
        let _ = sums
            .right
            .f_add_(&self.criterion.right(&scores.f_detach()?, &targets)?)?;
        sums.rows += rows;
        Ok(())
    }

    /// Scores of `features` without dropout, chunk by chunk so that a cancel is heard.
    fn scores(&self, features: &Tensor) -> Result<Vec<f32>, Stop> {
        let _guard = tch::no_grad_guard();
        let rows = features.size().first().copied().unwrap_or(0);
        let chunk =
            (CHUNK_OPERATIONS / self.network.parameter_count().max(1)).clamp(1, 65_536) as i64;
        let mut scores = Vec::new();
        let mut start = 0;
        while start < rows {
            if self.control.cancelled() {
                return Err(Stop::Cancelled);
            }
            let length = chunk.min(rows - start);
            scores.extend(to_host(
                &self
                    .mlp
                    .forward(&features.f_narrow(0, start, length)?, None)?,
            )?);
            start += length;
        }
        Ok(scores)
    }

    fn scored<'b>(&'b self, scores: &'b [f32], part: &'b Part) -> Scored<'b> {
        Scored {
            scores,
            labels: &part.labels,
            criterion: self.settings.loss,
            class_weights: &self.class_weights,
        }
    }

    /// Copies weights and moments to the host.
    fn snapshot(&self, state: &mut TrainState) -> Result<(), TchError> {
        state.weights = to_host(&self.mlp.flat)?;
        state.first_moment = to_host(&self.adam.first)?;
        state.second_moment = to_host(&self.adam.second)?;
        state.progress.step = self.adam.step;
        Ok(())
    }

    /// Restores the best weights and measures them on every part.
    fn finish(&mut self, state: &TrainState) -> Result<BTreeMap<String, PartMetrics>, Stop> {
        self.mlp = Mlp::new(self.network, &state.best_weights, self.device)?;
        let names = match &self.network.output {
            OutputKind::Classes { names } => names.as_slice(),
            OutputKind::Regression => &[],
        };
        let train_mean = metrics::mean_label(&self.data.train.labels);
        let mut found = BTreeMap::new();
        let test = matrix(&self.data.test, self.network, self.device)?;
        for ((name, part), features) in
            self.data
                .parts()
                .into_iter()
                .zip([&self.features, &self.validation, &test])
        {
            let scores = self.scores(features)?;
            found.insert(
                name.to_owned(),
                self.scored(&scores, part).metrics(names, train_mean),
            );
        }
        Ok(found)
    }
}

impl Sums {
    fn read(&self) -> Result<(f64, Option<f64>), TchError> {
        let right = self.right.f_int64_value(&[])? as f64;
        let accuracy = (self.counted > 0).then(|| right / self.counted as f64);
        Ok((
            self.loss.f_double_value(&[])? / self.rows.max(1) as f64,
            accuracy,
        ))
    }
}

/// The features of a part on the device, `[rows, features]`.
fn matrix(part: &Part, network: &Network, device: Device) -> Result<Tensor, TchError> {
    let shape = [part.labels.len() as i64, network.features.len() as i64];
    Tensor::f_from_slice(&part.features)?
        .f_view(shape)?
        .f_to_device(device)
}

/// True when trainings on this host run on a GPU.
pub fn uses_gpu() -> bool {
    Device::cuda_if_available() != Device::Cpu
}

fn device_name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}
