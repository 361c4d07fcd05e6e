//! Checkpoints of a step in the store: written during the training, named in the record, read by
//! the next attempt.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use runtime::{StepContext, StepError, StopReason};
use schemas::codes;
use schemas::errors::{ErrorRecord, chain};
use schemas::manifests::Network;
use store::{Checkpoint, CheckpointKey};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::prepared::PreparedTraining;
use crate::{TrainError, TrainState};

/// Time between two writes of checkpoints. A small network finishes ten epochs in 20 milliseconds:
/// writing each time would cost more than what a kill can lose.
const SAVE_PACE: Duration = Duration::from_secs(1);
/// Checkpoints of a step that stay.
const CHECKPOINTS_MAX: usize = 2;

/// Writes the checkpoints of one attempt.
pub(crate) struct CheckpointWriter {
    step: StepContext,
    /// The one that the record names, and the one before it, which stays until the next one is
    /// named: of two, one may get damaged.
    stored: VecDeque<CheckpointKey>,
    /// Checkpoints of this attempt so far.
    sequence: u32,
}

impl CheckpointWriter {
    /// For the attempt of `step`; `stored` are the checkpoint it goes on from, and before it the
    /// older ones, which earlier attempts have left.
    pub(crate) fn new(step: StepContext, stored: VecDeque<CheckpointKey>) -> Self {
        Self {
            step,
            stored,
            sequence: 0,
        }
    }

    /// Stores a checkpoint, names it in the record, then deletes all but the one before. Nothing is
    /// written for an attempt that was fenced off: it would not count. One that cannot be written
    /// is a warning: a training without checkpoints is still a training.
    pub(crate) async fn save(&mut self, checkpoint: Result<Checkpoint, TrainError>) {
        if self.step.stop().reason() == Some(StopReason::Fenced) {
            return;
        }

        let written = match checkpoint {
            Ok(checkpoint) => self.write(checkpoint).await,
            Err(error) => Err(ErrorRecord::from_advice(&error).into()),
        };
        match written {
            Ok(()) => {}
            Err(StepError::Stopped) => {
                tracing::debug!("checkpoint not recorded: the attempt was fenced off");
            }
            Err(StepError::Permanent(error) | StepError::Retry { error, .. }) => {
                tracing::warn!(error = %error, "checkpoint not written");
            }
        }
    }

    async fn write(&mut self, checkpoint: Checkpoint) -> Result<(), StepError> {
        self.sequence += 1;
        let key = CheckpointKey {
            operation: self.step.op().clone(),
            step: self.step.step(),
            attempt: self.step.attempt(),
            seq: self.sequence,
        };

        // In this order, so that the record never names a checkpoint that is not there.
        let stored = self.step.store().checkpoints();
        stored.put(&key, checkpoint).await?;
        self.step.checkpoint(&key.to_string()).await?;
        self.stored.push_back(key);
        while self.stored.len() > CHECKPOINTS_MAX {
            if let Some(oldest) = self.stored.pop_front() {
                stored.delete(&oldest).await?;
            }
        }
        Ok(())
    }
}

/// Writes the checkpoints of one training.
pub(crate) struct Checkpoints {
    writer: CheckpointWriter,
    network: Network,
}

impl Checkpoints {
    /// For a training of `network`.
    pub(crate) fn new(writer: CheckpointWriter, network: Network) -> Self {
        Self { writer, network }
    }

    /// Saves the newest state whenever there is one, at [`SAVE_PACE`], until the training drops its
    /// end of `states`; the last one is always saved. A checkpoint that cannot be written is a
    /// warning: the training goes on, and the next one is tried.
    pub(crate) async fn follow(
        mut self,
        mut states: watch::Receiver<Option<Arc<TrainState>>>,
    ) -> Self {
        let mut pace = tokio::time::interval(SAVE_PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);

        while states.changed().await.is_ok() {
            // A training that ends is not kept waiting for its turn.
            tokio::select! {
                _ = pace.tick() => {}
                () = training_ended(&mut states) => {}
            }
            let state = states.borrow_and_update().clone();
            if let Some(state) = state {
                self.save(&state).await;
            }
        }
        self
    }

    /// Stores `state` as the newest checkpoint.
    pub(crate) async fn save(&mut self, state: &TrainState) {
        self.writer.save(state.to_checkpoint(&self.network)).await;
    }
}

/// Returns when the training has dropped its end of `states`; the newest one stays in it.
async fn training_ended(states: &mut watch::Receiver<Option<Arc<TrainState>>>) {
    while states.changed().await.is_ok() {}
}

