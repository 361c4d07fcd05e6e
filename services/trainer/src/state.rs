//! All that a training needs to go on as if it had never stopped, and its document and two files in
//! a checkpoint.

use std::collections::HashMap;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use schemas::analytics::EpochAnalytics;
use schemas::manifests::Network;
use schemas::names::{MODEL_FILE, OPTIMIZER_FILE};
use schemas::training::{BatchHalving, EarlyStopping, Monitor, TrainingEnd, TrainingSettings};
use serde::{Deserialize, Serialize};
use store::Checkpoint;

use crate::{EpochRow, TrainError};

/// What errors call the document of a checkpoint.
const STATE_DOCUMENT: &str = "the state of the checkpoint";
/// Tensors of the optimiser's file, each flat, in the order of the weights.
const FIRST_MOMENT: &str = "first_moment";
const SECOND_MOMENT: &str = "second_moment";
const BEST_WEIGHTS: &str = "best";

/// The state after a whole epoch, by value. Generators need no state: see [`crate::random`].
#[derive(Clone, Debug, PartialEq)]
pub struct TrainState {
    /// Weights, flat, in file order: for each layer its weight `[out, in]`, then its bias.
    pub weights: Vec<f32>,
    /// What the optimiser remembers of gradients: their running mean, or the last step; in the same
    /// order.
    pub first_moment: Vec<f32>,
    /// Running mean of the squared gradients, in the same order; 0 for SGD.
    pub second_moment: Vec<f32>,
    /// Weights of the epoch with the lowest validation loss; empty before the first epoch.
    pub best_weights: Vec<f32>,
    /// Everything that is not a tensor.
    pub progress: TrainProgress,
}

/// The document of a checkpoint, as JSON: where the training is, and what it was asked to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainProgress {
    /// Version of this layout.
    pub v: u16,
    /// Seed of the run.
    pub seed: u64,
    /// Settings of the run.
    pub settings: TrainingSettings,
    /// Number of finished epochs.
    pub epoch: u32,
    /// Steps of the optimiser.
    pub step: u64,
    /// Epoch of the best weights; 0 before the first.
    pub best_epoch: u32,
    /// Validation loss of the best weights.
    pub best_loss: Option<f64>,
    /// The figure that early stopping compares with: the last one that improved by `min_delta`.
    #[serde(rename = "stopping_loss")]
    pub best_monitored: Option<f64>,
    /// Epochs since the last improvement by `min_delta`.
    #[serde(rename = "stale")]
    pub epochs_without_improvement: u32,
    /// Every finished epoch.
    pub history: Vec<EpochRow>,
    /// Where the batches became smaller for lack of memory, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub halvings: Vec<BatchHalving>,
    /// Every finished epoch in detail; empty unless the settings ask for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub analytics: Vec<EpochAnalytics>,
}

impl TrainState {
    /// Version of the layout of [`TrainProgress`] written now.
    pub const VERSION: u16 = 1;

    /// The state before the first epoch.
    pub fn new(weights: Vec<f32>, settings: &TrainingSettings, seed: u64) -> Self {
        let zeros = vec![0.0; weights.len()];

        let progress = TrainProgress {
            v: Self::VERSION,
            seed,
            settings: settings.clone(),
            epoch: 0,
            step: 0,
            best_epoch: 0,
            best_loss: None,
            best_monitored: None,
            epochs_without_improvement: 0,
            history: Vec::new(),
            halvings: Vec::new(),
            analytics: Vec::new(),
        };

        Self {
            weights,
            first_moment: zeros.clone(),
            second_moment: zeros,
            best_weights: Vec::new(),
            progress,
        }
    }

    /// True when no epoch is left to train.
    pub fn is_finished(&self) -> bool {
        self.progress.epoch >= self.progress.settings.epochs || self.ending().is_early()
    }

    /// Why a finished training has ended.
    pub fn ending(&self) -> TrainingEnd {
        let progress = &self.progress;
        let stale_epochs = progress.epochs_without_improvement;

        match progress.settings.early_stopping {
            // Patience that runs out in the last epoch has ended nothing.
            Some(rule)
                if stale_epochs >= rule.patience && progress.epoch < progress.settings.epochs =>
            {
                TrainingEnd::NoImprovement {
                    monitor: rule.monitor,
                    min_delta: rule.min_delta,
                    since: progress.epoch.saturating_sub(stale_epochs),
                    patience: rule.patience,
                }
            }
            _ => TrainingEnd::AllEpochs,
        }
    }

