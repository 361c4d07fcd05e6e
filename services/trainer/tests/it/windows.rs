//! Recurrent networks learn from windows of consecutive bars, which are an index into the rows.

use std::time::Duration;

use schemas::manifests::{Architecture, FeatureColumn, Network, OutputKind, RecurrentShape};
use schemas::metrics::Evaluation;
use schemas::training::{Loss, TrainingSettings};
use store::DataSetTable;
use strategies::windows::{RowBar, Windows};
use trainer::data_set::{test_origins, training_data};
use trainer::metrics::RowOrigins;
use trainer::{
    EngineKind, Evaluated, Labels, Objective, PartData, TrainError, TrainingData, evaluate,
};

#[cfg(feature = "libtorch")]
use crate::engines::compare_loss_curves;
use crate::interruption::{interrupt_twice, kill_twenty_times};
use crate::made_up::{Case, ENGINES, NEVER, Recorder, settings};

/// Rows of a window in these tests.
const LENGTH: usize = 3;

type Family = fn(RecurrentShape) -> Architecture;

const FAMILIES: [Family; 2] = [Architecture::Lstm, Architecture::Gru];

fn columns(names: &[&str]) -> Vec<FeatureColumn> {
    let columns = names.iter().map(|name| FeatureColumn {
        name: (*name).to_owned(),
        normalisation: None,
    });
    columns.collect()
}

/// Two features, one layer of eight units, two classes.
fn network(family: Family, dropout: f64) -> Network {
    Network {
        architecture: family(RecurrentShape {
            sequence_length: LENGTH,
            hidden_size: 8,
            num_layers: 2,
            dropout,
        }),
        features: columns(&["a", "b"]),
        output: OutputKind::Classes {
            names: ["FALL", "RISE"].map(str::to_owned).to_vec(),
        },
    }
}

/// Bars of two symbols, of which every 50th has no row; the class of a bar is the sign of `a` two
/// bars before.
fn table() -> DataSetTable {
    let mut table = DataSetTable {
        symbols: ["EURUSD", "GBPUSD"].map(str::to_owned).to_vec(),
        feature_names: ["a", "b"].map(str::to_owned).to_vec(),
        features: vec![Vec::new(), Vec::new()],
        ..DataSetTable::default()
    };
    let mut bars = Vec::new();
    let mut weights = Vec::new();

    for symbol in 0..2 {
        let value_of = |bar: u32| ((bar + 7 * symbol) * 37 % 101) as f32 / 50.0 - 1.0;
        for bar in (2..600_u32).filter(|bar| bar % 50 != 0) {
            let part = u8::from(bar >= 320) + u8::from(bar >= 460);
            table.symbol.push(symbol as u16);
            table.part.push(part);
            table.known_at.push(i64::from(bar) * 3_600_000_000);
            table
                .label
                .push(f32::from(u8::from(value_of(bar - 2) > 0.0)));
            table.features[0].push(value_of(bar));
            table.features[1].push(value_of(bar + 31));
            bars.push(bar);
            weights.push(1.0 + (bar % 3) as f32);
        }
    }

    table.open_time = table.known_at.clone();
    table.label_known_at = table.known_at.clone();
    table.bar = Some(bars);
    table.weight = Some(weights);
    table
}

/// The same samples with the values of each window written out one after the other.
fn copied(part: &PartData) -> PartData {
    let windows = part.windows.as_ref().unwrap();
    let rows: Vec<&[f32]> = part.features.chunks(2).collect();
    let mut features = Vec::new();
    for last in &windows.last_rows {
        let window = &rows[last + 1 - LENGTH..=*last];
        features.extend(window.iter().copied().flatten());
    }

    PartData {
        features,
        labels: part.labels.clone(),
        windows: None,
    }
}

fn settings_of(epochs: u32) -> TrainingSettings {
    TrainingSettings {
        batch_size: 32,
        ..settings(epochs)
    }
}

