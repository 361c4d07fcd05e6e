//! The trainer: a data set in, a model artifact out. The only crate that links libtorch.
//!
//! [`train`] is the core: a pure function of data, network, settings and seed, but for the [`Control`] it reports to. It knows
//! no bus, no store and no clock. Around it the service reads the data set, stores checkpoints and publishes the artifact:
//! `model.safetensors` (PyTorch's names, float32), `metrics.json` and `history.parquet`.
//!
//! Same seed, same data, same settings, same number of threads: same bits, on CPU, interrupted or not.
//!
//! Deliberately absent: optimisers but Adam, learning-rate schedules, mixed precision, sequence networks, sample weights.

mod adam;
pub mod artifact;
pub mod control;
mod criterion;
mod data;
pub mod dataset;
mod error;
pub mod metrics;
mod mlp;
pub mod random;
pub mod state;
mod train;

pub use control::{BatchProgress, Control, EpochRow};
pub use data::{Labels, Part, TrainingData};
pub use error::TrainError;
pub use state::{TrainState, model_file};
pub use train::{CHECKPOINT_AGE, CHECKPOINT_EPOCHS, Trained, train};
