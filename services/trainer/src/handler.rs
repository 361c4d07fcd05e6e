//! The service around the training: reads the data set, trains on a thread of its own, publishes
//! the artifact.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use runtime::{StepContext, StepError, StepHandler};
use schemas::commands::{TrainModel, TrainOutcome};
use schemas::errors::{ErrorRecord, shortened};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::bundle::{BundlePlace, train_bundle};
use crate::checkpoints::{Beginning, CheckpointWriter, Checkpoints, ResumePoint, find_beginning};
use crate::device::{ComputeDevice, DeviceSetting};
use crate::gpu::GpuGauge;
use crate::measured::{Measured, train_and_measure};
use crate::prepared::PreparedTraining;
use crate::report::Reporter;
use crate::{TrainError, TrainState};

/// Most warnings that an outcome repeats: it has to fit the operation's record.
pub(crate) const WARNINGS_MAX: usize = 5;
/// Longest warning about a damaged checkpoint: it has to fit the operation's record.
const DAMAGE_BYTES_MAX: usize = 300;
/// Share of the step at which publishing begins.
const PUBLISHING: f64 = 0.995;

/// Section `[trainer]` of the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainerSettings {
    /// The device of all its trainings: `auto`, `cpu` or `cuda:N`.
    pub device: DeviceSetting,
    /// Trainings of a sweep that the native engine computes side by side. Those of libtorch come
    /// one after another, each on the threads of its strategy (`training.threads`).
    pub threads: NonZeroUsize,
}

impl Default for TrainerSettings {
    /// The first GPU, and as many threads as the machine has cores.
    fn default() -> Self {
        Self {
            device: DeviceSetting::default(),
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        }
    }
}

/// Handles the verb `train`.
#[derive(Clone, Debug)]
pub struct Trainer {
    device: ComputeDevice,
    threads: NonZeroUsize,
    gauge: GpuGauge,
}

impl Trainer {
    /// Computes every training on `device`, those of a bundle one after another.
    pub fn new(device: ComputeDevice) -> Self {
        Self {
            device,
            threads: NonZeroUsize::MIN,
            gauge: GpuGauge::default(),
        }
    }

    /// The same with that number of trainings of a bundle side by side.
    pub fn with_threads(self, threads: NonZeroUsize) -> Self {
        Self { threads, ..self }
    }

    /// Shows what this gauge says in the progress and the result of every training on a GPU.
    pub fn watching(self, gauge: GpuGauge) -> Self {
        Self { gauge, ..self }
    }
}

impl Trainer {
    /// One training, which goes on from its last checkpoint.
    async fn train_one(
        &self,
        command: TrainModel,
        step: &StepContext,
    ) -> Result<TrainOutcome, StepError> {
        let training = PreparedTraining::read(command, step, self.device).await?;
        let Beginning { point, damage } = find_beginning(step, &training).await?;
        let resumed_at = point.as_ref().map_or(0, ResumePoint::epoch);

        // Minutes to hours; everything before and after takes seconds.
        let finished = train_on_thread(training, point, &self.gauge, step).await?;
        let training = &finished.training;

        let best_epoch = finished.measured.trained.best_epoch;
        let epochs = finished.measured.epochs();
        let message = format!("Publishing the model of epoch {best_epoch}");
        let publishing = training.facts();
        step.report(publishing.between_epochs(PUBLISHING, message, epochs));
        step.check_stop()?;

        let ready = finished.measured.encode(training, step.op(), resumed_at);
        let ready = ready.map_err(|error| ErrorRecord::from_advice(&error))?;
        let mut outcome = ready.publish(step.store()).await?;
        outcome.warnings = warnings_of(damage, outcome.warnings);
        Ok(outcome)
    }
}

impl StepHandler for Trainer {
    type Command = TrainModel;

    async fn handle(
        &self,
        command: TrainModel,
        step: &StepContext,
    ) -> Result<TrainOutcome, StepError> {
        match command.bundle {
            None => self.train_one(command, step).await,
            Some(bundle) => {
                let place = BundlePlace {
                    dataset: command.dataset,
                    device: self.device,
                    threads: self.threads,
                };
                train_bundle(bundle, place, step).await
            }
        }
    }
}

/// A training that has ended well.
struct Finished {
    training: PreparedTraining,
    measured: Measured,
}

/// Trains on a blocking thread while its checkpoints are written at the same time. A training that
/// was stopped or diverged leaves its last good state behind as a checkpoint.
async fn train_on_thread(
    training: PreparedTraining,
    resume_point: Option<ResumePoint>,
    gauge: &GpuGauge,
    step: &StepContext,
) -> Result<Finished, StepError> {
    let saved_epoch = resume_point.as_ref().map_or(0, ResumePoint::epoch);
    let (stored, state) = match resume_point {
        Some(point) => (point.stored, Some(point.state)),
        None => (VecDeque::new(), None),
    };
    let (sender, receiver) = watch::channel(None);
    let writer = CheckpointWriter::new(step.clone(), stored);
    let checkpoints = Checkpoints::new(writer, training.network.clone());
    let mut reporter = Reporter::new(step.clone(), training.facts(), sender);
    if training.job().device.is_gpu() {
        reporter = reporter.watching(gauge.clone());
    }
    log_begin(&training);

    // The reporter ends with the training, and with it the sender that `follow` waits for.
    let training_thread = step.blocking(move || {
        let result = train_and_measure(&training, &reporter, state);
        let result = result.map(|it| it.with_gpu_memory(reporter.gpu_memory_peak()));
        Ok((training, result))
    });
    let (finished, mut checkpoints) = tokio::join!(training_thread, checkpoints.follow(receiver));
    let (training, result) = finished?;
    log_end(&training, &result);

    match result {
        Ok(measured) => Ok(Finished { training, measured }),
        Err(error) => {
            if let Some(last) = error
                .last_state()
                .filter(|last| is_newer(last, saved_epoch))
            {
                checkpoints.save(last).await;
            }
            Err(into_step_error(error))
        }
    }
}

/// What a reader must know: damage first, since it is the rarest.
fn warnings_of(damage: Option<ErrorRecord>, warnings: Vec<String>) -> Vec<String> {
    let damage = damage.map(|damage| {
        let text = format!("{}: {}", damage.code, damage.message);
        shortened(&text, DAMAGE_BYTES_MAX)
    });
    let all = damage.into_iter().chain(warnings);
    all.take(WARNINGS_MAX).collect()
}

fn is_newer(state: &TrainState, saved_epoch: u32) -> bool {
    state.progress.epoch > saved_epoch
}

fn into_step_error(error: TrainError) -> StepError {
    match error {
        TrainError::Cancelled { .. } => StepError::Stopped,
        error => ErrorRecord::from_advice(&error).into(),
    }
}

/// Logs what decides the length of the training, as the command line shows it too.
fn log_begin(training: &PreparedTraining) {
    let job = training.job();
    tracing::info!(
        epochs = job.settings.epochs,
        batch_size = job.settings.batch_size,
        device = %job.device,
        "training begins"
    );
}

/// Logs the same at its end, however it ended, with the epochs that were trained.
fn log_end(training: &PreparedTraining, result: &Result<Measured, TrainError>) {
    let epochs_trained = match result {
        Ok(measured) => measured.epochs(),
        Err(error) => error.last_state().map_or(0, |last| last.progress.epoch),
    };

    let job = training.job();
    tracing::info!(
        epochs_trained,
        epochs = job.settings.epochs,
        batch_size = job.settings.batch_size,
        device = %job.device,
        "training ended"
    );
}
