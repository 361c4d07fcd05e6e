//! The source of a module and its tensors: one statement an operation, as PyTorch writes it.

use networks::Model;
use schemas::manifests::{
    Activation, Architecture, MlpShape, Network, OutputKind, RecurrentShape, RuleBase,
};

use crate::members::RuleMembers;
use crate::scaling::Scaling;
use crate::tensors::{Tensors, values};

/// PyTorch's number of the type float32.
const FLOAT: &str = "6";

/// A tensor of the module.
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) values: Values,
}

pub(super) enum Values {
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
}

/// A module under construction.
pub(super) struct ModuleSource {
    statements: Vec<String>,
    tensors: Vec<Tensor>,
}

impl ModuleSource {
    /// From unscaled columns to probabilities or a number.
    pub(super) fn of(model: &Model) -> Self {
        let network = model.network();
        let tensors: Tensors<'_> = model.tensors().collect();
        let mut module = Self {
            statements: Vec::new(),
            tensors: Vec::new(),
        };

        module.scale(network);
        match &network.architecture {
            Architecture::Mlp(shape) => module.perceptron(shape, network, &tensors),
            Architecture::Lstm(shape) | Architecture::Gru(shape) => {
                module.recurrent(shape, network, &tensors);
            }
            Architecture::Tsk(shape) => module.rules(&shape.base, network, &tensors),
        }
        if let Some(temperature) = model.temperature() {
            module.assign("value", &format!("torch.div(value, {temperature:?})"));
        }
        if matches!(network.output, OutputKind::Classes { .. }) {
            module.assign("value", "torch.softmax(value, -1)");
        }
        module
    }

    pub(super) fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The class `Network`.
    pub(super) fn text(&self) -> String {
        let names = self.tensors.iter();
        let names: Vec<String> = names.map(|tensor| format!("\"{}\"", tensor.name)).collect();
        let mut text = format!(
            "class Network(Module):\n  __parameters__ = []\n  __buffers__ = [{}, ]\n  \
             training : bool\n  _is_full_backward_hook : Optional[bool]\n",
            names.join(", ")
        );

        for tensor in &self.tensors {
            text.push_str(&format!("  {} : Tensor\n", tensor.name));
        }
        text.push_str("  def forward(self: __torch__.Network,\n    value: Tensor) -> Tensor:\n");
        for statement in &self.statements {
            text.push_str(&format!("    {statement}\n"));
        }
        text.push_str("    return value\n");
        text
    }

    fn assign(&mut self, name: &str, expression: &str) {
        self.statements.push(format!("{name} = {expression}"));
    }

    /// A tensor and the expression that reads it.
    fn constant(&mut self, shape: &[usize], values: Values) -> String {
        let name = format!("t{}", self.tensors.len());
        let expression = format!("self.{name}");
        self.tensors.push(Tensor {
            name,
            shape: shape.to_vec(),
            values,
        });
        expression
    }

    /// A parameter of the network by its name.
    fn parameter(&mut self, shape: &[usize], tensors: &Tensors<'_>, name: &str) -> String {
        self.constant(shape, Values::Floats(values(tensors, name)))
    }

    /// Every column as the data set scaled it, in single precision.
    fn scale(&mut self, network: &Network) {
        let scaling = Scaling::of(network);
        let columns = [network.features.len()];
        let offsets = self.constant(&columns, Values::Doubles(scaling.offsets));
        let factors = self.constant(&columns, Values::Doubles(scaling.factors));
        self.assign("value", &format!("torch.sub(value, {offsets})"));
        self.assign("value", &format!("torch.mul(value, {factors})"));
        self.assign("value", &format!("torch.to(value, {FLOAT})"));
    }

    /// A linear map with a weight `[out, in]` of this name.
    fn linear(&mut self, name: &str, widths: [usize; 2], tensors: &Tensors<'_>) {
        let [inputs, outputs] = widths;
        let weight = self.parameter(&[outputs, inputs], tensors, &format!("{name}.weight"));
        let bias = self.parameter(&[outputs], tensors, &format!("{name}.bias"));
        self.assign("value", &format!("torch.linear(value, {weight}, {bias})"));
    }

