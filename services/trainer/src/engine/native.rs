//! Training in plain Rust on the CPU, over [`networks`]: the same bits on every machine.
//!
//! Parameters, gradients and moments each are one flat vector. A batch is gathered into a buffer,
//! and nothing is allocated once the first batch has been seen.

use std::ops::Range;

use networks::losses::{BatchLoss, Criterion, Loss, Targets};
use networks::optimisers::{Method, Moments, Optimiser, clip};
use networks::{Learner, learner_of};
use schemas::training::{self, Optimizer};
use strategies::splits::Part;

use super::blocks::block_rows_of;
use super::{Engine, EngineError, EpochPlan, EpochSums};
use crate::analytics::GradientNorms;
use crate::data::{Labels, PartData};
use crate::job::TrainJob;
use crate::objective::Objective;
use crate::random::Dropout;
use crate::state::TrainState;

/// A network, its optimiser and the buffers of a batch.
pub(crate) struct NativeEngine<'a> {
    job: &'a TrainJob<'a>,
    objective: Objective,
    learner: Box<dyn Learner>,
    criterion: Criterion,
    optimiser: Optimiser,
    parameters: Vec<f32>,
    moments: Moments,
    learning_rate: f64,
    /// Rows of the epoch in order.
    rows_in_order: Vec<i64>,
    dropout: Option<Dropout>,
    sums: EpochSums,
    /// Absent unless the settings ask for analytics.
    norms: Option<GradientNorms>,
    batch: BatchBuffers,
    /// Rows of the longest batch that is computed as a whole.
    pub(super) block_rows: usize,
    /// Sum over the blocks of a longer batch, `[parameters]`; empty before the first one.
    gradient_sums: Vec<f32>,
}

/// What one batch needs, overwritten by the next.
#[derive(Default)]
struct BatchBuffers {
    /// Features of its rows, `[rows, features]`, or `[rows, length, features]` of windows.
    inputs: Vec<f32>,
    /// Classes of its rows, `[rows]`; empty for a regression.
    classes: Vec<i64>,
    /// Labels of its rows, `[rows]`; empty for classes.
    numbers: Vec<f32>,
    /// Raw scores, `[rows, outputs]`.
    scores: Vec<f32>,
    /// Gradient of the criterion by each score, `[rows, outputs]`.
    score_gradients: Vec<f32>,
    /// Gradient of the criterion by each parameter, `[parameters]`.
    gradients: Vec<f32>,
}

impl<'a> NativeEngine<'a> {
    /// The network of `job` with the weights and moments of `state`.
    pub(crate) fn new(job: &'a TrainJob<'a>, objective: &Objective, state: &TrainState) -> Self {
        let learner = learner_of(job.network);
        let parameters = state.weights.clone();
        let class_weights = objective.class_weights.iter();
        let class_weights: Vec<f32> = class_weights.map(|&weight| weight as f32).collect();
        let criterion = Criterion::new(loss_of(objective), &class_weights, learner.output_count());
        let weight_decay = job.settings.weight_decay;
        let method = method_of(job.settings.optimizer);
        let optimiser = Optimiser::new(method, weight_decay, &job.network.tensors());

        Self {
            job,
            objective: objective.clone(),
            criterion,
            optimiser,
            moments: Moments {
                first: state.first_moment.clone(),
                second: state.second_moment.clone(),
                step: state.progress.step,
            },
            batch: BatchBuffers {
                gradients: vec![0.0; parameters.len()],
                ..BatchBuffers::default()
            },
            block_rows: block_rows_of(job.network),
            gradient_sums: Vec::new(),
            learner,
            parameters,
            learning_rate: job.settings.learning_rate,
            rows_in_order: Vec::new(),
            dropout: None,
            sums: EpochSums::default(),
            norms: None,
        }
    }
}

impl NativeEngine<'_> {
    /// The loss of the rows at these positions of the order, and its gradient by every parameter.
    fn differentiate(&mut self, positions: Range<usize>) -> BatchLoss {
        let rows = self.rows_in_order.get(positions).unwrap_or_default();
        let batch = &mut self.batch;
        batch.gather(&self.job.data.train, rows, self.learner.input_count());
        if self.objective.target_scale != 1.0 {
            for number in &mut batch.numbers {
                *number = self.objective.scaled(*number);
            }
        }
        let masks = match &mut self.dropout {
            Some(dropout) => dropout.next_mask(rows.len() * self.learner.dropout_count()),
            None => &[],
        };

        self.learner
            .forward(&self.parameters, &batch.inputs, masks, &mut batch.scores);
        let targets = if batch.classes.is_empty() {
            Targets::Numbers(&batch.numbers)
        } else {
            Targets::Classes(&batch.classes)
        };
        let loss =
            self.criterion
                .differentiate(&batch.scores, targets, &[], &mut batch.score_gradients);
        self.learner.backward(
            &self.parameters,
            &batch.inputs,
            masks,
            &batch.score_gradients,
            &mut batch.gradients,
        );
        loss
    }

    /// The same for a batch that takes long: block after block, so that a cancel is seen between
    /// them, each with masks of its own. None once `is_cancelled` says so.
    fn differentiate_in_blocks(
        &mut self,
        positions: Range<usize>,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Option<BatchLoss> {
        let mut loss = BatchLoss::default();
        self.gradient_sums.clear();
        self.gradient_sums.resize(self.parameters.len(), 0.0);

        // The gradient of a block is that of its mean; each counts by what its mean divided by.
        let mut start = positions.start;
        while start < positions.end {
            if is_cancelled() {
                return None;
            }
            let end = positions.end.min(start + self.block_rows);
            let of_block = self.differentiate(start..end);
            let weight = of_block.weight_sum as f32;
            let gradients = self.gradient_sums.iter_mut().zip(&self.batch.gradients);
            for (sum, gradient) in gradients {
                *sum = gradient.mul_add(weight, *sum);
            }
            loss.add(of_block);
            start = end;
        }

        let weight = loss.weight_sum as f32;
        for (gradient, sum) in self.batch.gradients.iter_mut().zip(&self.gradient_sums) {
            *gradient = sum / weight;
        }
        Some(loss)
    }
}

