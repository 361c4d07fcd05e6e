//! Checkpoints of a step in the store: written during the training, named in the record, read by
//! the next attempt.

use std::sync::Arc;

use runtime::{StepContext, StepError, StopReason};
use schemas::errors::{ErrorRecord, chain};
use schemas::manifests::Network;
use store::CheckpointKey;
use tokio::sync::watch;

use crate::prepared::PreparedTraining;
use crate::{TrainError, TrainState};

/// Writes the checkpoints of one attempt.
pub(crate) struct Checkpoints {
    step: StepContext,
    network: Network,
    /// The newest one that is named in the record.
    previous: Option<CheckpointKey>,
    /// Checkpoints of this attempt so far.
    sequence: u32,
}

impl Checkpoints {
    /// For the attempt of `step`; `previous` is the checkpoint it goes on from.
    pub(crate) fn new(
        step: StepContext,
        network: Network,
        previous: Option<CheckpointKey>,
    ) -> Self {
        Self {
            step,
            network,
            previous,
            sequence: 0,
        }
    }

    /// Saves the newest state whenever there is one, until the training drops its end of `states`.
    /// A checkpoint that cannot be written is a warning: the training goes on, and the next one is
    /// tried.
    pub(crate) async fn follow(
        mut self,
        mut states: watch::Receiver<Option<Arc<TrainState>>>,
    ) -> Self {
        while states.changed().await.is_ok() {
            let state = states.borrow_and_update().clone();
            if let Some(state) = state {
                self.save(&state).await;
            }
        }
        self
    }

    /// Stores `state`, names it in the record, then deletes the one before. Nothing is written for
    /// an attempt that was fenced off: it would not count.
    pub(crate) async fn save(&mut self, state: &TrainState) {
        if self.step.stop().reason() == Some(StopReason::Fenced) {
            return;
        }

        // A training without checkpoints is still a training.
        let epoch = state.progress.epoch;
        match self.write(state).await {
            Ok(()) => {}
            Err(StepError::Stopped) => {
                tracing::debug!(epoch, "checkpoint not recorded: the attempt was fenced off");
            }
            Err(StepError::Permanent(error) | StepError::Retry { error, .. }) => {
                tracing::warn!(epoch, error = %error, "checkpoint not written");
            }
        }
    }

    async fn write(&mut self, state: &TrainState) -> Result<(), StepError> {
        self.sequence += 1;
        let key = CheckpointKey {
            operation: self.step.op().clone(),
            step: self.step.step(),
            attempt: self.step.attempt(),
            seq: self.sequence,
        };
        let checkpoint = state
            .to_checkpoint(&self.network)
            .map_err(|error| ErrorRecord::from_advice(&error))?;

        // In this order, so that the record never names a checkpoint that is not there.
        let stored = self.step.store().checkpoints();
        stored.put(&key, checkpoint).await?;
        self.step.checkpoint(&key.to_string()).await?;
        if let Some(previous) = self.previous.replace(key) {
            stored.delete(&previous).await?;
        }
        Ok(())
    }
}

/// A checkpoint that the training can go on from.
pub(crate) struct ResumePoint {
    pub(crate) key: CheckpointKey,
    pub(crate) state: TrainState,
}

impl ResumePoint {
    /// Number of finished epochs.
    pub(crate) fn epoch(&self) -> u32 {
        self.state.progress.epoch
    }
}

/// The checkpoint that the record names. One that cannot be used is a warning, and the training
/// starts from the beginning.
///
/// # Errors
/// When the store is away for now.
pub(crate) async fn find_resume_point(
    step: &StepContext,
    training: &PreparedTraining,
) -> Result<Option<ResumePoint>, StepError> {
    let recorded = step.resume_point::<String>();
    let Some(key) = recorded.and_then(|key| key.parse::<CheckpointKey>().ok()) else {
        return Ok(None);
    };

    let checkpoint = match step.store().checkpoints().get(&key).await {
        Ok(checkpoint) => checkpoint,
        Err(error) if error.is_transient() => return Err(error.into()),
        Err(error) => {
            tracing::warn!(
                checkpoint = %key,
                error = %chain(&error),
                "checkpoint cannot be read: training starts from the beginning"
            );
            return Ok(None);
        }
    };

    // The key belongs to this step, but its bytes may be damaged or of another program version.
    let state = TrainState::from_checkpoint(&training.network, checkpoint);
    match state.and_then(|state| check_state(state, training)) {
        Ok(state) => Ok(Some(ResumePoint { key, state })),
        Err(error) => {
            tracing::warn!(
                checkpoint = %key,
                error = %chain(&error),
                "checkpoint cannot be used: training starts from the beginning"
            );
            Ok(None)
        }
    }
}

/// The state, if it belongs to this training.
fn check_state(state: TrainState, training: &PreparedTraining) -> Result<TrainState, TrainError> {
    let job = training.job();
    state.check(job.network, job.settings, job.seed)?;
    Ok(state)
}
