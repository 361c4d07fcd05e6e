//! Long short-term memory, as PyTorch's `LSTM` followed by a `Linear`.

use super::products::{Lanes, ZERO};
use super::{Cell, GROUPS, Recurrent, States, map, map2, map3, through_sigmoid, through_tanh};
use crate::math::{sigmoid, tanh};

/// A long short-term memory that learns: `layers` recurrent layers, then a linear one over the last
/// hidden state.
///
/// For each step, with x of the row, h and c of the step before (zero at first), ∘ elementwise and
/// σ the logistic function:
///
/// ```text
/// i = σ(W_ii x + b_ii + W_hi h + b_hi)      f = σ(W_if x + b_if + W_hf h + b_hf)
/// g = tanh(W_ig x + b_ig + W_hg h + b_hg)   o = σ(W_io x + b_io + W_ho h + b_ho)
/// c' = f ∘ c + i ∘ g                        h' = o ∘ tanh(c')
/// ```
///
/// S. Hochreiter and J. Schmidhuber, *Long Short-Term Memory*, Neural Computation 9 (1997), with
/// the forget gate of F. Gers et al., *Learning to Forget*, Neural Computation 12 (2000). Tensors,
/// their names and their order are those of PyTorch's `torch.nn.LSTM`: rows of a weight in the
/// order i, f, g, o.
pub type Lstm = Recurrent<LstmCell>;

/// The step of an [`Lstm`].
#[derive(Debug)]
pub struct LstmCell;

/// What the cell keeps of a step beside its hidden state.
#[derive(Clone, Copy, Debug)]
pub struct LstmMemory {
    /// The cell state c'.
    cell: Lanes,
    /// Its hyperbolic tangent.
    squashed: Lanes,
}

impl Default for LstmMemory {
    fn default() -> Self {
        Self {
            cell: ZERO,
            squashed: ZERO,
        }
    }
}

/// The gradient of the loss by the cell state c.
#[derive(Clone, Copy, Debug)]
pub struct CellGradient(Lanes);

impl Default for CellGradient {
    fn default() -> Self {
        Self(ZERO)
    }
}

impl Cell for LstmCell {
    // In memory the gates are i, f, o, g: those with σ lie together.
    const INPUT_ORDER: &'static [usize] = &[0, 1, 3, 2];
    const HIDDEN_ORDER: &'static [usize] = &[0, 1, 3, 2];

    type Memory = LstmMemory;
    /// The gradient by c.
    type MemoryGradient = CellGradient;

    #[inline(always)]
    fn forward(gates: [&mut Lanes; GROUPS], _: &Lanes, before: &LstmMemory) -> (Lanes, LstmMemory) {
        let [i, f, o, g] = gates;
        *i = map(i, sigmoid);
        *f = map(f, sigmoid);
        *o = map(o, sigmoid);
        *g = map(g, tanh);

        let remembered = map2(f, &before.cell, |f, cell| f * cell);
        let cell = map3(i, g, &remembered, f32::mul_add);
        let squashed = map(&cell, tanh);
        let hidden = map2(o, &squashed, |o, squashed| o * squashed);
        (hidden, LstmMemory { cell, squashed })
    }

    #[inline(always)]
    fn backward(
        gates: [&mut Lanes; GROUPS],
        states: States<'_, LstmMemory>,
        hidden_gradient: &mut Lanes,
        memory_gradient: &mut CellGradient,
    ) {
        let [i, f, o, g] = gates;
        let squashed = &states.memory.squashed;

        // h' = o ∘ tanh(c')
        let by_o = map2(hidden_gradient, squashed, |by_h, squashed| by_h * squashed);
        let slope = map2(o, squashed, |o, squashed| o * (1.0 - squashed * squashed));
        let CellGradient(later) = *memory_gradient;
        let by_cell = map3(hidden_gradient, &slope, &later, f32::mul_add);

        // c' = f ∘ c + i ∘ g
        let by_i = map2(&by_cell, g, |by_cell, g| by_cell * g);
        let by_g = map2(&by_cell, i, |by_cell, i| by_cell * i);
        let by_f = map2(&by_cell, &states.memory_before.cell, |by_cell, cell| {
            by_cell * cell
        });
        *memory_gradient = CellGradient(map2(&by_cell, f, |by_cell, f| by_cell * f));

        // h reaches h' through the gates alone.
        *hidden_gradient = ZERO;
        *i = map2(&by_i, i, through_sigmoid);
        *f = map2(&by_f, f, through_sigmoid);
        *o = map2(&by_o, o, through_sigmoid);
        *g = map2(&by_g, g, through_tanh);
    }
}
