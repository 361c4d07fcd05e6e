//! What a training with `training.detailed_analytics` keeps of each epoch, and `analytics.parquet`.
//!
//! Every figure is taken beside the training: its weights have the same bits with and without.

use schemas::analytics::EpochAnalytics;
use schemas::decision_report::PartDecisions;
use schemas::manifests::{Network, OutputKind};
use schemas::metrics::ClassRates;
use store::{Bytes, Cells, StoreError, Table};

/// The L2 norms of the gradients of the batches of an epoch so far, before clipping.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct GradientNorms {
    pub(crate) sum: f64,
    pub(crate) max: f64,
    pub(crate) batches: u32,
}

impl GradientNorms {
    /// Counts one batch more.
    pub(crate) fn add(&mut self, norm: f64) {
        self.sum += norm;
        self.max = self.max.max(norm);
        self.batches += 1;
    }

    pub(crate) fn mean(self) -> f64 {
        self.sum / f64::from(self.batches.max(1))
    }
}

/// A number that JSON can hold: norms that are not finite become the largest one.
pub(crate) const fn finite(norm: f64) -> f64 {
    norm.min(f64::MAX)
}

/// The L2 norm of each tensor of `weights`, flat, in file order.
pub(crate) fn weight_norms(network: &Network, weights: &[f32]) -> Vec<f64> {
    let mut rest = weights;
    let mut norms = Vec::new();
    for tensor in network.tensors() {
        let (values, others) = rest.split_at(tensor.count().min(rest.len()));
        let squares = values
            .iter()
            .map(|&value| f64::from(value) * f64::from(value));
        norms.push(finite(squares.sum::<f64>().sqrt()));
        rest = others;
    }
    norms
}

/// `analytics.parquet`: one row per epoch, with columns named after tensors and classes of
/// `network`.
///
/// # Errors
/// When the table cannot be encoded.
pub(crate) fn analytics_file(
    network: &Network,
    rows: &[EpochAnalytics],
) -> Result<Bytes, StoreError> {
    let epochs = rows.iter().map(|row| i64::from(row.epoch)).collect();
    let mut table = Table::default()
        .with("epoch", Cells::Integer(epochs))
        .with("learning_rate", column(rows, |row| row.learning_rate))
        .with(
            "gradient_norm_mean",
            column(rows, |row| row.gradient_norm_mean),
        )
        .with(
            "gradient_norm_max",
            column(rows, |row| row.gradient_norm_max),
        );

    for (index, tensor) in network.tensors().into_iter().enumerate() {
        let norms = column(rows, |row| number_at(&row.weight_norms, index));
        table = table.with(format!("weight_norm.{}", tensor.name), norms);
    }
    if let OutputKind::Classes { names } = &network.output {
        for (index, name) in names.iter().enumerate() {
            for (figure, value_of) in CLASS_FIGURES {
                let rates = column(rows, |row| {
                    row.classes.get(index).map_or(f64::NAN, value_of)
                });
                table = table.with(format!("{figure}.{name}"), rates);
            }
        }
    }
    for (decision, count_of) in DECISIONS {
        let shares = column(rows, |row| share_of(row.decisions.as_ref(), count_of));
        table = table.with(format!("decided.{decision}"), shares);
    }
    table.to_parquet()
}

/// A figure of one class.
type Rate = fn(&ClassRates) -> f64;
/// Rows with a decision.
type DecisionCount = fn(&PartDecisions) -> u64;

/// The figures of a class, by the start of their columns.
const CLASS_FIGURES: [(&str, Rate); 4] = [
    ("precision", |rates| rates.precision),
    ("recall", |rates| rates.recall),
    ("f1", |rates| rates.f1),
    ("predicted_share", |rates| rates.predicted_share),
];

/// The decisions, by the end of their columns.
const DECISIONS: [(&str, DecisionCount); 3] = [
    ("BUY", |counts| counts.buy),
    ("HOLD", |counts| counts.hold),
    ("SELL", |counts| counts.sell),
];

fn column(rows: &[EpochAnalytics], value_of: impl Fn(&EpochAnalytics) -> f64) -> Cells {
    Cells::Number(rows.iter().map(value_of).collect())
}

fn number_at(numbers: &[f64], index: usize) -> f64 {
    numbers.get(index).copied().unwrap_or(f64::NAN)
}

/// The share of the validation part with a decision; an empty cell where none were counted.
fn share_of(decisions: Option<&PartDecisions>, count_of: DecisionCount) -> f64 {
    decisions.map_or(f64::NAN, |counts| {
        count_of(counts) as f64 / counts.rows().max(1) as f64
    })
}

#[cfg(test)]
mod tests {
    use schemas::manifests::{Activation, Architecture, FeatureColumn, MlpShape};

    use super::*;

    #[test]
    fn norms_are_summed_and_the_largest_is_kept() {
        let mut norms = GradientNorms::default();
        for norm in [3.0, 5.0, 1.0] {
            norms.add(norm);
        }
        assert_eq!((norms.mean(), norms.max), (3.0, 5.0));
        assert_eq!(GradientNorms::default().mean(), 0.0);
    }

    #[test]
    fn a_norm_that_is_not_finite_can_be_stored() {
        assert_eq!(finite(f64::INFINITY), f64::MAX);
        assert_eq!(finite(f64::NAN), f64::MAX);
        assert_eq!(finite(2.0), 2.0);
    }

    #[test]
    fn each_tensor_has_a_norm() {
        let network = Network {
            architecture: Architecture::Mlp(MlpShape {
                hidden_layers: vec![],
                activation: Activation::Relu,
                dropout: 0.0,
            }),
            features: ["a", "b"]
                .map(|name| FeatureColumn {
                    name: name.to_owned(),
                    normalisation: None,
                })
                .to_vec(),
            output: OutputKind::Regression,
        };

        // Weight (3, 4), bias -2.
        assert_eq!(weight_norms(&network, &[3.0, 4.0, -2.0]), [5.0, 2.0]);
    }
}
