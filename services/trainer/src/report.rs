//! A training's control in the service: the stop token, the progress slot, and checkpoints handed
//! to another task.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use runtime::traces::Value;
use runtime::{StepContext, meters};
use schemas::progress::{Context, Count, Device, GpuFacts, Progress};
use schemas::training::BatchHalving;
use strategies::Resolved;
use tokio::sync::watch;

use crate::{BatchProgress, ComputeDevice, Control, EpochRow, GpuGauge, TrainState};

/// Share of the step at which the first epoch begins; before it the data set is read. Both ends
/// stay so close to 0 and 1 that the percent of the step is that of the batches within 1 %.
const EPOCHS_BEGIN: f64 = 0.01;
/// Share of the step at which the last epoch ends; after it the model is measured and published.
const EPOCHS_END: f64 = 0.99;
/// Time between two records that are put into the slot. The slot is drained more slowly than that,
/// so what is left out would never be seen, and an epoch of two milliseconds has no time for it.
pub(crate) const RECORD_PACE: Duration = Duration::from_millis(20);
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
    /// Passes over the training part.
    pub epochs: u32,
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
    /// When the last record was put into the slot, from `began`.
    recorded_at: Cell<Option<Duration>>,
    gauge: GpuGauge,
    /// Most memory of the GPU that a record has shown.
    memory_peak: Cell<Option<u64>>,
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
            recorded_at: Cell::new(None),
            gauge: GpuGauge::default(),
            memory_peak: Cell::new(None),
            checkpoints,
        }
    }

    /// Shows what this gauge says, too.
    pub fn watching(self, gauge: GpuGauge) -> Self {
        Self { gauge, ..self }
    }

    /// What the heartbeats have read last: the training thread does not wait for the driver.
    fn latest_gpu(&self) -> Option<GpuFacts> {
        let facts = self.gauge.latest();
        let used = facts.as_ref().map(|facts| facts.memory_used_bytes);
        self.memory_peak.set(self.memory_peak.get().max(used));
        facts
    }

    /// Most memory of the GPU in use so far, in bytes; asks the driver once more, so that a
    /// training shorter than a heartbeat has a figure.
    pub fn gpu_memory_peak(&self) -> Option<u64> {
        self.gauge.read();
        self.latest_gpu();
        self.memory_peak.get()
    }
}

impl TrainFacts {
    /// Those of a strategy that is trained on `device`.
    pub fn new(resolved: &Resolved, device: ComputeDevice) -> Self {
        let symbols = resolved.symbols.iter();
        let timeframes = resolved.timeframes.iter();
        Self {
            model_type: resolved.model.name().to_owned(),
            strategy: resolved.name.clone(),
            symbols: symbols.map(market::Instrument::symbol).collect(),
            timeframes: timeframes.map(ToString::to_string).collect(),
            epochs: resolved.settings.epochs,
            learning_rate: resolved.settings.learning_rate,
            device: device.describe(),
        }
    }

    /// What a training reports before its first batch and after its last one: `epoch` is the last
    /// one that has ended.
    pub fn between_epochs(&self, fraction: f64, message: String, epoch: u32) -> Progress {
        Progress {
            fraction,
            message,
            context: Context::Train {
                model_type: self.model_type.clone(),
                strategy: self.strategy.clone(),
                symbols: self.symbols.clone(),
                timeframes: self.timeframes.clone(),
                epoch: count_of(epoch, self.epochs),
                batch: count_of(0, 0),
                train_loss: None,
                val_loss: None,
                learning_rate: self.learning_rate,
                device: self.device.clone(),
            },
            ..Progress::default()
        }
    }

    fn context_of(
        &self,
        at: &BatchProgress,
        validation_loss: Option<f64>,
        gpu: Option<GpuFacts>,
    ) -> Context {
        let facts = self.clone();

        Context::Train {
            model_type: facts.model_type,
            strategy: facts.strategy,
            symbols: facts.symbols,
            timeframes: facts.timeframes,
            epoch: count_of(at.epoch, at.epochs),
            batch: count_of(at.batch, at.batches),
            train_loss: Some(at.loss),
            val_loss: validation_loss,
            learning_rate: facts.learning_rate,
            device: Device {
                gpu,
                ..facts.device
            },
        }
    }

