//! Several trainings as one step: side by side on threads, over one copy of the rows.
//!
//! Invariants:
//! - a training has the bits that it would have alone, whatever runs beside it;
//! - a training that has ended is published before a checkpoint says so, and is not computed again;
//! - one that fails is a result like any other, unless the bundle is to end with it.

mod board;
mod crew;
mod saved;

use std::collections::{HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use runtime::{StepContext, StepError};
use schemas::codes;
use schemas::commands::{
    BUNDLE_TRAININGS_MAX, Bundle, BundleMember, BundleResult, TrainOutcome, TrainRequest,
};
use schemas::errors::{ErrorRecord, shortened};
use strategies::Resolved;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::ComputeDevice;
use crate::checkpoints::{CheckpointWriter, find_newest};
use crate::engine::EngineKind;
use crate::prepared::{PreparedData, resolve};
use crate::report::TrainFacts;
use board::Board;
use crew::{Crew, EndedTraining, HowEnded, OpenTraining};
use saved::SavedBundle;

/// Time between two checkpoints.
const SAVE_PACE: Duration = Duration::from_secs(1);
/// Longest warning about trainings that failed: it has to fit the operation's record.
const WARNING_BYTES_MAX: usize = 300;

/// Where a bundle is computed, and on which rows.
pub(crate) struct BundlePlace {
    /// The data set of the command; without it that of the step before.
    pub(crate) dataset: Option<String>,
    /// The device of this trainer.
    pub(crate) device: ComputeDevice,
    /// Trainings that the native engine computes at a time.
    pub(crate) threads: NonZeroUsize,
}

/// Trains every member of `bundle` that an earlier attempt has not trained, and publishes its
/// model.
///
/// # Errors
/// The command or its data set cannot be used, all trainings fail, or one of a bundle that is to
/// end with the first failure.
pub(crate) async fn train_bundle(
    bundle: Bundle,
    place: BundlePlace,
    step: &StepContext,
) -> Result<TrainOutcome, StepError> {
    let request: TrainRequest = step.params()?;
    let first = check_bundle(&bundle)?.request_alone(&request);
    let resolved = resolve(&first)?;
    let facts = TrainFacts::new(&resolved, place.device);
    let reading = "Reading the data set".to_owned();
    step.report(facts.between_epochs(0.0, reading, 0));
    let shared = PreparedData::read(place.dataset.clone(), &resolved, step).await?;

    let newest = find_newest(step, SavedBundle::from_checkpoint).await?;
    if let Some(damage) = newest.damaged.first() {
        tracing::warn!(damage, "checkpoint of the bundle not used");
    }
    let saved = newest.usable.unwrap_or_default();
    let board = Arc::new(board_of(&bundle, &saved, facts, step));
    let crew = Crew {
        request,
        shared,
        device: place.device,
        op: step.op().clone(),
        queue: Mutex::new(open_trainings(&bundle, &saved)),
        board: board.clone(),
    };
    let manager = Manager {
        step,
        board,
        saved,
        writer: CheckpointWriter::new(step.clone(), newest.stored),
        is_fail_fast: bundle.fail_fast,
    };

    // Every thread ends with its sender, and the manager with the last of them.
    let threads = place.threads_for(&resolved);
    let (sender, ended) = mpsc::channel(threads);
    let all_done = crew.work_on_threads(threads, sender, step);
    let (worked, managed) = tokio::join!(all_done, manager.manage(ended));
    let saved = managed?;
    worked?;
    step.check_stop()?;
    outcome_of(&bundle, saved)
}

impl BundlePlace {
    /// libtorch has threads of its own, and a GPU has one queue.
    fn threads_for(&self, resolved: &Resolved) -> usize {
        let engine = EngineKind::choose(resolved.settings.engine, &resolved.model, self.device);
        match engine {
            EngineKind::Native => self.threads.get(),
            EngineKind::Libtorch => 1,
        }
    }
}

/// The board of a bundle with what earlier attempts have done.
fn board_of(bundle: &Bundle, saved: &SavedBundle, facts: TrainFacts, step: &StepContext) -> Board {
    let board = Board::new(step.clone(), facts, bundle.members.len());
    for result in &saved.ended {
        board.end_training(result.training, saved.best_figure(), result.error.is_some());
    }
    board
}

/// The first member of a bundle that can be trained.
fn check_bundle(bundle: &Bundle) -> Result<&BundleMember, StepError> {
    let first = bundle.members.first();
    let first = first.ok_or_else(|| refused("the bundle has no training".to_owned()))?;
    let count = bundle.members.len();
    if count > BUNDLE_TRAININGS_MAX {
        let message = format!("the bundle has {count} trainings, at most {BUNDLE_TRAININGS_MAX}");
        return Err(refused(message));
    }

    let mut numbers = HashSet::new();
    let mut members = bundle.members.iter();
    match members.find(|member| !numbers.insert(member.training)) {
        Some(member) => {
            let message = format!("the bundle has training {} twice", member.training);
            Err(refused(message))
        }
        None => Ok(first),
    }
}

fn refused(message: String) -> StepError {
    let hint = "submit it with this version of `ktrdr`";
    StepError::permanent(codes::OPS_INVALID_REQUEST, message, hint)
}

/// The trainings that have not ended, those first that an earlier attempt has begun.
fn open_trainings(bundle: &Bundle, saved: &SavedBundle) -> VecDeque<OpenTraining> {
    let mut open = VecDeque::with_capacity(bundle.members.len());
    for member in &bundle.members {
        let has_ended = |result: &BundleResult| result.training == member.training;
        if saved.ended.iter().any(has_ended) {
            continue;
        }

        let checkpoint = saved.running.get(&member.training).cloned();
        let is_begun = checkpoint.is_some();
        let training = OpenTraining {
            member: member.clone(),
            checkpoint,
        };
        match is_begun {
            true => open.push_front(training),
            false => open.push_back(training),
        }
    }
    open
}

/// Publishes what the threads have trained, and saves how far they are.
struct Manager<'a> {
    step: &'a StepContext,
    board: Arc<Board>,
    saved: SavedBundle,
    writer: CheckpointWriter,
    is_fail_fast: bool,
}

