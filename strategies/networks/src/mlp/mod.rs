//! A multi-layer perceptron: linear → activation → dropout for each hidden layer, then linear to
//! the outputs.

mod kernels;
mod layer;

use schemas::manifests::{Activation, MlpShape};

use self::kernels::{Lane, ROW_GROUP, ZERO, count_panels};
use self::layer::Layer;
use crate::Learner;

/// Rows that are scored at once: their values stay in the first cache.
const SCORE_ROWS: usize = 64;

/// A multi-layer perceptron that learns.
///
/// Each layer has z = W a + b with W `[outputs, inputs]` and a the values of the layer before (the
/// inputs for the first), then a = m f(z) with the activation f and the mask m of dropout
/// (Srivastava and others, 2014), 1 without it; the last layer gives z. Backwards, from the
/// gradient dz of each layer: dW = Σ dz aᵀ and db = Σ dz over the rows, da = Wᵀ dz, and dz = da m
/// f'(z) of the layer before (Rumelhart, Hinton and Williams, 1986).
#[derive(Clone, Debug)]
pub struct Mlp {
    layers: Vec<Layer>,
    activation: Activation,
    /// The batch of the last forward pass.
    batch: Pass,
    /// Some rows of an evaluation.
    block: Pass,
}

impl Mlp {
    /// The perceptron with the layers of `shape` between `inputs` values and `outputs` scores.
    pub fn new(shape: &MlpShape, inputs: usize, outputs: usize) -> Self {
        let mut widths = vec![inputs];
        widths.extend_from_slice(&shape.hidden_layers);
        widths.push(outputs);

        let pairs = widths.iter().zip(widths.iter().skip(1));
        let layers: Vec<Layer> = pairs
            .map(|(&inputs, &outputs)| Layer::new(inputs, outputs))
            .collect();

        Self {
            batch: Pass::new(&layers),
            block: Pass::new(&layers),
            activation: shape.activation,
            layers,
        }
    }

    /// Takes over the parameters; those for the way back only when `learns`.
    fn load(&mut self, parameters: &[f32], learns: bool) {
        let mut rest = parameters;
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let weight = rest.split_off(..layer.weight_count()).unwrap_or_default();
            let bias = rest.split_off(..layer.outputs).unwrap_or_default();
            layer.load(weight, bias);

            // Nobody asks for the gradient of the inputs.
            if learns && index > 0 {
                layer.load_backward(weight);
            }
        }
    }
}

/// The tables of some rows on their way through the layers.
#[derive(Clone, Debug)]
struct Pass {
    rows: usize,
    /// `rows` up to a multiple of [`ROW_GROUP`]; the additional ones are 0.
    padded_rows: usize,
    /// `[rows, inputs]`
    inputs: Vec<Lane>,
    layers: Vec<LayerPass>,
}

/// The tables of a layer, each `[rows, outputs]`.
#[derive(Clone, Debug, Default)]
struct LayerPass {
    /// a, or z for the last layer.
    values: Vec<Lane>,
    /// m f'(z); the mask before z is there. Empty for the last layer.
    slopes: Vec<Lane>,
    /// The gradient dz of z.
    deltas: Vec<Lane>,
}

impl Pass {
    fn new(layers: &[Layer]) -> Self {
        Self {
            rows: 0,
            padded_rows: 0,
            inputs: Vec::new(),
            layers: vec![LayerPass::default(); layers.len()],
        }
    }

    /// Makes room for `rows`; nothing is allocated when there have been as many before.
    fn resize(&mut self, layers: &[Layer], rows: usize) {
        self.rows = rows;
        self.padded_rows = rows.next_multiple_of(ROW_GROUP);

        let inputs = layers.first().map_or(0, |layer| layer.inputs);
        self.inputs
            .resize(count_panels(inputs) * self.padded_rows, ZERO);
        for (pass, layer) in self.layers.iter_mut().zip(layers) {
            let lanes = count_panels(layer.outputs) * self.padded_rows;
            pass.values.resize(lanes, ZERO);
            pass.slopes.resize(lanes, ZERO);
            pass.deltas.resize(lanes, ZERO);
        }
    }

