//! Training in libtorch: the matrix stays on the device, a batch of rows or windows is gathered
//! there by index, and nothing waits for the device but the reading of sums.

mod criterion;
mod learner;
mod mlp;
mod norms;
mod optimiser;
mod recurrent;
mod samples;

use std::ops::Range;

use strategies::splits::Part;
use tch::{Device, Kind, Reduction, TchError, Tensor};

use self::criterion::Criterion;
use self::learner::{Learner, copy_to_host};
use self::norms::DeviceNorms;
use self::optimiser::{Optimiser, clip_gradient};
use self::samples::Samples;
use super::blocks::block_rows_of;
use super::{Engine, EngineError, EpochPlan, EpochSums};
use crate::analytics::GradientNorms;
use crate::device::ComputeDevice;
use crate::job::TrainJob;
use crate::objective::Objective;
use crate::random::Dropout;
use crate::state::TrainState;

/// Everything that lives on the device for one run.
pub(crate) struct LibtorchEngine<'a> {
    job: &'a TrainJob<'a>,
    device: Device,
    criterion: Criterion,
    /// Inputs of the training part.
    train: Samples,
    /// Labels of the training part, `[samples]`.
    targets: Tensor,
    /// Inputs of the validation part.
    validation: Samples,
    /// Inputs of the test part; absent until it is measured.
    test: Option<Samples>,
    learner: Learner,
    optimiser: Optimiser,
    /// Rows of the epoch in order, `[rows]`.
    rows_in_order: Tensor,
    dropout: Option<Dropout>,
    sums: DeviceSums,
    /// Absent unless the settings ask for analytics.
    norms: Option<DeviceNorms>,
    /// Rows of the longest batch that is computed as a whole.
    pub(super) block_rows: usize,
}

impl<'a> LibtorchEngine<'a> {
    /// Copies data and state to the device of `job`.
    ///
    /// # Errors
    /// When libtorch refuses, usually for lack of memory.
    pub(crate) fn new(
        job: &'a TrainJob<'a>,
        objective: &Objective,
        state: &TrainState,
    ) -> Result<Self, TchError> {
        tch::set_num_threads(job.settings.threads as i32);
        let device = device_of(job.device);

        let optimiser = Optimiser {
            method: job.settings.optimizer,
            first_moment: Tensor::f_from_slice(&state.first_moment)?.f_to_device(device)?,
            second_moment: Tensor::f_from_slice(&state.second_moment)?.f_to_device(device)?,
            step: state.progress.step,
            learning_rate: job.settings.learning_rate,
            penalties: penalties_on(device, job)?,
        };

        Ok(Self {
            criterion: Criterion::new(objective, device)?,
            train: samples_on(device, Part::Train, job)?,
            targets: criterion::targets_on(device, objective, &job.data.train.labels)?,
            validation: samples_on(device, Part::Validation, job)?,
            test: None,
            learner: Learner::new(job.network, &state.weights, device)?,
            optimiser,
            rows_in_order: Tensor::f_from_slice::<i64>(&[])?,
            dropout: None,
            sums: DeviceSums::zero_on(device)?,
            norms: None,
            // A GPU takes a batch in no time, and would wait between blocks.
            block_rows: match job.device {
                ComputeDevice::Cpu => block_rows_of(job.network),
                ComputeDevice::Cuda(_) => usize::MAX,
            },
            job,
            device,
        })
    }

    /// The rows at these positions of the order.
    fn rows_at(&self, positions: &Range<usize>) -> Result<Tensor, TchError> {
        let start = positions.start as i64;
        self.rows_in_order
            .f_narrow(0, start, positions.len() as i64)
    }