    /// Takes over an epoch's row and weights. The best weights follow the lowest validation loss,
    /// however little lower it is; early stopping asks for more.
    pub fn finish_epoch(&mut self, row: EpochRow) {
        let loss = row.validation_loss;
        if self.progress.best_loss.is_none_or(|best| loss < best) {
            self.progress.best_loss = Some(loss);
            self.progress.best_epoch = row.epoch;
            self.best_weights.clone_from(&self.weights);
        }

        // Apart from the best weights: a tiny gain is worth keeping, but not worth going on for.
        if let Some(rule) = self.progress.settings.early_stopping {
            self.progress.update_early_stopping(rule, &row);
        }

        self.progress.epoch = row.epoch;
        self.progress.history.push(row);
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
        // The version first: in another one nothing else need mean the same.
        let what = if self.progress.v > Self::VERSION {
            "version"
        } else if self.progress.seed != seed {
            "seed"
        } else if &self.progress.settings != settings {
            "training settings"
        } else if !self.fits(network) {
            "network"
        } else {
            return Ok(());
        };

        Err(TrainError::Checkpoint { what })
    }

    /// True when every tensor has as many values as `network` has parameters.
    fn fits(&self, network: &Network) -> bool {
        let count = network.parameter_count();
        // There are no best weights before the first epoch has ended.
        let best_count = if self.progress.best_epoch == 0 {
            0
        } else {
            count
        };

        self.best_weights.len() == best_count
            && [&self.weights, &self.first_moment, &self.second_moment]
                .iter()
                .all(|tensor| tensor.len() == count)
    }

    /// This state as a checkpoint of the store.
    ///
    /// # Errors
    /// When one of its files cannot be written.
    pub fn to_checkpoint(&self, network: &Network) -> Result<Checkpoint, TrainError> {
        let state = serde_json::to_value(&self.progress)
            .map_err(|source| not_written(STATE_DOCUMENT, source))?;
        let optimizer = safetensors_of(
            OPTIMIZER_FILE,
            vec![
                FileTensor::flat(FIRST_MOMENT, &self.first_moment),
                FileTensor::flat(SECOND_MOMENT, &self.second_moment),
                FileTensor::flat(BEST_WEIGHTS, &self.best_weights),
            ],
        )?;

        // The model is a file of its own, in the form of an artifact, so that it can be looked at.
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
        let progress = serde_json::from_value(checkpoint.state.clone())
            .map_err(|source| not_read(STATE_DOCUMENT, source))?;
        let model = StoredTensors::read(&checkpoint, MODEL_FILE)?;
        let optimizer = StoredTensors::read(&checkpoint, OPTIMIZER_FILE)?;

        // Layer by layer, in the order of the flat tensor.
        let mut weights = Vec::new();
        for spec in network.tensors() {
            weights.extend(model.values_of(&spec.name)?);
        }

        Ok(Self {
            weights,
            first_moment: optimizer.values_of(FIRST_MOMENT)?,
            second_moment: optimizer.values_of(SECOND_MOMENT)?,
            best_weights: optimizer.values_of(BEST_WEIGHTS)?,
            progress,
        })
    }
}

impl TrainProgress {
    /// Counts the epochs since the last improvement by `min_delta`, a share of the figure to beat.
    fn update_early_stopping(&mut self, rule: EarlyStopping, row: &EpochRow) {
        // Without a row that can be right there is no accuracy, and nothing improves.
        let monitored = match rule.monitor {
            Monitor::ValLoss => Some(row.validation_loss),
            Monitor::ValAccuracy => row.validation_accuracy,
        };
        let has_improved = match (monitored, self.best_monitored) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(value), Some(best)) => has_improved(rule, value, best),
        };

        // A gain below the threshold leaves the figure to beat where it is, so that slow progress
        // adds up.
        if has_improved {
            self.best_monitored = monitored;
            self.epochs_without_improvement = 0;
        } else {
            self.epochs_without_improvement += 1;
        }
    }
}

