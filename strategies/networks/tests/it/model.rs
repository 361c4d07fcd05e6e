//! Specifications of the forward pass: numbers worked by hand, and every way in which weights or
//! rows can be wrong.

use networks::{Model, NetworkError};
use safetensors::{Dtype, tensor::TensorView};
use schemas::manifests::{Activation, Architecture, FeatureColumn, MlpShape, Network, OutputKind};

fn column(name: &str) -> FeatureColumn {
    FeatureColumn {
        name: name.to_owned(),
        normalisation: None,
    }
}

fn network(activation: Activation, hidden: &[usize], output: OutputKind) -> Network {
    Network {
        architecture: Architecture::Mlp(MlpShape {
            hidden_layers: hidden.to_vec(),
            activation,
            dropout: 0.5,
        }),
        features: ["a", "b"].map(column).to_vec(),
        output,
    }
}

fn classes(count: usize) -> OutputKind {
    OutputKind::Classes {
        names: (0..count).map(|index| format!("c{index}")).collect(),
    }
}

/// A tensor as it is written to a file.
#[derive(Clone)]
struct Tensor {
    name: &'static str,
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn tensor(name: &'static str, shape: &[usize], values: &[f32]) -> Tensor {
    Tensor {
        name,
        shape: shape.to_vec(),
        values: values.to_vec(),
    }
}

/// The bytes of a file of these tensors.
fn file(tensors: &[Tensor]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|tensor| {
            tensor
                .values
                .iter()
                .flat_map(|it| it.to_le_bytes())
                .collect()
        })
        .collect();

    let views = tensors.iter().zip(&bytes).map(|(tensor, bytes)| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).unwrap();
        (tensor.name, view)
    });
    safetensors::serialize(views, None).unwrap()
}

/// Two inputs, two hidden units, two outputs.
fn weights() -> Vec<Tensor> {
    vec![
        tensor("0.weight", &[2, 2], &[1.0, -1.0, 0.5, 2.0]),
        tensor("0.bias", &[2], &[0.0, -1.0]),
        tensor("3.weight", &[2, 2], &[1.0, 0.0, -1.0, 2.0]),
        tensor("3.bias", &[2], &[0.25, -0.25]),
    ]
}

fn two_classes(activation: Activation) -> Network {
    network(activation, &[2], classes(2))
}

/// The model of [`weights`].
fn model(activation: Activation) -> Model {
    Model::from_safetensors(&two_classes(activation), &file(&weights())).unwrap()
}

fn assert_close(values: &[f32], expected: &[f64]) {
    assert_eq!(values.len(), expected.len());
    for (value, expected) in values.iter().zip(expected) {
        assert!(
            (f64::from(*value) - expected).abs() < 1e-6,
            "{value} is not {expected}"
        );
    }
}

#[test]
fn two_relu_units_agree_with_the_calculation_by_hand() {
    let model = model(Activation::Relu);

    // Row (1, 2): hidden (1 − 2, 0.5 + 4 − 1) = (−1, 3.5), after relu (0, 3.5); scores (0.25, 7 −
    // 0.25) = (0.25, 6.75).
    assert_close(&model.scores(&[1.0, 2.0]).unwrap(), &[0.25, 6.75]);

    // softmax: e^0.25 / (e^0.25 + e^6.75) = 1 / (1 + e^6.5) = 0.001501182
    let prediction = &model.predict(&[[1.0, 2.0]]).unwrap()[0];
    assert_close(prediction, &[0.001_501_182, 0.998_498_818]);
}

#[test]
fn a_temperature_divides_scores_before_the_softmax() {
    let model = model(Activation::Relu).with_temperature(Some(6.5));

    // Scores (0.25, 6.75) as above, 6.5 apart: e^0 / (e^0 + e^(6.5/6.5)) = 1 / (1 + e).
    let prediction = &model.predict(&[[1.0, 2.0]]).unwrap()[0];
    assert_close(prediction, &[0.268_941_421, 0.731_058_579]);
    // The scores themselves are those of the weights.
    assert_close(&model.scores(&[1.0, 2.0]).unwrap(), &[0.25, 6.75]);
}

