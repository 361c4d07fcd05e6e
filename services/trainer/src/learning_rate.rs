//! The step size of each epoch: warm-up, then the schedule of the settings.
//!
//! Formulas are in the docs of [`LearningRateSchedule`]. Powers and the cosine are those of the
//! crate `libm`, not of the host, so that an epoch has the same rate on every machine.

use std::f64::consts::PI;

use schemas::training::{LearningRateSchedule, TrainingSettings};

use crate::EpochRow;

/// A validation loss that is lower by this share of the lowest one counts as a fall: the
/// `threshold` of PyTorch's `ReduceLROnPlateau`.
const FALL: f64 = 1e-4;

/// Where a training stands in the schedule of its settings. It follows from the epochs that have
/// ended, so a checkpoint does not keep it.
#[derive(Clone, Debug)]
pub struct LearningRates {
    schedule: LearningRateSchedule,
    /// The rate after the warm-up, before the schedule lowers it.
    full: f64,
    warmup_epochs: u32,
    epochs: u32,
    plateau: Plateau,
}

/// What `reduce_on_plateau` remembers.
#[derive(Clone, Copy, Debug)]
struct Plateau {
    /// The rate as it has been lowered so far.
    rate: f64,
    /// The lowest validation loss.
    lowest: f64,
    /// Epochs since it fell.
    epochs_without_fall: u32,
}

impl LearningRates {
    /// The rates of `settings` after the epochs of `history`.
    pub fn new(settings: &TrainingSettings, history: &[EpochRow]) -> Self {
        let mut rates = Self {
            schedule: settings.lr_scheduler,
            full: settings.learning_rate,
            warmup_epochs: settings.warmup_epochs,
            epochs: settings.epochs,
            plateau: Plateau {
                rate: settings.learning_rate,
                lowest: f64::INFINITY,
                epochs_without_fall: 0,
            },
        };

        for row in history {
            rates.note_epoch(row);
        }
        rates
    }

    /// The rate of an epoch; `epoch` counts from 1, and those before it must have been noted.
    pub fn rate_of(&self, epoch: u32) -> f64 {
        if epoch <= self.warmup_epochs {
            let share = f64::from(epoch) / (f64::from(self.warmup_epochs) + 1.0);
            return self.full * share;
        }

        let since_warmup = epoch - self.warmup_epochs - 1;
        let n = f64::from(since_warmup);
        match self.schedule {
            LearningRateSchedule::None => self.full,
            LearningRateSchedule::Step { step_size, gamma } => {
                let falls = since_warmup / step_size.max(1);
                self.full * libm::pow(gamma, f64::from(falls))
            }
            LearningRateSchedule::Exponential { gamma } => self.full * libm::pow(gamma, n),
            LearningRateSchedule::Cosine { min_lr } => {
                let length = f64::from(self.epochs.saturating_sub(self.warmup_epochs).max(1));
                let share = f64::midpoint(1.0, libm::cos(PI * n / length));
                min_lr + (self.full - min_lr) * share
            }
            LearningRateSchedule::ReduceOnPlateau { .. } => self.plateau.rate,
        }
    }

    /// An epoch has ended.
    pub fn note_epoch(&mut self, row: &EpochRow) {
        let LearningRateSchedule::ReduceOnPlateau {
            factor,
            patience,
            min_lr,
        } = self.schedule
        else {
            return;
        };
        if row.epoch <= self.warmup_epochs {
            return;
        }

        let plateau = &mut self.plateau;
        if row.validation_loss < plateau.lowest * (1.0 - FALL) {
            plateau.lowest = row.validation_loss;
            plateau.epochs_without_fall = 0;
        } else {
            plateau.epochs_without_fall += 1;
        }

        // One more than is borne.
        if plateau.epochs_without_fall > patience {
            plateau.rate = (plateau.rate * factor).max(min_lr);
            plateau.epochs_without_fall = 0;
        }
    }
}