impl Manager<'_> {
    /// Until the last thread has ended. Its last act is a checkpoint, so that nothing is lost when
    /// the bundle was stopped.
    async fn manage(
        mut self,
        mut ended: mpsc::Receiver<EndedTraining>,
    ) -> Result<SavedBundle, StepError> {
        let mut pace = tokio::time::interval(SAVE_PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let board = self.board.clone();
        let mut is_unsaved = false;
        let mut failure = None;

        loop {
            tokio::select! {
                training = ended.recv() => match training {
                    Some(training) => {
                        // The threads must not wait for a manager that has given up.
                        if failure.is_none() {
                            failure = self.take(training).await.err();
                        }
                        if failure.is_some() {
                            board.end_all();
                        }
                        is_unsaved = true;
                    }
                    None => break,
                },
                () = board.changed.notified() => is_unsaved = true,
                _ = pace.tick(), if is_unsaved => {
                    self.save().await;
                    is_unsaved = false;
                }
            }
        }

        // A bundle that has ended goes on to its outcome at once.
        let is_stopped = self.step.stop().is_requested();
        if is_unsaved && (is_stopped || failure.is_some()) {
            self.save().await;
        }
        match failure {
            Some(failure) => Err(failure),
            None => Ok(self.saved),
        }
    }

    async fn save(&mut self) {
        let checkpoint = self.saved.to_checkpoint(&self.board.running());
        self.writer.save(checkpoint).await;
    }

    /// Publishes a training, or notes why it has failed.
    async fn take(&mut self, ended: EndedTraining) -> Result<(), StepError> {
        let training = ended.training;
        let has_failed = match ended.how {
            // Its last state is on the board.
            HowEnded::Stopped => return Ok(()),
            HowEnded::Ready(model) => {
                let figure = model.validation;
                let outcome = model.publish(self.step.store()).await?;
                self.saved.add(training, ended.seconds, figure, outcome);
                false
            }
            HowEnded::Failed(error) => {
                tracing::warn!(training, error = %error, "training of a bundle failed");
                if self.is_fail_fast {
                    return Err((*error).into());
                }
                self.saved.ended.push(BundleResult {
                    training,
                    artifact: None,
                    epochs: 0,
                    resumed_at: 0,
                    seconds: ended.seconds,
                    error: Some(*error),
                });
                true
            }
        };

        let best = self.saved.best_figure();
        self.board.end_training(training, best, has_failed);
        Ok(())
    }
}

/// What the record says of a bundle: its best training, and what became of each.
fn outcome_of(bundle: &Bundle, saved: SavedBundle) -> Result<TrainOutcome, StepError> {
    let numbers = bundle.members.iter().map(|member| member.training);
    let numbers: Vec<u32> = numbers.collect();
    let mut results = saved.ended;
    results.sort_by_key(|result| numbers.iter().position(|it| *it == result.training));

    let failed: Vec<&BundleResult> = results.iter().filter(|it| it.error.is_some()).collect();
    let warning = describe_failed(&failed, results.len());
    let first_error = failed.first().and_then(|failed| failed.error.clone());
    match saved.best {
        Some(best) => {
            let mut outcome = best.outcome;
            outcome.warnings = warning.into_iter().chain(outcome.warnings).collect();
            outcome.warnings.truncate(crate::handler::WARNINGS_MAX);
            outcome.bundle = results;
            Ok(outcome)
        }
        None => Err(first_error.unwrap_or_else(nothing_trained).into()),
    }
}

/// `2 of 64 trainings failed; training 7: the training diverged in epoch 1, seen at bundle 3`.
fn describe_failed(failed: &[&BundleResult], count: usize) -> Option<String> {
    let first = failed.first()?;
    let error = first.error.as_ref()?;
    let text = format!(
        "{} of {count} trainings failed; training {}: {}",
        failed.len(),
        first.training,
        error.message
    );
    Some(shortened(&text, WARNING_BYTES_MAX))
}

fn nothing_trained() -> ErrorRecord {
    let message = "no training of the bundle has ended";
    ErrorRecord::new(codes::OPS_INVALID_OUTCOME, message, "resume the operation")
}