/// True if `value` is better than `best` by a share of `min_delta` at least.
fn has_improved(rule: EarlyStopping, value: f64, best: f64) -> bool {
    let delta = rule.min_delta * best;
    match rule.monitor {
        Monitor::ValLoss => value < best && value <= best - delta,
        Monitor::ValAccuracy => value > best && value >= best + delta,
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

    // The flat weights are in file order already: each tensor is the next stretch.
    let mut rest = weights;
    let mut tensors = Vec::new();
    for spec in network.tensors() {
        let (values, after) = rest.split_at(spec.shape.iter().product());
        tensors.push(FileTensor {
            name: spec.name,
            shape: spec.shape,
            bytes: bytes_of(values),
        });
        rest = after;
    }
    safetensors_of(MODEL_FILE, tensors)
}

/// A float32 tensor to be written.
struct FileTensor {
    name: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl FileTensor {
    /// A tensor of one dimension.
    fn flat(name: &str, values: &[f32]) -> Self {
        Self {
            name: name.to_owned(),
            shape: vec![values.len()],
            bytes: bytes_of(values),
        }
    }
}

fn safetensors_of(file: &'static str, tensors: Vec<FileTensor>) -> Result<Vec<u8>, TrainError> {
    let mut views = Vec::with_capacity(tensors.len());
    for tensor in &tensors {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), &tensor.bytes)
            .map_err(|source| not_written(file, source))?;
        views.push((tensor.name.as_str(), view));
    }

    // PyTorch's reader wants the key "format".
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(|source| not_written(file, source))
}

/// The tensors of a file of a checkpoint.
struct StoredTensors<'a> {
    file: &'static str,
    tensors: SafeTensors<'a>,
}

impl<'a> StoredTensors<'a> {
    fn read(checkpoint: &'a Checkpoint, file: &'static str) -> Result<Self, TrainError> {
        // A file that is absent reads as one without a header.
        let bytes = checkpoint.files.get(file).map_or(&[][..], AsRef::as_ref);
        let tensors = SafeTensors::deserialize(bytes).map_err(|source| not_read(file, source))?;
        Ok(Self { file, tensors })
    }

    fn values_of(&self, name: &str) -> Result<Vec<f32>, TrainError> {
        let view = self.tensors.tensor(name);
        let view = view.map_err(|source| not_read(self.file, source))?;
        Ok(floats_of(view.data()))
    }
}

