//! The one definition of a network: the strategy resolves to it, every engine of the trainer and
//! the forward pass of `networks` are built from it.

use serde::{Deserialize, Serialize};

use super::TskShape;
use super::dimensions::{read_layers, read_rows, read_width, read_widths};

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

/// What is between the input columns and the outputs. In JSON its keys stand beside those of the
/// [`Network`], `kind` first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Architecture {
    /// Multi-layer perceptron: linear → activation → dropout for each hidden layer, then linear to
    /// the outputs.
    Mlp(MlpShape),
    /// Long short-term memory over a window of rows, then linear to the outputs.
    Lstm(RecurrentShape),
    /// Gated recurrent units over a window of rows, then linear to the outputs.
    Gru(RecurrentShape),
    /// Rules over fuzzy members of the inputs, each with a linear function.
    Tsk(TskShape),
}

/// The layers of a multi-layer perceptron.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MlpShape {
    /// Width of each hidden layer, first to last; may be empty (a linear model).
    #[serde(deserialize_with = "read_widths")]
    pub hidden_layers: Vec<usize>,
    /// Applied after every hidden layer.
    pub activation: Activation,
    /// Probability of dropping a unit after each hidden layer in training, in [0, 1); without
    /// effect in prediction.
    pub dropout: f64,
}

/// The layers of an LSTM or a GRU: one direction, zero initial state. The final hidden state of the
/// last layer goes through dropout and a linear layer to the outputs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecurrentShape {
    /// Rows of a window, ≥ 1; the label is that of the last.
    #[serde(deserialize_with = "read_rows")]
    pub sequence_length: usize,
    /// Units of the state of each layer, ≥ 1.
    #[serde(deserialize_with = "read_width")]
    pub hidden_size: usize,
    /// Layers, each fed with the states of the one before; ≥ 1.
    #[serde(deserialize_with = "read_layers")]
    pub num_layers: usize,
    /// Probability of dropping a unit between two layers, and once of the last state, in training;
    /// in [0, 1).
    pub dropout: f64,
}

impl RecurrentShape {
    /// The parameters of the recurrent layers, then those of the linear one, in file order. `gates`
    /// is the number of blocks stacked in each weight: i, f, g, o of an LSTM; r, z, n of a GRU.
    fn tensors(
        &self,
        prefix: &str,
        gates: usize,
        inputs: usize,
        outputs: usize,
    ) -> Vec<TensorSpec> {
        let hidden = self.hidden_size;
        let stacked = gates * hidden;

        let mut tensors = Vec::new();
        for layer in 0..self.num_layers {
            let width = if layer == 0 { inputs } else { hidden };
            let names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
            let shapes = [
                vec![stacked, width],
                vec![stacked, hidden],
                vec![stacked],
                vec![stacked],
            ];
            for (name, shape) in names.into_iter().zip(shapes) {
                tensors.push(TensorSpec::new(format!("{prefix}.{name}_l{layer}"), shape));
            }
        }

        tensors.push(TensorSpec::new("fc.weight", vec![outputs, hidden]));
        tensors.push(TensorSpec::new("fc.bias", vec![outputs]));
        tensors
    }
}

impl MlpShape {
    /// For each linear layer its weight `[out, in]`, then its bias `[out]`.
    fn tensors(&self, widths: &[usize]) -> Vec<TensorSpec> {
        let layers = widths.iter().zip(widths.iter().skip(1));

        let mut tensors = Vec::new();
        for (layer, (&inputs, &outputs)) in layers.enumerate() {
            // PyTorch counts the activation and the dropout after each layer, too.
            let position = 3 * layer;
            let weight = format!("{position}.weight");
            tensors.push(TensorSpec::new(weight, vec![outputs, inputs]));
            tensors.push(TensorSpec::new(format!("{position}.bias"), vec![outputs]));
        }
        tensors
    }
}