    /// The loss of the rows at `positions`, as a mean or a sum, with its gradient.
    fn differentiate(
        &mut self,
        positions: &Range<usize>,
        reduction: Reduction,
    ) -> Result<Differentiated, TchError> {
        let chosen = self.rows_at(positions)?;
        let inputs = self.train.gather(&chosen)?;
        let targets = self.targets.f_index_select(0, &chosen)?;
        let masks = match &mut self.dropout {
            Some(dropout) => dropout.next_mask(chosen.numel() * self.learner.dropout_count()),
            None => &[],
        };

        let scores = self.learner.forward(&inputs, masks)?;
        let loss = self.criterion.loss_of(&scores, &targets, reduction)?;
        let gradient = self.learner.gradient_of(&loss)?;
        Ok(Differentiated {
            loss: loss.f_detach()?,
            gradient,
            right: self.criterion.count_right(&scores.f_detach()?, &targets)?,
        })
    }

    /// The mean loss block after block, so that a cancel is seen between them; none once
    /// `is_cancelled` says so.
    fn differentiate_in_blocks(
        &mut self,
        positions: Range<usize>,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Differentiated>, TchError> {
        let mut sum: Option<(Differentiated, Tensor)> = None;
        for start in positions.clone().step_by(self.block_rows) {
            if is_cancelled() {
                return Ok(None);
            }
            let block = start..positions.end.min(start + self.block_rows);
            let targets = self.targets.f_index_select(0, &self.rows_at(&block)?)?;
            let divisor = self.criterion.divisor_of(&targets)?;
            let part = self.differentiate(&block, Reduction::Sum)?;
            sum = Some(match sum {
                None => (part, divisor),
                Some((sum, divisors)) => (sum.plus(&part)?, divisors.f_add(&divisor)?),
            });
        }

        match sum {
            None => Ok(None),
            Some((sum, divisor)) => Ok(Some(sum.divided_by(&divisor)?)),
        }
    }

    /// One step of the optimiser along the gradient of `rows` rows.
    fn step(&mut self, batch: Differentiated, rows: usize) -> Result<(), TchError> {
        let Differentiated {
            loss,
            mut gradient,
            right,
        } = batch;
        let _no_graph = tch::no_grad_guard();
        if let Some(norms) = &mut self.norms {
            norms.add(&gradient)?;
        }
        clip_gradient(&mut gradient, self.job.settings.gradient_clip)?;
        self.optimiser.update(&mut self.learner.flat, gradient)?;

        // The sums stay on the device: reading them here would wait for every batch.
        let loss_of_rows = loss.f_mul_scalar(rows as f64)?;
        let _ = self.sums.loss.f_add_(&loss_of_rows)?;
        let _ = self.sums.right.f_add_(&right)?;
        Ok(())
    }
}

/// What a batch, or a block of one, says on the device.
struct Differentiated {
    /// The mean or the sum of the losses, a scalar.
    loss: Tensor,
    /// Its gradient by every parameter, `[parameters]`.
    gradient: Tensor,
    /// Rows whose class or sign is right, an integer.
    right: Tensor,
}

impl Differentiated {
    /// Loss and gradient of the mean, from those of the sum.
    fn divided_by(self, divisor: &Tensor) -> Result<Self, TchError> {
        Ok(Self {
            loss: self.loss.f_div(divisor)?,
            gradient: self.gradient.f_div(divisor)?,
            right: self.right,
        })
    }

    fn plus(self, other: &Self) -> Result<Self, TchError> {
        Ok(Self {
            loss: self.loss.f_add(&other.loss)?,
            gradient: self.gradient.f_add(&other.gradient)?,
            right: self.right.f_add(&other.right)?,
        })
    }
}

impl Engine for LibtorchEngine<'_> {
    fn begin_epoch(&mut self, plan: EpochPlan) -> Result<(), EngineError> {
        self.rows_in_order = Tensor::f_from_slice(&plan.rows_in_order)?.f_to_device(self.device)?;
        self.dropout = plan.dropout;
        self.optimiser.learning_rate = plan.learning_rate;
        self.sums = DeviceSums::zero_on(self.device)?;
        if self.job.settings.detailed_analytics {
            self.norms = Some(DeviceNorms::zero_on(self.device)?);
        }
        Ok(())
    }

