//! The files of this folder as Rust reads them, for the tests of both engines. Whoever includes it
//! imports [`Labels`] and [`Objective`].

use schemas::manifests::{
    Activation, Architecture, FeatureColumn, MlpShape, Network, OutputKind, RecurrentShape,
};
use schemas::training::Loss as LossSetting;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Labels, Objective};

/// Parity of one step, of a score, of a gradient.
pub(crate) const CLOSE: f64 = 1e-5;

#[derive(Deserialize)]
pub(crate) struct Tensor {
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

pub(crate) fn cases<T: DeserializeOwned>(text: &str) -> Vec<T> {
    serde_json::from_str(text).unwrap()
}

/// All values, tensor after tensor.
pub(crate) fn flat(tensors: &[Tensor]) -> Vec<f32> {
    let values = tensors.iter().flat_map(|tensor| &tensor.values);
    values.copied().collect()
}

/// Every value within `tolerance` of the one that is expected, or of its size if that is above 1.
pub(crate) fn assert_all_close(values: &[f32], expected: &[f32], tolerance: f64, what: &str) {
    assert_eq!(values.len(), expected.len(), "{what}");
    for (index, (value, expected)) in values.iter().zip(expected).enumerate() {
        let distance = f64::from(value - expected).abs();
        let size = f64::from(expected.abs()).max(1.0);
        assert!(
            distance <= tolerance * size,
            "{what} {index}: {value} is not {expected}"
        );
    }
}

pub(crate) fn assert_close(value: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (value - expected).abs() <= tolerance * expected.abs().max(1.0),
        "{what}: {value} is not {expected}"
    );
}

pub(crate) fn class_network(architecture: Architecture, inputs: usize, outputs: usize) -> Network {
    let column = |index| FeatureColumn {
        name: format!("f{index}"),
        normalisation: None,
    };
    Network {
        architecture,
        features: (0..inputs).map(column).collect(),
        output: OutputKind::Classes {
            names: (0..outputs).map(|class| format!("c{class}")).collect(),
        },
    }
}

/// A network with a batch, its scores, and the gradient of Σ scores · score_gradients.
#[derive(Deserialize)]
pub(crate) struct NetworkCase {
    kind: String,
    hidden_layers: Option<Vec<usize>>,
    activation: Option<Activation>,
    hidden_size: Option<usize>,
    num_layers: Option<usize>,
    sequence_length: Option<usize>,
    pub(crate) parameters: Vec<Tensor>,
    pub(crate) inputs: Tensor,
    pub(crate) masks: Vec<Tensor>,
    pub(crate) scores: Tensor,
    pub(crate) score_gradients: Tensor,
    pub(crate) gradients: Vec<Tensor>,
}

impl NetworkCase {
    /// The network, whose tensors are those of the case, in its order.
    pub(crate) fn network(&self) -> Network {
        let dropout = if self.masks.is_empty() { 0.0 } else { 0.5 };
        let recurrent = || RecurrentShape {
            sequence_length: self.sequence_length.unwrap(),
            hidden_size: self.hidden_size.unwrap(),
            num_layers: self.num_layers.unwrap(),
            dropout,
        };
        let architecture = match self.kind.as_str() {
            "lstm" => Architecture::Lstm(recurrent()),
            "gru" => Architecture::Gru(recurrent()),
            _ => Architecture::Mlp(MlpShape {
                hidden_layers: self.hidden_layers.clone().unwrap(),
                activation: self.activation.unwrap(),
                dropout,
            }),
        };

        let inputs = *self.inputs.shape.last().unwrap();
        let outputs = *self.scores.shape.last().unwrap();
        let network = class_network(architecture, inputs, outputs);
        let names = network.tensors().into_iter().map(|tensor| tensor.name);
        let in_file = self.parameters.iter().map(|tensor| &tensor.name);
        assert!(names.eq(in_file.cloned()), "tensors are in file order");
        network
    }
}

/// The nine perceptrons.
pub(crate) fn perceptrons() -> Vec<NetworkCase> {
    let all: Vec<NetworkCase> = cases(include_str!("mlp.json"));
    assert_eq!(all.len(), 9);
    all
}

/// The six networks with LSTM or GRU steps.
pub(crate) fn recurrent_networks() -> Vec<NetworkCase> {
    let all: Vec<NetworkCase> = cases(include_str!("recurrent.json"));
    assert_eq!(all.len(), 6);
    all
}

/// A batch of scores and labels with the value of a loss and its gradient.
#[derive(Deserialize)]
pub(crate) struct LossCase {
    pub(crate) loss: String,
    class_weights: Option<Vec<f64>>,
    #[serde(default)]
    label_smoothing: f64,
    gamma: Option<f64>,
    delta: Option<f64>,
    pub(crate) scores: Tensor,
    labels: Vec<f64>,
    pub(crate) value: f64,
    pub(crate) score_gradients: Tensor,
}

impl LossCase {
    pub(crate) fn classes(&self) -> usize {
        match self.loss.as_str() {
            "huber" | "mse" => 0,
            _ => *self.scores.shape.last().unwrap(),
        }
    }

    pub(crate) fn objective(&self) -> Objective {
        let loss = match self.loss.as_str() {
            "cross_entropy" => LossSetting::CrossEntropy,
            "focal" => LossSetting::Focal {
                gamma: self.gamma.unwrap(),
            },
            "huber" => LossSetting::Huber {
                delta: self.delta.unwrap(),
            },
            _ => LossSetting::Mse,
        };

        let plain = Objective::plain(loss, self.classes());
        Objective {
            label_smoothing: self.label_smoothing,
            class_weights: self.class_weights.clone().unwrap_or(plain.class_weights),
            ..plain
        }
    }

    pub(crate) fn labels(&self) -> Labels {
        let labels = self.labels.iter();
        if self.classes() > 0 {
            Labels::Classes(labels.map(|&label| label as i64).collect())
        } else {
            Labels::Returns(labels.map(|&label| label as f32).collect())
        }
    }
}

/// The thirteen losses.
pub(crate) fn losses() -> Vec<LossCase> {
    let all: Vec<LossCase> = cases(include_str!("losses.json"));
    assert_eq!(all.len(), 13);
    all
}

/// Gradients before and after clipping.
#[derive(Deserialize)]
pub(crate) struct ClippingCase {
    pub(crate) gradient_clip: f64,
    pub(crate) gradients: Vec<Tensor>,
    pub(crate) after: Vec<Tensor>,
}

/// The three clipped gradients.
pub(crate) fn clippings() -> Vec<ClippingCase> {
    let all: Vec<ClippingCase> = cases(include_str!("clipping.json"));
    assert_eq!(all.len(), 3);
    all
}
