//! A neuro-fuzzy network in operators of ONNX: see `networks::tsk` for the formulas.

use onnx_rs::ast::OpType;
use schemas::manifests::{Network, RuleBase};

use super::graph::{GraphBuilder, integer};
use crate::members::RuleMembers;
use crate::tensors::{Tensors, values};

/// What all rules say, by how strongly each fires.
pub(super) fn rules(
    base: &RuleBase,
    network: &Network,
    tensors: &Tensors<'_>,
    input: &str,
    graph: &mut GraphBuilder,
) -> String {
    let inputs = network.features.len();
    let outputs = network.output.width();
    let count = base.rules.len();
    let shares = shares(base, inputs, tensors, input, graph);

    let weight = values(tensors, "consequents.weight");
    let weight = graph.constant(&[count * outputs, inputs], weight);
    let bias = graph.constant(&[count * outputs], values(tensors, "consequents.bias"));
    let transposed = vec![integer("transB", 1)];
    let says = graph.apply_with(OpType::Gemm, &[input, &weight, &bias], transposed);
    let shape = graph.integers(vec![-1, count as i64, outputs as i64]);
    let says = graph.apply(OpType::Reshape, &[&says, &shape]);

    let last = graph.integers(vec![2]);
    let shares = graph.apply(OpType::Unsqueeze, &[&shares, &last]);
    let weighted = graph.apply(OpType::Mul, &[&says, &shares]);
    sum_over(1, &weighted, graph)
}

/// How strongly each rule fires, `[rows, rules]`.
fn shares(
    base: &RuleBase,
    inputs: usize,
    tensors: &Tensors<'_>,
    input: &str,
    graph: &mut GraphBuilder,
) -> String {
    let members = RuleMembers::of(base, tensors);
    let table = [1, base.rules.len(), inputs];

    // d = x − centre, and 0 on the open side of a member.
    let axis = graph.integers(vec![1]);
    let columns = graph.apply(OpType::Unsqueeze, &[input, &axis]);
    let centres = graph.constant(&table, members.centres);
    let distances = graph.apply(OpType::Sub, &[&columns, &centres]);
    let lowest = graph.constant(&table, members.lowest);
    let distances = graph.apply(OpType::Max, &[&distances, &lowest]);
    let highest = graph.constant(&table, members.highest);
    let distances = graph.apply(OpType::Min, &[&distances, &highest]);

    let squares = graph.apply(OpType::Mul, &[&distances, &distances]);
    let factors = graph.constant(&table, members.factors);
    let terms = graph.apply(OpType::Mul, &[&squares, &factors]);
    let exponents = sum_over(2, &terms, graph);
    graph.apply_with(OpType::Softmax, &[&exponents], vec![integer("axis", -1)])
}

fn sum_over(axis: i64, value: &str, graph: &mut GraphBuilder) -> String {
    let axis = graph.integers(vec![axis]);
    let without_axis = vec![integer("keepdims", 0)];
    graph.apply_with(OpType::ReduceSum, &[value, &axis], without_axis)
}
