//! The one definition of a network: the strategy resolves to it, the trainer builds libtorch from
//! it, `networks` its plain forward pass.

use serde::{Deserialize, Serialize};

/// The family a network belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkKind {
    /// Multi-layer perceptron: linear → activation → dropout for each hidden layer, then linear to
    /// the outputs.
    Mlp,
}

/// The non-linearity after each hidden layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Rectified linear unit: max(0, x).
    Relu,
    /// Hyperbolic tangent of x.
    Tanh,
    /// 1 / (1 + e^-x).
    Sigmoid,
    /// x if x > 0, else 0.01 x.
    LeakyRelu,
}

/// What the outputs mean. Networks emit raw scores; softmax is applied by whoever reads class
/// probabilities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum OutputKind {
    /// One score per class, in this order.
    Classes {
        /// Class names, the index being the label.
        names: Vec<String>,
    },
    /// One number: the forward return as a fraction (0.01 = 1 %).
    Regression,
}

impl OutputKind {
    /// Width of the last layer.
    pub fn width(&self) -> usize {
        match self {
            Self::Classes { names } => names.len(),
            Self::Regression => 1,
        }
    }
}

/// How a raw feature is scaled; fitted on the training part only. Memberships are never scaled.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "method")]
pub enum Normalisation {
    /// (x − min) / (max − min), not clipped; 0 when max = min.
    Minmax {
        /// Smallest value of the training part.
        min: f64,
        /// Largest value of the training part.
        max: f64,
    },
    /// (x − mean) / std with the n−1 deviation; 0 when std = 0.
    Zscore {
        /// Mean of the training part.
        mean: f64,
        /// Sample deviation of the training part.
        std: f64,
    },
}

impl Normalisation {
    /// The scaled value.
    pub fn apply(&self, value: f64) -> f64 {
        match *self {
            Self::Minmax { min, max } if max == min => value * 0.0,
            Self::Minmax { min, max } => (value - min) / (max - min),
            Self::Zscore { std: 0.0, .. } => value * 0.0,
            Self::Zscore { mean, std } => (value - mean) / std,
        }
    }
}

/// One input column. The order of columns is the contract of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureColumn {
    /// `{timeframe}_{fuzzy set}_{membership}` or `{timeframe}_{indicator reference}_raw`.
    pub name: String,
    /// Scaling that prediction must repeat; absent = unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalisation: Option<Normalisation>,
}

/// A parameter tensor of the safetensors file, float32.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorSpec {
    /// `0.weight`, `0.bias`, `3.weight`, …: PyTorch's names in a `Sequential` of linear,
    /// activation, dropout blocks.
    pub name: String,
    /// `[out, in]` for a weight, `[out]` for a bias.
    pub shape: Vec<usize>,
}

/// A network, complete enough to build it anywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// The family it belongs to.
    pub kind: NetworkKind,
    /// Width of each hidden layer, first to last; may be empty (a linear model).
    pub hidden_layers: Vec<usize>,
    /// Applied after every hidden layer.
    pub activation: Activation,
    /// Probability of dropping a unit in training, in [0, 1); without effect in prediction.
    pub dropout: f64,
    /// Input columns in order.
    pub features: Vec<FeatureColumn>,
    /// Meaning of the outputs, and with it their number.
    pub output: OutputKind,
}

impl Network {
    /// Widths of all layers: input, hidden, output.
    pub fn widths(&self) -> Vec<usize> {
        let mut widths = vec![self.features.len()];
        widths.extend_from_slice(&self.hidden_layers);
        widths.push(self.output.width());
        widths
    }

    /// The parameter tensors in file order: for each linear layer its weight `[out, in]`, then its
    /// bias `[out]`.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let widths = self.widths();
        let layers = widths.iter().zip(widths.iter().skip(1));

        let mut tensors = Vec::new();
        for (layer, (&inputs, &outputs)) in layers.enumerate() {
            // PyTorch counts the activation and the dropout after each layer, too.
            let position = 3 * layer;
            tensors.push(TensorSpec {
                name: format!("{position}.weight"),
                shape: vec![outputs, inputs],
            });
            tensors.push(TensorSpec {
                name: format!("{position}.bias"),
                shape: vec![outputs],
            });
        }
        tensors
    }

    /// Number of trainable parameters.
    pub fn parameter_count(&self) -> usize {
        self.tensors()
            .iter()
            .map(|tensor| tensor.shape.iter().product::<usize>())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(index: usize) -> FeatureColumn {
        FeatureColumn {
            name: format!("f{index}"),
            normalisation: None,
        }
    }

    /// Nine inputs, hidden layers of 64 and 32, three classes.
    fn network() -> Network {
        Network {
            kind: NetworkKind::Mlp,
            hidden_layers: vec![64, 32],
            activation: Activation::Relu,
            dropout: 0.2,
            features: (0..9).map(column).collect(),
            output: OutputKind::Classes {
                names: ["BUY", "HOLD", "SELL"].map(str::to_owned).to_vec(),
            },
        }
    }

    #[test]
    fn parameters_are_counted_as_by_hand() {
        // 9·64+64 + 64·32+32 + 32·3+3 = 640 + 2080 + 99
        assert_eq!(network().parameter_count(), 2_819);
    }

    #[test]
    fn tensors_have_the_names_that_pytorch_gives_them() {
        let names: Vec<String> = network()
            .tensors()
            .into_iter()
            .map(|tensor| tensor.name)
            .collect();
        assert_eq!(
            names,
            [
                "0.weight", "0.bias", "3.weight", "3.bias", "6.weight", "6.bias"
            ]
        );
    }
}
