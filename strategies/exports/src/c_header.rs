//! A network as a header of C99: constants and one function, without allocation and without any
//! library but `math.h`.

use networks::Model;
use schemas::manifests::{Activation, Architecture, MlpShape, Network, OutputKind, RuleBase};

use crate::members::RuleMembers;
use crate::scaling::Scaling;
use crate::tensors::{Tensors, values};
use crate::{ExportError, Facts};

/// Numbers on a line.
const NUMBERS_A_LINE: usize = 8;

/// The text of a header with `NAME_predict(const double *columns, float *outputs)`: unscaled
/// columns of one row to class probabilities or a forward return. `NAME` is `prefix`, an identifier
/// of C.
///
/// # Errors
/// The network reads windows of rows: LSTM and GRU have no such header.
pub fn c_header(model: &Model, facts: &Facts<'_>, prefix: &str) -> Result<String, ExportError> {
    let network = model.network();
    let tensors: Tensors<'_> = model.tensors().collect();
    let mut header = Header {
        prefix,
        constants: String::new(),
        steps: String::new(),
    };

    header.add_scaling(network);
    match &network.architecture {
        Architecture::Mlp(shape) => header.add_perceptron(shape, network, &tensors),
        Architecture::Tsk(shape) => header.add_rules(&shape.base, network, &tensors),
        Architecture::Lstm(_) | Architecture::Gru(_) => {
            return Err(ExportError::Unsupported {
                network: network.architecture.name(),
                format: "a header of C",
            });
        }
    }
    header.add_outputs(model);
    Ok(header.text(model, facts))
}

struct Header<'a> {
    prefix: &'a str,
    constants: String,
    /// Statements of the function. `x` is what the next one reads, of the width that it knows.
    steps: String,
}

