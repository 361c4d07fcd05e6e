//! Two models row by row: the losses of both on the rows of the test part that they share.

use std::collections::BTreeMap;

use schemas::manifests::{DataSetManifest, OutputKind};
use schemas::metrics::Interval;
use schemas::names::{PARTS, TEST_PART};
use statistics::{block_length, count_runs, mean_interval};
use store::{DataSetTable, Store};
use strategies::windows::{RowBar, Windows};

use super::open_model::OpenModel;
use crate::console::Failure;

/// Seed of the draws, so that the same models are always told apart in the same way.
const SEED: u64 = 42;
/// A probability of 0 has no finite loss.
const PROBABILITY_MIN: f64 = 1e-12;

/// A decision on an instrument: id, and microseconds UTC of the instant from which its features
/// were known.
type Decision = (String, i64);

/// What a model was worth on one row.
#[derive(Clone, Copy, Debug, PartialEq)]
struct RowLoss {
    /// Plain log loss of a class, or squared error of a return.
    loss: f64,
    /// Class number, or the sign of the return.
    label: i64,
}

/// The losses of a model on the rows of its test part.
pub(super) struct TestLosses {
    output: OutputKind,
    rows: BTreeMap<Decision, RowLoss>,
}

/// How two models compare on the rows that both were tested on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PairedLosses {
    /// Rows with equal labels.
    pub(super) rows: usize,
    /// Rows of a block of the bootstrap.
    pub(super) block_rows: usize,
    /// Mean loss of the second model minus that of the first; none for too few rows.
    pub(super) difference: Option<Interval>,
}

impl TestLosses {
    /// Computes the losses from the data set that `model` was trained on.
    ///
    /// # Errors
    /// The data set cannot be read, or the model does not predict.
    pub(super) async fn read(
        store: &Store,
        model: &OpenModel,
        data_set: &DataSetManifest,
    ) -> Result<Self, Failure> {
        let table = store.data_sets().read(data_set).await?;
        let output = data_set.output.clone();
        let predictions = predict_test_part(model, &table)?;

        let mut rows = BTreeMap::new();
        for (row, prediction) in predictions {
            let symbol = table.symbol.get(row).map(|index| usize::from(*index));
            let symbol = symbol.and_then(|index| table.symbols.get(index));
            let place = symbol.zip(table.known_at.get(row));
            if let (Some((symbol, known_at)), Some(label)) = (place, table.label.get(row)) {
                let loss = loss_of(&output, &prediction, f64::from(*label));
                rows.insert((symbol.clone(), *known_at), loss);
            }
        }
        Ok(Self { output, rows })
    }

    /// Compares `other` with this model. None if they answer different questions.
    pub(super) fn compare(&self, other: &Self) -> Option<PairedLosses> {
        if self.output != other.output {
            return None;
        }

        // A row whose labels differ was asked another question, by another horizon or threshold.
        let mut differences = Vec::new();
        let mut labels = Vec::new();
        for (decision, ours) in &self.rows {
            if let Some(theirs) = other.rows.get(decision)
                && theirs.label == ours.label
            {
                differences.push(theirs.loss - ours.loss);
                labels.push(ours.label);
            }
        }

        let block_rows = block_length(labels.len(), count_runs(labels.iter().copied()));
        Some(PairedLosses {
            rows: differences.len(),
            block_rows,
            difference: mean_interval(&differences, block_rows, SEED),
        })
    }
}

/// The outputs of `model` on each row of the test part that ends a window.
pub(super) fn predict_test_part(
    model: &OpenModel,
    table: &DataSetTable,
) -> Result<Vec<(usize, Vec<f32>)>, Failure> {
    let test = PARTS.iter().position(|part| *part == TEST_PART);
    let parts = table.part.iter().enumerate();
    let rows: Vec<usize> = parts
        .filter(|(_, part)| Some(usize::from(**part)) == test)
        .map(|(row, _)| row)
        .collect();

    let mut values = Vec::with_capacity(rows.len() * table.features.len());
    for row in &rows {
        values.extend(table.features.iter().filter_map(|column| column.get(*row)));
    }
    let width = table.features.len();
    let length = model.network.architecture.sequence_length();
    let windows = windows_of(table, &rows, length);

    let inputs = windows.last_rows.iter().map(|last| {
        let first = (last + 1).saturating_sub(length);
        let window = values.get(first * width..(last + 1) * width);
        window.unwrap_or_default()
    });
    let inputs: Vec<&[f32]> = inputs.collect();
    let predictions = model.forward().predict(&inputs)?;
    let ends = windows.last_rows.iter().filter_map(|last| rows.get(*last));
    Ok(ends.copied().zip(predictions).collect())
}

/// The windows of consecutive bars among `rows`; each row is one where a network reads single rows.
fn windows_of(table: &DataSetTable, rows: &[usize], length: usize) -> Windows {
    let bars = rows.iter().map(|row| {
        let bar = table.bar.as_ref().and_then(|bars| bars.get(*row)).copied();
        RowBar {
            symbol: table.symbol.get(*row).copied().unwrap_or_default(),
            bar: bar.unwrap_or_default(),
        }
    });
    Windows::find(bars, length)
}

fn loss_of(output: &OutputKind, prediction: &[f32], label: f64) -> RowLoss {
    match output {
        OutputKind::Classes { .. } => {
            let class = label as usize;
            let probability = prediction.get(class).copied().map_or(0.0, f64::from);
            RowLoss {
                loss: -probability.max(PROBABILITY_MIN).ln(),
                label: class as i64,
            }
        }

        OutputKind::Regression => {
            let predicted = prediction.first().copied().map_or(0.0, f64::from);
            RowLoss {
                loss: (predicted - label).powi(2),
                label: i64::from(label > 0.0) - i64::from(label < 0.0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(rows: &[(i64, f64, i64)]) -> TestLosses {
        let rows = rows.iter().map(|(known_at, loss, label)| {
            let row = RowLoss {
                loss: *loss,
                label: *label,
            };
            (("stk:SPY".to_owned(), *known_at), row)
        });

        TestLosses {
            output: OutputKind::Classes {
                names: vec!["BUY".to_owned(), "SELL".to_owned()],
            },
            rows: rows.collect(),
        }
    }

    #[test]
    fn only_rows_of_both_with_the_same_label_are_compared() {
        let one: Vec<(i64, f64, i64)> = (0..50).map(|row| (row, 1.0, row % 2)).collect();
        // Ten rows later, the first of the shared ones with another label, all better by a quarter.
        let mut other: Vec<(i64, f64, i64)> = (10..60).map(|row| (row, 0.75, row % 2)).collect();
        other[0].2 = 1;

        let paired = losses(&one).compare(&losses(&other)).unwrap();

        assert_eq!(paired.rows, 39);
        let difference = paired.difference.unwrap();
        assert_eq!((difference.low, difference.high), (-0.25, -0.25));
    }

    #[test]
    fn classes_and_returns_are_not_compared() {
        let returns = TestLosses {
            output: OutputKind::Regression,
            ..losses(&[])
        };
        assert_eq!(losses(&[]).compare(&returns), None);
    }

    #[test]
    fn a_loss_is_that_of_the_true_class_or_the_squared_error() {
        let classes = losses(&[]).output;
        // −ln 0.25 = 1.386294.
        let row = loss_of(&classes, &[0.75, 0.25], 1.0);
        assert!((row.loss - 1.386_294).abs() < 1e-6 && row.label == 1);

        let row = loss_of(&OutputKind::Regression, &[0.5], -0.25);
        assert!((row.loss - 0.5625).abs() < 1e-12 && row.label == -1);
    }
}
