//! LSTM and GRU as operators of ONNX.

use onnx_rs::ast::{Attribute, OpType};
use schemas::manifests::{Architecture, Network, RecurrentShape};

use super::graph::{GraphBuilder, integer, integers};
use super::linear;
use crate::tensors::{Tensors, values};

/// PyTorch stacks the gates of an LSTM as input, forget, cell, output; ONNX as input, output,
/// forget, cell.
const LSTM_GATES: [usize; 4] = [0, 3, 1, 2];
/// PyTorch stacks those of a GRU as reset, update, new; ONNX as update, reset, new.
const GRU_GATES: [usize; 3] = [1, 0, 2];

/// Layers over windows `[rows, length, columns]`, then a linear layer over the last state.
pub(super) fn recurrent(
    shape: &RecurrentShape,
    network: &Network,
    tensors: &Tensors<'_>,
    input: &str,
    graph: &mut GraphBuilder,
) -> String {
    let hidden = shape.hidden_size;
    // Time first, as the operators of ONNX have it.
    let by_time = vec![integers("perm", &[1, 0, 2])];
    let mut states = graph.apply_with(OpType::Transpose, &[input], by_time);
    let mut last_state = String::new();

    for layer in 0..shape.num_layers {
        let inputs = if layer == 0 {
            network.features.len()
        } else {
            hidden
        };
        let cell = Cell::of(&network.architecture, hidden);
        let operands = cell.operands(layer, inputs, tensors, graph);
        let mut all_operands = vec![states.as_str()];
        all_operands.extend(operands.iter().map(String::as_str));

        let attributes = cell.attributes();
        let [all, last] = graph.apply_to_two(cell.operator.clone(), &all_operands, attributes);
        // The direction, of which there is one.
        let axis = graph.integers(vec![1]);
        states = graph.apply(OpType::Squeeze, &[&all, &axis]);
        let axis = graph.integers(vec![0]);
        last_state = graph.apply(OpType::Squeeze, &[&last, &axis]);
    }
    linear(
        "fc",
        [hidden, network.output.width()],
        tensors,
        &last_state,
        graph,
    )
}

/// A recurrent cell as ONNX has it.
struct Cell {
    operator: OpType<'static>,
    /// What the names of its tensors begin with.
    prefix: &'static str,
    hidden: usize,
    /// The place in PyTorch's order of each gate.
    order: Vec<usize>,
}

impl Cell {
    fn of(architecture: &Architecture, hidden: usize) -> Self {
        let prefix = architecture.name();

        match architecture {
            Architecture::Gru(_) => Self {
                operator: OpType::GRU,
                prefix,
                hidden,
                order: GRU_GATES.to_vec(),
            },
            _ => Self {
                operator: OpType::LSTM,
                prefix,
                hidden,
                order: LSTM_GATES.to_vec(),
            },
        }
    }

    /// Weights of input and state, and the biases of both, of one layer.
    fn operands(
        &self,
        layer: usize,
        inputs: usize,
        tensors: &Tensors<'_>,
        graph: &mut GraphBuilder,
    ) -> [String; 3] {
        let tensor = |kind: &str| values(tensors, &format!("{}.{kind}_l{layer}", self.prefix));
        let of_input = self.reorder(&tensor("weight_ih"), inputs);
        let of_state = self.reorder(&tensor("weight_hh"), self.hidden);
        let biases = ["bias_ih", "bias_hh"].map(|kind| self.reorder(&tensor(kind), 1));

        let stacked = self.order.len() * self.hidden;
        [
            graph.constant(&[1, stacked, inputs], of_input),
            graph.constant(&[1, stacked, self.hidden], of_state),
            graph.constant(&[1, 2 * stacked], biases.concat()),
        ]
    }

    /// The blocks of a tensor with `width` columns in the order of ONNX.
    fn reorder(&self, tensor: &[f32], width: usize) -> Vec<f32> {
        let block = self.hidden * width;
        let blocks = self.order.iter();
        let blocks = blocks.filter_map(|gate| tensor.get(gate * block..(gate + 1) * block));
        blocks.flatten().copied().collect()
    }

    fn attributes(&self) -> Vec<Attribute<'static>> {
        let mut attributes = vec![integer("hidden_size", self.hidden as i64)];
        // PyTorch's new gate multiplies the state after its linear map, not before.
        if matches!(self.operator, OpType::GRU) {
            attributes.push(integer("linear_before_reset", 1));
        }
        attributes
    }
}
