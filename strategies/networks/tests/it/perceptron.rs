//! Specifications of the perceptron: scores and gradients against plain formulas in f64.

use networks::{Learner, learner_of};
use schemas::manifests::{Activation, Network};

use crate::plain::{Numbers, assert_close, differences, perceptron, scores_of, to_f64};

const ACTIVATIONS: [Activation; 4] = [
    Activation::Relu,
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::LeakyRelu,
];

/// Inputs, hidden layers and scores, around the widths of registers and tiles.
const SHAPES: [&[usize]; 7] = [
    &[1, 1],
    &[3, 2],
    &[2, 1, 1],
    &[9, 17, 3],
    &[16, 8, 16, 2],
    &[33, 5, 19, 7],
    &[4, 3, 2, 3, 17],
];

/// A batch with everything that its gradient depends on.
struct Batch {
    network: Network,
    activation: Activation,
    parameters: Vec<f32>,
    /// `[rows, inputs]`
    inputs: Vec<f32>,
    /// As the learner takes them, or empty.
    masks: Vec<f32>,
    /// `[rows, outputs]`
    score_gradients: Vec<f32>,
    rows: usize,
}

impl Batch {
    fn new(shape: &[usize], activation: Activation, rows: usize, has_dropout: bool) -> Self {
        let network = perceptron(shape, activation);
        let mut numbers = Numbers::new(rows as u64);
        let units = network.architecture.hidden_widths().iter().sum::<usize>();
        let mut masks = numbers.take(rows * units, 1.0);
        for mask in &mut masks {
            *mask = if *mask < 0.0 { 0.0 } else { 2.0 };
        }
        if !has_dropout {
            masks.clear();
        }

        Self {
            parameters: numbers.take(network.parameter_count(), 0.5),
            inputs: numbers.take(rows * network.features.len(), 2.0),
            score_gradients: numbers.take(rows * network.output.width(), 1.0),
            network,
            activation,
            masks,
            rows,
        }
    }

    /// The factors of the hidden units of one row, layer by layer.
    fn masks_of(&self, row: usize) -> Vec<f64> {
        let mut factors = Vec::new();
        let mut start = 0;
        for width in self.network.architecture.hidden_widths() {
            for unit in 0..width {
                let mask = self.masks.get(start + row * width + unit);
                factors.push(mask.map_or(1.0, |mask| f64::from(*mask)));
            }
            start += self.rows * width;
        }
        factors
    }

    /// Scores of all rows by the plain formula.
    fn plain_scores(&self, parameters: &[f64]) -> Vec<f64> {
        let widths = self.network.widths();
        let inputs = to_f64(&self.inputs);
        let mut scores = Vec::new();

        for (row, inputs) in inputs.chunks(widths[0]).enumerate() {
            let masks = self.masks_of(row);
            let outputs = scores_of(&widths, self.activation, parameters, inputs, &masks);
            scores.extend(outputs);
        }
        scores
    }

    /// Σ scores · score gradients by the plain formula.
    fn plain_sum(&self, parameters: &[f64]) -> f64 {
        let scores = self.plain_scores(parameters);
        let products = scores.iter().zip(&self.score_gradients);
        products
            .map(|(score, slope)| score * f64::from(*slope))
            .sum()
    }

    fn check(&self) {
        let name = format!(
            "{:?} {:?} of {} rows",
            self.network.widths(),
            self.activation,
            self.rows
        );
        let parameters = to_f64(&self.parameters);
        let mut learner = learner_of(&self.network);
        let mut scores = Vec::new();
        let mut gradients = vec![f32::NAN; self.parameters.len()];

        learner.forward(&self.parameters, &self.inputs, &self.masks, &mut scores);
        assert_close(&scores, &self.plain_scores(&parameters), 1e-5, &name);

        learner.backward(
            &self.parameters,
            &self.inputs,
            &self.masks,
            &self.score_gradients,
            &mut gradients,
        );
        let expected = differences(&parameters, &|parameters| self.plain_sum(parameters));
        assert_close(&gradients, &expected, 1e-5, &name);
    }
}

#[test]
fn gradients_agree_with_finite_differences_in_f64() {
    for activation in ACTIVATIONS {
        for shape in SHAPES {
            for rows in [1, 13, 32] {
                for has_dropout in [false, true] {
                    Batch::new(shape, activation, rows, has_dropout).check();
                }
            }
        }
    }
}

#[test]
fn a_learner_counts_what_it_works_on() {
    let learner = learner_of(&perceptron(&[9, 64, 32, 3], Activation::Relu));

    // 9·64+64 + 64·32+32 + 32·3+3 = 640 + 2080 + 99
    assert_eq!(learner.parameter_count(), 2_819);
    assert_eq!(learner.input_count(), 9);
    assert_eq!(learner.output_count(), 3);
    assert_eq!(learner.dropout_count(), 96);
}

#[test]
fn a_batch_does_not_depend_on_batches_before_it() {
    let new_batch = |rows| Batch::new(&[9, 17, 3], Activation::Tanh, rows, false);
    let [large, small] = [40, 3].map(new_batch);
    let gradients_of = |learner: &mut dyn Learner, batch: &Batch| {
        let mut gradients = vec![0.0; batch.parameters.len()];
        learner.forward(&batch.parameters, &batch.inputs, &[], &mut Vec::new());
        learner.backward(&[], &[], &[], &batch.score_gradients, &mut gradients);
        gradients
    };

    let mut learner = learner_of(&small.network);
    let expected = gradients_of(learner.as_mut(), &small);
    gradients_of(learner.as_mut(), &large);
    assert_eq!(gradients_of(learner.as_mut(), &small), expected);
}

#[test]
fn an_evaluation_gives_the_bits_of_a_forward_pass() {
    // More rows than are evaluated at once.
    let batch = Batch::new(&[9, 17, 3], Activation::Sigmoid, 150, false);
    let mut learner = learner_of(&batch.network);
    let mut scores = Vec::new();
    let mut evaluated = Vec::new();

    learner.forward(&batch.parameters, &batch.inputs, &[], &mut scores);
    learner.score(&batch.parameters, &batch.inputs, &mut evaluated);

    assert_eq!(evaluated, scores);
}

#[test]
fn tiny_numbers_become_zero_before_they_are_subnormal() {
    // Products of 10⁻¹⁵ with 10⁻¹⁵ are 10⁻³⁰; with a third factor they would be subnormal.
    let mut batch = Batch::new(&[9, 17, 5, 3], Activation::LeakyRelu, 13, false);
    for values in [
        &mut batch.parameters,
        &mut batch.score_gradients,
        &mut batch.inputs,
    ] {
        values.iter_mut().for_each(|value| *value *= 1e-15);
    }
    let mut learner = learner_of(&batch.network);
    let mut gradients = vec![0.0; batch.parameters.len()];

    learner.forward(&batch.parameters, &batch.inputs, &[], &mut Vec::new());
    learner.backward(&[], &[], &[], &batch.score_gradients, &mut gradients);

    assert!(!gradients.iter().any(|value| value.is_subnormal()));
    assert!(gradients.iter().any(|value| *value != 0.0));
}