#[test]
fn the_windows_of_a_part_bridge_neither_gaps_nor_symbols() {
    let table = DataSetTable {
        symbols: ["X", "Y"].map(str::to_owned).to_vec(),
        symbol: vec![0, 0, 0, 0, 0, 0, 1, 1, 1, 1],
        // Of X bar 4 was dropped; of Y the numbers go on where X ends.
        bar: Some(vec![1, 2, 3, 5, 6, 7, 8, 9, 10, 11]),
        part: vec![0, 0, 0, 0, 0, 2, 0, 0, 0, 2],
        known_at: (0..10).collect(),
        label: vec![0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0],
        weight: Some((0_u8..10).map(f32::from).collect()),
        feature_names: ["a", "b"].map(str::to_owned).to_vec(),
        features: vec![(0_u8..10).map(f32::from).collect(), vec![0.5; 10]],
        ..DataSetTable::default()
    };
    let network = network(Architecture::Gru, 0.0);

    let data = training_data(&table, &network, true).unwrap();

    // Rows 0 to 2 are X's bars 1, 2, 3 and rows 6 to 8 Y's 8, 9, 10: rows 2 and 7 of the part end
    // the only windows.
    let windows = data.train.windows.as_ref().unwrap();
    assert_eq!(windows.last_rows, [2, 7]);
    assert_eq!(data.train.labels, Labels::Classes(vec![0, 1]));
    assert_eq!(data.weights, Some(vec![2.0, 8.0]));
    assert_eq!(data.train.features.len(), 16, "no row is copied");

    // The test part has one row of each symbol, and no window.
    assert_eq!(test_origins(&table, &data.test).symbol, [0_u16; 0]);
    let longest = data.test.windows.as_ref().unwrap().longest_stretch;
    assert_eq!(longest, 1);
}

#[test]
fn figures_by_symbol_and_month_are_those_of_the_windows() {
    let table = table();
    let data = training_data(&table, &network(Architecture::Lstm, 0.0), false).unwrap();

    let origins = test_origins(&table, &data.test);

    // Of each symbol: bars 460 to 599 without 500 and 550 are 138, in three stretches that lose two
    // each.
    let of_first = origins.symbol.iter().filter(|symbol| **symbol == 0);
    assert_eq!(of_first.count(), 132);
    assert_eq!(origins.known_at.len(), data.test.labels.len());
    assert_eq!(origins.known_at[0], 462 * 3_600_000_000);
}

/// A network that saw single rows could only guess: the label is hidden two rows before.
#[test]
fn what_was_two_bars_ago_is_learnt() {
    for family in FAMILIES {
        let network = network(family, 0.0);
        let data = training_data(&table(), &network, false).unwrap();
        let case = Case {
            data: &data,
            network: &network,
            settings: &settings_of(25),
            seed: 3,
        };

        for engine in ENGINES {
            let trained = case.run_by(*engine);

            let test = &trained.metrics["test"];
            let accuracy = test.headline()["accuracy"];
            let name = network.architecture.name();
            assert!(accuracy > 0.95, "{name} by {engine}: {accuracy}");
            assert_eq!(test.rows, 264);
        }
    }
}

#[test]
fn windows_by_index_train_the_bits_of_copied_ones() {
    for family in FAMILIES {
        let network = network(family, 0.2);
        let data = training_data(&table(), &network, true).unwrap();
        let copied_data = TrainingData {
            train: copied(&data.train),
            validation: copied(&data.validation),
            test: copied(&data.test),
            weights: data.weights.clone(),
        };

        let settings = settings_of(4);
        let by_index = Case {
            data: &data,
            network: &network,
            settings: &settings,
            seed: 5,
        };
        let by_copy = Case {
            data: &copied_data,
            ..by_index
        };
        for engine in ENGINES {
            let trained = by_index.run_by(*engine);
            let trained_by_copy = by_copy.run_by(*engine);
            assert_eq!(trained.weights, trained_by_copy.weights, "{engine}");
            assert_eq!(trained.metrics, trained_by_copy.metrics, "{engine}");
        }

        let trained = by_index.run_by(EngineKind::Native);
        let origins = test_origins(&table(), &data.test);
        let evaluation = evaluation_of(&network, &data, &origins, &trained.weights);
        let other = evaluation_of(&network, &copied_data, &origins, &trained.weights);
        assert_eq!(evaluation, other);
        let importance = evaluation.importance.unwrap().features;
        assert!(importance[0].rise > importance[1].rise, "{importance:?}");
    }
}

#[cfg(feature = "libtorch")]
#[test]
fn both_engines_have_the_same_loss_curves_over_windows() {
    // Ten epochs; the masks of the job are the same ones in both engines.
    for dropout in [0.0, 0.2] {
        for family in FAMILIES {
            let network = network(family, dropout);
            let data = training_data(&table(), &network, false).unwrap();
            let case = Case {
                data: &data,
                network: &network,
                settings: &settings_of(10),
                seed: 5,
            };
            compare_loss_curves(case);
        }
    }
}

