//! One run on a device: batches, validation, and the copies between device and host.

use std::collections::BTreeMap;

use schemas::manifests::OutputKind;
use tch::{Device, Kind, TchError, Tensor};

use crate::adam::{self, Adam};
use crate::control::{BatchProgress, Control};
use crate::criterion::{self, Criterion};
use crate::data::PartData;
use crate::job::TrainJob;
use crate::metrics::{self, PartMetrics, Scored};
use crate::mlp::{Mlp, copy_to_host, row_count};
use crate::random::{Dropout, WeightedSampler, shuffle_rows};
use crate::state::TrainState;
use crate::{EpochRow, TrainError};

/// Batches between two reports. Reading the sums waits for the device.
const REPORT_BATCHES: usize = 10;
/// Multiply-adds in a chunk of an evaluation: some 10 ms on one CPU core, so that a cancel is seen
/// in time.
const CHUNK_OPERATIONS: usize = 20_000_000;
/// Rows of the largest chunk of an evaluation, which bounds its memory.
const CHUNK_ROWS_MAX: usize = 65_536;

/// Why an epoch did not end.
pub(crate) enum EpochStop {
    Cancelled,
    Diverged { epoch: u32, batch: u32 },
    Libtorch(TchError),
}

impl From<TchError> for EpochStop {
    fn from(error: TchError) -> Self {
        Self::Libtorch(error)
    }
}

impl EpochStop {
    /// The error of the training, with the state after the last whole epoch.
    pub(crate) fn with_last_state(self, state: TrainState) -> TrainError {
        // Before the first epoch ended there is nothing worth keeping.
        let last = (state.progress.epoch > 0).then(|| Box::new(state));
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
pub(crate) struct Session<'a> {
    job: &'a TrainJob<'a>,
    control: &'a dyn Control,
    device: Device,
    /// Weight of each class in the criterion; empty for a regression.
    class_weights: Vec<f64>,
    /// Draws the rows of an epoch by weight; without it they are shuffled.
    sampler: Option<WeightedSampler>,
    criterion: Criterion,
    /// Features of the training part, `[rows, features]`.
    features: Tensor,
    /// Labels of the training part, `[rows]`.
    targets: Tensor,
    /// Features of the validation part, `[rows, features]`.
    validation: Tensor,
    mlp: Mlp,
    adam: Adam,
}

impl<'a> Session<'a> {
    /// Copies data and state to the device of `job`.
    pub(crate) fn new(
        job: &'a TrainJob<'a>,
        control: &'a dyn Control,
        state: &TrainState,
    ) -> Result<Self, TrainError> {
        tch::set_num_threads(job.settings.threads as i32);
        let device = job.device.to_tch();

        // From the training part alone: nothing may be learnt from the others.
        let class_weights = match &job.network.output {
            OutputKind::Classes { names } => {
                metrics::class_weights(&job.data.train.labels.counts(names.len()))
            }
            OutputKind::Regression => Vec::new(),
        };
        let adam = Adam {
            first_moment: Tensor::f_from_slice(&state.first_moment)?.f_to_device(device)?,
            second_moment: Tensor::f_from_slice(&state.second_moment)?.f_to_device(device)?,
            step: state.progress.step,
            learning_rate: job.settings.learning_rate,
            weight_decay: job.settings.weight_decay,
        };

        Ok(Self {
            criterion: Criterion::new(job.settings.loss, &class_weights, device)?,
            features: features_on(device, &job.data.train, job)?,
            targets: criterion::targets_on(device, &job.data.train.labels)?,
            validation: features_on(device, &job.data.validation, job)?,
            mlp: Mlp::new(job.network, &state.weights, device)?,
            sampler: job.data.weights.as_deref().map(WeightedSampler::new),
            adam,
            job,
            control,
            device,
            class_weights,
        })
    }

    pub(crate) fn into_class_weights(self) -> Vec<f64> {
        self.class_weights
    }

