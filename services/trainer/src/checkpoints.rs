//! Checkpoints of a step in the store: written beside the training, named in the record, read by
//! the next attempt.

use std::sync::Arc;

use runtime::{StepContext, StepError, StopReason};
use schemas::{
    errors::{ErrorRecord, chain},
    manifests::Network,
    training::TrainingSettings,
};
use store::CheckpointKey;
use tokio::sync::watch;

use crate::TrainState;

/// Writes the checkpoints of one attempt.
pub struct Checkpoints {
    step: StepContext,
    network: Network,
    previous: Option<CheckpointKey>,
    seq: u32,
}

impl Checkpoints {
    /// For the attempt of `step`; `previous` is the checkpoint it goes on from.
    pub fn new(step: StepContext, network: Network, previous: Option<CheckpointKey>) -> Self {
        Self {
            step,
            network,
            previous,
            seq: 0,
        }
    }

    /// Saves the newest state whenever there is one, until the training drops its end. A checkpoint
    /// that cannot be written is a warning: the training goes on, and the next one is tried.
    pub async fn follow(mut self, mut states: watch::Receiver<Option<Arc<TrainState>>>) -> Self {
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
    pub async fn save(&mut self, state: &TrainState) {
        if self.step.stop().reason() == Some(StopReason::Fenced) {
            return;
        }
        let epoch = state.progress.epoch;
        if let Err(error) = self.write(state).await {
            match error {
                StepError::Stopped => {
                    tracing::debug!(epoch, "checkpoint not recorded: the attempt was fenced off")
                }
                StepError::Permanent(error) | StepError::Retry { error, .. } => {
                    tracing::warn!(epoch, error = %error, "checkpoint not written");
                }
            }
        }
    }

    async fn write(&mut self, state: &TrainState) -> Result<(), StepError> {
        self.seq += 1;
        let (operation, step) = (self.step.op().clone(), self.step.step());
        let key = CheckpointKey {
            operation,
            step,
            attempt: self.step.attempt(),
            seq: self.seq,
        };
        let checkpoint = state
            .to_checkpoint(&self.network)
            .map_err(|error| ErrorRecord::from_advice(&error))?;
        self.step
            .store()
            .checkpoints()
            .put(&key, checkpoint)
            .await?;
        self.step.checkpoint(&key.to_string()).await?;
        if let Some(previous) = self.previous.replace(key) {
            self.step.store().checkpoints().delete(&previous).await?;
        }
        Ok(())
    }
}

/// The state to go on from, and its key. A checkpoint that cannot be used is a warning, and
/// training starts anew.
///
/// # Errors
/// When the store is away for now.
pub async fn resume(
    step: &StepContext,
    network: &Network,
    settings: &TrainingSettings,
    seed: u64,
) -> Result<Option<(CheckpointKey, TrainState)>, StepError> {
    let Some(key) = step
        .resume_point::<String>()
        .and_then(|key| key.parse::<CheckpointKey>().ok())
    else {
        return Ok(None);
    };
    let checkpoint = match step.store().checkpoints().get(&key).await {
        Ok(checkpoint) => checkpoint,
        Err(error) if error.is_transient() => return Err(error.into()),
        Err(error) => {
            tracing::warn!(checkpoint = %key, error = %chain(&error), "checkpoint cannot be read: training starts anew");
            return Ok(None);
        }
    };
    let state = TrainState::from_checkpoint(network, checkpoint);
    match state.and_then(|state| state.check(network, settings, seed).map(|()| state)) {
        Ok(state) => Ok(Some((key, state))),
        Err(error) => {
            tracing::warn!(checkpoint = %key, error = %chain(&error), "checkpoint cannot be used: training starts anew");
            Ok(None)
        }
    }
}
