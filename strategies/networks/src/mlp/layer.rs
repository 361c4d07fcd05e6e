//! One linear layer: z = W x + b, and its gradients.

use super::kernels::{self, LANES, Lane, ROW_GROUP, ZERO, count_panels};

/// A linear layer. Its parameters in a flat slice are W `[outputs, inputs]`, then b `[outputs]`.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    /// Number of values in.
    pub(super) inputs: usize,
    /// Number of values out.
    pub(super) outputs: usize,
    /// Wᵀ in panels of outputs, each `[inputs, LANES]`, the inputs padded.
    forward_weights: Vec<Lane>,
    /// b in panels of outputs.
    bias: Vec<Lane>,
    /// W in panels of inputs, each `[outputs, LANES]`, the outputs padded.
    backward_weights: Vec<Lane>,
    /// What an input panel's sums start from on the way back.
    zeros: Vec<Lane>,
    /// The gradient of W, as [`kernels::correlate`] gives it.
    weight_gradient: Vec<Lane>,
    /// The gradient of b in panels of outputs.
    bias_gradient: Vec<Lane>,
}

impl Layer {
    pub(super) fn new(inputs: usize, outputs: usize) -> Self {
        let input_panels = count_panels(inputs);
        let output_panels = count_panels(outputs);

        Self {
            inputs,
            outputs,
            forward_weights: vec![ZERO; output_panels * depth(inputs)],
            bias: vec![ZERO; output_panels],
            backward_weights: vec![ZERO; input_panels * depth(outputs)],
            zeros: vec![ZERO; input_panels],
            weight_gradient: vec![ZERO; input_panels * outputs],
            bias_gradient: vec![ZERO; output_panels],
        }
    }

    pub(super) fn weight_count(&self) -> usize {
        self.outputs * self.inputs
    }

    pub(super) fn parameter_count(&self) -> usize {
        self.weight_count() + self.outputs
    }

    /// Takes over the parameters for [`Layer::forward`].
    pub(super) fn load(&mut self, weight: &[f32], bias: &[f32]) {
        for (lane, cells) in self.bias.iter_mut().zip(bias.chunks(LANES)) {
            *lane = kernels::read_lane(cells, 0);
        }

        // Transposed: the weights of a unit become one column of its panel.
        let mut units = weight.chunks_exact(self.inputs.max(1));
        let panel_length = depth(self.inputs).max(1);
        for panel in self.forward_weights.chunks_exact_mut(panel_length) {
            for (column, unit) in (0..LANES).zip(&mut units) {
                for (lane, value) in panel.iter_mut().zip(unit) {
                    if let Some(cell) = lane.get_mut(column) {
                        *cell = *value;
                    }
                }
            }
        }
    }

    /// Takes over the parameters for [`Layer::backward`].
    pub(super) fn load_backward(&mut self, weight: &[f32]) {
        let panel_length = depth(self.outputs).max(1);
        let panels = self.backward_weights.chunks_exact_mut(panel_length);
        for (index, panel) in panels.enumerate() {
            let units = weight.chunks_exact(self.inputs.max(1));
            for (lane, unit) in panel.iter_mut().zip(units) {
                *lane = kernels::read_lane(unit, index);
            }
        }
    }

    /// z = x · Wᵀ + b, for tables of `rows`.
    pub(super) fn forward(&self, inputs: &[Lane], rows: usize, outputs: &mut [Lane]) {
        kernels::multiply(inputs, rows, &self.forward_weights, &self.bias, outputs);
    }

    /// The gradient of x: dz · W.
    pub(super) fn backward(&self, deltas: &[Lane], rows: usize, input_deltas: &mut [Lane]) {
        kernels::multiply(
            deltas,
            rows,
            &self.backward_weights,
            &self.zeros,
            input_deltas,
        );
    }

    /// The gradients dzᵀ · x of W and Σ dz of b, in file order. Padding rows of `deltas` are 0.
    pub(super) fn write_gradient(
        &mut self,
        deltas: &[Lane],
        inputs: &[Lane],
        rows: usize,
        gradients: &mut [f32],
    ) {
        kernels::correlate(
            deltas,
            inputs,
            rows,
            self.outputs,
            &mut self.weight_gradient,
        );
        kernels::sum_rows(deltas, rows, &mut self.bias_gradient);

        let Some((weight, bias)) = gradients.split_at_mut_checked(self.weight_count()) else {
            return;
        };
        for (lane, cells) in self.bias_gradient.iter().zip(bias.chunks_mut(LANES)) {
            kernels::write_lane(lane, cells, 0);
        }

        let input_panels = count_panels(self.inputs).max(1);
        let panels = self.weight_gradient.chunks(LANES * input_panels);
        let rows = weight.chunks_mut(LANES * self.inputs.max(1));
        for (panel, units) in panels.zip(rows) {
            let unit_count = panel.len() / input_panels;
            kernels::unpack(panel, unit_count, self.inputs, units);
        }
    }
}

/// Lanes of a panel of weights for `width` columns of the other table.
fn depth(width: usize) -> usize {
    width.next_multiple_of(ROW_GROUP)
}
