//! A neuro-fuzzy network in operators of ONNX: see `networks::tsk` for the formulas.

use onnx_rs::ast::OpType;
use schemas::manifests::{Firing, FuzzyInput, Network, OpenSide, RuleBase};

use super::graph::{GraphBuilder, integer};
use super::onnx::{Tensors, values};

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

/// The member of each rule and input, `[rules, inputs]`.
#[derive(Default)]
struct RuleMembers {
    centres: Vec<f32>,
    /// Bounds of the distance from the centre.
    lowest: Vec<f32>,
    highest: Vec<f32>,
    /// −1 / (2·width²), divided by the number of members of the rule where it fires by their mean;
    /// 0 for an input that the rule leaves out.
    factors: Vec<f32>,
}

impl RuleMembers {
    fn of(base: &RuleBase, tensors: &Tensors<'_>) -> Self {
        let centres = values(tensors, "memberships.centres");
        let widths = values(tensors, "memberships.widths");
        let mut table = Self::default();

        for rule in &base.rules {
            let count = rule.iter().flatten().count().max(1);
            let share = match base.firing {
                Firing::Mean => 1.0 / count as f32,
                Firing::Product => 1.0,
            };
            // Members of all inputs stand one after another.
            let mut first = 0;
            for (member, of_input) in rule.iter().zip(&base.inputs) {
                let place = member.map(|member| first + member);
                let width = place.and_then(|place| widths.get(place)).copied();
                let centre = place.and_then(|place| centres.get(place)).copied();

                table.centres.push(centre.unwrap_or(0.0));
                let factor = width.map_or(0.0, |width| -share / (2.0 * width * width));
                table.factors.push(factor);
                table.add_bounds(of_input, *member);
                first += of_input.members.len();
            }
        }
        table
    }

    /// A distance is 0 on the open side of a member, and unbounded on any other.
    fn add_bounds(&mut self, input: &FuzzyInput, member: Option<usize>) {
        let open = member.and_then(|member| input.members.get(member)?.open);
        let is_open = |side: OpenSide| open == Some(side);

        let lowest = if is_open(OpenSide::Below) {
            0.0
        } else {
            f32::MIN
        };
        let highest = if is_open(OpenSide::Above) {
            0.0
        } else {
            f32::MAX
        };
        self.lowest.push(lowest);
        self.highest.push(highest);
    }
}
