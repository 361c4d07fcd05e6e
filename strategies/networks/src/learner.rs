//! What a network must offer to be trained: the scores of a batch, and how every parameter changes
//! their loss.

use schemas::manifests::{Architecture, Network};

use crate::{Gru, Lstm, Mlp, Tsk};

/// The learner of a network, whatever its family.
pub fn learner_of(network: &Network) -> Box<dyn Learner> {
    let inputs = network.features.len();
    let outputs = network.output.width();
    match &network.architecture {
        Architecture::Mlp(shape) => Box::new(Mlp::new(shape, inputs, outputs)),
        Architecture::Lstm(shape) => Box::new(Lstm::new(shape, inputs, outputs)),
        Architecture::Gru(shape) => Box::new(Gru::new(shape, inputs, outputs)),
        Architecture::Tsk(shape) => Box::new(Tsk::new(&shape.base, outputs)),
    }
}

/// A network that learns.
///
/// It owns its working memory, so that a step allocates nothing once the first batch has been
/// seen. Parameters and gradients belong to the caller: each is one flat slice in file order, as
/// [`Network::tensors`](crate::Network::tensors) lists it.
///
/// Inputs are gathered already: `[rows, inputs]`, row-major. A row of a sequence network is a
/// window `[length, features]`, oldest row first.
///
/// Equal arguments give equal bits on every machine: each sum has one order, each fused operation
/// is written as one, and no function of the host's libm is called.
pub trait Learner: Send {
    /// Number of trainable values.
    fn parameter_count(&self) -> usize;

    /// Number of values in a row.
    fn input_count(&self) -> usize;

    /// Number of scores of a row.
    fn output_count(&self) -> usize;

    /// Units of a row that dropout may switch off; 0 for a network without dropout.
    fn dropout_count(&self) -> usize;

    /// Raw scores `[rows, outputs]` of `inputs` without dropout. `scores` is overwritten.
    fn score(&mut self, parameters: &[f32], inputs: &[f32], scores: &mut Vec<f32>);

    /// The same with dropout, keeping what [`Learner::backward`] needs.
    ///
    /// `masks` holds for each layer with dropout in turn `[rows, width]`: 0 for a unit that is
    /// dropped, 1/(1 − p) for another; empty means no dropout.
    fn forward(&mut self, parameters: &[f32], inputs: &[f32], masks: &[f32], scores: &mut Vec<f32>);

    /// The gradient of Σ `scores` · `score_gradients` by every parameter, for the batch of the last
    /// [`Learner::forward`]. `score_gradients` is `[rows, outputs]`; `gradients` is overwritten.
    fn backward(
        &mut self,
        parameters: &[f32],
        inputs: &[f32],
        masks: &[f32],
        score_gradients: &[f32],
        gradients: &mut [f32],
    );

    /// Moves `parameters` to the nearest ones that the network allows; called after each step.
    /// Most networks allow all.
    fn constrain(&mut self, _parameters: &mut [f32]) {}
}
