//! From windows to scores, keeping what the gradients need.

use super::products::{
    Columns, ColumnsMut, Lanes, ROW_MULTIPLE, ZERO, add_product, copy_into, lanes_for, step_of,
};
use super::weights::{ForwardLayer, ForwardWeights, GateRows};
use super::{Cell, GROUPS, Sizes};

/// The states of a batch.
#[derive(Debug)]
pub(super) struct Pass<C: Cell> {
    /// Rows of the batch.
    pub(super) rows: usize,
    /// `[length, rows, features]`.
    pub(super) inputs: Vec<Lanes>,
    pub(super) layers: Vec<LayerPass<C>>,
    /// The last hidden state after dropout, `[rows, hidden]`.
    pub(super) last: Vec<Lanes>,
    /// `[rows, outputs]`.
    scores: Vec<Lanes>,
}

/// The states of a layer.
#[derive(Debug)]
pub(super) struct LayerPass<C: Cell> {
    /// `[length, rows, gate stride]`.
    pub(super) gates: Vec<Lanes>,
    /// `[length + 1, rows, hidden]`, the first of them zero.
    pub(super) hidden: Vec<Lanes>,
    /// `[length + 1, rows, hidden]`, the first of them zero.
    pub(super) memory: Vec<C::Memory>,
    /// Hidden states after dropout, `[length, rows, hidden]`; empty without.
    pub(super) dropped: Vec<Lanes>,
}

impl<C: Cell> Default for Pass<C> {
    fn default() -> Self {
        Self {
            rows: 0,
            inputs: Vec::new(),
            layers: Vec::new(),
            last: Vec::new(),
            scores: Vec::new(),
        }
    }
}

impl<C: Cell> Default for LayerPass<C> {
    fn default() -> Self {
        Self {
            gates: Vec::new(),
            hidden: Vec::new(),
            memory: Vec::new(),
            dropped: Vec::new(),
        }
    }
}

impl<C: Cell> Pass<C> {
    /// Rows of its tables: those of the batch, in eights, and never none.
    pub(super) fn table_rows(&self) -> usize {
        self.rows.max(1).next_multiple_of(ROW_MULTIPLE)
    }

    /// Computes the scores of `inputs`, `[rows, length, features]`.
    #[inline(always)]
    pub(super) fn run<const QUADS: usize>(
        &mut self,
        sizes: &Sizes,
        weights: &ForwardWeights,
        inputs: &[f32],
        masks: &[f32],
    ) {
        self.load(sizes, inputs);
        let table_rows = self.table_rows();
        let masks = Masks::new(sizes, self.rows, masks);

        // Each layer goes through all steps before the next one begins.
        self.layers.resize_with(sizes.layers, LayerPass::default);
        let mut input = Columns::whole(&self.inputs, lanes_for(sizes.features));
        let layers = self.layers.iter_mut().zip(&weights.layers);
        for (index, (layer, weights)) in layers.enumerate() {
            layer.run::<QUADS>(sizes, weights, input, table_rows);
            layer.drop_units(sizes, table_rows, masks.of_layer(index));
            input = Columns::whole(layer.output(sizes, table_rows), sizes.units());
        }

        self.last.clear();
        if let Some(layer) = self.layers.last() {
            let hidden = layer.last_hidden(sizes, table_rows);
            self.last.extend_from_slice(hidden);
        }
        multiply_rows(sizes, &mut self.last, masks.last);
        self.score_last::<QUADS>(sizes, weights);
    }

    /// The linear layer.
    #[inline(always)]
    fn score_last<const QUADS: usize>(&mut self, sizes: &Sizes, weights: &ForwardWeights) {
        let rows = self.table_rows();
        fill_rows(&mut self.scores, &weights.linear_bias, rows);

        let hidden = Columns::whole(&self.last, sizes.units());
        let scores = ColumnsMut::whole(&mut self.scores, lanes_for(sizes.outputs));
        add_product::<QUADS>(hidden, &weights.linear, scores);
    }

    /// Copies windows, `[rows, length, features]`, to `[length, rows, features]`.
    #[inline(always)]
    fn load(&mut self, sizes: &Sizes, inputs: &[f32]) {
        let width = sizes.features;
        self.rows = inputs.len() / (width * sizes.length);
        let table_rows = self.table_rows();
        let stride = lanes_for(sizes.features);
        self.inputs.clear();
        self.inputs.resize(sizes.length * table_rows * stride, ZERO);

        let steps = self.inputs.chunks_exact_mut(table_rows * stride);
        for (time, step) in steps.enumerate() {
            let windows = inputs.chunks_exact(width * sizes.length);
            for (row, window) in step.chunks_exact_mut(stride).zip(windows) {
                let values = window.get(time * width..).unwrap_or_default();
                copy_into(
                    row.as_flattened_mut(),
                    values.get(..width).unwrap_or_default(),
                );
            }
        }
    }

