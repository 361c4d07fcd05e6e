//! Networks over windows of rows: layers of LSTM or GRU steps, then a linear layer over the last
//! hidden state.
//!
//! Memory is time-major, `[length, rows, units]`, so that a step is a few products of matrices over
//! all rows. Units are padded with zeros to whole lanes and rows to eights; zeros stay zeros in
//! every formula.

mod backward;
mod forward;
mod gru;
mod lstm;
mod products;
mod sums;
mod weights;

pub use gru::{Gru, GruCell};
pub use lstm::{CellGradient, Lstm, LstmCell, LstmMemory};
pub use products::{LANE_COUNT, Lanes};

use multiversion::{multiversion, target::match_target};
use schemas::manifests::RecurrentShape;

use crate::Learner;
use backward::Gradients;
use forward::Pass;
use products::lanes_for;
use weights::{BackwardWeights, ForwardWeights};

/// Groups of units that a step computes: gates, or parts of their sums.
pub const GROUPS: usize = 4;
/// Rows that are scored at a time: their memory stays in the cache.
const SCORED_ROWS: usize = 64;

/// The sizes of a recurrent network.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Features of a row of the window.
    features: usize,
    /// Rows of a window.
    length: usize,
    /// Width of the hidden state.
    hidden: usize,
    /// Layers of steps, each over the states of the one below.
    layers: usize,
    /// Scores of a window.
    outputs: usize,
    /// Whether training drops units: of every layer's output, of the last layer's at the last step
    /// only.
    has_dropout: bool,
}

impl Sizes {
    /// Each at least 1, so that no table is empty.
    fn new(shape: &RecurrentShape, inputs: usize, outputs: usize) -> Self {
        Self {
            features: inputs.max(1),
            length: shape.sequence_length.max(1),
            hidden: shape.hidden_size.max(1),
            layers: shape.num_layers.max(1),
            outputs: outputs.max(1),
            has_dropout: shape.dropout > 0.0,
        }
    }

    /// Width of what goes into `layer`.
    fn inputs_of(&self, layer: usize) -> usize {
        if layer == 0 {
            self.features
        } else {
            self.hidden
        }
    }

    /// Lanes of a hidden state.
    fn units(&self) -> usize {
        lanes_for(self.hidden)
    }

    /// Lanes of a row of gates. An odd number, so that rows do not compete for the same places of a
    /// cache.
    fn gate_stride(&self) -> usize {
        GROUPS * self.units() + 1
    }

    /// Values of a mask of a layer below the last, per row.
    fn mask_width(&self) -> usize {
        self.length * self.hidden
    }
}

/// One step of a recurrent layer, for [`LANE_COUNT`] neighbouring units of a row.
///
/// Gates lie in memory in groups of all units, in an order of the cell's choice.
pub trait Cell: Send + Sized + std::fmt::Debug + 'static {
    /// Group in memory of each gate of the file, for what it takes from the input. These groups are
    /// neighbours.
    const INPUT_ORDER: &'static [usize];
    /// The same for what it takes from the hidden state.
    const HIDDEN_ORDER: &'static [usize];

    /// What a step leaves for the next one and for the gradient, beside the hidden state.
    type Memory: Copy + Default + Send + std::fmt::Debug;
    /// The gradient by what a step took from the memory of the step before.
    type MemoryGradient: Copy + Default + Send + std::fmt::Debug;

    /// The hidden state and the memory after a step. On entry `gates` has the sums W x + b, on exit
    /// what [`Cell::backward`] needs.
    fn forward(
        gates: [&mut Lanes; GROUPS],
        hidden: &Lanes,
        memory: &Self::Memory,
    ) -> (Lanes, Self::Memory);

    /// The gradients of a step. On entry `hidden_gradient` and `memory_gradient` are those by what
    /// the step made, on exit those by what it took, but for the way through the sums. `gates`
    /// becomes the gradient by the sums.
    fn backward(
        gates: [&mut Lanes; GROUPS],
        states: States<'_, Self::Memory>,
        hidden_gradient: &mut Lanes,
        memory_gradient: &mut Self::MemoryGradient,
    );
}

