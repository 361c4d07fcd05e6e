//! The service around the training: reads the data set, trains on a thread of its own, publishes
//! the artifact.

use std::collections::VecDeque;

use runtime::{StepContext, StepError, StepHandler};
use schemas::commands::{ClassOutcome, TrainModel, TrainOutcome};
use schemas::errors::{ErrorRecord, shortened};
use schemas::metrics::{ClassRates, Evaluation, KindMetrics, MetricsDocument};
use schemas::names::TEST_PART;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::artifact::{encode_files, metrics_document};
use crate::checkpoints::{Beginning, Checkpoints, ResumePoint, find_beginning};
use crate::device::{ComputeDevice, DeviceSetting};
use crate::evaluation::evaluate_trained;
use crate::prepared::PreparedTraining;
use crate::report::Reporter;
use crate::train::{Trained, train};
use crate::{TrainError, TrainState};

/// Most warnings that an outcome repeats: it has to fit the operation's record.
const WARNINGS_MAX: usize = 5;
/// Most classes of an outcome: it has to fit the operation's record.
const CLASSES_MAX: usize = 8;
/// Longest warning about a damaged checkpoint: it has to fit the operation's record.
const DAMAGE_BYTES_MAX: usize = 300;
/// Share of the step at which publishing begins.
const PUBLISHING: f64 = 0.995;

/// Section `[trainer]` of the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainerSettings {
    /// The device of all its trainings: `auto`, `cpu` or `cuda:N`.
    pub device: DeviceSetting,
}

/// Handles the verb `train`.
#[derive(Clone, Copy, Debug)]
pub struct Trainer {
    device: ComputeDevice,
}

impl Trainer {
    /// Computes every training on `device`.
    pub const fn new(device: ComputeDevice) -> Self {
        Self { device }
    }
}

impl StepHandler for Trainer {
    type Command = TrainModel;

    async fn handle(
        &self,
        command: TrainModel,
        step: &StepContext,
    ) -> Result<TrainOutcome, StepError> {
        let training = PreparedTraining::read(command, step, self.device).await?;
        let Beginning { point, damage } = find_beginning(step, &training).await?;
        let resumed_at = point.as_ref().map_or(0, ResumePoint::epoch);

        // Minutes to hours; everything before and after takes seconds.
        let finished = train_on_thread(training, point, step).await?;
        let training = finished.training;
        let trained = finished.trained;

        let message = format!("Publishing the model of epoch {}", trained.best_epoch);
        let document = metrics_document(
            &trained,
            &training.job().data.train,
            finished.evaluation,
            training.seed(),
        );
        let publishing = training.facts();
        step.report(publishing.between_epochs(PUBLISHING, message, document.epochs));
        step.check_stop()?;

        // The artifact is named by its bytes, so an interrupted attempt that comes here again
        // publishes the same one.
        let files = encode_files(&trained, &training.job().data.train, &document)
            .map_err(|error| ErrorRecord::from_advice(&error))?;
        let manifest = training.artifact_manifest(
            step.op(),
            trained.network,
            document.evaluation.decisions.as_ref(),
        );
        let artifact = step.store().artifacts().publish(files, manifest).await?;

        Ok(TrainOutcome {
            artifact,
            epochs: document.epochs,
            best_epoch: document.best_epoch,
            stopped_early: document.stopped_early,
            ending: document.ending,
            resumed_at,
            parameters: document.parameters,
            windows: training.window_outcome(),
            classes: class_outcomes(&document),
            decisions: document
                .evaluation
                .decisions
                .map(|it| it.parts)
                .unwrap_or_default(),
            metrics: document.headline,
            warnings: warnings_of(damage, document.warnings),
            device: document.device,
        })
    }
}

/// The rates of the classes on the test part; none for a regression.
fn class_outcomes(document: &MetricsDocument) -> Vec<ClassOutcome> {
    let test = document.parts.get(TEST_PART).map(|part| &part.kind);
    let Some(KindMetrics::Classes(metrics)) = test else {
        return Vec::new();
    };

    let classes = metrics.classes.iter().take(CLASSES_MAX);
    classes.map(class_outcome).collect()
}

fn class_outcome(class: &ClassRates) -> ClassOutcome {
    ClassOutcome {
        name: class.name.clone(),
        precision: class.precision,
        recall: class.recall,
        f1: class.f1,
    }
}

/// A training that has ended well.
struct Finished {
    training: PreparedTraining,
    trained: Trained,
    evaluation: Evaluation,
}

/// A training with what was measured of it.
struct Measured {
    trained: Trained,
    evaluation: Evaluation,
}

/// Trains, then measures what was trained.
fn train_and_measure(
    training: &PreparedTraining,
    control: &Reporter,
    state: Option<TrainState>,
) -> Result<Measured, TrainError> {
    let job = training.job();
    let trained = train(&job, control, state)?;

    let evaluation = evaluate_trained(
        &job,
        &trained,
        &training.origins,
        training.decisions(),
        control,
    )?;
    Ok(Measured {
        trained,
        evaluation,
    })
}

/// Trains on a blocking thread while its checkpoints are written at the same time. A training that
/// was stopped or diverged leaves its last good state behind as a checkpoint.
async fn train_on_thread(
    training: PreparedTraining,
    resume_point: Option<ResumePoint>,
    step: &StepContext,
) -> Result<Finished, StepError> {
    let saved_epoch = resume_point.as_ref().map_or(0, ResumePoint::epoch);
    let (stored, state) = match resume_point {
        Some(point) => (point.stored, Some(point.state)),
        None => (VecDeque::new(), None),
    };
    let (sender, receiver) = watch::channel(None);
    let checkpoints = Checkpoints::new(step.clone(), training.network.clone(), stored);
    let reporter = Reporter::new(step.clone(), training.facts(), sender);
    log_begin(&training);

    // The reporter ends with the training, and with it the sender that `follow` waits for.
    let training_thread = step.blocking(move || {
        let result = train_and_measure(&training, &reporter, state);
        Ok((training, result))
    });
    let (finished, mut checkpoints) = tokio::join!(training_thread, checkpoints.follow(receiver));
    let (training, result) = finished?;
    log_end(&training, &result);

    match result {
        Ok(measured) => Ok(Finished {
            training,
            trained: measured.trained,
            evaluation: measured.evaluation,
        }),
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
        Ok(measured) => measured.trained.history.last().map_or(0, |row| row.epoch),
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