fn not_written(
    file: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> TrainError {
    TrainError::File {
        file,
        doing: "written",
        source: Box::new(source),
    }
}

fn not_read(
    file: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> TrainError {
    TrainError::File {
        file,
        doing: "read",
        source: Box::new(source),
    }
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn floats_of(bytes: &[u8]) -> Vec<f32> {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|word| f32::from_le_bytes(*word))
        .collect()
}

#[cfg(test)]
mod tests {
    use schemas::training::Monitor;

    use super::*;

    /// How a run ended.
    #[derive(Debug, PartialEq)]
    struct Ending {
        best_epoch: u32,
        stopped_at: Option<u32>,
    }

    fn row(epoch: u32, validation_loss: f64) -> EpochRow {
        EpochRow {
            epoch,
            train_loss: 1.0,
            train_accuracy: None,
            validation_loss,
            validation_accuracy: None,
            learning_rate: 0.001,
            seconds: 0.0,
        }
    }

    /// Epochs with these validation losses, until early stopping ends them.
    fn run_epochs(settings: &TrainingSettings, losses: &[f64]) -> Ending {
        let mut state = TrainState::new(vec![0.0], settings, 0);
        for (&loss, epoch) in losses.iter().zip(1..) {
            state.weights = vec![epoch as f32];
            state.finish_epoch(row(epoch, loss));
            assert_eq!(state.best_weights, [state.progress.best_epoch as f32]);

            if state.ending().is_early() {
                return Ending {
                    best_epoch: state.progress.best_epoch,
                    stopped_at: Some(epoch),
                };
            }
        }

        Ending {
            best_epoch: state.progress.best_epoch,
            stopped_at: None,
        }
    }

    fn stopping(settings: TrainingSettings, patience: u32, min_delta: f64) -> TrainingSettings {
        TrainingSettings {
            early_stopping: Some(EarlyStopping {
                patience,
                min_delta,
                ..EarlyStopping::default()
            }),
            ..settings
        }
    }

    #[test]
    fn small_gains_move_the_best_weights_but_do_not_renew_patience() {
        let settings = stopping(TrainingSettings::for_classes(), 3, 0.01);

        // From 1.00, falls of 0.004 stay short of 0.01 twice; the third epoch without improvement
        // is the fourth.
        let ending = run_epochs(&settings, &[1.0, 0.996, 0.992, 0.9901]);

        let expected = Ending {
            best_epoch: 4,
            stopped_at: Some(4),
        };
        assert_eq!(ending, expected);
    }

    #[test]
    fn a_gain_of_min_delta_renews_patience() {
        let settings = stopping(TrainingSettings::for_classes(), 3, 0.01);

        // 0.988 is 0.012 below 1.00.
        let ending = run_epochs(&settings, &[1.0, 0.996, 0.992, 0.988, 0.987, 0.986]);

        let expected = Ending {
            best_epoch: 6,
            stopped_at: None,
        };
        assert_eq!(ending, expected);
    }

    #[test]
    fn the_tiny_losses_of_a_regression_are_compared_by_share() {
        let settings = stopping(TrainingSettings::for_regression(), 2, 0.01);

        // 1 % of 1e-5 is 1e-7: 9.8e-6 improves, 9.75e-6 and 9.76e-6 do not.
        let ending = run_epochs(&settings, &[1e-5, 9.8e-6, 9.75e-6, 9.76e-6]);

        let expected = Ending {
            best_epoch: 3,
            stopped_at: Some(4),
        };
        assert_eq!(ending, expected);
    }

    #[test]
    fn a_monitored_accuracy_has_to_rise_by_its_share() {
        let stopping = EarlyStopping {
            patience: 2,
            min_delta: 0.5,
            monitor: Monitor::ValAccuracy,
        };
        let settings = TrainingSettings {
            early_stopping: Some(stopping),
            ..TrainingSettings::for_classes()
        };
        let mut state = TrainState::new(vec![0.0], &settings, 0);

        // 0.375 is half more than 0.25; 0.5 is not half more than that, whatever the loss.
        let accuracies = [0.25, 0.375, 0.5, 0.4375];
        let mut waits = Vec::new();
        for (epoch, accuracy) in (1..).zip(accuracies) {
            let falling_loss = 1.0 / f64::from(epoch);
            state.finish_epoch(EpochRow {
                validation_accuracy: Some(accuracy),
                ..row(epoch, falling_loss)
            });
            waits.push(state.progress.epochs_without_improvement);
        }

        assert_eq!(waits, [0, 0, 1, 2]);
        assert!(state.is_finished());
        assert_eq!(state.progress.best_epoch, 4);
    }

    #[test]
    fn without_early_stopping_every_epoch_runs() {
        let ending = run_epochs(&TrainingSettings::for_classes(), &[0.9, 0.5, 0.7, 0.8]);
        let expected = Ending {
            best_epoch: 2,
            stopped_at: None,
        };
        assert_eq!(ending, expected);
    }

    /// The state after epochs with these validation losses.
    fn state_after(settings: &TrainingSettings, losses: &[f64]) -> TrainState {
        let mut state = TrainState::new(vec![0.0], settings, 0);
        for (&loss, epoch) in losses.iter().zip(1..) {
            state.finish_epoch(row(epoch, loss));
        }
        state
    }

    #[test]
    fn an_early_end_names_the_epoch_that_was_not_beaten() {
        let settings = stopping(TrainingSettings::for_classes(), 3, 0.01);

        // 0.98 beats 1.0 by 0.01; 0.971 to 0.9705 stay above 0.98 · 0.99 = 0.9702.
        let state = state_after(&settings, &[1.0, 0.98, 0.971, 0.9708, 0.9705]);

        assert!(state.is_finished());
        let expected = TrainingEnd::NoImprovement {
            monitor: Monitor::ValLoss,
            min_delta: 0.01,
            since: 2,
            patience: 3,
        };
        assert_eq!(state.ending(), expected);
        assert_eq!(state.progress.best_epoch, 5);
    }

    #[test]
    fn patience_that_ends_with_the_last_epoch_stopped_nothing() {
        let settings = TrainingSettings {
            epochs: 4,
            ..stopping(TrainingSettings::for_classes(), 3, 0.01)
        };

        let state = state_after(&settings, &[1.0, 1.0, 1.0, 1.0]);

        assert!(state.is_finished());
        assert_eq!(state.ending(), TrainingEnd::AllEpochs);
    }

    #[test]
    fn a_stored_document_keeps_its_field_names() {
        let state = TrainState::new(vec![0.0], &TrainingSettings::for_classes(), 0);
        let document = serde_json::to_value(&state.progress).unwrap();
        assert_eq!(document["stale"], 0);
    }
}
