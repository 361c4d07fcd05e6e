//! A network with its weights, and its forward pass: linear → activation for each hidden layer,
//! then linear to the outputs.

use std::collections::HashMap;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use schemas::manifests::{Activation, Network, OutputKind, TensorSpec};

use crate::NetworkError;

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
    layers: Vec<Linear>,
}

impl Model {
    /// Reads the weights of `network` from the bytes of a `model.safetensors`.
    ///
    /// # Errors
    /// When the file is damaged, or a tensor is missing, unknown, of another shape or type, or not
    /// finite.
    pub fn from_safetensors(network: &Network, bytes: &[u8]) -> Result<Self, NetworkError> {
        let file = SafeTensors::deserialize(bytes).map_err(NetworkError::Unreadable)?;
        let mut found: HashMap<String, TensorView<'_>> = file.tensors().into_iter().collect();
        let mut layers = Vec::new();
        let mut specs = network.tensors().into_iter();
        while let (Some(weight), Some(bias)) = (specs.next(), specs.next()) {
            let inputs = weight.shape.last().copied().unwrap_or_default();
            layers.push(Linear {
                inputs,
                weight: take(&mut found, &weight)?,
                bias: take(&mut found, &bias)?,
            });
        }
        match found.into_keys().min() {
            Some(name) => Err(NetworkError::UnknownTensor { name }),
            None => Ok(Self {
                network: network.clone(),
                layers,
            }),
        }
    }

    /// The network whose weights these are.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Raw scores of one row `[features]`: one a class, or the number itself for a regression.
    ///
    /// # Errors
    /// When the row has another width, a feature is NaN or infinite, or a score leaves the range of
    /// f32.
    pub fn scores(&self, features: &[f32]) -> Result<Vec<f32>, NetworkError> {
        let names = &self.network.features;
        if features.len() != names.len() {
            return Err(NetworkError::RowWidth {
                expected: names.len(),
                found: features.len(),
            });
        }
        if let Some((column, &value)) = names
            .iter()
            .zip(features)
            .find(|(_, value)| !value.is_finite())
        {
            return Err(NetworkError::Feature {
                name: column.name.clone(),
                value,
            });
        }
        let mut values = features.to_vec();
        for (index, layer) in self.layers.iter().enumerate() {
            values = layer.forward(&values);
            if index + 1 < self.layers.len() {
                values
                    .iter_mut()
                    .for_each(|value| *value = activate(self.network.activation, *value));
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

    /// Predictions of `rows`, one vector a row: class probabilities that sum to 1, or one number
    /// for a regression.
    ///
    /// # Errors
    /// As [`Model::scores`], for the first row that fails.
    pub fn predict<Row: AsRef<[f32]>>(&self, rows: &[Row]) -> Result<Vec<Vec<f32>>, NetworkError> {
        let predict = |row: &Row| {
            let scores = self.scores(row.as_ref())?;
            Ok(match self.network.output {
                OutputKind::Classes { .. } => softmax(&scores),
                OutputKind::Regression => scores,
            })
        };
        rows.iter().map(predict).collect()
    }
}

impl Linear {
    fn forward(&self, values: &[f32]) -> Vec<f32> {
        if self.inputs == 0 {
            return self.bias.clone();
        }
        let unit = |(weights, &bias): (&[f32], &f32)| {
            let products = weights
                .iter()
                .zip(values)
                .map(|(&weight, &value)| f64::from(weight) * f64::from(value));
            (products.sum::<f64>() + f64::from(bias)) as f32
        };
        self.weight
            .chunks_exact(self.inputs)
            .zip(&self.bias)
            .map(unit)
            .collect()
    }
}

fn activate(activation: Activation, value: f32) -> f32 {
    match activation {
        Activation::Relu if value < 0.0 => 0.0, // a NaN is neither below nor above: it goes on and is reported
        Activation::Relu => value,
        Activation::Tanh => f64::from(value).tanh() as f32,
        Activation::Sigmoid => (1.0 / (1.0 + (-f64::from(value)).exp())) as f32,
        Activation::LeakyRelu if value > 0.0 => value,
        Activation::LeakyRelu => 0.01 * value,
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

fn take(
    found: &mut HashMap<String, TensorView<'_>>,
    spec: &TensorSpec,
) -> Result<Vec<f32>, NetworkError> {
    let name = spec.name.clone();
    let Some(tensor) = found.remove(&name) else {
        return Err(NetworkError::MissingTensor { name });
    };
    if tensor.dtype() != Dtype::F32 {
        return Err(NetworkError::Type {
            name,
            found: format!("{:?}", tensor.dtype()),
        });
    }
    if tensor.shape() != spec.shape {
        return Err(NetworkError::Shape {
            name,
            expected: spec.shape.clone(),
            found: tensor.shape().to_vec(),
        });
    }
    let values: Vec<f32> = tensor
        .data()
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    match values
        .iter()
        .enumerate()
        .find(|(_, value)| !value.is_finite())
    {
        Some((position, &value)) => Err(NetworkError::Weight {
            name,
            position,
            value,
        }),
        None => Ok(values),
    }
}
