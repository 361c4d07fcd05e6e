//! The flat parameters of a recurrent network by tensor, and in the form that products take.

use super::products::{Lanes, Packed, ZERO, lanes_for};
use super::{Cell, GROUPS, Sizes};

/// The tensors of a layer, each row-major.
pub(super) struct LayerTensors<'a> {
    /// `[gates · hidden, inputs]`.
    pub(super) input_weight: &'a [f32],
    /// `[gates · hidden, hidden]`.
    pub(super) hidden_weight: &'a [f32],
    /// `[gates · hidden]`.
    pub(super) input_bias: &'a [f32],
    /// `[gates · hidden]`.
    pub(super) hidden_bias: &'a [f32],
}

/// Parameters that no tensor has taken yet, in file order.
pub(super) struct FlatTensors<'a>(pub(super) &'a [f32]);

impl<'a> FlatTensors<'a> {
    /// The next `count` values.
    fn take(&mut self, count: usize) -> &'a [f32] {
        let (taken, rest) = self.0.split_at_checked(count).unwrap_or_default();
        self.0 = rest;
        taken
    }

    fn take_layer<C: Cell>(&mut self, sizes: &Sizes, layer: usize) -> LayerTensors<'a> {
        let rows = C::INPUT_ORDER.len() * sizes.hidden;
        LayerTensors {
            input_weight: self.take(rows * sizes.inputs_of(layer)),
            hidden_weight: self.take(rows * sizes.hidden),
            input_bias: self.take(rows),
            hidden_bias: self.take(rows),
        }
    }
}

/// Where the rows of a weight lie in memory: gate by gate, in the order of a cell.
#[derive(Clone, Copy)]
pub(super) struct GateRows<'a> {
    hidden: usize,
    order: &'a [usize],
}

impl<'a> GateRows<'a> {
    pub(super) fn new(sizes: &Sizes, order: &'a [usize]) -> Self {
        Self {
            hidden: sizes.hidden,
            order,
        }
    }

    /// First group of the order.
    pub(super) fn first_group(&self) -> usize {
        self.order.iter().copied().min().unwrap_or(0)
    }

    /// Lanes of a hidden state.
    fn units(&self) -> usize {
        lanes_for(self.hidden)
    }

    /// Lanes of all its groups.
    pub(super) fn lanes(&self) -> usize {
        self.order.len() * self.units()
    }

    /// The lane in a row of gates where the groups begin.
    pub(super) fn first_lane(&self) -> usize {
        self.first_group() * self.units()
    }

    /// For each row of the file its place among the values of the groups, paddings included.
    pub(super) fn places(self) -> impl Iterator<Item = usize> + use<'a> {
        let width = self.units() * super::LANE_COUNT;
        let first = self.first_group();
        self.order.iter().flat_map(move |group| {
            let start = (group - first) * width;
            start..start + self.hidden
        })
    }
}

/// Weights as a forward pass takes them.
#[derive(Debug, Default)]
pub(super) struct ForwardWeights {
    pub(super) layers: Vec<ForwardLayer>,
    /// `[hidden, outputs]`.
    pub(super) linear: Packed,
    /// `[outputs]`.
    pub(super) linear_bias: Vec<Lanes>,
}

/// A layer of them.
#[derive(Debug, Default)]
pub(super) struct ForwardLayer {
    /// `[inputs, groups]`.
    pub(super) input: Packed,
    /// `[hidden, groups]`.
    pub(super) hidden: Packed,
    /// The sum of both biases where a group has both, `[all groups]`.
    pub(super) bias: Vec<Lanes>,
}

