//! A network as a graph of ONNX: from the columns as a strategy computes them, unscaled, to class
//! probabilities or a number.

use std::collections::BTreeMap;

use networks::Model;
use onnx_rs::ast::{DataType, OpType};
use schemas::manifests::{
    Activation, Architecture, MlpShape, ModelManifest, Network, Normalisation, OutputKind,
};

use super::graph::{GraphBuilder, Port, integer, number};
use super::recurrent::recurrent;
use super::rules::rules;

/// Name of the input: columns in the model's order, in double precision.
const INPUT: &str = "features";
/// The parameters of a network by the name of their tensor.
pub(super) type Tensors<'a> = BTreeMap<String, &'a [f32]>;

/// The bytes of the file.
pub(super) fn onnx_file(
    model: &Model,
    manifest: &ModelManifest,
    threshold: Option<f64>,
) -> Vec<u8> {
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
    graph.encode(&input, &output, &facts_of(model, manifest, threshold))
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

/// What a reader of the file must know besides the graph.
fn facts_of(
    model: &Model,
    manifest: &ModelManifest,
    threshold: Option<f64>,
) -> Vec<(&'static str, String)> {
    let network = model.network();
    let columns = network.features.iter().map(|column| column.name.as_str());
    let mut facts = vec![
        ("model", format!("{}@{}", manifest.name, manifest.version)),
        ("artifact", manifest.artifact.clone()),
        ("strategy_sha256", manifest.lineage.strategy_sha256.clone()),
        ("features", columns.collect::<Vec<&str>>().join(",")),
    ];

    if let OutputKind::Classes { names } = &network.output {
        facts.push(("classes", names.join(",")));
    }
    let temperature = model.temperature();
    facts.extend(temperature.map(|temperature| ("temperature", temperature.to_string())));
    facts.extend(threshold.map(|threshold| ("confidence_threshold", threshold.to_string())));
    facts
}

/// Every column as the data set scaled it, in single precision.
fn scale(network: &Network, graph: &mut GraphBuilder) -> String {
    let mut offsets = Vec::with_capacity(network.features.len());
    let mut factors = Vec::with_capacity(network.features.len());
    for column in &network.features {
        let (offset, unit) = match column.normalisation {
            None => (0.0, 1.0),
            Some(Normalisation::Minmax { min, max }) => (min, max - min),
            Some(Normalisation::Zscore { mean, std }) => (mean, std),
        };
        offsets.push(offset);
        // A column that never changed in the training part is 0 for ever.
        factors.push(if unit == 0.0 { 0.0 } else { 1.0 / unit });
    }

    let offsets = graph.doubles(offsets);
    let factors = graph.doubles(factors);
    let moved = graph.apply(OpType::Sub, &[INPUT, &offsets]);
    let scaled = graph.apply(OpType::Mul, &[&moved, &factors]);
    // 1 is the number of the type float.
    graph.apply_with(OpType::Cast, &[&scaled], vec![integer("to", 1)])
}

/// x·Wᵀ + b with a weight `[out, in]` of this name.
pub(super) fn linear(
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

/// The values of a tensor.
pub(super) fn values(tensors: &Tensors<'_>, name: &str) -> Vec<f32> {
    tensors
        .get(name)
        .map_or_else(Vec::new, |values| values.to_vec())
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
