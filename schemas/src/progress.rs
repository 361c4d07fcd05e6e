//! Progress records: typed, sequenced, cheap; rendered to one line by the worker, so readers never
//! parse text.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::codec::Message;
use crate::ids::{OperationId, Service, StepNumber, WorkerId};

/// Longest rendered message, in bytes.
pub const PROGRESS_MESSAGE_BYTES_MAX: usize = 300;

/// How many of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Items finished so far.
    pub done: u64,
    /// Items in all; 0 = unknown.
    pub total: u64,
}

/// What the requests for one series have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentCounts {
    /// All requests of the plan.
    pub total: u64,
    /// Those that were answered with bars.
    pub ok: u64,
    /// Those that were answered with none.
    pub empty: u64,
    /// Those that were not answered after all tries.
    pub failed: u64,
    /// Those that were not made, since the provider was given up.
    pub skipped: u64,
}

impl SegmentCounts {
    /// Those that are over, however.
    pub const fn ended(&self) -> u64 {
        self.ok
            .saturating_add(self.empty)
            .saturating_add(self.failed)
            .saturating_add(self.skipped)
    }
}

/// The device a trainer computes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// `cpu` or `cuda`.
    pub kind: String,
    /// Its name among the devices of its kind, such as `GPU 1`; empty for a CPU.
    #[serde(default)]
    pub name: String,
    /// What its driver says; absent for a CPU, and where no driver can be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuFacts>,
}

/// What the driver says about a GPU. Memory and computing are those of all programs on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuFacts {
    /// Name of the product, such as `NVIDIA H100 80GB HBM3`.
    pub model: String,
    /// Memory that the GPU has, in bytes.
    pub memory_bytes: u64,
    /// Memory in use, in bytes.
    pub memory_used_bytes: u64,
    /// Percent of the last moments, at most a second, in which it computed; absent where the
    /// driver does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilization_percent: Option<u8>,
}

/// How many children of a step are in which state. Those that are left have not begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildCounts {
    /// All children of the step.
    pub total: u32,
    /// Those that have their results.
    pub completed: u32,
    /// Those that were given up.
    pub failed: u32,
    /// Those that were stopped on request.
    pub cancelled: u32,
    /// Those that a worker has begun with.
    pub running: u32,
    /// On a queue, or waiting for another attempt.
    pub queued: u32,
}

impl ChildCounts {
    /// Children whose work is over; that of a cancelled one is left for a resume.
    pub fn finished(&self) -> u32 {
        self.completed.saturating_add(self.failed)
    }

    /// Children that have ended, however.
    pub fn ended(&self) -> u32 {
        self.finished().saturating_add(self.cancelled)
    }
}

/// A child at work, as its parent shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunningChild {
    /// Id of the child.
    pub op: OperationId,
    /// What it is about, in a few words from its labels.
    pub about: String,
    /// Percent of it, as it last said.
    pub percent: f64,
}