fn evaluation_of(
    network: &Network,
    data: &TrainingData,
    origins: &RowOrigins,
    weights: &[f32],
) -> Evaluation {
    let evaluated = Evaluated {
        data,
        origins,
        features: &network.features,
        classes: 2,
        decisions: None,
        trading: None,
        weights,
        objective: &Objective::plain(Loss::CrossEntropy, 2),
        temperature: None,
        seed: 5,
    };

    let mut learner = networks::learner_of(network);
    evaluate(evaluated, learner.as_mut(), &|| false).unwrap()
}

#[test]
fn a_resumed_recurrent_training_ends_with_the_same_bits() {
    for family in FAMILIES {
        let network = network(family, 0.2);
        let data = training_data(&table(), &network, false).unwrap();
        let train = PartData {
            labels: first_labels(&data.train, 300),
            windows: data.train.windows.clone().map(|windows| Windows {
                last_rows: windows.last_rows[..300].to_vec(),
                ..windows
            }),
            ..data.train
        };
        let data = TrainingData { train, ..data };

        let case = Case {
            data: &data,
            network: &network,
            settings: &settings_of(25),
            seed: 7,
        };
        for engine in ENGINES {
            interrupt_twice(case, *engine);
        }
        kill_twenty_times(Case {
            settings: &settings_of(250),
            ..case
        });
    }
}

#[test]
fn a_cancel_in_a_recurrent_training_is_seen_within_50_ms() {
    let network = network(Architecture::Lstm, 0.2);
    let data = training_data(&table(), &network, false).unwrap();
    let case = Case {
        data: &data,
        network: &network,
        settings: &settings_of(50),
        seed: 1,
    };

    // Batches and chunks of evaluations of the first ten epochs or so.
    for (index, questions) in (1..200).step_by(17).enumerate() {
        let engine = ENGINES[index % ENGINES.len()];
        let control = Recorder::new(questions);
        let error = case.train_by(engine, &control, None).unwrap_err();

        let waited = control.cancelled_at.get().unwrap().elapsed();
        assert!(matches!(error, TrainError::Cancelled { .. }), "{error}");
        assert!(waited < Duration::from_millis(50), "{waited:?}");
    }
}

fn first_labels(part: &PartData, count: usize) -> Labels {
    match &part.labels {
        Labels::Classes(labels) => Labels::Classes(labels[..count].to_vec()),
        Labels::Returns(labels) => Labels::Returns(labels[..count].to_vec()),
    }
}

fn refusal_of(table: &DataSetTable, network: &Network) -> TrainError {
    let data = match training_data(table, network, false) {
        Ok(data) => data,
        Err(error) => return error,
    };

    let case = Case {
        data: &data,
        network,
        settings: &settings_of(1),
        seed: 1,
    };
    case.train_by(EngineKind::Native, &Recorder::new(NEVER), None)
        .unwrap_err()
}

fn message_and_hint(error: &TrainError) -> String {
    format!("{error}\nhint: {}", schemas::codes::Advice::hint(error))
}

#[test]
fn a_part_shorter_than_a_window_is_refused_with_numbers() {
    let mut network = network(Architecture::Lstm, 0.0);
    if let Architecture::Lstm(shape) = &mut network.architecture {
        shape.sequence_length = 60;
    }

    let error = refusal_of(&table(), &network);

    // Every 50th bar has no row, so no stretch is longer than 49. Bars 2 to 319 without 6 of them
    // are 312, of two symbols.
    assert_eq!(
        message_and_hint(&error),
        "the train part has no window of 60 consecutive bars: the longest stretch of its 624 rows \
         has 49\nhint: set model.architecture.sequence_length to at most 49, widen the date range, \
         or change training.data_split"
    );
}

#[test]
fn rows_that_do_not_say_which_bar_they_are_have_no_windows() {
    let table = DataSetTable {
        bar: None,
        ..table()
    };

    let error = refusal_of(&table, &network(Architecture::Gru, 0.0));

    assert_eq!(
        message_and_hint(&error),
        "the data set does not say which bar each row is: an older program made it\nhint: submit \
         the operation without `dataset`: processing makes a new one"
    );
}

#[test]
fn windows_beyond_the_rows_are_refused() {
    let network = network(Architecture::Gru, 0.0);
    let mut data = training_data(&table(), &network, false).unwrap();
    let rows = (0..4).map(|bar| RowBar { symbol: 0, bar });
    data.test.windows = Some(Windows::find(rows, LENGTH));

    let error = data.check(&network).unwrap_err();

    assert!(
        matches!(error, TrainError::Shape { part: "test", .. }),
        "{error}"
    );
}