impl Engine for NativeEngine<'_> {
    fn begin_epoch(&mut self, plan: EpochPlan) -> Result<(), EngineError> {
        self.rows_in_order = plan.rows_in_order;
        self.dropout = plan.dropout;
        self.learning_rate = plan.learning_rate;
        self.sums = EpochSums::default();
        let measures_norms = self.job.settings.detailed_analytics;
        self.norms = measures_norms.then(GradientNorms::default);
        Ok(())
    }

    fn train_batch(
        &mut self,
        positions: Range<usize>,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<bool, EngineError> {
        let rows = positions.len();
        let loss = if rows <= self.block_rows {
            self.differentiate(positions)
        } else {
            match self.differentiate_in_blocks(positions, is_cancelled) {
                Some(loss) => loss,
                None => return Ok(false),
            }
        };

        let norm = clip(&mut self.batch.gradients, self.job.settings.gradient_clip);
        if let Some(norms) = &mut self.norms {
            norms.add(norm);
        }
        self.optimiser.step(
            &mut self.parameters,
            &self.batch.gradients,
            &mut self.moments,
            self.learning_rate,
        );
        self.learner.constrain(&mut self.parameters);

        self.sums.loss += loss.mean() * rows as f64;
        self.sums.right += loss.right;
        Ok(true)
    }

    fn read_sums(&mut self) -> Result<EpochSums, EngineError> {
        Ok(self.sums)
    }

    fn gradient_norms(&self) -> Result<GradientNorms, EngineError> {
        Ok(self.norms.unwrap_or_default())
    }

    fn score_rows(
        &mut self,
        part: Part,
        rows: Range<usize>,
        scores: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        let width = self.learner.input_count();
        let data = self.job.data.part(part);
        let inputs = data.inputs_of(rows, width, &mut self.batch.inputs);

        self.learner
            .score(&self.parameters, inputs, &mut self.batch.scores);
        scores.extend_from_slice(&self.batch.scores);
        Ok(())
    }

    fn load_weights(&mut self, weights: &[f32]) -> Result<(), EngineError> {
        self.parameters.clear();
        self.parameters.extend_from_slice(weights);
        Ok(())
    }

    fn copy_state_to(&self, state: &mut TrainState) -> Result<(), EngineError> {
        state.weights.clone_from(&self.parameters);
        state.first_moment.clone_from(&self.moments.first);
        state.second_moment.clone_from(&self.moments.second);
        state.progress.step = self.moments.step;
        Ok(())
    }
}

impl BatchBuffers {
    /// Copies features and labels of `rows`, which the check of the data has seen.
    fn gather(&mut self, part: &PartData, rows: &[i64], width: usize) {
        self.inputs.clear();
        self.classes.clear();
        self.numbers.clear();

        for &row in rows {
            let row = row as usize;
            self.inputs.extend_from_slice(part.input_of(row, width));
            match &part.labels {
                Labels::Classes(labels) => self.classes.extend(labels.get(row)),
                Labels::Returns(labels) => self.numbers.extend(labels.get(row)),
            }
        }
    }
}

/// The method of the settings as `networks` calls it.
fn method_of(optimizer: Optimizer) -> Method {
    match optimizer {
        Optimizer::Adam => Method::Adam,
        Optimizer::Adamw => Method::AdamW,
        Optimizer::Sgd { momentum } => Method::Sgd {
            momentum: momentum as f32,
        },
        Optimizer::Rmsprop => Method::RmsProp,
    }
}

/// The loss of the objective as `networks` calls it.
fn loss_of(objective: &Objective) -> Loss {
    match objective.scaled_loss() {
        training::Loss::CrossEntropy => Loss::CrossEntropy {
            smoothing: objective.label_smoothing as f32,
        },
        training::Loss::Focal { gamma } => Loss::Focal {
            gamma: gamma as f32,
        },
        training::Loss::Huber { delta } => Loss::Huber {
            delta: delta as f32,
        },
        training::Loss::Mse => Loss::MeanSquared,
    }
}
