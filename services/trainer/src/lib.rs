//! The trainer: a data set in, a model artifact out.
//!
//! [`train`] is the core: a pure function of data, network, settings and seed, but for the
//! [`Control`] it reports to. It knows no bus, no store and no clock. Around it the service reads
//! the data set, stores checkpoints and publishes the artifact: `model.safetensors` (PyTorch's
//! names, float32), `metrics.json` and `history.parquet`.
//!
//! | Subject | Reads | Writes |
//! |---|---|---|
//! | `trainer train` ([`schemas::commands::TrainModel`]) | the request, `datasets/<dataset>`, its last checkpoint | checkpoints, one artifact |
//!
//! | Failure | What happens |
//! |---|---|
//! | killed, shut down, cancelled | the next attempt or a resume goes on from the last checkpoint, in the same bits |
//! | checkpoint damaged | a warning, and the training starts from the beginning |
//! | checkpoint cannot be written | a warning; the training goes on, and the next one is tried |
//! | data set absent or damaged, class absent, settings out of bounds | the step fails and says where |
//! | libtorch runs out of memory | batches are halved, twice at most, and it goes on after the last epoch; then it fails, and the last good state is kept as a checkpoint |
//! | loss diverges | the step fails; the last good state is kept as a checkpoint |
//! | the GPU of the setting is absent, or the lane is `gpu` without one | no start |
//!
//! Two engines compute it: `native`, plain Rust on the CPU, and `libtorch`, which GPUs need and
//! which is there only when the crate is built with the feature `libtorch`. In the native engine
//! the same seed, data and settings give the same bits on every machine, interrupted or not; in
//! libtorch on the CPU of one machine at one number of threads.
//!
//! A recurrent network learns from windows of consecutive bars ([`strategies::windows`]). They are
//! an index into the rows of a part, so that no row is copied: both engines gather the windows of a
//! batch.
//!
//! Deliberately absent: mixed precision.

mod analytics;
pub mod artifact;
mod bundle;
mod checkpoints;
mod control;
mod data;
pub mod data_set;
mod device;
mod device_check;
mod engine;
mod error;
mod evaluation;
mod gpu;
mod handler;
mod history;
mod job;
mod learning_rate;
mod measured;
mod memory;
mod metrics_table;
mod prepared;
mod report;
mod session;
pub mod state;
mod train;

pub use ::metrics::Objective;
use ::metrics::objective;
pub use ::metrics::random;
pub use control::{BatchProgress, Control};
pub use data::{Labels, PartData, TrainingData};
pub use device::{ComputeDevice, DeviceError, DeviceSetting};
pub use device_check::check_devices;
pub use engine::{EngineError, EngineKind};
pub use error::TrainError;
pub use evaluation::{Evaluated, evaluate};
pub use gpu::GpuGauge;
pub use handler::{Trainer, TrainerSettings};
pub use history::EpochRow;
pub use job::TrainJob;
pub use learning_rate::LearningRates;
pub use state::{TrainState, model_file};
pub use train::{CHECKPOINT_AGE, CHECKPOINT_EPOCHS, Trained, train};

/// What a model's scores are worth, and the file of these figures.
pub mod metrics {
    pub use ::metrics::*;

    pub use crate::metrics_table::metrics_file;
}
