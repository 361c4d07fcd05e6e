//! From the gradients by the scores to those by all parameters, backwards through time.
//!
//! P. J. Werbos, *Backpropagation Through Time*, Proceedings of the IEEE 78 (1990).

use super::forward::{LayerPass, Masks, Pass, multiply_by_step_mask, multiply_rows, units_of};
use super::products::{
    Columns, ColumnsMut, Lanes, ZERO, add_lanes, add_product, copy_into, lanes_for, step_of,
    step_of_mut,
};
use super::sums::{ParameterSums, StepGradients};
use super::weights::{BackwardLayer, BackwardWeights};
use super::{Cell, Sizes, States};

/// The gradients of a batch and the working memory for them.
#[derive(Debug)]
pub(super) struct Gradients<C: Cell> {
    sums: ParameterSums,
    /// By the scores, `[rows, outputs]`.
    scores: Vec<Lanes>,
    /// By the outputs of the layer at hand, `[length, rows, hidden]`.
    outputs: Vec<Lanes>,
    /// By the outputs of the layer below, `[length, rows, hidden]`.
    outputs_below: Vec<Lanes>,
    /// By the hidden state between two steps, `[rows, hidden]`.
    hidden: Vec<Lanes>,
    /// By the memory between two steps, `[rows, hidden]`.
    memory: Vec<C::MemoryGradient>,
}

/// A layer on the way back.
struct LayerAt<'a> {
    /// Its position, from 0.
    index: usize,
    weights: &'a BackwardLayer,
    /// What went into it, `[length, rows, inputs]`.
    input: Columns<'a>,
    /// Mask of what went into it, `[rows, length, hidden]`; empty without.
    input_mask: &'a [f32],
}

impl<C: Cell> Default for Gradients<C> {
    fn default() -> Self {
        Self {
            sums: ParameterSums::default(),
            scores: Vec::new(),
            outputs: Vec::new(),
            outputs_below: Vec::new(),
            hidden: Vec::new(),
            memory: Vec::new(),
        }
    }
}

impl<C: Cell> Gradients<C> {
    /// Sums the gradients over the batch of `pass`, whose gates are used up, and writes them in
    /// file order.
    #[inline(always)]
    pub(super) fn run<const QUADS: usize>(
        &mut self,
        sizes: &Sizes,
        weights: &BackwardWeights,
        pass: &mut Pass<C>,
        masks: &[f32],
        score_gradients: &[f32],
    ) {
        let table_rows = pass.table_rows();
        let masks = Masks::new(sizes, pass.rows, masks);
        self.sums.clear::<C>(sizes);
        self.load(sizes, score_gradients, table_rows);
        self.run_linear::<QUADS>(sizes, weights, &pass.last, masks.last);

        let mut layers = pass.layers.as_mut_slice();
        for (index, weights) in weights.layers.iter().enumerate().rev() {
            let Some((layer, below)) = layers.split_last_mut() else {
                return;
            };
            let input = match below.last() {
                Some(below) => Columns::whole(below.output(sizes, table_rows), sizes.units()),
                None => Columns::whole(&pass.inputs, lanes_for(sizes.features)),
            };
            let at = LayerAt {
                index,
                weights,
                input,
                input_mask: masks.below(index),
            };

            self.run_layer::<QUADS>(sizes, &at, layer, table_rows);
            std::mem::swap(&mut self.outputs, &mut self.outputs_below);
            layers = below;
        }
    }

    /// Writes the gradients in file order.
    pub(super) fn write(&self, sizes: &Sizes, gradients: &mut [f32]) {
        self.sums.write::<C>(sizes, gradients);
    }

    /// Copies the gradients by the scores, `[rows, outputs]`, into lanes.
    #[inline(always)]
    fn load(&mut self, sizes: &Sizes, score_gradients: &[f32], table_rows: usize) {
        let stride = lanes_for(sizes.outputs);
        make_zeros(&mut self.scores, table_rows * stride);
        let rows = self.scores.chunks_exact_mut(stride);
        for (row, values) in rows.zip(score_gradients.chunks_exact(sizes.outputs)) {
            copy_into(row.as_flattened_mut(), values);
        }

        make_zeros(&mut self.outputs, sizes.length * table_rows * sizes.units());
        self.outputs_below.resize(self.outputs.len(), ZERO);
    }

