//! Data, settings and checkpoints that cannot be trained with are refused before the first step,
//! and the message names the place.

use schemas::manifests::{Activation, Architecture, MlpShape, Network};
use schemas::training::TrainingSettings;
use trainer::{Labels, PartData, TrainState, TrainingData};

use crate::made_up::{
    NEVER, Recorder, class_data, class_labels, classes, return_data, settings, train,
};

/// Why a training of three classes on `data` does not begin.
fn refusal_of(data: &TrainingData) -> String {
    let control = Recorder::new(NEVER);
    let result = train(data, &classes(), &settings(1), 1, &control, None);
    result.unwrap_err().to_string()
}

#[test]
fn a_class_without_training_rows_is_named() {
    let mut data = class_data(0.0);
    for label in class_labels(&mut data.train) {
        if *label == 1 {
            *label = 0;
        }
    }
    assert_eq!(refusal_of(&data), "the train part has no row of class HOLD");
}

#[test]
fn a_label_that_is_not_a_class_is_named() {
    let mut data = class_data(0.0);
    data.test.labels = Labels::Classes(vec![3; 150]);
    assert_eq!(
        refusal_of(&data),
        "row 0 of the test part has class 3; the network has 3 classes"
    );
}

#[test]
fn an_undefined_feature_is_named_by_row_and_column() {
    let mut data = class_data(0.0);
    data.validation.features[4] = f32::NAN;
    assert_eq!(
        refusal_of(&data),
        "row 1 of the validation part holds NaN in b"
    );
}

#[test]
fn features_that_never_change_are_nothing_to_learn_from() {
    let mut data = class_data(0.0);
    let rows = data.train.features.len() / 3;
    data.train.features = [1.0, 0.0, -2.5].repeat(rows);
    assert_eq!(
        refusal_of(&data),
        format!(
            "no feature changes in the {rows} rows of the train part: there is nothing to learn \
             from"
        )
    );

    // One that changes is enough.
    data.train.features[4] = 0.5;
    assert!(data.check(&classes()).is_ok());
}

#[test]
fn an_empty_part_is_named() {
    let mut data = class_data(0.0);
    data.test = PartData {
        features: vec![],
        labels: Labels::Classes(vec![]),
        windows: None,
    };
    assert_eq!(refusal_of(&data), "the test part has no rows");
}

#[test]
fn features_of_another_width_are_counted() {
    let mut data = class_data(0.0);
    data.train.features.pop();
    assert_eq!(
        refusal_of(&data),
        "the train part has 899 feature values for 300 labels; the network takes 3 per row"
    );
}

#[test]
fn there_must_be_one_weight_per_training_row() {
    let data = TrainingData {
        weights: Some(vec![1.0; 299]),
        ..class_data(0.0)
    };
    assert_eq!(refusal_of(&data), "300 training rows have 299 weights");
}

#[test]
fn a_weight_must_be_above_zero() {
    let data = TrainingData {
        weights: Some([vec![1.0; 7], vec![0.0; 293]].concat()),
        ..class_data(0.0)
    };
    assert_eq!(
        refusal_of(&data),
        "row 7 of the train part holds 0 in weight"
    );
}

#[test]
fn returns_cannot_train_classes() {
    assert_eq!(
        refusal_of(&return_data()),
        "labels, outputs and loss must all be for classes or all for regression"
    );
}

/// The last state of a training of two epochs with seed 1.
fn finished_state() -> TrainState {
    let control = Recorder::new(NEVER);
    train(
        &class_data(0.1),
        &classes(),
        &settings(2),
        1,
        &control,
        None,
    )
    .unwrap();
    control.last_checkpoint()
}

/// Why the state of [`finished_state`] does not continue this training.
fn refusal_of_checkpoint(network: &Network, settings: &TrainingSettings, seed: u64) -> String {
    let control = Recorder::new(NEVER);
    let resume = Some(finished_state());
    let result = train(&class_data(0.1), network, settings, seed, &control, resume);
    result.unwrap_err().to_string()
}

#[test]
fn a_checkpoint_of_another_training_is_refused_by_what_differs() {
    let other_network = Network {
        architecture: Architecture::Mlp(MlpShape {
            hidden_layers: vec![4],
            activation: Activation::Relu,
            dropout: 0.2,
        }),
        ..classes()
    };
    let refusals = [
        refusal_of_checkpoint(&other_network, &settings(2), 1),
        refusal_of_checkpoint(&classes(), &settings(3), 1),
        refusal_of_checkpoint(&classes(), &settings(2), 2),
    ];

    let expected = ["network", "training settings", "seed"]
        .map(|what| format!("the checkpoint does not belong to this training: its {what} differs"));
    assert_eq!(refusals, expected);
}