impl Architecture {
    /// The word of `model.type`: `mlp`, `lstm`, `gru` or `tsk`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mlp(_) => "mlp",
            Self::Lstm(_) => "lstm",
            Self::Gru(_) => "gru",
            Self::Tsk(_) => "tsk",
        }
    }

    /// Probability of dropping a unit in training.
    pub fn dropout(&self) -> f64 {
        match self {
            Self::Mlp(shape) => shape.dropout,
            Self::Lstm(shape) | Self::Gru(shape) => shape.dropout,
            Self::Tsk(_) => 0.0,
        }
    }

    /// Rows that one prediction looks at: 1 unless the network reads windows.
    pub fn sequence_length(&self) -> usize {
        match self {
            Self::Mlp(_) | Self::Tsk(_) => 1,
            Self::Lstm(shape) | Self::Gru(shape) => shape.sequence_length,
        }
    }

    /// Width of each hidden layer, first to last; that of rules is their number.
    pub fn hidden_widths(&self) -> Vec<usize> {
        match self {
            Self::Mlp(shape) => shape.hidden_layers.clone(),
            Self::Lstm(shape) | Self::Gru(shape) => vec![shape.hidden_size; shape.num_layers],
            Self::Tsk(shape) => vec![shape.base.rules.len()],
        }
    }
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

    /// The value whose scaled value is `scaled`; the only one of a column that never changes.
    pub fn restore(&self, scaled: f64) -> f64 {
        match *self {
            Self::Minmax { min, max } => min + scaled * (max - min),
            Self::Zscore { mean, std } => mean + scaled * std,
        }
    }

    /// How much a value changes while the scaled value changes by 1; 1 for a column that never
    /// changes.
    pub fn unit(&self) -> f64 {
        let unit = match *self {
            Self::Minmax { min, max } => max - min,
            Self::Zscore { std, .. } => std,
        };
        if unit > 0.0 { unit } else { 1.0 }
    }
}

/// One input column. The order of columns is the contract of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureColumn {
    /// `{timeframe}_{fuzzy set}_{membership}` or `{timeframe}_{indicator reference}_raw`;
    /// `{timeframe}_{fuzzy set}` for the value that the set reads.
    pub name: String,
    /// Scaling that prediction must repeat; absent = unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalisation: Option<Normalisation>,
}

/// A parameter tensor of the safetensors file, float32.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorSpec {
    /// PyTorch's name: `0.weight`, `0.bias`, `3.weight`, … in a `Sequential` of linear, activation,
    /// dropout blocks; `lstm.weight_ih_l0`, …, `fc.weight` in a recurrent network;
    /// `memberships.centres`, … in a neuro-fuzzy one.
    pub name: String,
    /// `[out, in]` for a weight, `[out]` for a bias.
    pub shape: Vec<usize>,
}

impl TensorSpec {
    /// A tensor of that name and shape.
    pub fn new(name: impl Into<String>, shape: Vec<usize>) -> Self {
        let name = name.into();
        Self { name, shape }
    }

    /// Number of values.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// True for weights; a penalty on biases would only move the outputs towards 0.
    pub fn takes_weight_decay(&self) -> bool {
        self.shape.len() > 1
    }
}

/// A network, complete enough to build it anywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Its family and its layers.
    #[serde(flatten)]
    pub architecture: Architecture,
    /// Input columns in order.
    pub features: Vec<FeatureColumn>,
    /// Meaning of the outputs, and with it their number.
    pub output: OutputKind,
}

impl Network {
    /// Widths of all layers: input columns, hidden, output.
    pub fn widths(&self) -> Vec<usize> {
        let mut widths = vec![self.features.len()];
        widths.extend(self.architecture.hidden_widths());
        widths.push(self.output.width());
        widths
    }

