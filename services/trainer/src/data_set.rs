//! From the columns of a stored data set to the rows that a training takes.

use std::borrow::Cow;

use schemas::manifests::{Network, OutputKind};
use schemas::names::PARTS;
use store::DataSetTable;
use strategies::windows::{RowBar, Windows};

use crate::metrics::{HeldOutOutcomes, Outcomes, RowOrigins};
use crate::{Labels, PartData, TrainError, TrainingData};

/// Codes of the parts in a table: their positions in [`PARTS`].
const TRAIN: u8 = 0;
const VALIDATION: u8 = 1;
const TEST: u8 = 2;

/// The three parts of `table`, rows in its order; with the weights of the training rows if the
/// training is `weighted`.
///
/// # Errors
/// When the columns are not those of `network` in its order, a class label is not a whole number,
/// or the network reads windows and the rows do not say which bar they are.
pub fn training_data(
    table: &DataSetTable,
    network: &Network,
    weighted: bool,
) -> Result<TrainingData, TrainError> {
    check_columns(table, network)?;

    let train = read_part(table, network, TRAIN)?;
    let weights = weighted.then(|| read_weights(table, &train));
    Ok(TrainingData {
        train,
        validation: read_part(table, network, VALIDATION)?,
        test: read_part(table, network, TEST)?,
        weights,
    })
}

/// Where the samples of the test part come from, which `test` is.
pub fn test_origins(table: &DataSetTable, test: &PartData) -> RowOrigins {
    let rows: Vec<usize> = rows_of(table, TEST).collect();
    let samples = sample_rows(&rows, test.windows.as_ref());
    RowOrigins {
        symbols: table.symbols.clone(),
        symbol: cells_at(&samples, &table.symbol),
        known_at: cells_at(&samples, &table.known_at),
    }
}

/// What came of the samples of validation and test, of which `data` was made, over `horizon_bars`.
/// None for a data set without forward returns.
pub fn held_out_outcomes(
    table: &DataSetTable,
    data: &TrainingData,
    horizon_bars: u32,
) -> Option<HeldOutOutcomes> {
    Some(HeldOutOutcomes {
        horizon_bars,
        validation: outcomes_of(table, &data.validation, VALIDATION)?,
        test: outcomes_of(table, &data.test, TEST)?,
    })
}

fn outcomes_of(table: &DataSetTable, part: &PartData, code: u8) -> Option<Outcomes> {
    let rows: Vec<usize> = rows_of(table, code).collect();
    let samples = sample_rows(&rows, part.windows.as_ref());
    Some(Outcomes {
        symbol: cells_at(&samples, &table.symbol),
        known_at: cells_at(&samples, &table.known_at),
        bar: cells_at(&samples, table.bar.as_ref()?),
        forward_return: cells_at(&samples, table.forward_return.as_ref()?),
    })
}

/// The cells of a column in these rows.
fn cells_at<T: Copy>(rows: &[usize], column: &[T]) -> Vec<T> {
    let cells = rows.iter().filter_map(|row| column.get(*row));
    cells.copied().collect()
}

/// Of the rows of a part those that give their samples label, weight and origin: the last one of
/// each window.
fn sample_rows<'a>(rows: &'a [usize], windows: Option<&Windows>) -> Cow<'a, [usize]> {
    match windows {
        None => Cow::Borrowed(rows),
        Some(windows) => Cow::Owned(cells_at(&windows.last_rows, rows)),
    }
}

/// The table must have exactly the columns of the network, in its order.
fn check_columns(table: &DataSetTable, network: &Network) -> Result<(), TrainError> {
    let expected_names = network.features.iter().map(|column| column.name.as_str());
    let stored_names = table.feature_names.iter().map(String::as_str);
    // One that is missing at the end compares as an empty name.
    let width = network.features.len().max(table.feature_names.len());
    let expected_names = expected_names.chain(std::iter::repeat(""));
    let stored_names = stored_names.chain(std::iter::repeat(""));

    let columns = (1..=width).zip(expected_names.zip(stored_names));
    for (position, (expected, stored)) in columns {
        if expected != stored {
            return Err(TrainError::Column {
                position,
                expected: expected.to_owned(),
                found: stored.to_owned(),
            });
        }
    }
    Ok(())
}

/// Weights of the training samples. Fewer than samples when the data set has none, which
/// [`TrainingData::check`] refuses.
fn read_weights(table: &DataSetTable, train: &PartData) -> Vec<f32> {
    let rows: Vec<usize> = rows_of(table, TRAIN).collect();
    let samples = sample_rows(&rows, train.windows.as_ref());
    cells_at(&samples, table.weight.as_deref().unwrap_or_default())
}

/// Positions of the rows of a part.
fn rows_of(table: &DataSetTable, code: u8) -> impl Iterator<Item = usize> {
    table
        .part
        .iter()
        .enumerate()
        .filter(move |(_, part)| **part == code)
        .map(|(row, _)| row)
}

fn read_part(table: &DataSetTable, network: &Network, code: u8) -> Result<PartData, TrainError> {
    let rows: Vec<usize> = rows_of(table, code).collect();

    // The table has columns, a training takes rows.
    let mut features = Vec::with_capacity(rows.len() * network.features.len());
    for &row in &rows {
        features.extend(table.features.iter().filter_map(|column| column.get(row)));
    }

    let windows = find_windows(table, network, &rows)?;
    let samples = sample_rows(&rows, windows.as_ref());
    let labels = cells_at(&samples, &table.label);
    let labels = match &network.output {
        OutputKind::Regression => Labels::Returns(labels),
        OutputKind::Classes { .. } => Labels::Classes(read_classes(&labels, code)?),
    };

    Ok(PartData {
        features,
        labels,
        windows,
    })
}

