//! What a model's scores are worth: losses, rates per class, baselines, and how sure one can be of
//! them. Pure, in f64, without libtorch.
//!
//! Equal scores give equal bits on every machine: sums run over rows in their order, and `exp`,
//! `ln` and `pow` are those of the crate `libm`, not of the host.

mod answers;
mod bootstrap;
mod calibration;
mod decisions;
mod edge;
mod groups;
mod importance;
mod labels;
pub mod objective;
mod probabilities;
pub mod random;
mod returns;
mod scored;

pub use schemas::metrics::{ClassMetrics, ClassRates, KindMetrics, PartMetrics, RegressionMetrics};

pub use bootstrap::block_length;
pub use decisions::{ScoredParts, decisions_of};
pub use edge::{HeldOutOutcomes, Outcomes, Trading, TripCosts};
pub use groups::RowOrigins;
pub use importance::{Shuffled, importance_of};
pub use labels::Labels;
pub use objective::Objective;
pub use scored::Scored;

/// What the simplest models know: nothing but the labels of the training part.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Share of each class; empty for a regression.
    pub class_shares: Vec<f64>,
    /// Mean label of a regression; 0 for classes.
    pub mean: f64,
}

impl Baseline {
    /// The baseline of the training part's labels, for a network of `classes` classes.
    pub fn of(train: &Labels, classes: usize) -> Self {
        let rows = train.len() as f64;

        match train {
            Labels::Classes(_) => {
                let counts = train.counts(classes).into_iter();
                Self {
                    class_shares: counts
                        .map(|count| ratio_or_zero(count as f64, rows))
                        .collect(),
                    mean: 0.0,
                }
            }
            Labels::Returns(labels) => Self {
                class_shares: Vec::new(),
                mean: mean_of(labels.iter().map(|&label| f64::from(label))),
            },
        }
    }
}

/// Weights of the classes in a criterion from their training rows: (1/n_c) / Σ(1/n_j) × C, so that
/// they average to 1. A class without rows weighs 0.
pub fn class_weights(counts: &[u64]) -> Vec<f64> {
    let inverse: Vec<f64> = counts
        .iter()
        .map(|&count| ratio_or_zero(1.0, count as f64))
        .collect();
    let sum: f64 = inverse.iter().sum();

    let classes = counts.len() as f64;
    inverse
        .iter()
        .map(|value| ratio_or_zero(value * classes, sum))
        .collect()
}

/// The figures of some rows by name, in a fixed order.
type Figures = Vec<(&'static str, f64)>;

/// Sums over rows, from which the figures of these rows follow.
trait Tally: Clone {
    /// What a model has made of one row.
    type Row;

    /// Counts one row more.
    fn add(&mut self, row: &Self::Row);

    /// The figures of the rows so far; a figure that is not defined for them is left out.
    fn figures(&self) -> Figures;
}

/// `empty` with every row counted.
fn tally_of<'a, T>(empty: &T, rows: impl IntoIterator<Item = &'a T::Row>) -> T
where
    T: Tally,
    T::Row: 'a,
{
    let mut tally = empty.clone();
    for row in rows {
        tally.add(row);
    }
    tally
}

/// The mean; 0 of nothing.
fn mean_of(values: impl Iterator<Item = f64>) -> f64 {
    let mut sum = 0.0;
    let mut count = 0.0;
    for value in values {
        sum += value;
        count += 1.0;
    }
    ratio_or_zero(sum, count)
}

/// `part` of `whole`; 0 where the whole is 0.
fn ratio_or_zero(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}
