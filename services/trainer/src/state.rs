//! All that a training needs to go on as if it had never stopped, and its document and two files in
//! a checkpoint.

use std::collections::HashMap;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use schemas::manifests::Network;
use schemas::names::{MODEL_FILE, OPTIMIZER_FILE};
use schemas::training::TrainingSettings;
use serde::{Deserialize, Serialize};
use store::Checkpoint;

use crate::{EpochRow, TrainError};

/// What the document of a checkpoint is called in errors.
const STATE: &str = "the state of the checkpoint";

/// The state after a whole epoch, by value. Generators need no state: see [`crate::random`].
#[derive(Clone, Debug, PartialEq)]
pub struct TrainState {
    /// Weights, flat, in file order: for each layer its weight `[out, in]`, then its bias.
    pub weights: Vec<f32>,
    /// Adam's mean of the gradient, in the same order.
    pub first_moment: Vec<f32>,
    /// Adam's mean of the squared gradient, in the same order.
    pub second_moment: Vec<f32>,
    /// Weights of the epoch with the lowest validation loss; empty before the first epoch.
    pub best_weights: Vec<f32>,
    /// Everything that is not a tensor.
    pub progress: Progress,
}

/// The document of a checkpoint, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Version of this layout.
    pub v: u16,
    /// Seed of the run.
    pub seed: u64,
    /// Settings of the run.
    pub settings: TrainingSettings,
    /// Finished epochs.
    pub epoch: u32,
    /// Steps of Adam.
    pub step: u64,
    /// Epoch of the best weights; 0 before the first.
    pub best_epoch: u32,
    /// Validation loss of the best weights.
    pub best_loss: Option<f64>,
    /// The loss that early stopping compares with: the last one that improved by `min_delta`.
    pub stopping_loss: Option<f64>,
    /// Epochs since then.
    pub stale: u32,
    /// Every finished epoch.
    pub history: Vec<EpochRow>,
}

impl TrainState {
    /// Version of the layout of [`Progress`] written now.
    pub const VERSION: u16 = 1;

    /// The state before the first epoch.
    pub fn new(weights: Vec<f32>, settings: &TrainingSettings, seed: u64) -> Self {
        let zeros = vec![0.0; weights.len()];
        let progress = Progress {
            v: Self::VERSION,
            seed,
            settings: settings.clone(),
            epoch: 0,
            step: 0,
            best_epoch: 0,
            best_loss: None,
            stopping_loss: None,
            stale: 0,
            history: Vec::new(),
        };
        Self {
            weights,
            first_moment: zeros.clone(),
            second_moment: zeros,
            best_weights: Vec::new(),
            progress,
        }
    }

    /// True when early stopping has run out of patience.
    pub fn stopped_early(&self) -> bool {
        let settings = &self.progress.settings;
        settings
            .early_stopping
            .is_some_and(|rule| self.progress.stale >= rule.patience)
    }

    /// True when no epoch is left to train.
    pub fn is_finished(&self) -> bool {
        self.progress.epoch >= self.progress.settings.epochs || self.stopped_early()
    }

    /// Takes over an epoch's row and weights. The best weights follow the lowest validation loss;
    /// early stopping counts an improvement only from `min_delta` on: absolute for classes, a share
    /// of the loss to beat for a regression.
    pub fn finish_epoch(&mut self, row: EpochRow) {
        let progress = &mut self.progress;
        let loss = row.validation_loss;
        if progress.best_loss.is_none_or(|best| loss < best) {
            progress.best_loss = Some(loss);
            progress.best_epoch = row.epoch;
            self.best_weights.clone_from(&self.weights);
        }
        if let Some(rule) = progress.settings.early_stopping {
            let absolute = progress.settings.loss.is_for_classes();
            let target = |best: f64| {
                best - if absolute {
                    rule.min_delta
                } else {
                    rule.min_delta * best
                }
            };
            let improved = progress
                .stopping_loss
                .is_none_or(|best| loss < best && loss <= target(best));
            if improved {
                progress.stopping_loss = Some(loss);
            }
            progress.stale = if improved { 0 } else { progress.stale + 1 };
        }
        progress.epoch = row.epoch;
        progress.history.push(row);
    }

