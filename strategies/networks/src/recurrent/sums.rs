//! Sums of the gradients by the parameters, and their way into file order.

use super::backward::make_zeros;
use super::products::{
    Columns, ColumnsMut, LANE_COUNT, Lanes, add_rows, add_transposed_product, lanes_for,
};
use super::weights::GateRows;
use super::{Cell, GROUPS, Sizes};

/// Sums over a batch.
#[derive(Debug, Default)]
pub(super) struct ParameterSums {
    layers: Vec<LayerSums>,
    /// `[outputs, hidden]`.
    linear: Vec<Lanes>,
    /// `[outputs]`.
    linear_bias: Vec<Lanes>,
}

/// Sums of a layer.
#[derive(Debug, Default)]
struct LayerSums {
    /// `[groups, inputs]`.
    input_weight: Vec<Lanes>,
    /// `[groups, hidden]`.
    hidden_weight: Vec<Lanes>,
    /// `[all groups]`.
    bias: Vec<Lanes>,
}

/// A step whose gradients are added.
pub(super) struct StepGradients<'a> {
    /// By the sums of the gates, `[rows, gate stride]`.
    pub(super) gates: &'a [Lanes],
    /// What went into the step, `[rows, inputs]`.
    pub(super) input: Columns<'a>,
    /// The hidden state before it, `[rows, hidden]`; empty where it is zero.
    pub(super) hidden_before: &'a [Lanes],
}

impl<'a> StepGradients<'a> {
    /// By what the gates took from the input, `[rows, groups]`.
    #[inline(always)]
    pub(super) fn by_input<C: Cell>(&self, sizes: &Sizes) -> Columns<'a> {
        Columns {
            table: self.gates,
            stride: sizes.gate_stride(),
            first: GateRows::new(sizes, C::INPUT_ORDER).first_lane(),
        }
    }

    /// By what the gates took from the hidden state, `[rows, groups]`.
    #[inline(always)]
    pub(super) fn by_hidden<C: Cell>(&self, sizes: &Sizes) -> Columns<'a> {
        Columns {
            table: self.gates,
            stride: sizes.gate_stride(),
            first: GateRows::new(sizes, C::HIDDEN_ORDER).first_lane(),
        }
    }
}

impl ParameterSums {
    /// Makes every sum zero.
    #[inline(always)]
    pub(super) fn clear<C: Cell>(&mut self, sizes: &Sizes) {
        let units = sizes.units();
        self.layers.resize_with(sizes.layers, LayerSums::default);
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let input_rows = GateRows::new(sizes, C::INPUT_ORDER).lanes() * LANE_COUNT;
            let hidden_rows = GateRows::new(sizes, C::HIDDEN_ORDER).lanes() * LANE_COUNT;
            let inputs = lanes_for(sizes.inputs_of(index));
            make_zeros(&mut layer.input_weight, input_rows * inputs);
            make_zeros(&mut layer.hidden_weight, hidden_rows * units);
            make_zeros(&mut layer.bias, GROUPS * units);
        }

        let outputs = lanes_for(sizes.outputs);
        make_zeros(&mut self.linear, outputs * LANE_COUNT * units);
        make_zeros(&mut self.linear_bias, outputs);
    }

    /// Adds the gradients of the linear layer: by its `scores`, `[rows, outputs]`, of `hidden`,
    /// `[rows, hidden]`.
    #[inline(always)]
    pub(super) fn add_linear<const QUADS: usize>(
        &mut self,
        scores: Columns<'_>,
        hidden: Columns<'_>,
    ) {
        add_rows(&mut self.linear_bias, scores);
        let sums = ColumnsMut::whole(&mut self.linear, hidden.stride);
        add_transposed_product::<QUADS>(scores, hidden, sums);
    }

    /// Adds the gradients of a step of `layer`.
    #[inline(always)]
    pub(super) fn add_step<C: Cell, const QUADS: usize>(
        &mut self,
        sizes: &Sizes,
        layer: usize,
        step: &StepGradients<'_>,
    ) {
        let Some(sums) = self.layers.get_mut(layer) else {
            return;
        };
        add_rows(
            &mut sums.bias,
            Columns::whole(step.gates, sizes.gate_stride()),
        );

        let input_sums = ColumnsMut::whole(&mut sums.input_weight, step.input.stride);
        add_transposed_product::<QUADS>(step.by_input::<C>(sizes), step.input, input_sums);
        let hidden = Columns::whole(step.hidden_before, sizes.units());
        let hidden_sums = ColumnsMut::whole(&mut sums.hidden_weight, sizes.units());
        add_transposed_product::<QUADS>(step.by_hidden::<C>(sizes), hidden, hidden_sums);
    }

    /// Writes the sums in file order.
    pub(super) fn write<C: Cell>(&self, sizes: &Sizes, gradients: &mut [f32]) {
        let input_rows = GateRows::new(sizes, C::INPUT_ORDER);
        let hidden_rows = GateRows::new(sizes, C::HIDDEN_ORDER);
        let mut file = FileOrder {
            places: gradients.iter_mut(),
        };

        for (index, layer) in self.layers.iter().enumerate() {
            file.write_rows(&layer.input_weight, sizes.inputs_of(index), input_rows);
            file.write_rows(&layer.hidden_weight, sizes.hidden, hidden_rows);
            file.write_bias(&layer.bias, input_rows);
            file.write_bias(&layer.bias, hidden_rows);
        }

        let rows = self.linear.chunks_exact(sizes.units());
        for row in rows.take(sizes.outputs) {
            file.write(row.as_flattened().iter().take(sizes.hidden));
        }
        let bias = self.linear_bias.as_flattened().iter();
        file.write(bias.take(sizes.outputs));
    }
}

/// Places of a file that nothing is written to yet.
struct FileOrder<'a> {
    places: std::slice::IterMut<'a, f32>,
}

impl FileOrder<'_> {
    fn write<'v>(&mut self, values: impl Iterator<Item = &'v f32>) {
        for (value, place) in values.zip(self.places.by_ref()) {
            *place = *value;
        }
    }

    /// A weight `[gates · hidden, inputs]` from `[groups, inputs]`.
    fn write_rows(&mut self, table: &[Lanes], inputs: usize, rows: GateRows<'_>) {
        let stride = lanes_for(inputs);
        for place in rows.places() {
            let row = table.get(place * stride..(place + 1) * stride);
            let values = row.unwrap_or_default().as_flattened().iter();
            self.write(values.take(inputs));
        }
    }

    /// A bias `[gates · hidden]` from `[all groups]`.
    fn write_bias(&mut self, sums: &[Lanes], rows: GateRows<'_>) {
        let start = rows.first_lane() * LANE_COUNT;
        for place in rows.places() {
            self.write(sums.as_flattened().get(start + place).into_iter());
        }
    }
}
