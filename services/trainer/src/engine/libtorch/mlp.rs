//! The layers of a multi-layer perceptron in libtorch.

use schemas::manifests::{Activation, MlpShape};
use tch::{TchError, Tensor};

/// The forward pass of a perceptron.
#[derive(Debug)]
pub struct Mlp {
    /// Width of each hidden layer.
    hidden: Vec<i64>,
    activation: Activation,
}

impl Mlp {
    /// The layers of `shape`.
    pub fn new(shape: &MlpShape) -> Self {
        let hidden = shape.hidden_layers.iter().map(|&width| width as i64);
        Self {
            hidden: hidden.collect(),
            activation: shape.activation,
        }
    }

    /// One mask `[rows, width]` per hidden layer.
    pub fn mask_shapes(&self, rows: i64) -> Vec<Vec<i64>> {
        let widths = self.hidden.iter();
        widths.map(|&width| vec![rows, width]).collect()
    }

    /// Raw scores `[rows, outputs]` of `inputs`, `[rows, features]`. `leaves` are the weight
    /// `[out, in]` and the bias `[out]` of each layer in turn. A layer is x·Wᵀ + b; hidden ones are
    /// followed by the activation and, if there are masks, by theirs.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn forward(
        &self,
        leaves: &[Tensor],
        inputs: &Tensor,
        masks: &[Tensor],
    ) -> Result<Tensor, TchError> {
        let mut masks = masks.iter();

        let mut values = inputs.shallow_clone();
        for (layer, pair) in leaves.chunks_exact(2).enumerate() {
            let [weight, bias] = pair else { continue };
            values = values.f_linear(weight, Some(bias))?;

            // The output layer gives raw scores: no activation, no dropout.
            if layer < self.hidden.len() {
                values = self.activate(&values)?;
                if let Some(mask) = masks.next() {
                    values = values.f_mul(mask)?;
                }
            }
        }

        Ok(values)
    }

    fn activate(&self, values: &Tensor) -> Result<Tensor, TchError> {
        match self.activation {
            Activation::Relu => values.f_relu(),
            Activation::Tanh => values.f_tanh(),
            Activation::Sigmoid => values.f_sigmoid(),
            // The slope of libtorch's default, 0.01, is that of `networks`.
            Activation::LeakyRelu => values.f_leaky_relu(),
        }
    }
}