/// The windows of a part; none for a network that reads single rows.
fn find_windows(
    table: &DataSetTable,
    network: &Network,
    rows: &[usize],
) -> Result<Option<Windows>, TrainError> {
    let length = network.architecture.sequence_length();
    if length == 1 {
        return Ok(None);
    }

    let bars = table.bar.as_deref().ok_or(TrainError::NoBars)?;
    let symbols = rows.iter().filter_map(|row| table.symbol.get(*row));
    let bars = rows.iter().filter_map(|row| bars.get(*row));
    let bars_of_rows = symbols.zip(bars);
    let bars_of_rows = bars_of_rows.map(|(&symbol, &bar)| RowBar { symbol, bar });
    Ok(Some(Windows::find(bars_of_rows, length)))
}

/// Class numbers from the label column, which holds numbers of any kind.
fn read_classes(labels: &[f32], code: u8) -> Result<Vec<i64>, TrainError> {
    if let Some(row) = labels.iter().position(|label| label.fract() != 0.0) {
        return Err(TrainError::Value {
            part: PARTS.get(usize::from(code)).copied().unwrap_or_default(),
            row,
            column: "label".to_owned(),
            value: labels.get(row).copied().unwrap_or(f32::NAN),
        });
    }
    Ok(labels.iter().map(|label| *label as i64).collect())
}

#[cfg(test)]
mod tests {
    use schemas::manifests::{Activation, Architecture, FeatureColumn, MlpShape};

    use super::*;

    fn column(name: &str) -> FeatureColumn {
        FeatureColumn {
            name: name.to_owned(),
            normalisation: None,
        }
    }

    fn network(names: &[&str]) -> Network {
        Network {
            architecture: Architecture::Mlp(MlpShape {
                hidden_layers: vec![],
                activation: Activation::Relu,
                dropout: 0.0,
            }),
            features: names.iter().map(|name| column(name)).collect(),
            output: OutputKind::Classes {
                names: ["x", "y"].map(str::to_owned).to_vec(),
            },
        }
    }

    fn table() -> DataSetTable {
        DataSetTable {
            part: vec![TRAIN, VALIDATION, TRAIN, TEST],
            label: vec![0.0, 1.0, 1.0, 0.0],
            feature_names: ["a", "b"].map(str::to_owned).to_vec(),
            features: vec![vec![1.0, 2.0, 3.0, 4.0], vec![10.0, 20.0, 30.0, 40.0]],
            ..DataSetTable::default()
        }
    }

    #[test]
    fn columns_become_rows_of_their_part_in_order() {
        let data = training_data(&table(), &network(&["a", "b"]), false).unwrap();

        assert_eq!(data.train.features, [1.0, 10.0, 3.0, 30.0]);
        assert_eq!(data.train.labels, Labels::Classes(vec![0, 1]));
        assert_eq!(data.validation.features, [2.0, 20.0]);
        assert_eq!(data.test.labels, Labels::Classes(vec![0]));
    }

    #[test]
    fn origins_are_those_of_the_test_rows() {
        let table = DataSetTable {
            part: vec![TRAIN, TEST, VALIDATION, TEST],
            symbols: ["EURUSD", "GBPUSD"].map(str::to_owned).to_vec(),
            symbol: vec![0, 0, 1, 1],
            known_at: vec![10, 20, 30, 40],
            ..table()
        };

        let data = training_data(&table, &network(&["a", "b"]), false).unwrap();
        let origins = test_origins(&table, &data.test);

        assert_eq!(
            (origins.symbol, origins.known_at),
            (vec![0, 1], vec![20, 40])
        );
        assert_eq!(origins.symbols, ["EURUSD", "GBPUSD"]);
    }

    #[test]
    fn weights_of_training_rows_are_read_for_a_weighted_training() {
        let table = DataSetTable {
            weight: Some(vec![0.1, 0.2, 0.3, 0.4]),
            ..table()
        };
        let network = network(&["a", "b"]);

        let weighted = training_data(&table, &network, true).unwrap();
        assert_eq!(weighted.weights, Some(vec![0.1, 0.3]));

        let plain = training_data(&table, &network, false).unwrap();
        assert_eq!(plain.weights, None);
    }

    #[test]
    fn a_weighted_training_without_stored_weights_is_refused() {
        let network = network(&["a", "b"]);
        let data = training_data(&table(), &network, true).unwrap();
        let error = data.check(&network).unwrap_err();
        assert_eq!(error.to_string(), "2 training rows have 0 weights");
    }

    #[test]
    fn columns_in_another_order_are_refused() {
        let error = training_data(&table(), &network(&["b", "a"]), false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "feature 1 of the data set is a; the network takes b"
        );
    }

    #[test]
    fn a_missing_column_is_refused() {
        let error = training_data(&table(), &network(&["a", "b", "c"]), false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "feature 3 of the data set is ; the network takes c"
        );
    }

    #[test]
    fn half_a_class_is_refused() {
        let table = DataSetTable {
            label: vec![0.0, 1.0, 0.5, 0.0],
            ..table()
        };
        let error = training_data(&table, &network(&["a", "b"]), false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "row 1 of the train part holds 0.5 in label"
        );
    }
}
