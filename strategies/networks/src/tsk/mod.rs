//! A neuro-fuzzy network: rules over fuzzy members of the inputs, each with a linear function, all
//! of it learnt.
//!
//! The published form is the Takagi-Sugeno-Kang system of the first order with the firing of HTSK:
//! Y. Cui, D. Wu and Y. Xu, *Curse of Dimensionality for TSK Fuzzy Neural Networks: Explanation and
//! Solutions*, IJCNN 2021. For a row x of I inputs, with member m(r, i) of input i in rule r,
//!
//! ```text
//! zᵣ = −1/nᵣ · Σᵢ dᵢ² / (2·width²)     dᵢ = xᵢ − centre, over the nᵣ members of the rule
//! fᵣ = e^zᵣ / Σ e^z                    how strongly the rule fires; shares sum to 1
//! scores = Σᵣ fᵣ · (Wᵣ·x + bᵣ)
//! ```
//!
//! With [`Firing::Product`] there is no 1/nᵣ, which is the layer structure of ANFIS (J.-S. R. Jang,
//! 1993) with Gaussian members. Three things are added: rules may share a member, a rule may leave
//! an input out, and a member may be open to one side (d is 0 there).
//!
//! Parameters in file order: centres `[members]`, widths `[members]`, W `[rules, outputs, inputs]`,
//! b `[rules, outputs]`.
//!
//! **Members stay readable.** After every step [`Learner::constrain`] moves them to the nearest
//! place where those of one input are in order, apart from each other and within the range of the
//! data, and widths are positive. That is a projection rather than a parametrisation (centres as
//! sums of positive gaps): the file holds the numbers of the formula, gradients are those of the
//! paper, and moving one member does not move all above it.

mod building;
mod clusters;
mod kernels;
mod least_squares;
mod order;
mod panels;
mod pass;
mod pruning;
mod rules;
mod start;
#[cfg(test)]
mod tests;

use schemas::manifests::RuleBase;

pub use self::building::{RuleReport, build_rules, initial_members, prune_network, report_rules};
use self::kernels::{DistanceSums, Lane};
use self::order::Order;
use self::panels::{Antecedents, Consequents};
use self::pass::Pass;
pub use self::pruning::{Pruned, prune};
pub use self::rules::{Contribution, LearntRule, RuleMember};
pub use self::start::{Growth, Start};
use crate::Learner;

/// Rows that are scored at once.
const SCORE_ROWS: usize = 64;

/// A neuro-fuzzy network that learns.
#[derive(Debug)]
pub struct Tsk {
    inputs: usize,
    outputs: usize,
    rules: usize,
    members: usize,
    antecedents: Antecedents,
    consequents: Consequents,
    order: Order,
    /// The batch that learns.
    batch: Pass,
    /// The rows that are scored.
    block: Pass,
    sums: Sums,
}

/// Gradients in panels.
#[derive(Debug, Default)]
struct Sums {
    distances: Vec<DistanceSums>,
    weights: Vec<Lane>,
    biases: Vec<Lane>,
}

/// The parameters by their meaning.
struct Parts<'a> {
    centres: &'a [f32],
    widths: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
}

impl Tsk {
    /// The network of `base` with that many scores, without parameters.
    pub fn new(base: &RuleBase, outputs: usize) -> Self {
        Self {
            inputs: base.inputs.len(),
            outputs,
            rules: base.rules.len(),
            members: base.member_count(),
            antecedents: Antecedents::new(base),
            consequents: Consequents::new(base, outputs),
            order: Order::new(base),
            batch: Pass::default(),
            block: Pass::default(),
            sums: Sums::default(),
        }
    }

    /// How strongly each rule fires in each row of `inputs` `[rows, inputs]`, as `[rows, rules]`;
    /// the shares of a row sum to 1.
    pub fn firing(&mut self, parameters: &[f32], inputs: &[f32]) -> Vec<f32> {
        let mut shares = Vec::with_capacity(inputs.len() / self.inputs.max(1) * self.rules);
        self.for_each_row(parameters, inputs, |rules, pass, row| {
            shares.extend(pass.shares_of(row).take(rules));
        });
        shares
    }

