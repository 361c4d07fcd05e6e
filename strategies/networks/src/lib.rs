//! Every network in plain Rust, forwards and backwards, with the same bits on every machine: the
//! trainer learns with it, and the registry, the CLI and tests predict with it, without libtorch.
//!
//! - A [`Learner`] is a network's computation: scores of a batch, and how each parameter changes
//!   them. It holds no parameters: these are one flat slice in file order.
//! - [`losses`] and [`optimisers`] make a training of it, [`math`] has the functions that `std`
//!   leaves to the host.
//! - [`recurrent`] has LSTM and GRU. [`tsk`] is the neuro-fuzzy network: where its rules come from,
//!   and how they read.
//! - A [`Model`] is a [`Network`] and its weights, checked once when it is made: every tensor the
//!   network asks for, no other, in its shape, float32 and finite.
//!
//! Inputs are rows of features as a data set stores them: in the network's column order and already
//! scaled. Numbers are f32. Each sum has one order, each fused operation is written as one, so
//! results do not depend on the machine; they agree with libtorch's within 1e-5. Not here: the loop
//! of a training, reading objects, building features.

mod error;
mod instructions;
mod learner;
pub mod losses;
pub mod math;
mod mlp;
mod model;
pub mod optimisers;
pub mod recurrent;
pub mod tsk;
mod weights;

pub use error::NetworkError;
pub use learner::{Learner, learner_of};
pub use mlp::Mlp;
pub use model::Model;
pub use recurrent::{Gru, Lstm};
pub use schemas::manifests::Network;
pub use tsk::Tsk;

/// Version of what decides about the bits of a training: orders of sums, functions of [`math`],
/// formulas of losses and optimisers. It grows with every change of them. Since 2 the trainer sums
/// the gradients of a long batch block by block.
pub const NUMERICS_VERSION: u32 = 2;