impl Header<'_> {
    fn text(&self, model: &Model, facts: &Facts<'_>) -> String {
        let network = model.network();
        let prefix = self.prefix;
        let guard = prefix.to_uppercase();
        let mut text = String::new();
        for (name, value) in facts.listed(model) {
            text.push_str(&format!("/* {name}: {} */\n", comment(&value)));
        }

        let width = widest(network);
        text.push_str(&format!(
            "#ifndef {guard}_H\n#define {guard}_H\n#include <math.h>\n\n\
             #define {guard}_COLUMNS {}\n#define {guard}_OUTPUTS {}\n\n",
            network.features.len(),
            network.output.width()
        ));
        text.push_str(&self.constants);
        text.push_str(&format!(
            "\n/* Columns of one row, in their order and not scaled, to outputs. */\n\
             static inline void {prefix}_predict(const double *columns, float *outputs)\n{{\n  \
             float x[{width}], y[{width}];\n  int i, j, k;\n{}}}\n\n#endif\n",
            self.steps
        ));
        text
    }

    fn step(&mut self, line: &str) {
        self.steps.push_str("  ");
        self.steps.push_str(line);
        self.steps.push('\n');
    }

    fn doubles(&mut self, name: &str, values: &[f64]) {
        let numbers = values.iter().map(|value| format!("{value:?}"));
        self.add_numbers("double", name, &numbers.collect::<Vec<String>>());
    }

    fn floats(&mut self, name: &str, values: &[f32]) {
        let numbers = values.iter().map(|value| format!("{value:?}f"));
        self.add_numbers("float", name, &numbers.collect::<Vec<String>>());
    }

    fn add_numbers(&mut self, kind: &str, name: &str, numbers: &[String]) {
        let lines = numbers.chunks(NUMBERS_A_LINE);
        let lines: Vec<String> = lines.map(|line| format!("  {}", line.join(", "))).collect();
        self.constants.push_str(&format!(
            "static const {kind} {}_{name}[{}] = {{\n{}\n}};\n",
            self.prefix,
            numbers.len(),
            lines.join(",\n")
        ));
    }

    /// Every column as the data set scaled it, in single precision.
    fn add_scaling(&mut self, network: &Network) {
        let scaling = Scaling::of(network);
        self.doubles("offsets", &scaling.offsets);
        self.doubles("factors", &scaling.factors);

        let prefix = self.prefix;
        let columns = network.features.len();
        self.step("(void)j; (void)k; (void)y;");
        self.step(&format!("for (i = 0; i < {columns}; i++)"));
        self.step(&format!(
            "  x[i] = (float)((columns[i] - {prefix}_offsets[i]) * {prefix}_factors[i]);"
        ));
    }

    fn add_perceptron(&mut self, shape: &MlpShape, network: &Network, tensors: &Tensors<'_>) {
        let widths = network.widths();
        let layers = widths.iter().zip(widths.iter().skip(1));
        let last = widths.len().saturating_sub(2);
        let prefix = self.prefix;

        for (layer, (&inputs, &outputs)) in layers.enumerate() {
            // PyTorch counts the activation and the dropout after each layer, too.
            let number = 3 * layer;
            let weight = values(tensors, &format!("{number}.weight"));
            let bias = values(tensors, &format!("{number}.bias"));
            self.floats(&format!("weight{layer}"), &weight);
            self.floats(&format!("bias{layer}"), &bias);

            self.step(&format!("for (i = 0; i < {outputs}; i++) {{"));
            self.step(&format!("  y[i] = {prefix}_bias{layer}[i];"));
            self.step(&format!("  for (j = 0; j < {inputs}; j++)"));
            self.step(&format!(
                "    y[i] += {prefix}_weight{layer}[i * {inputs} + j] * x[j];"
            ));
            self.step("}");
            let activated = if layer < last {
                activate(shape.activation)
            } else {
                "y[i]"
            };
            self.step(&format!("for (i = 0; i < {outputs}; i++)"));
            self.step(&format!("  x[i] = {activated};"));
        }
    }

    /// What all rules say, by how strongly each fires: see `networks::tsk` for the formulas.
    fn add_rules(&mut self, base: &RuleBase, network: &Network, tensors: &Tensors<'_>) {
        let members = RuleMembers::of(base, tensors);
        self.floats("centres", &members.centres);
        self.floats("lowest", &members.lowest);
        self.floats("highest", &members.highest);
        self.floats("member_factors", &members.factors);
        self.floats("weights", &values(tensors, "consequents.weight"));
        self.floats("constants", &values(tensors, "consequents.bias"));

        let text = include_str!("rules.c");
        let sizes = [
            ("RULES", base.rules.len().to_string()),
            ("INPUTS", network.features.len().to_string()),
            ("OUTPUTS", network.output.width().to_string()),
            ("PREFIX", self.prefix.to_owned()),
        ];
        let filled = sizes.iter().fold(text.to_owned(), |text, (name, size)| {
            text.replace(name, size)
        });
        for line in filled.lines() {
            self.step(line);
        }
    }

    /// Probabilities, or the number as it is.
    fn add_outputs(&mut self, model: &Model) {
        let outputs = model.network().output.width();
        if let Some(temperature) = model.temperature() {
            self.step(&format!("for (i = 0; i < {outputs}; i++)"));
            self.step(&format!("  x[i] /= (float){temperature:?};"));
        }

        match model.network().output {
            OutputKind::Classes { .. } => {
                let text = include_str!("softmax.c").replace("OUTPUTS", &outputs.to_string());
                for line in text.lines() {
                    self.step(line);
                }
            }
            OutputKind::Regression => self.step("outputs[0] = x[0];"),
        }
    }
}

/// The widest list that the function holds.
fn widest(network: &Network) -> usize {
    network.widths().into_iter().max().unwrap_or(1)
}

fn activate(activation: Activation) -> &'static str {
    match activation {
        Activation::Relu => "y[i] > 0.0f ? y[i] : 0.0f",
        Activation::Tanh => "tanhf(y[i])",
        Activation::Sigmoid => "1.0f / (1.0f + expf(-y[i]))",
        Activation::LeakyRelu => "y[i] > 0.0f ? y[i] : 0.01f * y[i]",
    }
}

/// A text that does not end the comment it stands in.
fn comment(text: &str) -> String {
    text.replace("*/", "* /")
}
