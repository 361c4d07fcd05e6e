//! Specifications of the forward pass: numbers worked by hand, and every way in which weights or
//! rows can be wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

use networks::{Model, NetworkError};
use safetensors::{Dtype, tensor::TensorView};
use schemas::manifests::{Activation, FeatureColumn, Network, NetworkKind, OutputKind};

fn network(activation: Activation, hidden: &[usize], output: OutputKind) -> Network {
    let features = ["a", "b"]
        .map(|name| FeatureColumn {
            name: name.to_owned(),
            normalisation: None,
        })
        .to_vec();
    Network {
        kind: NetworkKind::Mlp,
        hidden_layers: hidden.to_vec(),
        activation,
        dropout: 0.5,
        features,
        output,
    }
}

fn classes(count: usize) -> OutputKind {
    OutputKind::Classes {
        names: (0..count).map(|index| format!("c{index}")).collect(),
    }
}

type Tensor = (&'static str, Vec<usize>, Vec<f32>);

fn file(tensors: &[Tensor]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, v)| v.iter().flat_map(|x| x.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (
            (*name).to_owned(),
            TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
        )
    });
    safetensors::serialize(views, None).unwrap()
}

/// Two inputs, two hidden units, `outputs` outputs.
fn weights() -> Vec<Tensor> {
    vec![
        ("0.weight", vec![2, 2], vec![1.0, -1.0, 0.5, 2.0]),
        ("0.bias", vec![2], vec![0.0, -1.0]),
        ("3.weight", vec![2, 2], vec![1.0, 0.0, -1.0, 2.0]),
        ("3.bias", vec![2], vec![0.25, -0.25]),
    ]
}

fn close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (f64::from(*found) - expected).abs() < 1e-6,
            "{found} is not {expected}"
        );
    }
}

#[test]
fn two_relu_units_and_two_classes_agree_with_the_calculation_by_hand() {
    let model = Model::from_safetensors(
        &network(Activation::Relu, &[2], classes(2)),
        &file(&weights()),
    )
    .unwrap();
    // Row (1, 2): hidden (1 − 2, 0.5 + 4 − 1) = (−1, 3.5), after relu (0, 3.5); scores (0.25, 7 −
    // 0.25) = (0.25, 6.75).
    close(&model.scores(&[1.0, 2.0]).unwrap(), &[0.25, 6.75]);
    // softmax: e^0.25 / (e^0.25 + e^6.75) = 1 / (1 + e^6.5) = 0.001501182
    close(
        &model.predict(&[[1.0, 2.0]]).unwrap()[0],
        &[0.001_501_182, 0.998_498_818],
    );
}

#[test]
fn every_activation_agrees_with_its_formula_on_both_sides_of_zero() {
    // Row (1, 2): hidden (−1, 3.5); scores (h0 + 0.25, −h0 + 2 h1 − 0.25).
    for (activation, h0, h1) in [
        (Activation::Relu, 0.0, 3.5),
        (Activation::LeakyRelu, -0.01, 3.5),
        (Activation::Tanh, -0.761_594_156, 0.998_177_898),
        (Activation::Sigmoid, 0.268_941_421, 0.970_687_769),
    ] {
        let model =
            Model::from_safetensors(&network(activation, &[2], classes(2)), &file(&weights()))
                .unwrap();
        close(
            &model.scores(&[1.0, 2.0]).unwrap(),
            &[h0 + 0.25, -h0 + 2.0 * h1 - 0.25],
        );
    }
}

#[test]
fn a_regression_without_hidden_layers_is_a_linear_function() {
    let tensors = [
        ("0.weight", vec![1, 2], vec![2.0, -3.0]),
        ("0.bias", vec![1], vec![0.5]),
    ];
    let model = Model::from_safetensors(
        &network(Activation::Relu, &[], OutputKind::Regression),
        &file(&tensors),
    )
    .unwrap();
    assert_eq!(
        model.predict(&[vec![1.0, 1.0], vec![0.0, 0.5]]).unwrap(),
        [[-0.5], [-1.0]]
    );
}

#[test]
fn probabilities_of_huge_scores_are_finite_and_sum_to_one() {
    let tensors = [
        (
            "0.weight",
            vec![3, 2],
            vec![1e30, 0.0, 9e29, 0.0, -1e30, 0.0],
        ),
        ("0.bias", vec![3], vec![0.0; 3]),
    ];
    let model =
        Model::from_safetensors(&network(Activation::Relu, &[], classes(3)), &file(&tensors))
            .unwrap();
    let probabilities = model.predict(&[[1.0, 1.0]]).unwrap().remove(0);
    assert!(
        (probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6
            && probabilities.iter().all(|p| p.is_finite())
    );
}

#[test]
fn weights_that_do_not_fit_the_network_are_refused_by_name() {
    let net = network(Activation::Relu, &[2], classes(2));
    let refuse = |tensors: &[Tensor]| {
        Model::from_safetensors(&net, &file(tensors))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refuse(&weights()[..3]),
        "tensor 3.bias is missing from the weights"
    );
    let mut more = weights();
    more.push(("6.weight", vec![1], vec![0.0]));
    assert_eq!(
        refuse(&more),
        "tensor 6.weight does not belong to the network"
    );
    let mut wide = weights();
    wide[0] = ("0.weight", vec![2, 3], vec![0.0; 6]);
    assert_eq!(
        refuse(&wide),
        "tensor 0.weight has shape [2, 3]; the network asks for [2, 2]"
    );
    let mut infinite = weights();
    infinite[2].2[3] = f32::INFINITY;
    assert_eq!(refuse(&infinite), "tensor 3.weight holds inf at position 3");
    assert!(matches!(
        Model::from_safetensors(&net, b"junk").unwrap_err(),
        NetworkError::Unreadable(_)
    ));
}

#[test]
fn a_row_of_another_width_or_with_a_nan_is_an_error_not_a_prediction() {
    let model = Model::from_safetensors(
        &network(Activation::Relu, &[2], classes(2)),
        &file(&weights()),
    )
    .unwrap();
    assert_eq!(
        model.scores(&[1.0]).unwrap_err().to_string(),
        "the row has 1 features; the model takes 2"
    );
    assert_eq!(
        model.predict(&[[1.0, f32::NAN]]).unwrap_err().to_string(),
        "feature b is NaN"
    );
}