    /// One pass over the training part, then validation. `epoch` counts from 1.
    pub(crate) fn run_epoch(&mut self, epoch: u32) -> Result<EpochRow, EpochStop> {
        let began = self.control.elapsed();

        let sums = self.train_epoch(epoch)?;

        let scores = self.scores_of(&self.validation)?;
        let scored = self.scored(&scores, &self.job.data.validation);
        let validation_loss = scored.criterion_value();
        if !validation_loss.is_finite() {
            // One past the last batch says that validation has shown it.
            let batch = sums.batches + 1;
            return Err(EpochStop::Diverged { epoch, batch });
        }

        Ok(EpochRow {
            epoch,
            train_loss: sums.loss,
            train_accuracy: sums.accuracy,
            validation_loss,
            validation_accuracy: scored.accuracy(),
            learning_rate: self.job.settings.learning_rate,
            seconds: (self.control.elapsed() - began).as_secs_f64(),
        })
    }

    /// All batches of an epoch.
    fn train_epoch(&mut self, epoch: u32) -> Result<EpochMeans, EpochStop> {
        let rows_in_order = self.order_of(epoch);
        let indices = Tensor::f_from_slice(&rows_in_order)?.f_to_device(self.device)?;
        let mut dropout = Dropout::new(
            self.job.network.architecture.dropout(),
            self.job.seed,
            epoch,
        );
        let mut sums = EpochSums::zero_on(self.device)?;
        let size = self.job.settings.batch_size as usize;
        let batches = rows_in_order.len().div_ceil(size);
        let mut means = EpochMeans::of_batches(batches);

        for (index, rows) in rows_in_order.chunks(size).enumerate() {
            if self.control.cancelled() {
                return Err(EpochStop::Cancelled);
            }

            let chosen = indices.f_narrow(0, (index * size) as i64, rows.len() as i64)?;
            self.train_batch(&chosen, dropout.as_mut(), &mut sums)?;
            sums.counted += self.job.data.train.labels.countable(rows);

            // The last two always, so that the final figures are those of the whole epoch.
            if index % REPORT_BATCHES == 0 || index + 2 >= batches {
                sums.read_into(&mut means)?;
                self.report_batch(epoch, index as u32 + 1, &means)?;
            }
        }

        Ok(means)
    }

    /// The rows of an epoch in the order in which they are learnt from.
    fn order_of(&self, epoch: u32) -> Vec<i64> {
        match &self.sampler {
            Some(sampler) => sampler.draw_rows(self.job.seed, epoch),
            None => shuffle_rows(self.job.data.train.labels.len(), self.job.seed, epoch),
        }
    }

    /// Tells `control` where the epoch is, unless its loss has diverged. `batch` counts from 1.
    fn report_batch(&self, epoch: u32, batch: u32, means: &EpochMeans) -> Result<(), EpochStop> {
        if !means.loss.is_finite() {
            return Err(EpochStop::Diverged { epoch, batch });
        }

        self.control.batch(&BatchProgress {
            epoch,
            epochs: self.job.settings.epochs,
            batch,
            batches: means.batches,
            loss: means.loss,
            accuracy: means.accuracy,
        });
        Ok(())
    }

    /// One step of the optimiser on the rows `chosen`, `[rows]`.
    fn train_batch(
        &mut self,
        chosen: &Tensor,
        dropout: Option<&mut Dropout>,
        sums: &mut EpochSums,
    ) -> Result<(), TchError> {
        let features = self.features.f_index_select(0, chosen)?;
        let targets = self.targets.f_index_select(0, chosen)?;
        let scores = self.mlp.forward(&features, dropout)?;
        let loss = self.criterion.loss_of(&scores, &targets)?;
        let mut gradient = self.mlp.gradient_of(&loss)?;

        let _no_graph = tch::no_grad_guard();
        adam::clip_gradient(&mut gradient, self.job.settings.gradient_clip)?;
        self.adam.update(&mut self.mlp.flat, gradient)?;

        // The sums stay on the device: reading them here would wait for every batch.
        let rows = chosen.numel() as u64;
        let loss_of_rows = loss.f_detach()?.f_mul_scalar(rows as f64)?;
        let _ = sums.loss.f_add_(&loss_of_rows)?;
        let right = self.criterion.count_right(&scores.f_detach()?, &targets)?;
        let _ = sums.right.f_add_(&right)?;
        sums.rows += rows;
        Ok(())
    }