    /// Appends the scores of the rows, `[rows, outputs]`.
    pub(super) fn append_scores(&self, sizes: &Sizes, scores: &mut Vec<f32>) {
        let rows = self.scores.chunks_exact(lanes_for(sizes.outputs));
        for row in rows.take(self.rows) {
            scores.extend(row.as_flattened().iter().take(sizes.outputs));
        }
    }
}

/// The states between two steps, `[rows, hidden]` each.
struct Between<'a, C: Cell> {
    hidden: &'a [Lanes],
    memory: &'a [C::Memory],
}

/// What a step writes, `[rows, hidden]` each.
struct Written<'a, C: Cell> {
    hidden: &'a mut [Lanes],
    memory: &'a mut [C::Memory],
}

impl<C: Cell> LayerPass<C> {
    /// All steps over `input`, `[length, rows, inputs]`.
    #[inline(always)]
    fn run<const QUADS: usize>(
        &mut self,
        sizes: &Sizes,
        weights: &ForwardLayer,
        input: Columns<'_>,
        table_rows: usize,
    ) {
        let states = table_rows * sizes.units();
        let sums = table_rows * sizes.gate_stride();
        self.hidden.resize((sizes.length + 1) * states, ZERO);
        self.memory
            .resize((sizes.length + 1) * states, C::Memory::default());
        self.gates.resize(sizes.length * sums, ZERO);

        // The states before the first step are zero.
        let mut hidden = self.hidden.chunks_exact_mut(states);
        let mut memory = self.memory.chunks_exact_mut(states);
        let first_hidden = hidden.next().unwrap_or_default();
        first_hidden.fill(ZERO);
        let first_memory = memory.next().unwrap_or_default();
        first_memory.fill(C::Memory::default());
        let mut before = Between::<C> {
            hidden: first_hidden,
            memory: first_memory,
        };

        let inputs = input.table.chunks_exact(table_rows * input.stride);
        let gates = self.gates.chunks_exact_mut(sums);
        for (((table, gates), hidden), memory) in inputs.zip(gates).zip(hidden).zip(memory) {
            let input = Columns { table, ..input };
            add_sums::<C, QUADS>(sizes, weights, input, before.hidden, gates);
            let written = Written::<C> {
                hidden: &mut *hidden,
                memory: &mut *memory,
            };
            step_rows(sizes, gates, &before, written);
            before = Between { hidden, memory };
        }
    }

    /// The output of all steps, `[length, rows, hidden]`.
    pub(super) fn output(&self, sizes: &Sizes, table_rows: usize) -> &[Lanes] {
        let after_first = self.hidden.get(table_rows * sizes.units()..);
        if self.dropped.is_empty() {
            after_first.unwrap_or_default()
        } else {
            &self.dropped
        }
    }

    /// The hidden state after the last step, `[rows, hidden]`.
    fn last_hidden(&self, sizes: &Sizes, table_rows: usize) -> &[Lanes] {
        let states = table_rows * sizes.units();
        self.hidden.rchunks(states).next().unwrap_or_default()
    }

    /// Multiplies all hidden states by `mask`, `[rows, length, hidden]`; nothing without one.
    #[inline(always)]
    fn drop_units(&mut self, sizes: &Sizes, table_rows: usize, mask: &[f32]) {
        self.dropped.clear();
        if mask.is_empty() {
            return;
        }

        let units = sizes.units();
        let hidden = self.hidden.get(table_rows * units..).unwrap_or_default();
        self.dropped.extend_from_slice(hidden);
        for (time, step) in self
            .dropped
            .chunks_exact_mut(table_rows * units)
            .enumerate()
        {
            multiply_by_step_mask(sizes, step, mask, time);
        }
    }
}

/// Multiplies states of the step `time`, `[rows, hidden]`, by their part of a mask
/// `[rows, length, hidden]`.
#[inline(always)]
pub(super) fn multiply_by_step_mask(sizes: &Sizes, step: &mut [Lanes], mask: &[f32], time: usize) {
    let rows = step.chunks_exact_mut(sizes.units());
    for (row, mask) in rows.zip(mask.chunks_exact(sizes.mask_width())) {
        let mask = mask.get(time * sizes.hidden..).unwrap_or_default();
        multiply_by(row, mask.get(..sizes.hidden).unwrap_or_default());
    }
}