/// The states around a step.
#[derive(Clone, Copy, Debug)]
pub struct States<'a, M> {
    /// Hidden state before it.
    pub hidden_before: &'a Lanes,
    /// Memory before it.
    pub memory_before: &'a M,
    /// Memory after it.
    pub memory: &'a M,
}

/// A recurrent network that learns.
///
/// Parameters are, for each layer l, `weight_ih_l{l}` `[gates · hidden, inputs]`, `weight_hh_l{l}`
/// `[gates · hidden, hidden]`, `bias_ih_l{l}` and `bias_hh_l{l}` `[gates · hidden]`, then
/// `fc.weight` `[outputs, hidden]` and `fc.bias` `[outputs]`. Masks are, for each layer but the
/// last, `[rows, length, hidden]`, then `[rows, hidden]` for the last hidden state.
#[derive(Debug)]
pub struct Recurrent<C: Cell> {
    sizes: Sizes,
    forward_weights: ForwardWeights,
    backward_weights: BackwardWeights,
    /// The batch of the last [`Learner::forward`].
    training: Pass<C>,
    scoring: Pass<C>,
    gradients: Gradients<C>,
}

impl<C: Cell> Recurrent<C> {
    /// The layers of `shape` over rows of `inputs` features, with `outputs` scores.
    pub fn new(shape: &RecurrentShape, inputs: usize, outputs: usize) -> Self {
        Self {
            sizes: Sizes::new(shape, inputs, outputs),
            forward_weights: ForwardWeights::default(),
            backward_weights: BackwardWeights::default(),
            training: Pass::default(),
            scoring: Pass::default(),
            gradients: Gradients::default(),
        }
    }
}

impl<C: Cell> Learner for Recurrent<C> {
    fn parameter_count(&self) -> usize {
        let Sizes {
            hidden, outputs, ..
        } = self.sizes;
        let rows = C::INPUT_ORDER.len() * hidden;
        let layers = (0..self.sizes.layers).map(|layer| self.sizes.inputs_of(layer) + hidden + 2);
        rows * layers.sum::<usize>() + outputs * (hidden + 1)
    }

    fn input_count(&self) -> usize {
        self.sizes.length * self.sizes.features
    }

    fn output_count(&self) -> usize {
        self.sizes.outputs
    }

    fn dropout_count(&self) -> usize {
        if !self.sizes.has_dropout {
            return 0;
        }
        let layers_below = self.sizes.layers - 1;
        layers_below * self.sizes.mask_width() + self.sizes.hidden
    }

    fn score(&mut self, parameters: &[f32], inputs: &[f32], scores: &mut Vec<f32>) {
        scores.clear();
        score(self, parameters, inputs, scores);
    }

    fn forward(
        &mut self,
        parameters: &[f32],
        inputs: &[f32],
        masks: &[f32],
        scores: &mut Vec<f32>,
    ) {
        scores.clear();
        forward(self, parameters, inputs, masks, scores);
    }

    fn backward(
        &mut self,
        parameters: &[f32],
        _inputs: &[f32],
        masks: &[f32],
        score_gradients: &[f32],
        gradients: &mut [f32],
    ) {
        backward(self, parameters, masks, score_gradients, gradients);
    }
}

/// Calls a function with the number of quads that products sum side by side: two where vectors are
/// as wide as [`Lanes`], else there are registers for one.
macro_rules! with_quads_of_target {
    ($function:ident($($argument:expr),*)) => {
        match_target! {
            "x86_64+avx512f+bmi1+bmi2" => $function::<C, 2>($($argument),*),
            _ => $function::<C, 1>($($argument),*),
        }
    };
}

#[multiversion(
    targets("x86_64+avx512f+bmi1+bmi2", "x86_64+avx2+fma+bmi1+bmi2"),
    dispatcher = "direct"
)]
fn score<C: Cell>(
    network: &mut Recurrent<C>,
    parameters: &[f32],
    inputs: &[f32],
    scores: &mut Vec<f32>,
) {
    with_quads_of_target!(score_in_quads(network, parameters, inputs, scores));
}

