//! One run of an engine: batches, validation, and what both report.

use std::collections::BTreeMap;

use networks::math;
use schemas::analytics::EpochAnalytics;
use schemas::manifests::OutputKind;
use schemas::metrics::KindMetrics;
use schemas::training::Calibration;
use strategies::splits::Part;

use crate::analytics::{finite, weight_norms};
use crate::control::{BatchProgress, Control};
use crate::engine::{Engine, EngineError, EpochPlan, open_engine};
use crate::job::TrainJob;
use crate::learning_rate::LearningRates;
use crate::memory::is_out_of_memory;
use crate::metrics::{Baseline, PartMetrics, Scored, decisions_of};
use crate::objective::Objective;
use crate::random::{Dropout, WeightedSampler, shuffle_rows};
use crate::state::TrainState;
use crate::{EpochRow, TrainError};

/// Batches between two reports. Reading the sums of a GPU waits for it.
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
    Hopeless { error: f64, rival: f64 },
    OutOfMemory(EngineError),
    Engine(EngineError),
}

impl From<EngineError> for EpochStop {
    fn from(error: EngineError) -> Self {
        if is_out_of_memory(&error) {
            Self::OutOfMemory(error)
        } else {
            Self::Engine(error)
        }
    }
}

impl EpochStop {
    /// The error of the training, with the state after the last whole epoch.
    pub(crate) fn with_last_state(self, state: TrainState) -> TrainError {
        let batch_size = state.batch_size();
        // Before the first epoch ended there is nothing worth keeping.
        let last = (state.progress.epoch > 0).then(|| Box::new(state));

        match self {
            Self::Cancelled => TrainError::Cancelled { last },
            Self::Diverged { epoch, batch } => TrainError::Diverged {
                epoch,
                batch,
                last_good: last,
            },
            Self::Hopeless { error, rival } => TrainError::Hopeless { error, rival },
            Self::OutOfMemory(source) => TrainError::OutOfMemory {
                batch_size,
                last_good: last,
                source,
            },
            Self::Engine(error) => TrainError::Libtorch(error),
        }
    }
}

/// What weights are worth.
pub(crate) struct WeightFigures {
    /// Metrics of the parts by their names.
    pub(crate) parts: BTreeMap<String, PartMetrics>,
    /// What scores were divided by before; absent = nothing.
    pub(crate) temperature: Option<f64>,
}

/// A job, the engine that computes it, and what is asked after each batch.
pub(crate) struct Session<'a> {
    job: &'a TrainJob<'a>,
    control: &'a dyn Control,
    /// What is minimised.
    pub(crate) objective: Objective,
    /// Rows of a batch.
    batch_size: usize,
    /// What scores of the engine are multiplied by to be in units of the labels.
    score_scale: f64,
    learning_rates: LearningRates,
    /// Draws the rows of an epoch by weight; without it they are shuffled.
    sampler: Option<WeightedSampler>,
    engine: Box<dyn Engine + 'a>,
    /// Of the epoch that has just ended, until it is taken.
    analytics: Option<EpochAnalytics>,
}

impl<'a> Session<'a> {
    /// Opens the engine of `job` with the weights and moments of `state`.
    pub(crate) fn new(
        job: &'a TrainJob<'a>,
        control: &'a dyn Control,
        state: &TrainState,
    ) -> Result<Self, TrainError> {
        let objective = Objective::of(job.settings, job.network, &job.data.train.labels);

        Ok(Self {
            engine: open_engine(job, &objective, state)?,
            sampler: job.data.weights.as_deref().map(WeightedSampler::new),
            learning_rates: LearningRates::new(job.settings, &state.progress.history),
            batch_size: state.batch_size() as usize,
            score_scale: objective.target_scale,
            objective,
            analytics: None,
            job,
            control,
        })
    }

    /// One pass over the training part, then validation. `epoch` counts from 1.
    pub(crate) fn run_epoch(&mut self, epoch: u32) -> Result<EpochRow, EpochStop> {
        let began = self.control.elapsed();
        let learning_rate = self.learning_rates.rate_of(epoch);

        let means = self.train_epoch(epoch, learning_rate)?;

        let scores = self.scores_of(Part::Validation)?;
        let analytics = self.analytics_of(epoch, learning_rate, &scores)?;
        let scored = self.scored(&scores, Part::Validation);
        let validation_loss = scored.criterion_value();
        if !validation_loss.is_finite() {
            // One past the last batch says that validation has shown it.
            let batch = means.batches + 1;
            return Err(EpochStop::Diverged { epoch, batch });
        }

        let row = EpochRow {
            epoch,
            train_loss: means.loss,
            train_accuracy: means.accuracy,
            validation_loss,
            validation_accuracy: scored.accuracy(),
            learning_rate,
            seconds: (self.control.elapsed() - began).as_secs_f64(),
        };
        self.learning_rates.note_epoch(&row);
        self.analytics = analytics;
        Ok(row)
    }