    /// Checks that this state continues the training of `network` with `settings` and `seed`.
    ///
    /// # Errors
    /// Names what differs.
    pub fn check(
        &self,
        network: &Network,
        settings: &TrainingSettings,
        seed: u64,
    ) -> Result<(), TrainError> {
        let count = network.parameter_count();
        let tensors = [&self.weights, &self.first_moment, &self.second_moment];
        let best_ok = self.best_weights.len()
            == if self.progress.best_epoch == 0 {
                0
            } else {
                count
            };
        let what = match () {
            () if self.progress.v > Self::VERSION => "version",
            () if self.progress.seed != seed => "seed",
            () if &self.progress.settings != settings => "training settings",
            () if !best_ok || tensors.iter().any(|tensor| tensor.len() != count) => "network",
            () => return Ok(()),
        };
        Err(TrainError::Checkpoint { what })
    }

    /// This state as a checkpoint of the store.
    ///
    /// # Errors
    /// When one of its files cannot be written.
    pub fn to_checkpoint(&self, network: &Network) -> Result<Checkpoint, TrainError> {
        let flat =
            |name: &str, values: &[f32]| (name.to_owned(), vec![values.len()], bytes_of(values));
        let moments = vec![
            flat("first_moment", &self.first_moment),
            flat("second_moment", &self.second_moment),
            flat("best", &self.best_weights),
        ];
        let state = serde_json::to_value(&self.progress)
            .map_err(|source| failed(STATE, "written", source))?;
        let optimizer = safetensors_of(OPTIMIZER_FILE, moments)?;
        let files = [
            (MODEL_FILE, model_file(network, &self.weights)?),
            (OPTIMIZER_FILE, optimizer),
        ];
        Ok(Checkpoint {
            state,
            files: files
                .map(|(name, bytes)| (name.to_owned(), bytes.into()))
                .into(),
        })
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// When a file is absent or damaged, or the weights are not those of `network`.
    pub fn from_checkpoint(network: &Network, checkpoint: Checkpoint) -> Result<Self, TrainError> {
        let Checkpoint { state, files } = checkpoint;
        let progress =
            serde_json::from_value(state).map_err(|source| failed(STATE, "read", source))?;
        let read = |file| {
            let bytes = files.get(file).map_or(&[][..], AsRef::as_ref);
            SafeTensors::deserialize(bytes).map_err(|source| failed(file, "read", source))
        };
        let (model, optimizer) = (read(MODEL_FILE)?, read(OPTIMIZER_FILE)?);
        let tensor = |file, tensors: &SafeTensors<'_>, name: &str| {
            tensors
                .tensor(name)
                .map(|view| values_of(view.data()))
                .map_err(|source| failed(file, "read", source))
        };
        let mut weights = Vec::with_capacity(network.parameter_count());
        for spec in network.tensors() {
            weights.extend(tensor(MODEL_FILE, &model, &spec.name)?);
        }
        Ok(Self {
            weights,
            first_moment: tensor(OPTIMIZER_FILE, &optimizer, "first_moment")?,
            second_moment: tensor(OPTIMIZER_FILE, &optimizer, "second_moment")?,
            best_weights: tensor(OPTIMIZER_FILE, &optimizer, "best")?,
            progress,
        })
    }
}

/// `model.safetensors` of flat `weights` in file order.
///
/// # Errors
/// When the weights are not those of `network`.
pub fn model_file(network: &Network, weights: &[f32]) -> Result<Vec<u8>, TrainError> {
    if weights.len() != network.parameter_count() {
        return Err(TrainError::Checkpoint { what: "network" });
    }
    let mut rest = weights;
    let mut tensors = Vec::new();
    for spec in network.tensors() {
        let (values, after) = rest.split_at(spec.shape.iter().product());
        tensors.push((spec.name, spec.shape, bytes_of(values)));
        rest = after;
    }
    safetensors_of(MODEL_FILE, tensors)
}