#[multiversion(
    targets("x86_64+avx512f+bmi1+bmi2", "x86_64+avx2+fma+bmi1+bmi2"),
    dispatcher = "direct"
)]
fn forward<C: Cell>(
    network: &mut Recurrent<C>,
    parameters: &[f32],
    inputs: &[f32],
    masks: &[f32],
    scores: &mut Vec<f32>,
) {
    with_quads_of_target!(forward_in_quads(network, parameters, inputs, masks, scores));
}

#[multiversion(
    targets("x86_64+avx512f+bmi1+bmi2", "x86_64+avx2+fma+bmi1+bmi2"),
    dispatcher = "direct"
)]
fn backward<C: Cell>(
    network: &mut Recurrent<C>,
    parameters: &[f32],
    masks: &[f32],
    score_gradients: &[f32],
    gradients: &mut [f32],
) {
    with_quads_of_target!(backward_in_quads(
        network,
        parameters,
        masks,
        score_gradients,
        gradients
    ));
}

/// [`Learner::score`] with `QUADS` as in the products.
#[inline(always)]
fn score_in_quads<C: Cell, const QUADS: usize>(
    network: &mut Recurrent<C>,
    parameters: &[f32],
    inputs: &[f32],
    scores: &mut Vec<f32>,
) {
    let sizes = &network.sizes;
    let weights = &mut network.forward_weights;
    weights.pack::<C>(sizes, parameters);

    let width = sizes.length * sizes.features;
    for inputs in inputs.chunks(SCORED_ROWS * width) {
        network.scoring.run::<QUADS>(sizes, weights, inputs, &[]);
        network.scoring.append_scores(sizes, scores);
    }
}

/// [`Learner::forward`] with `QUADS` as in the products.
#[inline(always)]
fn forward_in_quads<C: Cell, const QUADS: usize>(
    network: &mut Recurrent<C>,
    parameters: &[f32],
    inputs: &[f32],
    masks: &[f32],
    scores: &mut Vec<f32>,
) {
    let sizes = &network.sizes;
    let weights = &mut network.forward_weights;
    weights.pack::<C>(sizes, parameters);
    network.training.run::<QUADS>(sizes, weights, inputs, masks);
    network.training.append_scores(sizes, scores);
}

/// [`Learner::backward`] with `QUADS` as in the products.
#[inline(always)]
fn backward_in_quads<C: Cell, const QUADS: usize>(
    network: &mut Recurrent<C>,
    parameters: &[f32],
    masks: &[f32],
    score_gradients: &[f32],
    gradients: &mut [f32],
) {
    let sizes = &network.sizes;
    let weights = &mut network.backward_weights;
    weights.pack::<C>(sizes, parameters);

    let pass = &mut network.training;
    let sums = &mut network.gradients;
    sums.run::<QUADS>(sizes, weights, pass, masks, score_gradients);
    sums.write(sizes, gradients);
}

/// f of each value.
#[inline(always)]
fn map(values: &Lanes, f: impl Fn(f32) -> f32) -> Lanes {
    let mut results = *values;
    for result in &mut results {
        *result = f(*result);
    }
    results
}

/// f of each pair of values.
#[inline(always)]
fn map2(values: &Lanes, seconds: &Lanes, f: impl Fn(f32, f32) -> f32) -> Lanes {
    let mut results = *values;
    for (result, second) in results.iter_mut().zip(seconds) {
        *result = f(*result, *second);
    }
    results
}

/// f of each three values.
#[inline(always)]
fn map3(
    values: &Lanes,
    seconds: &Lanes,
    thirds: &Lanes,
    f: impl Fn(f32, f32, f32) -> f32,
) -> Lanes {
    let mut results = *values;
    for ((result, second), third) in results.iter_mut().zip(seconds).zip(thirds) {
        *result = f(*result, *second, *third);
    }
    results
}

/// Gradients below it are 0: they change no weight, and those that are not normal numbers would be
/// slow to calculate with.
const GRADIENT_FLOOR: f32 = 1e-30;

/// The gradient by x from that by y = σ(x).
#[inline(always)]
fn through_sigmoid(by_y: f32, y: f32) -> f32 {
    without_tiny(by_y * (y * (1.0 - y)))
}