    /// The linear layer over the last hidden states, `[rows, hidden]`.
    #[inline(always)]
    fn run_linear<const QUADS: usize>(
        &mut self,
        sizes: &Sizes,
        weights: &BackwardWeights,
        last: &[Lanes],
        mask: &[f32],
    ) {
        let units = sizes.units();
        let scores = Columns::whole(&self.scores, lanes_for(sizes.outputs));
        self.sums
            .add_linear::<QUADS>(scores, Columns::whole(last, units));

        // Of the outputs, only those of the last step are scored.
        let outputs = self.outputs.rchunks_mut(last.len()).next();
        let outputs = outputs.unwrap_or_default();
        let columns = ColumnsMut::whole(&mut *outputs, units);
        add_product::<QUADS>(scores, &weights.linear, columns);
        multiply_rows(sizes, outputs, mask);
    }

    /// All steps of a layer, last to first.
    #[inline(always)]
    fn run_layer<const QUADS: usize>(
        &mut self,
        sizes: &Sizes,
        at: &LayerAt<'_>,
        layer: &mut LayerPass<C>,
        table_rows: usize,
    ) {
        let states = table_rows * sizes.units();
        make_zeros(&mut self.hidden, states);
        self.memory.clear();
        self.memory.resize(states, C::MemoryGradient::default());

        for time in (0..sizes.length).rev() {
            self.step_back(sizes, layer, time, states);

            let sums = table_rows * sizes.gate_stride();
            let gradients = StepGradients {
                gates: step_of(&layer.gates, time, sums),
                input: at.input.step(time, table_rows),
                // The state before the first step is zero and nobody's result.
                hidden_before: step_of(&layer.hidden, time, if time > 0 { states } else { 0 }),
            };
            self.sums.add_step::<C, QUADS>(sizes, at.index, &gradients);
            if time > 0 {
                let by_hidden = gradients.by_hidden::<C>(sizes);
                let hidden = ColumnsMut::whole(&mut self.hidden, sizes.units());
                add_product::<QUADS>(by_hidden, &at.weights.hidden, hidden);
            }

            // Nothing below the first layer asks for a gradient.
            if at.index > 0 {
                let by_input = gradients.by_input::<C>(sizes);
                self.step_down::<QUADS>(sizes, at, by_input, time);
            }
        }
    }

    /// From the gradients by the states after the step `time` to those by the sums of its gates
    /// and, but for the way through these, by the states before it.
    #[inline(always)]
    fn step_back(&mut self, sizes: &Sizes, layer: &mut LayerPass<C>, time: usize, states: usize) {
        let units = sizes.units();
        add_lanes(&mut self.hidden, step_of(&self.outputs, time, states));

        let hidden_before = step_of(&layer.hidden, time, states).chunks_exact(units);
        let memory_before = step_of(&layer.memory, time, states).chunks_exact(units);
        let memory = step_of(&layer.memory, time + 1, states).chunks_exact(units);
        let around = hidden_before.zip(memory_before).zip(memory);
        let by_hidden = self.hidden.chunks_exact_mut(units);
        let by_memory = self.memory.chunks_exact_mut(units);
        let sums = states / units * sizes.gate_stride();
        let rows = step_of_mut(&mut layer.gates, time, sums).chunks_exact_mut(sizes.gate_stride());

        for ((row, around), (by_hidden, by_memory)) in
            rows.zip(around).zip(by_hidden.zip(by_memory))
        {
            let ((hidden_before, memory_before), memory) = around;
            let around = hidden_before.iter().zip(memory_before).zip(memory);
            let gradients = by_hidden.iter_mut().zip(by_memory);
            for ((gates, around), gradients) in units_of(row, units).zip(around).zip(gradients) {
                let ((hidden_before, memory_before), memory) = around;
                let states = States {
                    hidden_before,
                    memory_before,
                    memory,
                };
                C::backward(gates, states, gradients.0, gradients.1);
            }
        }
    }

    /// The gradient by what went into the step `time`, the output of the layer below.
    #[inline(always)]
    fn step_down<const QUADS: usize>(
        &mut self,
        sizes: &Sizes,
        at: &LayerAt<'_>,
        by_input: Columns<'_>,
        time: usize,
    ) {
        let outputs = step_of_mut(&mut self.outputs_below, time, self.hidden.len());
        outputs.fill(ZERO);
        let columns = ColumnsMut::whole(&mut *outputs, sizes.units());
        add_product::<QUADS>(by_input, &at.weights.input, columns);
        multiply_by_step_mask(sizes, outputs, at.input_mask, time);
    }
}

/// Makes `table` that many zeros.
pub(super) fn make_zeros(table: &mut Vec<Lanes>, lanes: usize) {
    table.clear();
    table.resize(lanes, ZERO);
}
