//! From the columns of a stored data set to the rows that a training takes.

use schemas::manifests::{Network, OutputKind};
use schemas::names::PARTS;
use store::DataSetTable;

use crate::{Labels, Part, TrainError, TrainingData};

/// The three parts of `table`, rows in its order; with the weights of the training rows if they
/// shall be `weighted`.
///
/// # Errors
/// When the columns are not those of `network` in its order, a class label is no whole number, or
/// weights are missing.
pub fn training_data(
    table: &DataSetTable,
    network: &Network,
    weighted: bool,
) -> Result<TrainingData, TrainError> {
    let width = network.features.len().max(table.feature_names.len());
    let expected = |index: usize| {
        network
            .features
            .get(index)
            .map_or("", |column| column.name.as_str())
    };
    let found = |index: usize| table.feature_names.get(index).map_or("", String::as_str);
    if let Some(index) = (0..width).find(|&index| expected(index) != found(index)) {
        let (expected, found) = (expected(index).to_owned(), found(index).to_owned());
        return Err(TrainError::Column {
            position: index + 1,
            expected,
            found,
        });
    }
    let [train, validation, test] = [0, 1, 2].map(|code| part(table, network, code));
    let column = table.weight.as_deref().unwrap_or_default();
    let weights = weighted.then(|| {
        rows_of(table, 0)
            .filter_map(|row| column.get(row))
            .copied()
            .collect()
    });
    Ok(TrainingData {
        train: train?,
        validation: validation?,
        test: test?,
        weights,
    })
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

fn part(table: &DataSetTable, network: &Network, code: u8) -> Result<Part, TrainError> {
    let rows: Vec<usize> = rows_of(table, code).collect();
    let mut features = Vec::with_capacity(rows.len() * network.features.len());
    for &row in &rows {
        features.extend(table.features.iter().filter_map(|column| column.get(row)));
    }
    let labels: Vec<f32> = rows
        .iter()
        .filter_map(|&row| table.label.get(row))
        .copied()
        .collect();
    let labels = match &network.output {
        OutputKind::Regression => Labels::Returns(labels),
        OutputKind::Classes { .. } => {
            if let Some((row, &value)) = labels
                .iter()
                .enumerate()
                .find(|(_, label)| label.fract() != 0.0)
            {
                let part = PARTS.get(usize::from(code)).copied().unwrap_or_default();
                return Err(TrainError::Value {
                    part,
                    row,
                    column: "label".to_owned(),
                    value,
                });
            }
            Labels::Classes(labels.into_iter().map(|label| label as i64).collect())
        }
    };
    Ok(Part { features, labels })
}

#[cfg(test)]
mod tests {
    use schemas::manifests::{Activation, FeatureColumn, NetworkKind};

    use super::*;

    fn network(names: &[&str]) -> Network {
        let features = names
            .iter()
            .map(|name| FeatureColumn {
                name: (*name).to_owned(),
                normalisation: None,
            })
            .collect();
        let (kind, activation) = (NetworkKind::Mlp, Activation::Relu);
        let output = OutputKind::Classes {
            names: ["x", "y"].map(str::to_owned).to_vec(),
        };
        Network {
            kind,
            hidden_layers: vec![],
            activation,
            dropout: 0.0,
            features,
            output,
        }
    }

    fn table() -> DataSetTable {
        DataSetTable {
            part: vec![0, 1, 0, 2],
            label: vec![0.0, 1.0, 1.0, 0.0],
            feature_names: ["a", "b"].map(str::to_owned).to_vec(),
            features: vec![vec![1.0, 2.0, 3.0, 4.0], vec![10.0, 20.0, 30.0, 40.0]],
            ..DataSetTable::default()
        }
    }

    #[test]
    fn columns_become_rows_and_rows_go_to_their_part_in_order() {
        let data = training_data(&table(), &network(&["a", "b"]), false).unwrap();
        assert_eq!(data.train.features, [1.0, 10.0, 3.0, 30.0]);
        assert_eq!(data.train.labels, Labels::Classes(vec![0, 1]));
        assert_eq!(
            (data.validation.features, data.test.labels),
            (vec![2.0, 20.0], Labels::Classes(vec![0]))
        );
    }

    #[test]
    fn weights_are_those_of_the_training_rows_and_are_read_only_where_they_are_asked_for() {
        let table = DataSetTable {
            weight: Some(vec![0.1, 0.2, 0.3, 0.4]),
            ..table()
        };
        let weights = |weighted| {
            training_data(&table, &network(&["a", "b"]), weighted)
                .unwrap()
                .weights
        };
        assert_eq!(
            (weights(true), weights(false)),
            (Some(vec![0.1, 0.3]), None)
        );
    }

    #[test]
    fn a_data_set_without_the_weights_that_are_asked_for_cannot_be_trained_on() {
        let network = network(&["a", "b"]);
        let error = training_data(&table(), &network, true)
            .unwrap()
            .check(&network)
            .unwrap_err();
        assert_eq!(error.to_string(), "2 training rows have 0 weights");
    }

    #[test]
    fn columns_in_another_order_are_refused() {
        let error = training_data(&table(), &network(&["b", "a"]), false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "feature 1 of the data set is a; the network takes b"
        );
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
