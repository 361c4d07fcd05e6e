//! What each rule says before training: the linear function that fits its own rows best.
//!
//! J. Yen, L. Wang and C. W. Gillespie, *Improving the Interpretability of TSK Fuzzy Models by
//! Combining Global Learning and Local Learning* (1998). A rule that already fits its rows leaves
//! little error that training could reduce by moving its members away from them.

use schemas::manifests::RuleBase;

use super::{Start, Tsk};

/// Share of a row's size that is added to the diagonal, so that inputs that do not vary among the
/// rows of a rule have a weight of 0.
const RIDGE: f64 = 1e-6;

impl Start {
    /// The parameters before training for a network with one score per row of `inputs`: the
    /// function of each rule minimises Σ share · (W·x + b − target)² over the rows.
    pub fn fitted_parameters(&self, inputs: &[f32], targets: &[f32]) -> Vec<f32> {
        let mut parameters = self.parameters(1, 0);
        let shares = Tsk::new(&self.base, 1).firing(&parameters, inputs);

        let width = self.base.inputs.len();
        let rules = self.base.rules.len();
        let mut systems = vec![System::new(width + 1); rules];
        let rows = inputs.chunks_exact(width.max(1)).zip(targets);
        for ((row, target), shares) in rows.zip(shares.chunks_exact(rules.max(1))) {
            for (system, share) in systems.iter_mut().zip(shares) {
                system.add(row, f64::from(*target), f64::from(*share));
            }
        }

        write_functions(&self.base, &systems, &mut parameters);
        parameters
    }
}

fn write_functions(base: &RuleBase, systems: &[System], parameters: &mut [f32]) {
    let width = base.inputs.len();
    let members = 2 * base.member_count();
    let Some((_, functions)) = parameters.split_at_mut_checked(members) else {
        return;
    };
    let Some((weights, biases)) = functions.split_at_mut_checked(systems.len() * width) else {
        return;
    };

    let rows = weights.chunks_exact_mut(width.max(1)).zip(biases);
    for ((weights, bias), system) in rows.zip(systems) {
        let solution = system.solve();
        for (weight, value) in weights.iter_mut().zip(&solution) {
            *weight = *value as f32;
        }
        *bias = solution.last().copied().unwrap_or(0.0) as f32;
    }
}

/// The normal equations of one rule.
#[derive(Clone, Debug)]
struct System {
    /// Σ share · x xᵀ, the lower triangle row by row; the last x is 1.
    moments: Vec<Vec<f64>>,
    /// Σ share · x · target.
    products: Vec<f64>,
}

impl System {
    fn new(unknowns: usize) -> Self {
        Self {
            moments: (1..=unknowns).map(|length| vec![0.0; length]).collect(),
            products: vec![0.0; unknowns],
        }
    }

    fn add(&mut self, row: &[f32], target: f64, share: f64) {
        let values = || row.iter().map(|value| f64::from(*value)).chain([1.0]);
        let sums = self.moments.iter_mut().zip(&mut self.products);
        for ((moments, product), value) in sums.zip(values()) {
            *product += share * value * target;
            for (moment, other) in moments.iter_mut().zip(values()) {
                *moment += share * value * other;
            }
        }
    }

    /// By Cholesky's decomposition; 0 for a rule without rows.
    fn solve(&self) -> Vec<f64> {
        let lower = self.decompose();

        // L y = products, then Lᵀ x = y.
        let mut solution: Vec<f64> = Vec::with_capacity(self.products.len());
        for (row, product) in lower.iter().zip(&self.products) {
            let terms: f64 = row.iter().zip(&solution).map(|(a, b)| a * b).sum();
            let diagonal = row.last().copied().unwrap_or(1.0);
            solution.push((product - terms) / diagonal);
        }
        for (position, row) in lower.iter().enumerate().rev() {
            let Some((before, rest)) = solution.split_at_mut_checked(position) else {
                continue;
            };
            let (Some((diagonal, row)), Some(value)) = (row.split_last(), rest.first_mut()) else {
                continue;
            };
            *value /= diagonal;
            for (earlier, factor) in before.iter_mut().zip(row) {
                *earlier -= factor * *value;
            }
        }
        solution
    }

    /// The lower triangle L with L Lᵀ = moments + ridge.
    fn decompose(&self) -> Vec<Vec<f64>> {
        let diagonals = self.moments.iter().filter_map(|row| row.last());
        let size: f64 = diagonals.sum::<f64>() / self.moments.len().max(1) as f64;
        let ridge = (RIDGE * size).max(f64::MIN_POSITIVE.sqrt());

        let mut lower: Vec<Vec<f64>> = Vec::with_capacity(self.moments.len());
        for moments in &self.moments {
            let mut row: Vec<f64> = Vec::with_capacity(moments.len());
            for (column, moment) in moments.iter().enumerate() {
                let Some(above) = lower.get(column) else {
                    let square: f64 = row.iter().map(|value| value * value).sum();
                    row.push((moment + ridge - square).max(ridge * RIDGE).sqrt());
                    continue;
                };
                let terms: f64 = row.iter().zip(above).map(|(a, b)| a * b).sum();
                let diagonal = above.last().copied().unwrap_or(1.0);
                row.push((moment - terms) / diagonal);
            }
            lower.push(row);
        }
        lower
    }
}