    /// What the settings want to keep of an epoch beside its row, but for the weights; `scores` are
    /// those of the validation part.
    fn analytics_of(
        &self,
        epoch: u32,
        learning_rate: f64,
        scores: &[f32],
    ) -> Result<Option<EpochAnalytics>, EpochStop> {
        if !self.job.settings.detailed_analytics {
            return Ok(None);
        }
        let norms = self.engine.gradient_norms()?;
        let scored = self.scored(scores, Part::Validation);
        let names = self.class_names();
        let baseline = Baseline::of(&self.job.data.train.labels, names.len());

        let classes = match scored.metrics(names, &baseline).kind {
            KindMetrics::Classes(metrics) => metrics.classes,
            KindMetrics::Regression(_) => Vec::new(),
        };
        Ok(Some(EpochAnalytics {
            epoch,
            learning_rate,
            gradient_norm_mean: finite(norms.mean()),
            gradient_norm_max: finite(norms.max),
            weight_norms: Vec::new(),
            classes,
            decisions: self.job.decisions.map(|rules| decisions_of(&scored, rules)),
        }))
    }

    /// The analytics of the last epoch with the norms of its weights; none unless the settings ask
    /// for them.
    pub(crate) fn take_analytics(&mut self, weights: &[f32]) -> Option<EpochAnalytics> {
        let analytics = self.analytics.take()?;
        Some(EpochAnalytics {
            weight_norms: weight_norms(self.job.network, weights),
            ..analytics
        })
    }

    /// Names of the classes; empty for a regression.
    fn class_names(&self) -> &'a [String] {
        match &self.job.network.output {
            OutputKind::Classes { names } => names,
            OutputKind::Regression => &[],
        }
    }

    /// All batches of an epoch.
    fn train_epoch(&mut self, epoch: u32, learning_rate: f64) -> Result<EpochMeans, EpochStop> {
        let rows_in_order = self.order_of(epoch);
        let size = self.batch_size;
        let batches = rows_in_order.len().div_ceil(size);
        let mut means = EpochMeans::of_batches(batches);
        let mut counted = 0;
        self.engine.begin_epoch(EpochPlan {
            rows_in_order: rows_in_order.clone(),
            dropout: Dropout::new(
                self.job.network.architecture.dropout(),
                self.job.seed,
                epoch,
            ),
            learning_rate,
        })?;

        let control = self.control;
        let is_cancelled = || control.cancelled();
        for (index, rows) in rows_in_order.chunks(size).enumerate() {
            if is_cancelled() {
                return Err(EpochStop::Cancelled);
            }

            let start = index * size;
            let end = start + rows.len();
            if !self.engine.train_batch(start..end, &is_cancelled)? {
                return Err(EpochStop::Cancelled);
            }
            counted += self.job.data.train.labels.countable(rows);

            // The last two always, so that the final figures are those of the whole epoch.
            if index % REPORT_BATCHES == 0 || index + 2 >= batches {
                let sums = self.engine.read_sums()?;
                means.loss = sums.loss / end as f64;
                means.accuracy = (counted > 0).then(|| sums.right as f64 / counted as f64);
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

    /// Scores of a part without dropout, `[rows, outputs]`, in units of the labels, chunk by chunk
    /// so that a cancel is seen.
    fn scores_of(&mut self, part: Part) -> Result<Vec<f32>, EpochStop> {
        let rows = self.job.data.part(part).labels.len();
        let network = self.job.network;
        // Every parameter works once at each row of a window.
        let operations = network.parameter_count() * network.architecture.sequence_length();
        let chunk = (CHUNK_OPERATIONS / operations.max(1)).clamp(1, CHUNK_ROWS_MAX);

        // Activations of all rows at once may not fit the memory of the device.
        let mut scores = Vec::new();
        let mut start = 0;
        while start < rows {
            if self.control.cancelled() {
                return Err(EpochStop::Cancelled);
            }
            let end = rows.min(start + chunk);
            self.engine.score_rows(part, start..end, &mut scores)?;
            start = end;
        }

        if self.score_scale != 1.0 {
            for score in &mut scores {
                *score = (f64::from(*score) * self.score_scale) as f32;
            }
        }
        Ok(scores)
    }

    fn scored<'b>(&'b self, scores: &'b [f32], part: Part) -> Scored<'b> {
        Scored {
            scores,
            labels: &self.job.data.part(part).labels,
            objective: &self.objective,
        }
    }

    /// Copies weights and moments to the host.
    pub(crate) fn copy_state_to(&self, state: &mut TrainState) -> Result<(), EngineError> {
        self.engine.copy_state_to(state)
    }

    /// Measures weights whose scores are in units of the labels on every part, as the model will
    /// be used.
    pub(crate) fn measure_weights(&mut self, weights: &[f32]) -> Result<WeightFigures, EpochStop> {
        self.engine.load_weights(weights)?;
        self.score_scale = 1.0;
        let temperature = self.fit_temperature()?;
        let names = self.class_names();
        let baseline = Baseline::of(&self.job.data.train.labels, names.len());

        let mut parts = BTreeMap::new();
        for part in Part::ALL {
            let mut scores = self.scores_of(part)?;
            if let Some(temperature) = temperature {
                math::divide_scores(&mut scores, temperature);
            }
            let metrics = self.scored(&scores, part).metrics(names, &baseline);
            parts.insert(part.name().to_owned(), metrics);
        }
        Ok(WeightFigures { parts, temperature })
    }

    /// The temperature of the loaded weights; none where the strategy wants none.
    fn fit_temperature(&mut self) -> Result<Option<f64>, EpochStop> {
        if self.job.settings.calibration == Calibration::None {
            return Ok(None);
        }
        let scores = self.scores_of(Part::Validation)?;
        Ok(self.scored(&scores, Part::Validation).fit_temperature())
    }
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
