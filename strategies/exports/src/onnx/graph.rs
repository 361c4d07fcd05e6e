//! A computation graph of ONNX, written node by node.

use onnx_rs::ast::{
    Attribute, AttributeType, DataType, Dimension, Graph, Model, Node, OpType, OperatorSetId,
    StringStringEntry, TensorProto, TensorShape, TensorShapeDimension, TensorTypeProto, TypeProto,
    TypeValue, ValueInfo,
};

/// Version of the file format, and of its operators: those of ONNX 1.12, which every runtime of the
/// last years reads.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;

/// Name of the dimension that counts rows.
const ROWS: &str = "rows";

/// A graph under construction. Values are called by names that it gives out.
#[derive(Default)]
pub(super) struct GraphBuilder {
    nodes: Vec<GraphNode>,
    constants: Vec<Constant>,
}

struct GraphNode {
    operator: OpType<'static>,
    inputs: Vec<String>,
    outputs: Vec<String>,
    attributes: Vec<Attribute<'static>>,
}

struct Constant {
    name: String,
    shape: Vec<i64>,
    values: Values,
}

enum Values {
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
    Integers(Vec<i64>),
}

/// A value that goes in or out: rows first, then these dimensions.
pub(super) struct Port<'a> {
    pub(super) name: &'a str,
    pub(super) kind: DataType,
    pub(super) shape: Vec<usize>,
}

impl GraphBuilder {
    /// A tensor that does not change.
    pub(super) fn constant(&mut self, shape: &[usize], values: Vec<f32>) -> String {
        self.add_constant(shape, Values::Floats(values))
    }

    /// The same of double precision.
    pub(super) fn doubles(&mut self, values: Vec<f64>) -> String {
        self.add_constant(&[values.len()], Values::Doubles(values))
    }

    /// A list of whole numbers, such as axes or a shape.
    pub(super) fn integers(&mut self, values: Vec<i64>) -> String {
        self.add_constant(&[values.len()], Values::Integers(values))
    }

    fn add_constant(&mut self, shape: &[usize], values: Values) -> String {
        let name = format!("c{}", self.constants.len());
        self.constants.push(Constant {
            name: name.clone(),
            shape: shape.iter().map(|&size| size as i64).collect(),
            values,
        });
        name
    }

    /// A node with one output.
    pub(super) fn apply(&mut self, operator: OpType<'static>, inputs: &[&str]) -> String {
        self.apply_with(operator, inputs, Vec::new())
    }

    /// The same with attributes.
    pub(super) fn apply_with(
        &mut self,
        operator: OpType<'static>,
        inputs: &[&str],
        attributes: Vec<Attribute<'static>>,
    ) -> String {
        let name = format!("v{}", self.nodes.len());
        self.add_node(operator, inputs, vec![name.clone()], attributes);
        name
    }

    /// A node with two outputs: their names.
    pub(super) fn apply_to_two(
        &mut self,
        operator: OpType<'static>,
        inputs: &[&str],
        attributes: Vec<Attribute<'static>>,
    ) -> [String; 2] {
        let number = self.nodes.len();
        let names = [format!("v{number}"), format!("v{number}b")];
        self.add_node(operator, inputs, names.to_vec(), attributes);
        names
    }

    /// Gives the last value the name by which it leaves the graph.
    pub(super) fn finish(&mut self, operator: OpType<'static>, inputs: &[&str], name: &str) {
        let attributes = match operator {
            OpType::Softmax => vec![integer("axis", -1)],
            _ => Vec::new(),
        };
        self.add_node(operator, inputs, vec![name.to_owned()], attributes);
    }

    fn add_node(
        &mut self,
        operator: OpType<'static>,
        inputs: &[&str],
        outputs: Vec<String>,
        attributes: Vec<Attribute<'static>>,
    ) {
        self.nodes.push(GraphNode {
            operator,
            inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
            outputs,
            attributes,
        });
    }

    /// The file with this graph, its only input and output, and facts about it.
    pub(super) fn encode(
        &self,
        input: &Port<'_>,
        output: &Port<'_>,
        facts: &[(&str, String)],
    ) -> Vec<u8> {
        let graph = Graph {
            name: "ktrdr",
            node: self.nodes.iter().map(node_of).collect(),
            initializer: self.constants.iter().map(tensor_of).collect(),
            input: vec![value_of(input)],
            output: vec![value_of(output)],
            ..Graph::default()
        };
        let facts = facts
            .iter()
            .map(|(key, value)| StringStringEntry { key, value });

        onnx_rs::encode(&Model {
            ir_version: IR_VERSION,
            opset_import: vec![OperatorSetId {
                domain: "",
                version: OPSET,
            }],
            producer_name: "ktrdr",
            producer_version: env!("CARGO_PKG_VERSION"),
            graph: Some(graph),
            metadata_props: facts.collect(),
            ..Model::default()
        })
    }
}

/// An attribute that is a whole number.
pub(super) fn integer(name: &'static str, value: i64) -> Attribute<'static> {
    Attribute {
        name,
        r#type: AttributeType::Int,
        i: value,
        ..Attribute::default()
    }
}

/// An attribute that is a list of whole numbers.
pub(super) fn integers(name: &'static str, values: &[i64]) -> Attribute<'static> {
    Attribute {
        name,
        r#type: AttributeType::Ints,
        ints: values.to_vec(),
        ..Attribute::default()
    }
}

/// An attribute that is a number.
pub(super) fn number(name: &'static str, value: f32) -> Attribute<'static> {
    Attribute {
        name,
        r#type: AttributeType::Float,
        f: value,
        ..Attribute::default()
    }
}

fn node_of(node: &GraphNode) -> Node<'_> {
    Node {
        op_type: node.operator.clone(),
        input: node.inputs.iter().map(String::as_str).collect(),
        output: node.outputs.iter().map(String::as_str).collect(),
        attribute: node.attributes.clone(),
        ..Node::default()
    }
}

fn tensor_of(constant: &Constant) -> TensorProto<'_> {
    let name = constant.name.as_str();
    let shape = constant.shape.clone();
    match &constant.values {
        Values::Floats(values) => TensorProto::from_f32(name, shape, values.clone()),
        Values::Doubles(values) => TensorProto::from_f64(name, shape, values.clone()),
        Values::Integers(values) => TensorProto::from_i64(name, shape, values.clone()),
    }
}

fn value_of<'a>(port: &Port<'a>) -> ValueInfo<'a> {
    let rows = Dimension::Param(ROWS);
    let others = port.shape.iter().map(|&size| Dimension::Value(size as i64));
    let dimensions = std::iter::once(rows).chain(others);
    let shape = TensorShape {
        dim: dimensions
            .map(|value| TensorShapeDimension {
                value,
                denotation: "",
            })
            .collect(),
    };

    let tensor = TensorTypeProto {
        elem_type: port.kind,
        shape: Some(shape),
    };
    ValueInfo {
        name: port.name,
        r#type: Some(TypeProto {
            value: Some(TypeValue::Tensor(tensor)),
            denotation: "",
        }),
        ..ValueInfo::default()
    }
}