    /// The context of a bundle: trainings that have ended of all, and the lowest figure on
    /// validation.
    pub(crate) fn context_of_bundle(
        &self,
        trainings: Count,
        failed: u64,
        best: Option<f64>,
    ) -> Context {
        let facts = self.clone();

        Context::TrainBundle {
            model_type: facts.model_type,
            strategy: facts.strategy,
            symbols: facts.symbols,
            timeframes: facts.timeframes,
            trainings,
            failed,
            best,
            device: facts.device,
        }
    }

    /// `Training MLP model on EURUSD [1h] [12/64 trainings, best 1.0412] 🖥️ CPU`.
    pub(crate) fn sentence_of_bundle(&self, trainings: Count, best: Option<f64>) -> String {
        let Count { done, total } = trainings;
        let best = best.map_or_else(String::new, |best| format!(", best {best:.4}"));
        format!(
            "Training {} [{done}/{total} trainings{best}] 🖥️ {}",
            self.subject(),
            self.device_name()
        )
    }

    /// `Training MLP model on EURUSD [1h] [epoch 3/50] (batch 141/169) 🖥️ CPU`.
    fn sentence(&self, at: &BatchProgress) -> String {
        let BatchProgress {
            epoch,
            epochs,
            batch,
            batches,
            ..
        } = at;
        format!(
            "Training {} [epoch {epoch}/{epochs}] (batch {batch}/{batches}) 🖥️ {}",
            self.subject(),
            self.device_name()
        )
    }

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