    fn train_batch(
        &mut self,
        positions: Range<usize>,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<bool, EngineError> {
        let rows = positions.len();
        let batch = if rows <= self.block_rows {
            Some(self.differentiate(&positions, Reduction::Mean)?)
        } else {
            self.differentiate_in_blocks(positions, is_cancelled)?
        };

        let Some(batch) = batch else {
            return Ok(false);
        };
        self.step(batch, rows)?;
        Ok(true)
    }

    fn read_sums(&mut self) -> Result<EpochSums, EngineError> {
        let right = self.sums.right.f_int64_value(&[])?;
        Ok(EpochSums {
            loss: self.sums.loss.f_double_value(&[])?,
            right: u64::try_from(right).unwrap_or(0),
        })
    }

    fn gradient_norms(&self) -> Result<GradientNorms, EngineError> {
        match &self.norms {
            None => Ok(GradientNorms::default()),
            Some(norms) => Ok(norms.read()?),
        }
    }

    fn score_rows(
        &mut self,
        part: Part,
        rows: Range<usize>,
        scores: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        let _no_graph = tch::no_grad_guard();
        let samples = match part {
            Part::Train => &self.train,
            Part::Validation => &self.validation,

            // The test part goes to the device only now: nothing before its scores looks at it.
            Part::Test => match &mut self.test {
                Some(test) => test,
                absent => absent.insert(samples_on(self.device, Part::Test, self.job)?),
            },
        };

        let inputs = samples.slice(rows)?;
        scores.extend(copy_to_host(&self.learner.forward(&inputs, &[])?)?);
        Ok(())
    }

    fn load_weights(&mut self, weights: &[f32]) -> Result<(), EngineError> {
        self.learner = Learner::new(self.job.network, weights, self.device)?;
        Ok(())
    }

    fn copy_state_to(&self, state: &mut TrainState) -> Result<(), EngineError> {
        state.weights = copy_to_host(&self.learner.flat)?;
        state.first_moment = copy_to_host(&self.optimiser.first_moment)?;
        state.second_moment = copy_to_host(&self.optimiser.second_moment)?;
        state.progress.step = self.optimiser.step;
        Ok(())
    }
}

/// The sums of an epoch on the device.
struct DeviceSums {
    /// Sum of the criterion over rows, a double.
    loss: Tensor,
    /// Number of right answers, an integer.
    right: Tensor,
}

impl DeviceSums {
    fn zero_on(device: Device) -> Result<Self, TchError> {
        let scalar = [0_i64; 0];
        Ok(Self {
            loss: Tensor::f_zeros(scalar, (Kind::Double, device))?,
            right: Tensor::f_zeros(scalar, (Kind::Int64, device))?,
        })
    }
}

/// The samples of a part of `job` on the device.
fn samples_on(device: Device, part: Part, job: &TrainJob<'_>) -> Result<Samples, TchError> {
    Samples::new(job.data.part(part), job.network.features.len(), device)
}

/// The L2 penalty of each parameter, `[parameters]`: none of biases, as in the native engine.
fn penalties_on(device: Device, job: &TrainJob<'_>) -> Result<Option<Tensor>, TchError> {
    let weight_decay = job.settings.weight_decay as f32;
    if weight_decay == 0.0 {
        return Ok(None);
    }

    let mut penalties = Vec::with_capacity(job.network.parameter_count());
    for tensor in job.network.tensors() {
        let penalty = if tensor.takes_weight_decay() {
            weight_decay
        } else {
            0.0
        };
        penalties.extend(std::iter::repeat_n(penalty, tensor.count()));
    }
    Ok(Some(Tensor::f_from_slice(&penalties)?.f_to_device(device)?))
}

/// The same device for libtorch.
const fn device_of(device: ComputeDevice) -> Device {
    match device {
        ComputeDevice::Cpu => Device::Cpu,
        ComputeDevice::Cuda(number) => Device::Cuda(number),
    }
}

/// GPUs that this libtorch can use.
pub(crate) fn count_gpus() -> usize {
    if tch::Cuda::is_available() {
        usize::try_from(tch::Cuda::device_count()).unwrap_or(0)
    } else {
        0
    }
}

#[cfg(test)]
mod golden_tests;