    /// Scores `[rows, outputs]` of `inputs`, which have been counted by [`Pass::resize`].
    fn forward(
        &mut self,
        layers: &[Layer],
        activation: Activation,
        inputs: &[f32],
        masks: &[f32],
        scores: &mut [f32],
    ) {
        let padded_rows = self.padded_rows;
        let width = layers.first().map_or(0, |layer| layer.inputs);
        kernels::pack(inputs, width, padded_rows, &mut self.inputs);

        let last = layers.len().saturating_sub(1);
        let mut masks = masks;
        let mut values: &[Lane] = &self.inputs;
        for (index, (layer, pass)) in layers.iter().zip(&mut self.layers).enumerate() {
            layer.forward(values, padded_rows, &mut pass.values);

            // The last layer gives raw scores.
            if index < last {
                let mask = masks.split_off(..self.rows * layer.outputs);
                pass.activate(
                    activation,
                    mask.unwrap_or_default(),
                    layer.outputs,
                    padded_rows,
                );
            } else {
                kernels::unpack(&pass.values, padded_rows, layer.outputs, scores);
            }
            values = &pass.values;
        }
    }

    /// Gradients in file order, from those of the scores.
    fn backward(&mut self, layers: &mut [Layer], score_gradients: &[f32], gradients: &mut [f32]) {
        let padded_rows = self.padded_rows;
        if let Some((layer, pass)) = layers.last().zip(self.layers.last_mut()) {
            kernels::pack(
                score_gradients,
                layer.outputs,
                padded_rows,
                &mut pass.deltas,
            );
        }

        let mut gradients = gradients;
        let mut passes: &mut [LayerPass] = &mut self.layers;
        for layer in layers.iter_mut().rev() {
            let start = gradients.len().saturating_sub(layer.parameter_count());
            let cells = gradients.split_off_mut(start..).unwrap_or_default();
            let Some(pass) = passes.split_off_last_mut() else {
                return;
            };

            // The first layer reads the inputs, and nobody asks for their gradient.
            let Some(before) = passes.last_mut() else {
                layer.write_gradient(&pass.deltas, &self.inputs, padded_rows, cells);
                return;
            };
            layer.write_gradient(&pass.deltas, &before.values, padded_rows, cells);
            layer.backward(&pass.deltas, padded_rows, &mut before.deltas);
            let deltas = before.deltas.as_flattened_mut();
            kernels::scale(deltas, before.slopes.as_flattened());
        }
    }
}

impl LayerPass {
    /// Makes values of z. `mask` is `[rows, width]`, or empty without dropout.
    fn activate(&mut self, activation: Activation, mask: &[f32], width: usize, padded_rows: usize) {
        if mask.is_empty() {
            let slopes = self.slopes.as_flattened_mut();
            kernels::activate(activation, self.values.as_flattened_mut(), slopes);
        } else {
            kernels::pack(mask, width, padded_rows, &mut self.slopes);
            let slopes = self.slopes.as_flattened_mut();
            kernels::activate_and_drop(activation, self.values.as_flattened_mut(), slopes);
        }
    }
}

impl Learner for Mlp {
    fn parameter_count(&self) -> usize {
        self.layers.iter().map(Layer::parameter_count).sum()
    }

    fn input_count(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.inputs)
    }

    fn output_count(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.outputs)
    }

    fn dropout_count(&self) -> usize {
        let hidden = self.layers.iter().rev().skip(1);
        hidden.map(|layer| layer.outputs).sum()
    }

    fn score(&mut self, parameters: &[f32], inputs: &[f32], scores: &mut Vec<f32>) {
        let width = self.input_count().max(1);
        let outputs = self.output_count().max(1);
        scores.resize(inputs.len() / width * outputs, 0.0);

        self.load(parameters, false);
        let blocks = inputs.chunks(SCORE_ROWS * width);
        for (inputs, scores) in blocks.zip(scores.chunks_mut(SCORE_ROWS * outputs)) {
            self.block.resize(&self.layers, inputs.len() / width);
            self.block
                .forward(&self.layers, self.activation, inputs, &[], scores);
        }
    }

    fn forward(
        &mut self,
        parameters: &[f32],
        inputs: &[f32],
        masks: &[f32],
        scores: &mut Vec<f32>,
    ) {
        let rows = inputs.len() / self.input_count().max(1);
        scores.resize(rows * self.output_count(), 0.0);

        self.load(parameters, true);
        self.batch.resize(&self.layers, rows);
        self.batch
            .forward(&self.layers, self.activation, inputs, masks, scores);
    }

    fn backward(
        &mut self,
        _parameters: &[f32],
        _inputs: &[f32],
        _masks: &[f32],
        score_gradients: &[f32],
        gradients: &mut [f32],
    ) {
        self.batch
            .backward(&mut self.layers, score_gradients, gradients);
    }
}
