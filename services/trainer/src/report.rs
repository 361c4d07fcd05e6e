//! A training's control in the service: the stop token, the progress slot, and checkpoints handed
//! to another task.

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use runtime::StepContext;
use schemas::progress::{Context, Count, Device, Progress};
use tokio::sync::watch;

use crate::{BatchProgress, Control, EpochRow, TrainState};

/// Share of the step that the epochs take; reading before and measuring and publishing after share
/// the rest.
const BEFORE: f64 = 0.02;
const EPOCHS: f64 = 0.95;

/// What every progress record of a training repeats.
#[derive(Clone, Debug)]
pub struct Facts {
    /// `mlp`.
    pub model_type: String,
    /// Strategy name.
    pub strategy: String,
    /// Instruments.
    pub symbols: Vec<String>,
    /// Timeframes, base first.
    pub timeframes: Vec<String>,
    /// Step size.
    pub learning_rate: f64,
    /// Where it runs.
    pub device: Device,
}

/// Lives on the training thread.
pub struct Reporter {
    step: StepContext,
    facts: Facts,
    began: Instant,
    validation_loss: Cell<Option<f64>>,
    checkpoints: watch::Sender<Option<Arc<TrainState>>>,
}

impl Reporter {
    /// Reports through `step` and puts checkpoints into `checkpoints`, where the newest replaces
    /// one that still waits.
    pub fn new(
        step: StepContext,
        facts: Facts,
        checkpoints: watch::Sender<Option<Arc<TrainState>>>,
    ) -> Self {
        Self {
            step,
            facts,
            began: Instant::now(),
            validation_loss: Cell::new(None),
            checkpoints,
        }
    }
}

impl Facts {
    /// `MLP model on EURUSD [1h]`, with at most three instruments named.
    pub fn subject(&self) -> String {
        let more = self.symbols.len().saturating_sub(3);
        let named: Vec<&str> = self.symbols.iter().take(3).map(String::as_str).collect();
        let rest = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        format!(
            "{} model on {}{rest} [{}]",
            self.model_type.to_uppercase(),
            named.join(", "),
            self.timeframes.join(", ")
        )
    }
}

impl Control for Reporter {
    fn cancelled(&self) -> bool {
        self.step.stop().is_requested()
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn batch(&self, at: &BatchProgress) {
        let BatchProgress {
            epoch,
            epochs,
            batch,
            batches,
            loss,
            ..
        } = *at;
        let count = |done: u32, total: u32| Count {
            done: done.into(),
            total: total.into(),
        };
        let done = u64::from(epoch - 1) * u64::from(batches) + u64::from(batch);
        let facts = self.facts.clone();
        self.step.report(Progress {
            fraction: BEFORE + (EPOCHS - BEFORE) * at.done(),
            message: format!(
                "Training {} [epoch {epoch}/{epochs}] (batch {batch}/{batches})",
                facts.subject()
            ),
            items: Some(Count {
                done,
                total: u64::from(epochs) * u64::from(batches),
            }),
            context: Context::Train {
                model_type: facts.model_type,
                strategy: facts.strategy,
                symbols: facts.symbols,
                timeframes: facts.timeframes,
                epoch: count(epoch, epochs),
                batch: count(batch, batches),
                train_loss: Some(loss),
                val_loss: self.validation_loss.get(),
                learning_rate: facts.learning_rate,
                device: facts.device,
            },
            waiting: None,
        });
    }

    fn epoch(&self, row: &EpochRow) {
        self.validation_loss.set(Some(row.validation_loss));
        tracing::debug!(
            epoch = row.epoch,
            train_loss = row.train_loss,
            validation_loss = row.validation_loss,
            seconds = row.seconds,
            "epoch finished"
        );
    }

    fn checkpoint(&self, state: TrainState) {
        self.checkpoints.send_replace(Some(Arc::new(state)));
    }
}