/// The gradient by x from that by y = tanh x.
#[inline(always)]
fn through_tanh(by_y: f32, y: f32) -> f32 {
    without_tiny(by_y * (1.0 - y * y))
}

#[inline(always)]
fn without_tiny(gradient: f32) -> f32 {
    if gradient.abs() < GRADIENT_FLOOR {
        0.0
    } else {
        gradient
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores and gradients of a batch.
    #[derive(Debug, PartialEq)]
    struct Lesson {
        scores: Vec<u32>,
        gradients: Vec<u32>,
    }

    /// Numbers in -1..1, by a linear congruential generator.
    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        (0..count).map(|_| next_number(&mut state)).collect()
    }

    fn next_number(state: &mut u32) -> f32 {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *state as f32 / 2_147_483_648.0 - 1.0
    }

    /// Sizes that fill no lane and no eight rows.
    const SHAPE: RecurrentShape = RecurrentShape {
        sequence_length: 7,
        hidden_size: 21,
        num_layers: 2,
        dropout: 0.5,
    };
    const INPUTS: usize = 5;
    const OUTPUTS: usize = 3;

    #[inline(always)]
    fn learn<C: Cell, const QUADS: usize>() -> Lesson {
        let mut network = Recurrent::<C>::new(&SHAPE, INPUTS, OUTPUTS);
        let rows = 11;
        let parameters = numbers(network.parameter_count(), 1);
        let inputs = numbers(rows * network.input_count(), 2);
        let masks = numbers(rows * network.dropout_count(), 3);
        let by_scores = numbers(rows * OUTPUTS, 4);

        let mut scores = Vec::new();
        let mut gradients = vec![0.0; parameters.len()];
        forward_in_quads::<C, QUADS>(&mut network, &parameters, &inputs, &masks, &mut scores);
        backward_in_quads::<C, QUADS>(
            &mut network,
            &parameters,
            &masks,
            &by_scores,
            &mut gradients,
        );
        lesson(&scores, &gradients)
    }

    fn lesson(scores: &[f32], gradients: &[f32]) -> Lesson {
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
        Lesson {
            scores: bits(scores),
            gradients: bits(gradients),
        }
    }

    /// With the instructions that the machine is detected to have.
    fn learn_dispatched<C: Cell>() -> Lesson {
        let mut network = Recurrent::<C>::new(&SHAPE, INPUTS, OUTPUTS);
        let rows = 11;
        let parameters = numbers(network.parameter_count(), 1);
        let inputs = numbers(rows * network.input_count(), 2);
        let masks = numbers(rows * network.dropout_count(), 3);
        let by_scores = numbers(rows * OUTPUTS, 4);

        let mut scores = Vec::new();
        let mut gradients = vec![0.0; parameters.len()];
        network.forward(&parameters, &inputs, &masks, &mut scores);
        network.backward(&parameters, &inputs, &masks, &by_scores, &mut gradients);
        lesson(&scores, &gradients)
    }

    #[multiversion(targets("x86_64+avx2+fma+bmi1+bmi2"), dispatcher = "direct")]
    fn learn_with_narrow_vectors<C: Cell>() -> Lesson {
        learn::<C, 1>()
    }

    /// Every version of the code for one kind of network.
    fn compare_versions<C: Cell>() {
        let portable = learn::<C, 1>();
        assert!(portable.gradients.iter().any(|bits| *bits != 0));
        assert_eq!(portable, learn::<C, 2>());
        assert_eq!(portable, learn_with_narrow_vectors::<C>());
        assert_eq!(portable, learn_dispatched::<C>());
    }

    #[test]
    fn every_version_of_the_code_gives_the_same_bits() {
        compare_versions::<LstmCell>();
        compare_versions::<GruCell>();
    }

    #[test]
    fn gradients_of_almost_nothing_are_zero() {
        assert_eq!(through_tanh(9e-31, 0.0), 0.0);
        assert_eq!(through_tanh(-2e-30, 0.0), -2e-30);
        assert_eq!(through_sigmoid(2e-30, 0.5), 0.0);
        assert!(through_tanh(f32::NAN, 0.0).is_nan());
    }
}
