//! The forward pass of every model over safetensors, in plain Rust: the registry, the CLI and tests
//! predict without libtorch.
//!
//! A [`Model`] is a [`Network`] and its weights, checked once when it is made: every tensor the
//! network asks for, no other, in its shape, float32 and finite. Inputs are rows of features as a
//! data set stores them: in the network's column order and already scaled. Sums run in f64 and are
//! rounded to f32 once per unit, so results agree with libtorch's f32 sums within 1e-5 and do not
//! depend on the machine. Not here: training, reading objects, building features.

mod error;
mod instructions;
mod learner;
pub mod losses;
pub mod math;
mod mlp;
mod model;
pub mod optimisers;
mod weights;

pub use error::NetworkError;
pub use learner::Learner;
pub use mlp::Mlp;
pub use model::Model;
pub use schemas::manifests::Network;