    /// The parameter tensors in file order, which is that of PyTorch's `state_dict`.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let inputs = self.features.len();
        let outputs = self.output.width();
        match &self.architecture {
            Architecture::Mlp(shape) => shape.tensors(&self.widths()),
            Architecture::Lstm(shape) => shape.tensors("lstm", 4, inputs, outputs),
            Architecture::Gru(shape) => shape.tensors("gru", 3, inputs, outputs),
            Architecture::Tsk(shape) => shape.base.tensors(outputs),
        }
    }

    /// False for rules that are still to be built from a training part.
    pub fn is_complete(&self) -> bool {
        match &self.architecture {
            Architecture::Tsk(shape) => !shape.base.rules.is_empty(),
            Architecture::Mlp(_) | Architecture::Lstm(_) | Architecture::Gru(_) => true,
        }
    }

    /// Number of trainable parameters, of a network that is complete.
    pub fn parameter_count(&self) -> usize {
        self.tensors().iter().map(TensorSpec::count).sum()
    }

    /// Values of one input: the columns of each row that a prediction looks at.
    pub fn input_count(&self) -> usize {
        self.features.len() * self.architecture.sequence_length()
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemberPlace;
    use super::*;

    fn column(index: usize) -> FeatureColumn {
        FeatureColumn {
            name: format!("f{index}"),
            normalisation: None,
        }
    }

    fn three_classes() -> OutputKind {
        OutputKind::Classes {
            names: ["BUY", "HOLD", "SELL"].map(str::to_owned).to_vec(),
        }
    }

    /// Nine inputs, hidden layers of 64 and 32, three classes.
    fn mlp() -> Network {
        Network {
            architecture: Architecture::Mlp(MlpShape {
                hidden_layers: vec![64, 32],
                activation: Activation::Relu,
                dropout: 0.2,
            }),
            features: (0..9).map(column).collect(),
            output: three_classes(),
        }
    }

    /// Sixteen inputs, two layers of 64, three classes.
    fn recurrent(family: fn(RecurrentShape) -> Architecture) -> Network {
        Network {
            architecture: family(RecurrentShape {
                sequence_length: 20,
                hidden_size: 64,
                num_layers: 2,
                dropout: 0.2,
            }),
            features: (0..16).map(column).collect(),
            output: three_classes(),
        }
    }

    fn names(network: &Network) -> Vec<String> {
        let tensors = network.tensors().into_iter();
        tensors.map(|tensor| tensor.name).collect()
    }

    #[test]
    fn parameters_are_counted_as_by_hand() {
        // 9·64+64 + 64·32+32 + 32·3+3 = 640 + 2 080 + 99
        assert_eq!(mlp().parameter_count(), 2_819);

        // 4·64·(16+64+2) + 4·64·(64+64+2) + 3·64+3 = 20 992 + 33 280 + 195
        assert_eq!(recurrent(Architecture::Lstm).parameter_count(), 54_467);

        // three gates instead of four: 15 744 + 24 960 + 195
        assert_eq!(recurrent(Architecture::Gru).parameter_count(), 40_899);
    }

    #[test]
    fn tensors_have_the_names_that_pytorch_gives_them() {
        let sequential = [
            "0.weight", "0.bias", "3.weight", "3.bias", "6.weight", "6.bias",
        ];
        assert_eq!(names(&mlp()), sequential);

        let lstm = [
            "lstm.weight_ih_l0",
            "lstm.weight_hh_l0",
            "lstm.bias_ih_l0",
            "lstm.bias_hh_l0",
            "lstm.weight_ih_l1",
            "lstm.weight_hh_l1",
            "lstm.bias_ih_l1",
            "lstm.bias_hh_l1",
            "fc.weight",
            "fc.bias",
        ];
        assert_eq!(names(&recurrent(Architecture::Lstm)), lstm);
        let gru = recurrent(Architecture::Gru).tensors();
        assert_eq!(gru[4], TensorSpec::new("gru.weight_ih_l1", vec![192, 64]));
    }

    #[test]
    fn weight_decay_spares_every_bias() {
        let spared: Vec<String> = recurrent(Architecture::Lstm)
            .tensors()
            .into_iter()
            .filter(|tensor| !tensor.takes_weight_decay())
            .map(|tensor| tensor.name)
            .collect();

        let biases = [
            "lstm.bias_ih_l0",
            "lstm.bias_hh_l0",
            "lstm.bias_ih_l1",
            "lstm.bias_hh_l1",
            "fc.bias",
        ];
        assert_eq!(spared, biases);
    }

    /// What manifests in stores hold, byte for byte.
    const STORED_MLP: &str = concat!(
        r#"{"kind":"mlp","hidden_layers":[4],"activation":"leaky_relu","dropout":0.0,"#,
        r#""features":[{"name":"f0"}],"output":{"kind":"regression"}}"#,
    );

    #[test]
    fn an_mlp_keeps_the_json_of_stored_manifests() {
        let network: Network = serde_json::from_str(STORED_MLP).unwrap();

        let shape = MlpShape {
            hidden_layers: vec![4],
            activation: Activation::LeakyRelu,
            dropout: 0.0,
        };
        assert_eq!(network.architecture, Architecture::Mlp(shape));
        assert_eq!(serde_json::to_string(&network).unwrap(), STORED_MLP);
    }

    #[test]
    fn rules_and_their_words_stay_the_same_in_json() {
        let json = concat!(
            r#"{"kind":"tsk","from":"sets","rules_max":16,"prune_below":0.02,"pruned_rules":3,"#,
            r#""base":{"inputs":[{"name":"rsi_zone","members":[{"name":"oversold","open":"below","#,
            r#""start":{"centre":25.0,"width":4.25}},{"name":"any"}],"low":-2.5,"high":0.1}],"#,
            r#""rules":[[0],[null]],"firing":"mean"},"#,
            r#""features":[{"name":"1h_rsi_zone"}],"output":{"kind":"regression"}}"#,
        );
        let network: Network = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&network).unwrap(), json);

        // Two centres, two widths, and for each of two rules a weight and a bias.
        assert_eq!(network.parameter_count(), 8);
        assert_eq!(network.widths(), [1, 2, 1]);
        assert_eq!(network.tensors()[2].shape, [2, 1, 1]);
    }

    #[test]
    fn a_member_keeps_its_place_through_scaling() {
        // (25 − 50) / 10 = −2.5 and 5 / 10 = 0.5
        let place = MemberPlace {
            centre: 25.0,
            width: 5.0,
        };
        let mut column = column(0);
        column.normalisation = Some(Normalisation::Zscore {
            mean: 50.0,
            std: 10.0,
        });
        let scaled = place.scaled_by(&column);
        assert_eq!((scaled.centre, scaled.width), (-2.5, 0.5));
        assert_eq!(scaled.unscaled_by(&column), place);

        // (25 − 5) / 40 = 0.5 and 5 / 40 = 0.125
        column.normalisation = Some(Normalisation::Minmax {
            min: 5.0,
            max: 45.0,
        });
        let scaled = place.scaled_by(&column);
        assert_eq!((scaled.centre, scaled.width), (0.5, 0.125));
        assert_eq!(scaled.unscaled_by(&column), place);

        // A column that never changes has no unit of its own.
        column.normalisation = Some(Normalisation::Zscore {
            mean: 50.0,
            std: 0.0,
        });
        assert_eq!(place.scaled_by(&column).width, 5.0);
    }

    #[test]
    fn a_window_holds_the_columns_of_each_of_its_rows() {
        let network = recurrent(Architecture::Gru);
        let json = serde_json::to_value(&network).unwrap();
        assert_eq!(json["kind"], "gru");
        assert_eq!(json["sequence_length"], 20);
        assert_eq!(serde_json::from_value::<Network>(json).unwrap(), network);

        assert_eq!(network.input_count(), 320);
        assert_eq!(mlp().input_count(), 9);
    }
}