    /// Scores of `features` without dropout, `[rows, outputs]`, chunk by chunk so that a cancel is
    /// seen.
    fn scores_of(&self, features: &Tensor) -> Result<Vec<f32>, EpochStop> {
        let _no_graph = tch::no_grad_guard();
        let rows = row_count(features);
        let operations_per_row = self.job.network.parameter_count().max(1);
        let chunk = (CHUNK_OPERATIONS / operations_per_row).clamp(1, CHUNK_ROWS_MAX) as i64;

        // Activations of all rows at once may not fit the memory of the device.
        let mut scores = Vec::new();
        let mut start = 0;
        while start < rows {
            if self.control.cancelled() {
                return Err(EpochStop::Cancelled);
            }
            let length = chunk.min(rows - start);
            let some_rows = features.f_narrow(0, start, length)?;
            scores.extend(copy_to_host(&self.mlp.forward(&some_rows, None)?)?);
            start += length;
        }

        Ok(scores)
    }

    fn scored<'b>(&'b self, scores: &'b [f32], part: &'b PartData) -> Scored<'b> {
        Scored {
            scores,
            labels: &part.labels,
            criterion: self.job.settings.loss,
            class_weights: &self.class_weights,
        }
    }

    /// Copies weights and moments to the host.
    pub(crate) fn copy_state_to(&self, state: &mut TrainState) -> Result<(), TchError> {
        state.weights = copy_to_host(&self.mlp.flat)?;
        state.first_moment = copy_to_host(&self.adam.first_moment)?;
        state.second_moment = copy_to_host(&self.adam.second_moment)?;
        state.progress.step = self.adam.step;
        Ok(())
    }

    /// Restores the best weights and measures them on every part, by its name.
    pub(crate) fn measure_best_weights(
        &mut self,
        state: &TrainState,
    ) -> Result<BTreeMap<String, PartMetrics>, EpochStop> {
        let job = self.job;
        self.mlp = Mlp::new(job.network, &state.best_weights, self.device)?;
        let names = match &job.network.output {
            OutputKind::Classes { names } => names.as_slice(),
            OutputKind::Regression => &[],
        };
        let train_mean = metrics::mean_label(&job.data.train.labels);

        // The test part goes to the device only now: nothing before this looks at it.
        let test = features_on(self.device, &job.data.test, job)?;
        let features = [&self.features, &self.validation, &test];
        let mut metrics_by_part = BTreeMap::new();
        for ((name, part), features) in job.data.parts().into_iter().zip(features) {
            let scores = self.scores_of(features)?;
            let metrics = self.scored(&scores, part).metrics(names, train_mean);
            metrics_by_part.insert(name.to_owned(), metrics);
        }
        Ok(metrics_by_part)
    }
}

/// Running sums of an epoch, read only to report.
struct EpochSums {
    /// Sum of the criterion over rows, a double on the device.
    loss: Tensor,
    /// Number of right answers, an integer on the device.
    right: Tensor,
    rows: u64,
    /// Rows that count for the accuracy.
    counted: u64,
}

/// What the sums of an epoch mean so far.
struct EpochMeans {
    /// Batches of the whole epoch.
    batches: u32,
    loss: f64,
    accuracy: Option<f64>,
}

impl EpochMeans {
    fn of_batches(batches: usize) -> Self {
        Self {
            batches: batches as u32,
            loss: 0.0,
            accuracy: None,
        }
    }
}

impl EpochSums {
    fn zero_on(device: Device) -> Result<Self, TchError> {
        let scalar = [0_i64; 0];
        Ok(Self {
            loss: Tensor::f_zeros(scalar, (Kind::Double, device))?,
            right: Tensor::f_zeros(scalar, (Kind::Int64, device))?,
            rows: 0,
            counted: 0,
        })
    }

    /// Waits for the device.
    fn read_into(&self, means: &mut EpochMeans) -> Result<(), TchError> {
        let right = self.right.f_int64_value(&[])? as f64;
        means.loss = self.loss.f_double_value(&[])? / self.rows.max(1) as f64;
        means.accuracy = (self.counted > 0).then(|| right / self.counted as f64);
        Ok(())
    }
}

/// The features of a part on the device, `[rows, features]`.
fn features_on(device: Device, part: &PartData, job: &TrainJob<'_>) -> Result<Tensor, TchError> {
    let rows = part.labels.len() as i64;
    let columns = job.network.features.len() as i64;
    Tensor::f_from_slice(&part.features)?
        .f_view([rows, columns])?
        .f_to_device(device)
}