/// Where a training begins: at a checkpoint, or at its beginning.
pub(crate) struct Beginning {
    pub(crate) point: Option<ResumePoint>,
    /// What was said about checkpoints that are damaged; absent where none is.
    pub(crate) damage: Option<ErrorRecord>,
}

/// A checkpoint that the training can go on from.
pub(crate) struct ResumePoint {
    pub(crate) state: TrainState,
    /// The checkpoint itself and the older ones of the step, oldest first.
    pub(crate) stored: VecDeque<CheckpointKey>,
}

impl ResumePoint {
    /// Number of finished epochs.
    pub(crate) fn epoch(&self) -> u32 {
        self.state.progress.epoch
    }
}

/// The checkpoint that the record names; if that one is damaged, the one before; without either,
/// the training starts at its beginning. Damage is announced.
///
/// # Errors
/// When the store is away for now.
pub(crate) async fn find_beginning(
    step: &StepContext,
    training: &PreparedTraining,
) -> Result<Beginning, StepError> {
    let newest = find_newest(step, |checkpoint| state_of(training, checkpoint)).await?;

    let point = newest.usable.map(|state| ResumePoint {
        state,
        stored: newest.stored,
    });
    let damage = describe_damage(&newest.damaged, point.as_ref());
    if let Some(damage) = &damage {
        step.warn(damage).await;
    }
    Ok(Beginning { point, damage })
}

/// The newest checkpoint of a step that can be used.
pub(crate) struct Newest<T> {
    /// What it holds; none where there is none.
    pub(crate) usable: Option<T>,
    /// The checkpoint itself and the older ones of the step, oldest first.
    pub(crate) stored: VecDeque<CheckpointKey>,
    /// What is wrong with younger ones. They stay in the store, for whoever looks for the cause.
    pub(crate) damaged: Vec<String>,
}

/// The checkpoint that the record names, or the newest before it that `read_state` can use.
///
/// # Errors
/// When the store is away for now.
pub(crate) async fn find_newest<T>(
    step: &StepContext,
    read_state: impl Fn(Checkpoint) -> Result<T, TrainError>,
) -> Result<Newest<T>, StepError> {
    let mut newest = Newest {
        usable: None,
        stored: VecDeque::new(),
        damaged: Vec::new(),
    };
    let recorded = step.resume_point::<String>();
    let Some(recorded) = recorded.and_then(|key| key.parse::<CheckpointKey>().ok()) else {
        return Ok(newest);
    };

    newest.stored = candidates(step, &recorded).await?;
    while let Some(key) = newest.stored.back() {
        let stored = step.store().checkpoints().get(key).await;
        let read = match stored {
            Ok(checkpoint) => read_state(checkpoint).map_err(|error| chain(&error)),
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(error) => Err(chain(&error)),
        };
        match read {
            Ok(state) => {
                newest.usable = Some(state);
                break;
            }
            Err(reason) => newest.damaged.push(format!("{key}: {reason}")),
        }
        newest.stored.pop_back();
    }
    Ok(newest)
}

/// The older checkpoints of the step, oldest first, then the recorded one. Younger ones do not
/// count: an attempt that lost its claim may have written them.
async fn candidates(
    step: &StepContext,
    recorded: &CheckpointKey,
) -> Result<VecDeque<CheckpointKey>, StepError> {
    let stored = step.store().checkpoints();
    let newest_first = stored.list(step.op(), step.step()).await?;
    let older = newest_first.into_iter().rev().filter(|key| key < recorded);

    Ok(older.chain(std::iter::once(recorded.clone())).collect())
}

fn describe_damage(damaged: &[String], point: Option<&ResumePoint>) -> Option<ErrorRecord> {
    let first = damaged.first()?;
    let instead = match point {
        Some(point) => format!("goes on from the one before, of epoch {}", point.epoch()),
        None => "starts at its beginning".to_owned(),
    };

    let message = format!("the checkpoint cannot be used ({first}): the training {instead}");
    let hint = "look for the cause in the store: `ktrdr checkpoints show` names what is damaged";
    Some(ErrorRecord::new(
        codes::OPS_CHECKPOINT_CORRUPT,
        message,
        hint,
    ))
}

/// The state in a checkpoint of this training.
///
/// # Errors
/// It cannot be read, or belongs to another training: its bytes are those that were written, but
/// maybe by another version of this program.
pub(crate) fn state_of(
    training: &PreparedTraining,
    checkpoint: Checkpoint,
) -> Result<TrainState, TrainError> {
    let job = training.job();
    let state = TrainState::from_checkpoint(job.network, checkpoint)?;
    state.check(job.network, job.settings, job.seed)?;
    Ok(state)
}