/// Multiplies states, `[rows, hidden]`, by `mask`, `[rows, hidden]`; nothing without one.
#[inline(always)]
pub(super) fn multiply_rows(sizes: &Sizes, states: &mut [Lanes], mask: &[f32]) {
    let rows = states.chunks_exact_mut(sizes.units());
    for (row, mask) in rows.zip(mask.chunks_exact(sizes.hidden)) {
        multiply_by(row, mask);
    }
}

/// Multiplies the first values of a row by `factors`.
#[inline(always)]
fn multiply_by(row: &mut [Lanes], factors: &[f32]) {
    for (value, factor) in row.as_flattened_mut().iter_mut().zip(factors) {
        *value *= factor;
    }
}

/// The sums of all gates of a step: b + W x + W h.
#[inline(always)]
fn add_sums<C: Cell, const QUADS: usize>(
    sizes: &Sizes,
    weights: &ForwardLayer,
    input: Columns<'_>,
    hidden: &[Lanes],
    gates: &mut [Lanes],
) {
    let stride = sizes.gate_stride();
    for row in gates.chunks_exact_mut(stride) {
        for (sum, bias) in row.iter_mut().zip(&weights.bias) {
            *sum = *bias;
        }
    }

    let of_input = ColumnsMut {
        table: &mut *gates,
        stride,
        first: GateRows::new(sizes, C::INPUT_ORDER).first_lane(),
    };
    add_product::<QUADS>(input, &weights.input, of_input);

    let hidden = Columns::whole(hidden, sizes.units());
    let of_hidden = ColumnsMut {
        table: gates,
        stride,
        first: GateRows::new(sizes, C::HIDDEN_ORDER).first_lane(),
    };
    add_product::<QUADS>(hidden, &weights.hidden, of_hidden);
}

/// From the sums of all rows to their states.
#[inline(always)]
fn step_rows<C: Cell>(
    sizes: &Sizes,
    gates: &mut [Lanes],
    before: &Between<'_, C>,
    written: Written<'_, C>,
) {
    let units = sizes.units();
    let before = before
        .hidden
        .chunks_exact(units)
        .zip(before.memory.chunks_exact(units));
    let after = written
        .hidden
        .chunks_exact_mut(units)
        .zip(written.memory.chunks_exact_mut(units));

    let rows = gates.chunks_exact_mut(sizes.gate_stride());
    for ((row, (hidden_before, memory_before)), (hidden, memory)) in rows.zip(before).zip(after) {
        let before = hidden_before.iter().zip(memory_before);
        let after = hidden.iter_mut().zip(memory);
        for ((gates, before), after) in units_of(row, units).zip(before).zip(after) {
            (*after.0, *after.1) = C::forward(gates, before.0, before.1);
        }
    }
}

/// The gates of a row, unit by unit.
#[inline(always)]
pub(super) fn units_of(
    row: &mut [Lanes],
    units: usize,
) -> impl Iterator<Item = [&mut Lanes; GROUPS]> {
    let (first, rest) = row.split_at_mut_checked(units).unwrap_or_default();
    let (second, rest) = rest.split_at_mut_checked(units).unwrap_or_default();
    let (third, fourth) = rest.split_at_mut_checked(units).unwrap_or_default();
    let pairs = first.iter_mut().zip(second).zip(third).zip(fourth);
    pairs.map(|(((first, second), third), fourth)| [first, second, third, fourth])
}

/// Makes `table` copies of `row`.
fn fill_rows(table: &mut Vec<Lanes>, row: &[Lanes], rows: usize) {
    table.clear();
    for _ in 0..rows {
        table.extend_from_slice(row);
    }
}

/// The masks of a batch by layer; all empty without dropout.
pub(super) struct Masks<'a> {
    /// For each layer below the last in turn, `[rows, length, hidden]`.
    below: &'a [f32],
    values_of_layer: usize,
    /// Of the last hidden state, `[rows, hidden]`.
    pub(super) last: &'a [f32],
}

impl<'a> Masks<'a> {
    pub(super) fn new(sizes: &Sizes, rows: usize, masks: &'a [f32]) -> Self {
        let values_of_layer = rows * sizes.mask_width();
        let values_below = sizes.layers.saturating_sub(1) * values_of_layer;
        let (below, last) = masks.split_at_checked(values_below).unwrap_or_default();
        Self {
            below,
            values_of_layer,
            last,
        }
    }

    /// Of the output of `layer`: empty for the last one.
    fn of_layer(&self, layer: usize) -> &'a [f32] {
        step_of(self.below, layer, self.values_of_layer)
    }

    /// Of what goes into `layer`: empty for the first one.
    pub(super) fn below(&self, layer: usize) -> &'a [f32] {
        let below = layer.checked_sub(1);
        below.map_or(&[], |below| self.of_layer(below))
    }
}