impl ForwardWeights {
    pub(super) fn pack<C: Cell>(&mut self, sizes: &Sizes, parameters: &[f32]) {
        let mut tensors = FlatTensors(parameters);
        self.layers.resize_with(sizes.layers, ForwardLayer::default);
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let tensors = tensors.take_layer::<C>(sizes, index);
            let input_rows = GateRows::new(sizes, C::INPUT_ORDER);
            let hidden_rows = GateRows::new(sizes, C::HIDDEN_ORDER);

            let inputs = sizes.inputs_of(index);
            pack_transposed(&mut layer.input, tensors.input_weight, inputs, input_rows);
            let hidden_weight = tensors.hidden_weight;
            pack_transposed(&mut layer.hidden, hidden_weight, sizes.hidden, hidden_rows);

            layer.bias.clear();
            layer.bias.resize(GROUPS * sizes.units(), ZERO);
            add_bias(&mut layer.bias, tensors.input_bias, input_rows);
            add_bias(&mut layer.bias, tensors.hidden_bias, hidden_rows);
        }

        // A row of the weight is an output.
        let weight = tensors.take(sizes.outputs * sizes.hidden);
        self.linear.clear(sizes.hidden, lanes_for(sizes.outputs));
        for (output, row) in weight.chunks_exact(sizes.hidden).enumerate() {
            self.linear.set_column(output, row);
        }
        self.linear_bias.clear();
        self.linear_bias.resize(lanes_for(sizes.outputs), ZERO);
        let bias = self.linear_bias.as_flattened_mut();
        super::products::copy_into(bias, tensors.take(sizes.outputs));
    }
}

/// Packs a weight `[gates · hidden, inputs]` as `[inputs, groups]`.
fn pack_transposed(packed: &mut Packed, weight: &[f32], inputs: usize, rows: GateRows<'_>) {
    packed.clear(inputs, rows.lanes());
    for (place, row) in rows.places().zip(weight.chunks_exact(inputs)) {
        packed.set_column(place, row);
    }
}

fn add_bias(sums: &mut [Lanes], bias: &[f32], rows: GateRows<'_>) {
    let sums = sums.as_flattened_mut();
    let start = rows.first_lane() * super::LANE_COUNT;
    for (place, bias) in rows.places().zip(bias) {
        if let Some(sum) = sums.get_mut(start + place) {
            *sum += bias;
        }
    }
}

/// Weights as a backward pass takes them.
#[derive(Debug, Default)]
pub(super) struct BackwardWeights {
    pub(super) layers: Vec<BackwardLayer>,
    /// `[outputs, hidden]`.
    pub(super) linear: Packed,
}

/// A layer of them.
#[derive(Debug, Default)]
pub(super) struct BackwardLayer {
    /// `[groups, inputs]`.
    pub(super) input: Packed,
    /// `[groups, hidden]`.
    pub(super) hidden: Packed,
}

impl BackwardWeights {
    pub(super) fn pack<C: Cell>(&mut self, sizes: &Sizes, parameters: &[f32]) {
        let mut tensors = FlatTensors(parameters);
        self.layers
            .resize_with(sizes.layers, BackwardLayer::default);
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let tensors = tensors.take_layer::<C>(sizes, index);
            let hidden_rows = GateRows::new(sizes, C::HIDDEN_ORDER);
            pack_rows(
                &mut layer.hidden,
                tensors.hidden_weight,
                sizes.hidden,
                hidden_rows,
            );

            // Nothing below the first layer asks for a gradient.
            if index > 0 {
                let input_rows = GateRows::new(sizes, C::INPUT_ORDER);
                let inputs = sizes.inputs_of(index);
                pack_rows(&mut layer.input, tensors.input_weight, inputs, input_rows);
            }
        }

        let weight = tensors.take(sizes.outputs * sizes.hidden);
        self.linear.clear(sizes.outputs, sizes.units());
        for (output, row) in weight.chunks_exact(sizes.hidden).enumerate() {
            self.linear.set_row(output, row);
        }
    }
}

/// Packs a weight `[gates · hidden, inputs]` as `[groups, inputs]`.
fn pack_rows(packed: &mut Packed, weight: &[f32], inputs: usize, rows: GateRows<'_>) {
    packed.clear(rows.lanes() * super::LANE_COUNT, lanes_for(inputs));
    for (place, row) in rows.places().zip(weight.chunks_exact(inputs)) {
        packed.set_row(place, row);
    }
}