    fn perceptron(&mut self, shape: &MlpShape, network: &Network, tensors: &Tensors<'_>) {
        let widths = network.widths();
        let layers = widths.iter().zip(widths.iter().skip(1));
        let last = widths.len().saturating_sub(2);

        for (layer, (&inputs, &outputs)) in layers.enumerate() {
            // PyTorch counts the activation and the dropout after each layer, too.
            self.linear(&(3 * layer).to_string(), [inputs, outputs], tensors);
            if layer < last {
                let activated = match shape.activation {
                    Activation::Relu => "torch.relu(value)",
                    Activation::Tanh => "torch.tanh(value)",
                    Activation::Sigmoid => "torch.sigmoid(value)",
                    Activation::LeakyRelu => "torch.leaky_relu(value, 0.01)",
                };
                self.assign("value", activated);
            }
        }
    }

    /// PyTorch's own layers over windows, then a linear layer over the last state.
    fn recurrent(&mut self, shape: &RecurrentShape, network: &Network, tensors: &Tensors<'_>) {
        let names = network.tensors();
        let layers = shape.num_layers;
        let hidden = shape.hidden_size;
        let mut parameters = Vec::with_capacity(4 * layers);
        for spec in names.iter().filter(|spec| !spec.name.starts_with("fc.")) {
            parameters.push(self.parameter(&spec.shape, tensors, &spec.name));
        }

        let zeros = format!("[{layers}, torch.size(value, 0), {hidden}]");
        self.assign("state", &format!("torch.zeros({zeros}, dtype={FLOAT})"));
        // Biases, layers, dropout, in training, both directions, rows first.
        let settings = format!("True, {layers}, 0., False, False, True");
        let parameters = parameters.join(", ");
        match network.architecture {
            Architecture::Gru(_) => {
                let layers = format!("torch.gru(value, state, [{parameters}], {settings})");
                self.assign("all, last", &layers);
            }
            _ => {
                let layers =
                    format!("torch.lstm(value, [state, state], [{parameters}], {settings})");
                self.assign("all, last, cell", &layers);
            }
        }
        self.assign("value", "torch.select(last, 0, -1)");
        self.linear("fc", [hidden, network.output.width()], tensors);
    }

    /// What all rules say, by how strongly each fires: see `networks::tsk` for the formulas.
    fn rules(&mut self, base: &RuleBase, network: &Network, tensors: &Tensors<'_>) {
        let inputs = network.features.len();
        let outputs = network.output.width();
        let count = base.rules.len();
        let members = RuleMembers::of(base, tensors);
        let table = [1, count, inputs];

        // d = x − centre, and 0 on the open side of a member.
        let centres = self.constant(&table, Values::Floats(members.centres));
        let lowest = self.constant(&table, Values::Floats(members.lowest));
        let highest = self.constant(&table, Values::Floats(members.highest));
        let factors = self.constant(&table, Values::Floats(members.factors));
        self.assign(
            "away",
            &format!("torch.sub(torch.unsqueeze(value, 1), {centres})"),
        );
        self.assign("away", &format!("torch.maximum(away, {lowest})"));
        self.assign("away", &format!("torch.minimum(away, {highest})"));
        let terms = format!("torch.mul(torch.mul(away, away), {factors})");
        self.assign(
            "shares",
            &format!("torch.softmax(torch.sum({terms}, [2]), -1)"),
        );

        let weight = self.parameter(&[count * outputs, inputs], tensors, "consequents.weight");
        let bias = self.parameter(&[count * outputs], tensors, "consequents.bias");
        let says = format!("torch.linear(value, {weight}, {bias})");
        let says = format!("torch.reshape({says}, [-1, {count}, {outputs}])");
        let weighted = format!("torch.mul({says}, torch.unsqueeze(shares, 2))");
        self.assign("value", &format!("torch.sum({weighted}, [1])"));
    }
}
