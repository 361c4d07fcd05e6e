//! A training's control in the service: the stop token, the progress slot, and checkpoints handed
//! to another task.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use runtime::StepContext;
use schemas::progress::{Context, Count, Device, Progress};
use tokio::sync::watch;

use crate::{BatchProgress, Control, EpochRow, TrainState};

/// Share of the step at which the first epoch begins; before it the data set is read.
const EPOCHS_BEGIN: f64 = 0.02;
/// Share of the step at which the last epoch ends; after it the model is measured and published.
const EPOCHS_END: f64 = 0.95;
/// Most instruments, and most timeframes, that a message names.
const NAMED_MAX: usize = 2;

/// The facts that every progress record of a training repeats.
#[derive(Clone, Debug)]
pub struct TrainFacts {
    /// Kind of network: `mlp`.
    pub model_type: String,
    /// Name of the strategy.
    pub strategy: String,
    /// Instruments in stacking order.
    pub symbols: Vec<String>,
    /// Timeframes, base first.
    pub timeframes: Vec<String>,
    /// Step size of the optimiser.
    pub learning_rate: f64,
    /// The device that it is computed on.
    pub device: Device,
}

/// Reports a training through its step. Lives on the training thread.
pub struct Reporter {
    step: StepContext,
    facts: TrainFacts,
    began: Instant,
    /// Of the last finished epoch.
    validation_loss: Cell<Option<f64>>,
    checkpoints: watch::Sender<Option<Arc<TrainState>>>,
}

impl Reporter {
    /// Reports through `step` and puts checkpoints into `checkpoints`, where the newest replaces
    /// one that still waits.
    pub fn new(
        step: StepContext,
        facts: TrainFacts,
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

    fn context_of(&self, at: &BatchProgress) -> Context {
        let facts = self.facts.clone();

        Context::Train {
            model_type: facts.model_type,
            strategy: facts.strategy,
            symbols: facts.symbols,
            timeframes: facts.timeframes,
            epoch: count_of(at.epoch, at.epochs),
            batch: count_of(at.batch, at.batches),
            train_loss: Some(at.loss),
            val_loss: self.validation_loss.get(),
            learning_rate: facts.learning_rate,
            device: facts.device,
        }
    }
}

impl TrainFacts {
    /// `MLP model on AAPL, MSFT (+2 more) [1h, 4h]`: two instruments and two timeframes are named.
    pub fn subject(&self) -> String {
        // A screen has no room for 256 instruments.
        format!(
            "{} model on {} [{}]",
            self.model_type.to_uppercase(),
            name_some(&self.symbols),
            name_some(&self.timeframes)
        )
    }

    /// The GPU that computes; nothing for a CPU.
    fn device_suffix(&self) -> String {
        match (self.device.kind.as_str(), self.device.name.as_str()) {
            ("cpu", _) => String::new(),
            (_, "") => " 🖥️ GPU".to_owned(),
            (_, name) => format!(" 🖥️ {name}"),
        }
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
            ..
        } = *at;
        let message = format!(
            "Training {} [epoch {epoch}/{epochs}] (batch {batch}/{batches}){}",
            self.facts.subject(),
            self.facts.device_suffix()
        );
        let batches_of_run = Count {
            done: u64::from(epoch - 1) * u64::from(batches) + u64::from(batch),
            total: u64::from(epochs) * u64::from(batches),
        };

        // A store into a slot: the thread does not wait for the bus.
        self.step.report(Progress {
            fraction: EPOCHS_BEGIN + (EPOCHS_END - EPOCHS_BEGIN) * at.fraction_done(),
            message,
            items: Some(batches_of_run),
            context: self.context_of(at),
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

/// `AAPL, MSFT (+2 more)`: the first two names, and how many others there are.
fn name_some(names: &[String]) -> String {
    let (named, others) = names.split_at(names.len().min(NAMED_MAX));
    let named = named.join(", ");
    match others.len() {
        0 => named,
        count => format!("{named} (+{count} more)"),
    }
}

fn count_of(done: u32, total: u32) -> Count {
    Count {
        done: done.into(),
        total: total.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(symbols: &[&str], timeframes: &[&str], device: (&str, &str)) -> TrainFacts {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        TrainFacts {
            model_type: "mlp".to_owned(),
            strategy: "x".to_owned(),
            symbols: owned(symbols),
            timeframes: owned(timeframes),
            learning_rate: 1e-3,
            device: Device {
                kind: device.0.to_owned(),
                name: device.1.to_owned(),
            },
        }
    }

    #[test]
    fn two_symbols_and_timeframes_are_named_and_the_others_counted() {
        let one = facts(&["EURUSD"], &["1h"], ("cpu", ""));
        assert_eq!(one.subject(), "MLP model on EURUSD [1h]");

        let many = facts(
            &["AAPL", "MSFT", "IBM", "SPY"],
            &["1h", "4h", "1d"],
            ("cpu", ""),
        );
        assert_eq!(
            many.subject(),
            "MLP model on AAPL, MSFT (+2 more) [1h, 4h (+1 more)]"
        );
    }

    #[test]
    fn a_gpu_is_named_and_a_cpu_is_not() {
        assert_eq!(facts(&[], &[], ("cpu", "")).device_suffix(), "");
        assert_eq!(facts(&[], &[], ("cuda", "")).device_suffix(), " 🖥️ GPU");
        assert_eq!(
            facts(&[], &[], ("cuda", "RTX 3090")).device_suffix(),
            " 🖥️ RTX 3090"
        );
    }
}
