//! Specifications of the trial: a model that would mislead its readers gets no version.

use networks::Network;
use registry::{RegistryError, try_model};
use safetensors::{Dtype, tensor::TensorView};
use schemas::codes::Advice;
use schemas::manifests::{Activation, Architecture, FeatureColumn, MlpShape, OutputKind};

/// One feature, no hidden layer: scores are `weight` times the feature, plus `bias`.
fn network(output: OutputKind) -> Network {
    Network {
        architecture: Architecture::Mlp(MlpShape {
            hidden_layers: vec![],
            activation: Activation::Relu,
            dropout: 0.0,
        }),
        features: vec![FeatureColumn {
            name: "a".to_owned(),
            normalisation: None,
        }],
        output,
    }
}

fn classes() -> Network {
    network(OutputKind::Classes {
        names: vec!["UP".to_owned(), "DOWN".to_owned()],
    })
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// A file of one weight and one bias per output.
fn weights(weight: &[f32], bias: &[f32]) -> Vec<u8> {
    let weight_bytes = bytes_of(weight);
    let bias_bytes = bytes_of(bias);
    let weight = TensorView::new(Dtype::F32, vec![weight.len(), 1], &weight_bytes);
    let bias = TensorView::new(Dtype::F32, vec![bias.len()], &bias_bytes);
    let tensors = [("0.weight", weight.unwrap()), ("0.bias", bias.unwrap())];
    safetensors::serialize(tensors, None).unwrap()
}

#[test]
fn a_model_that_predicts_probabilities_passes() {
    try_model(&classes(), None, &weights(&[3.0, -3.0], &[0.5, 0.0])).unwrap();
}

#[test]
fn a_model_that_predicts_a_number_passes() {
    try_model(
        &network(OutputKind::Regression),
        None,
        &weights(&[0.01], &[0.0]),
    )
    .unwrap();
}

#[test]
fn a_temperature_above_zero_passes_and_no_other() {
    let weights = weights(&[3.0, -3.0], &[0.5, 0.0]);
    try_model(&classes(), Some(2.5), &weights).unwrap();

    for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = try_model(&classes(), Some(value), &weights).unwrap_err();
        let message = error.to_string();
        assert_eq!(
            message,
            format!("the model divides scores by the temperature {value}; it must be above 0")
        );
    }
}

#[test]
fn weights_of_another_network_do_not_load() {
    let error = try_model(&classes(), None, &weights(&[0.01], &[0.0])).unwrap_err();
    assert!(matches!(error, RegistryError::Load(_)), "{error}");
}

#[test]
fn scores_out_of_range_name_the_row_that_gave_them() {
    let error = try_model(&classes(), None, &weights(&[3e38, 0.0], &[3e38, 0.0])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model does not predict for a row of ones"
    );
    assert_eq!(
        error.hint(),
        "the training diverged: train again with a smaller learning_rate"
    );
}