fn safetensors_of(
    file: &'static str,
    tensors: Vec<(String, Vec<usize>, Vec<u8>)>,
) -> Result<Vec<u8>, TrainError> {
    let view =
        |(name, shape, bytes)| TensorView::new(Dtype::F32, shape, bytes).map(|view| (name, view));
    let views: Result<Vec<_>, _> = tensors
        .iter()
        .map(|(name, shape, bytes)| view((name, shape.clone(), bytes)))
        .collect();
    // PyTorch's reader wants the key "format".
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    views
        .and_then(|views| safetensors::serialize(views, Some(metadata)))
        .map_err(|source| failed(file, "written", source))
}

fn failed(
    file: &'static str,
    doing: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> TrainError {
    TrainError::File {
        file,
        doing,
        source: Box::new(source),
    }
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn values_of(bytes: &[u8]) -> Vec<f32> {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|word| f32::from_le_bytes(*word))
        .collect()
}

#[cfg(test)]
mod tests {
    use schemas::training::{EarlyStopping, TrainingSettings};

    use super::*;

    /// The epoch of the best weights and the epoch at which `losses` stop, if they do.
    fn run(settings: TrainingSettings, losses: &[f64]) -> (u32, Option<u32>) {
        let mut state = TrainState::new(vec![0.0], &settings, 0);
        for (&validation_loss, epoch) in losses.iter().zip(1..) {
            let (train_accuracy, validation_accuracy) = (None, None);
            let (train_loss, learning_rate, seconds) = (1.0, 0.001, 0.0);
            let row = EpochRow {
                epoch,
                train_loss,
                train_accuracy,
                validation_loss,
                validation_accuracy,
                learning_rate,
                seconds,
            };
            state.weights = vec![epoch as f32];
            state.finish_epoch(row);
            assert_eq!(state.best_weights, [state.progress.best_epoch as f32]);
            if state.stopped_early() {
                return (state.progress.best_epoch, Some(epoch));
            }
        }
        (state.progress.best_epoch, None)
    }

    fn stopping(settings: TrainingSettings, patience: u32, min_delta: f64) -> TrainingSettings {
        TrainingSettings {
            early_stopping: Some(EarlyStopping {
                patience,
                min_delta,
            }),
            ..settings
        }
    }

    #[test]
    fn small_gains_move_the_best_weights_but_do_not_renew_patience() {
        // From 1.00, falls of 0.004 stay short of 0.01 twice; the third epoch without improvement
        // is the fourth.
        let settings = stopping(TrainingSettings::for_classes(), 3, 0.01);
        assert_eq!(
            run(settings.clone(), &[1.0, 0.996, 0.992, 0.9901]),
            (4, Some(4))
        );
        // 0.988 is 0.012 below 1.00 and renews it.
        assert_eq!(
            run(settings, &[1.0, 0.996, 0.992, 0.988, 0.987, 0.986]),
            (6, None)
        );
    }

    #[test]
    fn a_regression_compares_by_share_so_that_losses_of_1e_5_can_improve() {
        let settings = stopping(TrainingSettings::for_regression(), 2, 0.01);
        // 1 % of 1e-5 is 1e-7: 9.8e-6 improves, 9.75e-6 and 9.76e-6 do not.
        assert_eq!(
            run(settings, &[1e-5, 9.8e-6, 9.75e-6, 9.76e-6]),
            (3, Some(4))
        );
    }

    #[test]
    fn without_early_stopping_every_epoch_runs_and_the_lowest_loss_wins() {
        assert_eq!(
            run(TrainingSettings::for_classes(), &[0.9, 0.5, 0.7, 0.8]),
            (2, None)
        );
    }
}
