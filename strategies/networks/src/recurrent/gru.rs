//! Gated recurrent unit, as PyTorch's `GRU` followed by a `Linear`.

use super::products::Lanes;
use super::{Cell, GROUPS, Recurrent, States, map, map2, map3, through_sigmoid, through_tanh};
use crate::math::{sigmoid, tanh};

/// A gated recurrent unit that learns: `layers` recurrent layers, then a linear one over the last
/// hidden state.
///
/// For each step, with x of the row, h of the step before (zero at first), ∘ elementwise and σ the
/// logistic function:
///
/// ```text
/// r = σ(W_ir x + b_ir + W_hr h + b_hr)      z = σ(W_iz x + b_iz + W_hz h + b_hz)
/// n = tanh(W_in x + b_in + r ∘ (W_hn h + b_hn))
/// h' = (1 − z) ∘ n + z ∘ h
/// ```
///
/// K. Cho et al., *Learning Phrase Representations using RNN Encoder–Decoder*, EMNLP 2014, in the
/// variant that PyTorch's `torch.nn.GRU` computes: r scales W_hn h + b_hn, not h. Tensors, their
/// names and their order are PyTorch's: rows of a weight in the order r, z, n.
pub type Gru = Recurrent<GruCell>;

/// The step of a [`Gru`].
#[derive(Debug)]
pub struct GruCell;

impl Cell for GruCell {
    // In memory the gates are n, r, z and W_hn h + b_hn: each of the two sums lies together.
    const INPUT_ORDER: &'static [usize] = &[1, 2, 0];
    const HIDDEN_ORDER: &'static [usize] = &[1, 2, 3];

    type Memory = ();
    type MemoryGradient = ();

    #[inline(always)]
    fn forward(gates: [&mut Lanes; GROUPS], hidden: &Lanes, _: &()) -> (Lanes, ()) {
        let [n, r, z, recurrent] = gates;
        *r = map(r, sigmoid);
        *z = map(z, sigmoid);
        *n = map3(r, recurrent, n, f32::mul_add);
        *n = map(n, tanh);

        (map3(z, hidden, n, |z, h, n| z.mul_add(h - n, n)), ())
    }

    #[inline(always)]
    fn backward(
        gates: [&mut Lanes; GROUPS],
        states: States<'_, ()>,
        hidden_gradient: &mut Lanes,
        _: &mut (),
    ) {
        let [n, r, z, recurrent] = gates;

        // h' = n + z ∘ (h − n); h reaches h' also directly.
        let difference = map2(states.hidden_before, n, |h, n| h - n);
        let by_z = map2(hidden_gradient, &difference, |by_h, difference| {
            by_h * difference
        });
        let by_n = map2(hidden_gradient, z, |by_h, z| by_h * (1.0 - z));
        *hidden_gradient = map2(hidden_gradient, z, |by_h, z| by_h * z);

        // n = tanh(… + r ∘ recurrent)
        *n = map2(&by_n, n, through_tanh);
        let by_r = map2(n, recurrent, |by_sum, recurrent| by_sum * recurrent);
        *recurrent = map2(n, r, |by_sum, r| by_sum * r);
        *r = map2(&by_r, r, through_sigmoid);
        *z = map2(&by_z, z, through_sigmoid);
    }
}
