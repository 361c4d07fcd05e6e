//! The formulas once more, in f64, one number after the other: what the fast code must agree with.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use schemas::manifests::{Activation, Architecture, FeatureColumn, MlpShape, Network, OutputKind};

/// Numbers that look random and are the same in every run.
pub struct Numbers(ChaCha8Rng);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number in [-size, size).
    pub fn next(&mut self, size: f32) -> f32 {
        let fraction = (self.0.next_u32() >> 8) as f32 / 16_777_216.0;
        (2.0 * fraction - 1.0) * size
    }

    pub fn take(&mut self, count: usize, size: f32) -> Vec<f32> {
        (0..count).map(|_| self.next(size)).collect()
    }
}

/// A perceptron of `widths`: inputs, hidden layers, scores.
pub fn perceptron(widths: &[usize], activation: Activation) -> Network {
    let column = |index| FeatureColumn {
        name: format!("f{index}"),
        normalisation: None,
    };
    let last = widths.len() - 1;
    let names = (0..widths[last]).map(|index| format!("c{index}")).collect();

    Network {
        architecture: Architecture::Mlp(MlpShape {
            hidden_layers: widths[1..last].to_vec(),
            activation,
            dropout: 0.5,
        }),
        features: (0..widths[0]).map(column).collect(),
        output: OutputKind::Classes { names },
    }
}

pub fn to_f64(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

/// Scores of one row; `masks` has one factor per hidden unit, layer by layer.
pub fn scores_of(
    widths: &[usize],
    activation: Activation,
    parameters: &[f64],
    row: &[f64],
    masks: &[f64],
) -> Vec<f64> {
    let mut values = row.to_vec();
    let mut start = 0;
    let mut units = 0;

    for (layer, pair) in widths.windows(2).enumerate() {
        let bias = start + pair[0] * pair[1];
        let mut outputs = Vec::new();
        for unit in 0..pair[1] {
            let mut sum = parameters[bias + unit];
            for (input, value) in values.iter().enumerate() {
                sum += parameters[start + unit * pair[0] + input] * value;
            }
            if layer + 2 < widths.len() {
                sum = activate(activation, sum) * masks[units];
                units += 1;
            }
            outputs.push(sum);
        }

        values = outputs;
        start = bias + pair[1];
    }
    values
}

fn activate(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::Tanh => x.tanh(),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Activation::LeakyRelu => x.max(0.01 * x),
    }
}

/// The derivative of `function` by each value, from both sides.
pub fn differences(values: &[f64], function: &dyn Fn(&[f64]) -> f64) -> Vec<f64> {
    const STEP: f64 = 1e-6;

    let mut moved = values.to_vec();
    let mut slopes = Vec::new();
    for index in 0..values.len() {
        moved[index] = values[index] + STEP;
        let above = function(&moved);
        moved[index] = values[index] - STEP;
        let below = function(&moved);

        moved[index] = values[index];
        slopes.push((above - below) / (2.0 * STEP));
    }
    slopes
}

/// Every value is within `tolerance` of the expected one, relative to the largest of them or 1.
pub fn assert_close(values: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(values.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0, |scale, it| it.abs().max(scale));
    for (index, (value, expected)) in values.iter().zip(expected).enumerate() {
        let distance = (f64::from(*value) - expected).abs();
        assert!(
            distance <= tolerance * scale,
            "{what}, position {index}: {value} is not {expected}"
        );
    }
}
