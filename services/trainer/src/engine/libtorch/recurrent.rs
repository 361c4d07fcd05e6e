//! The layers of LSTM and GRU in libtorch: steps over the rows of windows, then a linear layer over
//! the last hidden state, as [`networks::Lstm`] and [`networks::Gru`] have them.

use schemas::manifests::RecurrentShape;
use tch::{Kind, TchError, Tensor};

/// Tensors of a recurrent layer: `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`.
const LEAVES_PER_LAYER: usize = 4;
/// Whether all layers have biases; the file has no others.
const HAS_BIASES: bool = true;
/// libtorch draws no masks: those of the job come between its layers.
const LIBTORCH_DROPOUT: f64 = 0.0;
/// cuDNN keeps what a gradient needs only when it is said to train. Without dropout of its own
/// that changes no score.
const IS_TRAINING: bool = true;
/// Steps go from the oldest row to the newest only.
const IS_BIDIRECTIONAL: bool = false;
/// Windows are `[windows, length, features]`.
const IS_BATCH_FIRST: bool = true;

/// The step of all layers.
#[derive(Clone, Copy, Debug)]
pub enum Cell {
    /// Long short-term memory.
    Lstm,
    /// Gated recurrent unit.
    Gru,
}

/// The forward pass of a recurrent network.
#[derive(Debug)]
pub struct Recurrent {
    cell: Cell,
    /// Features of a row of a window.
    features: i64,
    /// Rows of a window.
    length: i64,
    /// Width of the hidden state.
    hidden: i64,
    layers: usize,
}

impl Recurrent {
    /// The layers of `shape` over rows of `features` features.
    pub fn new(cell: Cell, shape: &RecurrentShape, features: usize) -> Self {
        Self {
            cell,
            features: features as i64,
            length: shape.sequence_length as i64,
            hidden: shape.hidden_size as i64,
            layers: shape.num_layers,
        }
    }

    /// A mask `[windows, length, hidden]` for each layer but the last, then one `[windows, hidden]`
    /// for the last hidden state.
    pub fn mask_shapes(&self, windows: i64) -> Vec<Vec<i64>> {
        let below = vec![windows, self.length, self.hidden];
        let mut shapes = vec![below; self.layers.saturating_sub(1)];
        shapes.push(vec![windows, self.hidden]);
        shapes
    }

    /// Raw scores `[windows, outputs]` of `inputs`, `[windows, length · features]`. `leaves` are
    /// the tensors of the file, layer after layer, then weight and bias of the linear layer.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn forward(
        &self,
        leaves: &[Tensor],
        inputs: &Tensor,
        masks: &[Tensor],
    ) -> Result<Tensor, TchError> {
        let leaves_of_layers = self.layers * LEAVES_PER_LAYER;
        let (steps, linear) = leaves
            .split_at_checked(leaves_of_layers)
            .unwrap_or_default();
        let [weight, bias] = linear else {
            return Err(TchError::Shape("a tensor of a layer is absent".into()));
        };
        let windows = inputs.f_view([-1, self.length, self.features])?;

        let states = match masks.split_last() {
            None => self.run_layers(&windows, steps)?,
            Some((_, below)) => self.run_with_masks(windows, steps, below)?,
        };

        let mut last = states.f_select(1, -1)?;
        if let Some(mask) = masks.last() {
            last = last.f_mul(mask)?;
        }
        last.f_linear(weight, Some(bias))
    }

    /// Layer after layer, since masks come between them: `below` has those of all but the last.
    fn run_with_masks(
        &self,
        windows: Tensor,
        leaves: &[Tensor],
        below: &[Tensor],
    ) -> Result<Tensor, TchError> {
        let mut masks = below.iter();

        let mut states = windows;
        for leaves in leaves.chunks_exact(LEAVES_PER_LAYER) {
            states = self.run_layers(&states, leaves)?;
            if let Some(mask) = masks.next() {
                states = states.f_mul(mask)?;
            }
        }
        Ok(states)
    }

    /// The hidden states of the last of the layers that have these `leaves`, `[windows, length,
    /// hidden]`. Both initial states are 0.
    fn run_layers(&self, inputs: &Tensor, leaves: &[Tensor]) -> Result<Tensor, TchError> {
        let windows = inputs.size().first().copied().unwrap_or(0);
        let layers = (leaves.len() / LEAVES_PER_LAYER) as i64;
        let options = (Kind::Float, inputs.device());
        let zeros = Tensor::f_zeros([layers, windows, self.hidden], options)?;

        match self.cell {
            Cell::Lstm => {
                let (states, ..) = inputs.f_lstm(
                    &[zeros.shallow_clone(), zeros],
                    leaves,
                    HAS_BIASES,
                    layers,
                    LIBTORCH_DROPOUT,
                    IS_TRAINING,
                    IS_BIDIRECTIONAL,
                    IS_BATCH_FIRST,
                )?;
                Ok(states)
            }
            Cell::Gru => {
                let (states, _) = inputs.f_gru(
                    &zeros,
                    leaves,
                    HAS_BIASES,
                    layers,
                    LIBTORCH_DROPOUT,
                    IS_TRAINING,
                    IS_BIDIRECTIONAL,
                    IS_BATCH_FIRST,
                )?;
                Ok(states)
            }
        }
    }
}