    /// The device that computes, as a message names it.
    fn device_name(&self) -> &str {
        match (self.device.kind.as_str(), self.device.name.as_str()) {
            ("cpu", "") => "CPU",
            (_, "") => "GPU",
            (_, name) => name,
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
        let now = self.elapsed();
        let recorded_at = self.recorded_at.get();
        let is_last = at.epoch == at.epochs && at.batch == at.batches;
        if !is_last && recorded_at.is_some_and(|then| now - then < RECORD_PACE) {
            return;
        }
        self.recorded_at.set(Some(now));

        let BatchProgress {
            epoch,
            epochs,
            batch,
            batches,
            ..
        } = *at;
        let batches_of_run = Count {
            done: u64::from(epoch - 1) * u64::from(batches) + u64::from(batch),
            total: u64::from(epochs) * u64::from(batches),
        };

        // A store into a slot: the thread does not wait for the bus.
        self.step.report(Progress {
            fraction: fraction_of_step(at),
            message: self.facts.sentence(at),
            items: Some(batches_of_run),
            context: self
                .facts
                .context_of(at, self.validation_loss.get(), self.latest_gpu()),
            waiting: None,
        });
    }

    fn epoch(&self, row: &EpochRow) {
        self.validation_loss.set(Some(row.validation_loss));
        meters::epoch_trained();
        self.step.note_in_trace("epoch", facts_of(row));
        tracing::debug!(
            epoch = row.epoch,
            train_loss = row.train_loss,
            validation_loss = row.validation_loss,
            seconds = row.seconds,
            "epoch finished"
        );
    }

    fn halved(&self, halving: BatchHalving) {
        let BatchHalving { epoch, batch_size } = halving;
        tracing::warn!(epoch, batch_size, "out of memory: batches are halved");

        let message = format!("Out of memory: on from epoch {epoch} in batches of {batch_size}");
        let epochs_done = epoch.saturating_sub(1);
        let share = f64::from(epochs_done) / f64::from(self.facts.epochs.max(1));
        let fraction = EPOCHS_BEGIN + (EPOCHS_END - EPOCHS_BEGIN) * share;
        let record = self.facts.between_epochs(fraction, message, epochs_done);
        self.step.report(record);
    }

    fn checkpoint(&self, state: TrainState) {
        self.checkpoints.send_replace(Some(Arc::new(state)));
    }
}

/// What the trace of the operation says of an epoch.
fn facts_of(row: &EpochRow) -> Vec<(&'static str, Value)> {
    vec![
        ("ktrdr.epoch", u64::from(row.epoch).into()),
        ("ktrdr.train_loss", row.train_loss.into()),
        ("ktrdr.validation_loss", row.validation_loss.into()),
    ]
}

/// The share of the step at a moment of its epochs.
fn fraction_of_step(at: &BatchProgress) -> f64 {
    share_of_step(at.fraction_done())
}

/// The share of the step when that share of its epochs is done.
pub(crate) fn share_of_step(of_epochs: f64) -> f64 {
    EPOCHS_BEGIN + (EPOCHS_END - EPOCHS_BEGIN) * of_epochs
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
            epochs: 50,
            learning_rate: 1e-3,
            device: Device {
                kind: device.0.to_owned(),
                name: device.1.to_owned(),
                ..Device::default()
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

    /// Batch `batch` of 20 in epoch `epoch` of 50.
    fn moment(epoch: u32, batch: u32) -> BatchProgress {
        BatchProgress {
            epoch,
            epochs: 50,
            batch,
            batches: 20,
            loss: 1.05,
            accuracy: None,
        }
    }

    #[test]
    fn the_whole_sentence_has_epoch_batch_and_device() {
        let sentence_on = |device| facts(&["EURUSD"], &["1h"], device).sentence(&moment(3, 7));

        let start = "Training MLP model on EURUSD [1h] [epoch 3/50] (batch 7/20) 🖥️";
        assert_eq!(sentence_on(("cpu", "")), format!("{start} CPU"));
        assert_eq!(sentence_on(("cuda", "")), format!("{start} GPU"));
        assert_eq!(
            sentence_on(("cuda", "RTX 3090")),
            format!("{start} RTX 3090")
        );
    }

    #[test]
    fn every_batch_carries_the_whole_context() {
        let context =
            facts(&["EURUSD"], &["1h"], ("cpu", "")).context_of(&moment(3, 7), Some(1.1), None);

        let expected = serde_json::json!({
            "kind": "train",
            "model_type": "mlp",
            "strategy": "x",
            "symbols": ["EURUSD"],
            "timeframes": ["1h"],
            "epoch": {"done": 3, "total": 50},
            "batch": {"done": 7, "total": 20},
            "train_loss": 1.05,
            "val_loss": 1.1,
            "learning_rate": 0.001,
            "device": {"kind": "cpu", "name": ""},
        });
        assert_eq!(serde_json::to_value(context).unwrap(), expected);
    }

    #[test]
    fn a_report_between_epochs_carries_the_context_too() {
        let facts = facts(&["EURUSD"], &["1h"], ("cpu", ""));

        let publishing = facts.between_epochs(0.995, "Publishing".to_owned(), 13);

        let context = serde_json::to_value(publishing.context).unwrap();
        let expected = serde_json::json!({
            "kind": "train",
            "model_type": "mlp",
            "strategy": "x",
            "symbols": ["EURUSD"],
            "timeframes": ["1h"],
            "epoch": {"done": 13, "total": 50},
            "batch": {"done": 0, "total": 0},
            "train_loss": null,
            "val_loss": null,
            "learning_rate": 0.001,
            "device": {"kind": "cpu", "name": ""},
        });
        assert_eq!(context, expected);
    }

    #[test]
    fn the_percent_is_that_of_the_batches_within_two() {
        // 1 000 batches in all: 20 points, every fiftieth of them.
        for point in 1..=20_u32 {
            let batches_done = point * 50;
            let last = batches_done - 1;
            let at = moment(last / 20 + 1, last % 20 + 1);

            let percent = 100.0 * fraction_of_step(&at);
            let percent_of_batches = f64::from(batches_done) / 10.0;
            assert!(
                (percent - percent_of_batches).abs() <= 2.0,
                "{percent} % of the step at {percent_of_batches} % of the batches"
            );
        }
    }
}