/// Facts that only one kind of step has. Unknown kinds read as [`Context::Other`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Context {
    /// Nothing beyond the common fields.
    #[default]
    None,
    /// The dummy service.
    Dummy {
        /// Iterations done, of all.
        iterations: Count,
    },
    /// Loading, checking and processing bars.
    Data {
        /// Symbol of the instrument, as shown.
        symbol: String,
        /// Timeframe of its bars.
        timeframe: String,
        /// Bars handled so far.
        bars: u64,
        /// Bars committed to the store so far.
        saved_bars: u64,
        /// Requests to a provider; absent where none are made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        segments: Option<SegmentCounts>,
    },
    /// Fitting a network.
    Train {
        /// Kind of network, such as `mlp`.
        model_type: String,
        /// Name of the strategy.
        strategy: String,
        /// Instruments trained on, in stacking order.
        symbols: Vec<String>,
        /// Timeframes, base first.
        timeframes: Vec<String>,
        /// Epoch at work, 1-based.
        epoch: Count,
        /// Batch inside the epoch, 1-based.
        batch: Count,
        /// Running training loss of the epoch.
        train_loss: Option<f64>,
        /// Validation loss of the last finished epoch.
        val_loss: Option<f64>,
        /// Step size of the optimiser.
        learning_rate: f64,
        /// The device that it is computed on.
        device: Device,
    },
    /// Fitting several networks to one data set.
    TrainBundle {
        /// Kind of network, such as `mlp`.
        model_type: String,
        /// Name of the strategy.
        strategy: String,
        /// Instruments trained on, in stacking order.
        symbols: Vec<String>,
        /// Timeframes, base first.
        timeframes: Vec<String>,
        /// Trainings that have ended, of all.
        trainings: Count,
        /// Those of them that failed.
        failed: u64,
        /// Lowest loss on validation, or mean error of returns, of those that have ended.
        best: Option<f64>,
        /// The device that they are computed on.
        device: Device,
    },
    /// Waiting for the children of an operation.
    Family {
        /// How many are in which state.
        counts: ChildCounts,
        /// Those at work now, oldest first, a few at most.
        running: Vec<RunningChild>,
    },
    /// Loading bars as they close.
    Live {
        /// Symbol of the series that is waited for or was stored last.
        symbol: String,
        /// Timeframe of its bars.
        timeframe: String,
        /// Bars of all series that have closed and are stored, since the beginning.
        bars: u64,
        /// Bars that closed in this time and have not come.
        missing: u64,
    },
    /// Written by a newer program.
    #[serde(other)]
    Other,
}

/// Why a step does not move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// `provider pacing`, `object store`, …
    pub reason: String,
    /// When it goes on; absent if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What a handler reports: the newest value wins, and the work never waits for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Share of the step in [0, 1]; the runtime never lets it fall within an attempt.
    pub fraction: f64,
    /// One line for people, UTF-8, cut to [`PROGRESS_MESSAGE_BYTES_MAX`].
    pub message: String,
    /// Work items, such as bars or batches.
    pub items: Option<Count>,
    /// Facts of the kind of work.
    pub context: Context,
    /// Why it does not move; absent while it does.
    pub waiting: Option<Waiting>,
}

/// A progress message on the bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgressRecord {
    /// Version of this layout.
    pub v: u16,
    /// The operation it is about.
    pub op: OperationId,
    /// The step it is about.
    pub step: StepNumber,
    /// Steps in the plan.
    pub steps: u16,
    /// The service of the step.
    pub service: Service,
    /// The worker that has the step.
    pub worker: WorkerId,
    /// Attempt of the step.
    pub attempt: u32,
    /// Grows by one within an attempt; readers drop records with a lower one.
    pub seq: u64,
    /// When it was taken.
    pub at: Timestamp,
    /// When the attempt began.
    pub started_at: Timestamp,
    /// Of the whole operation, 0 to 100, by plan weights; 100 only with completion.
    #[serde(deserialize_with = "read_percent")]
    pub percent: f64,
    /// Of the step, 0 to 100.
    #[serde(deserialize_with = "read_percent")]
    pub step_percent: f64,
    /// Seconds left for the step; absent while unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_s: Option<f64>,
    /// Work items per second, such as batches; absent while unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// One line for people, UTF-8.
    pub message: String,
    /// Work items, such as bars or batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Count>,
    /// Facts of the kind of work.
    #[serde(default)]
    pub context: Context,
    /// Why it does not move; absent while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
}

impl Message for ProgressRecord {
    const NAME: &'static str = "progress";
    const VERSION: u16 = 1;
}

/// 0 to 100, whatever somebody wrote; never `-0`, which would be shown as such.
fn read_percent<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let percent = f64::deserialize(from)?;

    // Not a number is no progress; adding 0 takes the sign from `-0`.
    Ok(if percent.is_nan() {
        0.0
    } else {
        percent.clamp(0.0, 100.0) + 0.0
    })
}
