//! Specifications of the trial: a model that would mislead its readers gets no version.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

use networks::Network;
use registry::{RegistryError, try_model};
use safetensors::{Dtype, tensor::TensorView};
use schemas::codes::Advice;
use schemas::manifests::{Activation, FeatureColumn, NetworkKind, OutputKind};

/// One feature, two outputs, no hidden layer: scores are `weight` times the feature, plus `bias`.
fn network(output: OutputKind) -> Network {
    let features = vec![FeatureColumn {
        name: "a".to_owned(),
        normalisation: None,
    }];
    Network {
        kind: NetworkKind::Mlp,
        hidden_layers: vec![],
        activation: Activation::Relu,
        dropout: 0.0,
        features,
        output,
    }
}

fn weights(weight: &[f32], bias: &[f32]) -> Vec<u8> {
    let bytes = |values: &[f32]| {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let (first, second) = (bytes(weight), bytes(bias));
    let tensors = [
        (
            "0.weight",
            TensorView::new(Dtype::F32, vec![weight.len(), 1], &first).unwrap(),
        ),
        (
            "0.bias",
            TensorView::new(Dtype::F32, vec![bias.len()], &second).unwrap(),
        ),
    ];
    safetensors::serialize(tensors, None).unwrap()
}

fn classes() -> Network {
    network(OutputKind::Classes {
        names: vec!["UP".to_owned(), "DOWN".to_owned()],
    })
}

#[test]
fn a_model_that_predicts_probabilities_or_a_number_passes() {
    try_model(&classes(), &weights(&[3.0, -3.0], &[0.5, 0.0])).unwrap();
    try_model(&network(OutputKind::Regression), &weights(&[0.01], &[0.0])).unwrap();
}

#[test]
fn weights_of_another_network_do_not_load() {
    let error = try_model(&classes(), &weights(&[0.01], &[0.0])).unwrap_err();
    assert!(matches!(error, RegistryError::Load(_)), "{error}");
}

#[test]
fn a_model_whose_scores_leave_the_range_of_numbers_fails_and_says_for_which_row() {
    let error = try_model(&classes(), &weights(&[3e38, 0.0], &[3e38, 0.0])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model does not predict for a row of ones"
    );
    assert_eq!(
        error.hint(),
        "the training diverged: train again with a smaller learning_rate"
    );
}
