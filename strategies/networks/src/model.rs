//! A network with its weights, and its forward pass: linear → activation for each hidden layer,
//! then linear to the outputs.

use safetensors::SafeTensors;
use schemas::manifests::{Activation, Architecture, Network, OutputKind};

use crate::NetworkError;
use crate::weights::NamedTensors;

/// Slope of a leaky ReLU below zero, as PyTorch's default.
const LEAKY_SLOPE: f32 = 0.01;

/// One linear layer: `weight` is `[out, in]` in row-major order, `bias` is `[out]`.
#[derive(Clone, Debug)]
struct Linear {
    inputs: usize,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// A network that can predict. Cheap to share, costly to clone.
#[derive(Clone, Debug)]
pub struct Model {
    network: Network,
    activation: Activation,
    layers: Vec<Linear>,
}

impl Model {
    /// Reads the weights of `network` from the bytes of a `model.safetensors`.
    ///
    /// # Errors
    /// When the file is damaged, or a tensor is missing, unknown, of another shape or type, or not
    /// finite, or the network is none that can be computed.
    pub fn from_safetensors(network: &Network, bytes: &[u8]) -> Result<Self, NetworkError> {
        let Architecture::Mlp(shape) = &network.architecture else {
            return Err(NetworkError::Architecture {
                name: network.architecture.name(),
            });
        };
        let file = SafeTensors::deserialize(bytes).map_err(NetworkError::Unreadable)?;
        let mut tensors = NamedTensors::of(&file);

        // Specs come in pairs: the weight of a layer, then its bias.
        let mut layers = Vec::new();
        let specs = network.tensors();
        for pair in specs.chunks_exact(2) {
            let [weight, bias] = pair else { continue };
            layers.push(Linear {
                inputs: weight.shape.last().copied().unwrap_or_default(),
                weight: tensors.take(weight)?,
                bias: tensors.take(bias)?,
            });
        }

        tensors.check_empty()?;
        Ok(Self {
            network: network.clone(),
            activation: shape.activation,
            layers,
        })
    }

    /// The network whose weights these are.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Raw scores `[outputs]` of one row `[features]`: one per class, or the number itself for a
    /// regression.
    ///
    /// # Errors
    /// When the row has another width, a feature is NaN or infinite, or a score leaves the range of
    /// f32.
    pub fn scores(&self, features: &[f32]) -> Result<Vec<f32>, NetworkError> {
        self.check_row(features)?;

        let mut values = features.to_vec();
        for (index, layer) in self.layers.iter().enumerate() {
            values = layer.forward(&values);

            // The last layer gives raw scores.
            if index + 1 < self.layers.len() {
                for value in &mut values {
                    *value = activate(self.activation, *value);
                }
            }
        }

        match values.iter().position(|value| !value.is_finite()) {
            Some(position) => {
                let value = values.get(position).copied().unwrap_or(f32::NAN);
                Err(NetworkError::Output { position, value })
            }
            None => Ok(values),
        }
    }

    fn check_row(&self, features: &[f32]) -> Result<(), NetworkError> {
        let columns = &self.network.features;
        if features.len() != columns.len() {
            return Err(NetworkError::RowWidth {
                expected: columns.len(),
                found: features.len(),
            });
        }

        // Rows before the end of the warm-up have undefined features: they are refused by name.
        for (column, &value) in columns.iter().zip(features) {
            if !value.is_finite() {
                return Err(NetworkError::Feature {
                    name: column.name.clone(),
                    value,
                });
            }
        }
        Ok(())
    }

    /// Predictions of `rows`, one vector per row: class probabilities that sum to 1, or one number
    /// for a regression.
    ///
    /// # Errors
    /// As [`Model::scores`], for the first row that fails.
    pub fn predict<Row: AsRef<[f32]>>(&self, rows: &[Row]) -> Result<Vec<Vec<f32>>, NetworkError> {
        let mut predictions = Vec::with_capacity(rows.len());
        for row in rows {
            let scores = self.scores(row.as_ref())?;
            predictions.push(match self.network.output {
                OutputKind::Classes { .. } => softmax(&scores),
                OutputKind::Regression => scores,
            });
        }
        Ok(predictions)
    }
}

impl Linear {
    /// W·x + b, each output summed in f64 and rounded once, so that the result does not depend on
    /// the machine.
    fn forward(&self, values: &[f32]) -> Vec<f32> {
        if self.inputs == 0 {
            return self.bias.clone();
        }

        // One row of weights per output; zip ends with the last bias.
        let units = self.weight.chunks_exact(self.inputs).zip(&self.bias);
        units
            .map(|(weights, &bias)| {
                let products = weights
                    .iter()
                    .zip(values)
                    .map(|(&weight, &value)| f64::from(weight) * f64::from(value));
                (products.sum::<f64>() + f64::from(bias)) as f32
            })
            .collect()
    }
}

fn activate(activation: Activation, value: f32) -> f32 {
    match activation {
        // A NaN is not below zero: it goes on and is reported as an output.
        Activation::Relu if value < 0.0 => 0.0,
        Activation::Relu => value,
        Activation::Tanh => f64::from(value).tanh() as f32,
        Activation::Sigmoid => (1.0 / (1.0 + (-f64::from(value)).exp())) as f32,
        Activation::LeakyRelu if value > 0.0 => value,
        Activation::LeakyRelu => LEAKY_SLOPE * value,
    }
}

/// e^(s − max) / Σ e^(s − max): the shift keeps large scores from overflowing and changes nothing
/// else.
fn softmax(scores: &[f32]) -> Vec<f32> {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = scores
        .iter()
        .map(|&score| (f64::from(score) - f64::from(max)).exp())
        .collect();

    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| (power / sum) as f32).collect()
}