    /// Calls `take` for every row of `inputs`, with the number of rules and the tables that hold
    /// the row.
    fn for_each_row(
        &mut self,
        parameters: &[f32],
        inputs: &[f32],
        mut take: impl FnMut(usize, &Pass, usize),
    ) {
        let mut scores = Vec::new();
        for block in inputs.chunks(SCORE_ROWS * self.inputs.max(1)) {
            self.score(parameters, block, &mut scores);
            for row in 0..self.block.rows() {
                take(self.rules, &self.block, row);
            }
        }
    }

    /// The parameters of `parameters` in file order.
    fn parts<'a>(&self, parameters: &'a [f32]) -> Parts<'a> {
        let (centres, rest) = parameters
            .split_at_checked(self.members)
            .unwrap_or_default();
        let (widths, rest) = rest.split_at_checked(self.members).unwrap_or_default();
        let weights = self.rules * self.outputs * self.inputs;
        let (weight, bias) = rest.split_at_checked(weights).unwrap_or_default();
        Parts {
            centres,
            widths,
            weight,
            bias,
        }
    }

    fn load(&mut self, parameters: &[f32]) {
        let parts = self.parts(parameters);
        self.antecedents.load(parts.centres, parts.widths);
        self.consequents.load(parts.weight, parts.bias);
    }
}

impl Learner for Tsk {
    fn parameter_count(&self) -> usize {
        2 * self.members + self.rules * self.outputs * (self.inputs + 1)
    }

    fn input_count(&self) -> usize {
        self.inputs
    }

    fn output_count(&self) -> usize {
        self.outputs
    }

    fn dropout_count(&self) -> usize {
        0
    }

    fn score(&mut self, parameters: &[f32], inputs: &[f32], scores: &mut Vec<f32>) {
        self.load(parameters);
        let width = self.inputs.max(1);
        scores.resize(inputs.len() / width * self.outputs, 0.0);

        let blocks = inputs.chunks(SCORE_ROWS * width);
        for (inputs, scores) in blocks.zip(scores.chunks_mut(SCORE_ROWS * self.outputs.max(1))) {
            self.block
                .forward(&self.antecedents, &self.consequents, inputs, scores);
        }
    }

    fn forward(
        &mut self,
        parameters: &[f32],
        inputs: &[f32],
        _masks: &[f32],
        scores: &mut Vec<f32>,
    ) {
        self.load(parameters);
        scores.resize(inputs.len() / self.inputs.max(1) * self.outputs, 0.0);
        self.batch
            .forward(&self.antecedents, &self.consequents, inputs, scores);
    }

    fn backward(
        &mut self,
        parameters: &[f32],
        _inputs: &[f32],
        _masks: &[f32],
        score_gradients: &[f32],
        gradients: &mut [f32],
    ) {
        let Sums {
            distances,
            weights,
            biases,
        } = &mut self.sums;
        self.batch.backward(score_gradients, self.outputs);
        self.batch.sum_distances(&self.antecedents, distances);
        self.batch.sum_outcomes(&self.consequents, weights, biases);

        // Centres, widths, weights, biases: as in the file.
        let weight_count = self.rules * self.outputs * self.inputs;
        let (by_centre, rest) = gradients
            .split_at_mut_checked(self.members)
            .unwrap_or_default();
        let (by_width, rest) = rest.split_at_mut_checked(self.members).unwrap_or_default();
        let (by_weight, by_bias) = rest.split_at_mut_checked(weight_count).unwrap_or_default();

        let widths = self.parts(parameters).widths;
        self.antecedents
            .write_gradients(&self.sums.distances, widths, by_centre, by_width);
        self.consequents
            .write_gradients(&self.sums.weights, &self.sums.biases, by_weight, by_bias);
    }

    fn constrain(&mut self, parameters: &mut [f32]) {
        self.order.restore(parameters);
    }
}
