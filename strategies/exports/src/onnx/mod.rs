//! A network as a graph of ONNX: from the columns as a strategy computes them, unscaled, to class
//! probabilities or a number.

mod graph;
mod recurrent;
mod rules;

use networks::Model;
use onnx_rs::ast::{DataType, OpType};
use schemas::manifests::{Activation, Architecture, MlpShape, Network, OutputKind};

use self::graph::{GraphBuilder, Port, integer, number};
use self::recurrent::recurrent;
use self::rules::rules;
use crate::facts::Facts;
use crate::scaling::Scaling;
use crate::tensors::{Tensors, values};

/// Name of the input: columns in the model's order, in double precision.
const INPUT: &str = "features";

/// The bytes of a file that any reader of ONNX runs, with operators of version 17: float64
/// `features`, `[rows, columns]` or `[rows, length, columns]`, to float32 `[rows, outputs]`.
pub fn onnx_file(model: &Model, facts: &Facts<'_>) -> Vec<u8> {
    let network = model.network();
    let tensors: Tensors<'_> = model.tensors().collect();
    let mut graph = GraphBuilder::default();

    let scaled = scale(network, &mut graph);
    let scores = match &network.architecture {
        Architecture::Mlp(shape) => perceptron(shape, network, &tensors, &scaled, &mut graph),
        Architecture::Lstm(shape) | Architecture::Gru(shape) => {
            recurrent(shape, network, &tensors, &scaled, &mut graph)
        }
        Architecture::Tsk(shape) => rules(&shape.base, network, &tensors, &scaled, &mut graph),
    };
    let scores = divide_by_temperature(model.temperature(), scores, &mut graph);
    let output = match &network.output {
        OutputKind::Classes { .. } => {
            graph.finish(OpType::Softmax, &[&scores], "probabilities");
            "probabilities"
        }
        OutputKind::Regression => {
            graph.finish(OpType::Identity, &[&scores], "value");
            "value"
        }
    };

    let input = Port {
        name: INPUT,
        kind: DataType::Double,
        shape: input_shape(network),
    };
    let output = Port {
        name: output,
        kind: DataType::Float,
        shape: vec![network.output.width()],
    };
    graph.encode(&input, &output, &facts.listed(model))
}

/// Scores as the softmax takes them.
fn divide_by_temperature(
    temperature: Option<f64>,
    scores: String,
    graph: &mut GraphBuilder,
) -> String {
    match temperature {
        None => scores,
        Some(temperature) => {
            let divisor = graph.constant(&[1], vec![temperature as f32]);
            graph.apply(OpType::Div, &[&scores, &divisor])
        }
    }
}

/// Columns of a row, or rows of a window and their columns.
fn input_shape(network: &Network) -> Vec<usize> {
    let columns = network.features.len();
    match &network.architecture {
        Architecture::Mlp(_) | Architecture::Tsk(_) => vec![columns],
        Architecture::Lstm(shape) | Architecture::Gru(shape) => {
            vec![shape.sequence_length, columns]
        }
    }
}

/// Every column as the data set scaled it, in single precision.
fn scale(network: &Network, graph: &mut GraphBuilder) -> String {
    let scaling = Scaling::of(network);
    let offsets = graph.doubles(scaling.offsets);
    let factors = graph.doubles(scaling.factors);
    let moved = graph.apply(OpType::Sub, &[INPUT, &offsets]);
    let scaled = graph.apply(OpType::Mul, &[&moved, &factors]);
    // 1 is the number of the type float.
    graph.apply_with(OpType::Cast, &[&scaled], vec![integer("to", 1)])
}

/// x·Wᵀ + b with a weight `[out, in]` of this name.
fn linear(
    name: &str,
    widths: [usize; 2],
    tensors: &Tensors<'_>,
    input: &str,
    graph: &mut GraphBuilder,
) -> String {
    let [inputs, outputs] = widths;

    let weight = graph.constant(
        &[outputs, inputs],
        values(tensors, &format!("{name}.weight")),
    );
    let bias = graph.constant(&[outputs], values(tensors, &format!("{name}.bias")));
    let attributes = vec![integer("transB", 1)];
    graph.apply_with(OpType::Gemm, &[input, &weight, &bias], attributes)
}

fn perceptron(
    shape: &MlpShape,
    network: &Network,
    tensors: &Tensors<'_>,
    input: &str,
    graph: &mut GraphBuilder,
) -> String {
    let widths = network.widths();
    let layers = widths.iter().zip(widths.iter().skip(1));
    let last = widths.len().saturating_sub(2);

    let mut value = input.to_owned();
    for (layer, (&inputs, &outputs)) in layers.enumerate() {
        // PyTorch counts the activation and the dropout after each layer, too.
        let name = (3 * layer).to_string();
        value = linear(&name, [inputs, outputs], tensors, &value, graph);
        if layer < last {
            value = activate(shape.activation, &value, graph);
        }
    }
    value
}

fn activate(activation: Activation, value: &str, graph: &mut GraphBuilder) -> String {
    match activation {
        Activation::Relu => graph.apply(OpType::Relu, &[value]),
        Activation::Tanh => graph.apply(OpType::Tanh, &[value]),
        Activation::Sigmoid => graph.apply(OpType::Sigmoid, &[value]),
        Activation::LeakyRelu => {
            graph.apply_with(OpType::LeakyRelu, &[value], vec![number("alpha", 0.01)])
        }
    }
}
