//! How a running training talks to its surroundings: it reports progress, hands over checkpoints,
//! and asks whether to go on.

use std::time::Duration;

use schemas::training::BatchHalving;

use crate::history::EpochRow;
use crate::state::TrainState;

/// Where a training is inside an epoch. Losses and accuracies are means over the epoch so far, with
/// dropout active and weights moving: they are no evaluation of the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchProgress {
    /// Epoch from 1.
    pub epoch: u32,
    /// Epochs of the whole run, resumed or not.
    pub epochs: u32,
    /// Batch from 1.
    pub batch: u32,
    /// Batches of an epoch.
    pub batches: u32,
    /// Mean of the training criterion.
    pub loss: f64,
    /// Share of right answers; absent while no row counts.
    pub accuracy: Option<f64>,
}

impl BatchProgress {
    /// Share of the whole run that is done, in 0..=1; never falls.
    pub fn fraction_done(&self) -> f64 {
        let finished_epochs = f64::from(self.epoch - 1);
        let of_this_epoch = f64::from(self.batch) / f64::from(self.batches.max(1));
        (finished_epochs + of_this_epoch) / f64::from(self.epochs.max(1))
    }
}

/// Called from the training thread, so every method returns at once: store into a slot, load a
/// flag, send to a task.
pub trait Control {
    /// True once the training must stop; asked before every batch and every chunk of an evaluation.
    fn cancelled(&self) -> bool;

    /// Time since the training began, from a monotonic clock.
    fn elapsed(&self) -> Duration;

    /// Called after batch 1, every tenth after it, and the last two of an epoch.
    fn batch(&self, progress: &BatchProgress);

    /// Called after every epoch, before its checkpoint.
    fn epoch(&self, row: &EpochRow);

    /// Called when batches are halved for lack of memory, before the checkpoint that says so.
    fn halved(&self, _halving: BatchHalving) {}

    /// Called every 10 epochs, every 300 seconds and after the last epoch, with all that an exact
    /// resume needs, by value; and when batches are halved.
    fn checkpoint(&self, state: TrainState);
}
