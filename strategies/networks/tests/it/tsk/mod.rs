//! A neuro-fuzzy network: its formula and gradients, what it learns, and what it says.

mod building;
mod formula;
mod golden;
mod learning;
mod reading;
mod reference;
mod start;

use networks::Learner;
use schemas::manifests::{Firing, FuzzyInput, FuzzyMember, OpenSide, RuleBase};

/// A member without a name that matters.
pub fn member(name: &str, open: Option<OpenSide>) -> FuzzyMember {
    FuzzyMember {
        name: name.to_owned(),
        open,
        start: None,
    }
}

/// An input with `members` members in the range of ±3.
pub fn input(name: &str, members: &[&str]) -> FuzzyInput {
    FuzzyInput {
        name: name.to_owned(),
        members: members.iter().map(|name| member(name, None)).collect(),
        low: -3.0,
        high: 3.0,
    }
}

/// Rules over `inputs`; a negative number stands for any member.
pub fn base(inputs: Vec<FuzzyInput>, rules: &[&[i32]], firing: Firing) -> RuleBase {
    let rules = rules.iter().map(|rule| {
        let members = rule.iter().map(|member| usize::try_from(*member).ok());
        members.collect()
    });
    RuleBase {
        inputs,
        rules: rules.collect(),
        firing,
    }
}

/// Numbers in [-1, 1) that look random: a linear congruential generator (Knuth's MMIX).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / 8_388_608.0 - 1.0
    }

    pub fn take(&mut self, count: usize, scale: f32) -> Vec<f32> {
        (0..count).map(|_| scale * self.next()).collect()
    }

    /// A standard normal number: the sum of twelve uniform ones has variance 12 · 1/3 = 4.
    pub fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.next()).sum::<f32>() / 2.0
    }
}

/// Adam as in Kingma and Ba (2015).
pub struct Adam {
    first: Vec<f32>,
    second: Vec<f32>,
    step: i32,
    rate: f32,
}

impl Adam {
    pub fn new(count: usize, rate: f32) -> Self {
        Self {
            first: vec![0.0; count],
            second: vec![0.0; count],
            step: 0,
            rate,
        }
    }

    pub fn step(&mut self, parameters: &mut [f32], gradients: &[f32]) {
        self.step += 1;
        let first_share = 1.0 - 0.9_f32.powi(self.step);
        let second_share = 1.0 - 0.999_f32.powi(self.step);
        for (index, gradient) in gradients.iter().enumerate() {
            self.first[index] += 0.1 * (gradient - self.first[index]);
            self.second[index] += 0.001 * (gradient * gradient - self.second[index]);
            let mean = self.first[index] / first_share;
            let square = self.second[index] / second_share;
            parameters[index] -= self.rate * mean / (square.sqrt() + 1e-8);
        }
    }
}

/// One step of `network` on the mean squared error of all rows; returns the error before it.
pub fn step_squared(
    network: &mut dyn Learner,
    parameters: &mut [f32],
    adam: &mut Adam,
    inputs: &[f32],
    targets: &[f32],
) -> f32 {
    let mut scores = Vec::new();
    network.forward(parameters, inputs, &[], &mut scores);
    let errors: Vec<f32> = scores.iter().zip(targets).map(|(s, t)| s - t).collect();
    let count = errors.len() as f32;
    let by_score: Vec<f32> = errors.iter().map(|error| 2.0 * error / count).collect();

    let mut gradients = vec![0.0; parameters.len()];
    network.backward(parameters, inputs, &[], &by_score, &mut gradients);
    adam.step(parameters, &gradients);
    network.constrain(parameters);
    errors.iter().map(|error| error * error).sum::<f32>() / count
}