#[test]
fn every_activation_agrees_with_its_formula() {
    // Row (1, 2): hidden (−1, 3.5), on both sides of zero; scores (h0 + 0.25, −h0 + 2 h1 − 0.25).
    for (activation, h0, h1) in [
        (Activation::Relu, 0.0, 3.5),
        (Activation::LeakyRelu, -0.01, 3.5),
        (Activation::Tanh, -0.761_594_156, 0.998_177_898),
        (Activation::Sigmoid, 0.268_941_421, 0.970_687_769),
    ] {
        let scores = model(activation).scores(&[1.0, 2.0]).unwrap();
        assert_close(&scores, &[h0 + 0.25, -h0 + 2.0 * h1 - 0.25]);
    }
}

#[test]
fn a_regression_without_hidden_layers_is_a_linear_function() {
    let network = network(Activation::Relu, &[], OutputKind::Regression);
    let file = file(&[
        tensor("0.weight", &[1, 2], &[2.0, -3.0]),
        tensor("0.bias", &[1], &[0.5]),
    ]);
    let model = Model::from_safetensors(&network, &file).unwrap();

    let predictions = model.predict(&[vec![1.0, 1.0], vec![0.0, 0.5]]).unwrap();

    assert_eq!(predictions, [[-0.5], [-1.0]]);
}

#[test]
fn probabilities_of_huge_scores_are_finite_and_sum_to_one() {
    let network = network(Activation::Relu, &[], classes(3));
    let file = file(&[
        tensor("0.weight", &[3, 2], &[1e30, 0.0, 9e29, 0.0, -1e30, 0.0]),
        tensor("0.bias", &[3], &[0.0; 3]),
    ]);
    let model = Model::from_safetensors(&network, &file).unwrap();

    let probabilities = model.predict(&[[1.0, 1.0]]).unwrap().remove(0);

    assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    assert!(probabilities.iter().all(|share| share.is_finite()));
}

/// Why these tensors are not the weights of a network of two classes.
fn refusal_of(tensors: &[Tensor]) -> String {
    let network = two_classes(Activation::Relu);
    let result = Model::from_safetensors(&network, &file(tensors));
    result.unwrap_err().to_string()
}

#[test]
fn a_missing_tensor_is_named() {
    assert_eq!(
        refusal_of(&weights()[..3]),
        "tensor 3.bias is missing from the weights"
    );
}

#[test]
fn a_tensor_of_another_network_is_named() {
    let mut tensors = weights();
    tensors.push(tensor("6.weight", &[1], &[0.0]));
    assert_eq!(
        refusal_of(&tensors),
        "tensor 6.weight does not belong to the network"
    );
}

#[test]
fn a_tensor_of_another_shape_is_named() {
    let mut tensors = weights();
    tensors[0] = tensor("0.weight", &[2, 3], &[0.0; 6]);
    assert_eq!(
        refusal_of(&tensors),
        "tensor 0.weight has shape [2, 3]; the network asks for [2, 2]"
    );
}

#[test]
fn an_infinite_weight_is_named_by_its_position() {
    let mut tensors = weights();
    tensors[2].values[3] = f32::INFINITY;
    assert_eq!(
        refusal_of(&tensors),
        "tensor 3.weight holds inf at position 3"
    );
}

#[test]
fn bytes_that_are_not_safetensors_are_refused() {
    let result = Model::from_safetensors(&two_classes(Activation::Relu), b"junk");
    assert!(matches!(result.unwrap_err(), NetworkError::Unreadable(_)));
}

#[test]
fn a_row_of_another_width_is_not_predicted() {
    let error = model(Activation::Relu).scores(&[1.0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the row has 1 features; the model takes 2"
    );
}

#[test]
fn a_row_with_an_undefined_feature_is_not_predicted() {
    let rows = [[1.0, f32::NAN]];
    let error = model(Activation::Relu).predict(&rows).unwrap_err();
    assert_eq!(error.to_string(), "feature b is NaN");
}
