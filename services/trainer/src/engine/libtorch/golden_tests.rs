//! Networks, losses and clipping of the libtorch engine, held to the values in `tests/golden`.

#[path = "../../../tests/golden/cases.rs"]
mod cases;

use tch::{Device, Kind, Reduction, Tensor};

use self::cases::{
    CLOSE, NetworkCase, assert_all_close, assert_close, clippings, flat, losses, perceptrons,
    recurrent_networks,
};
use super::criterion::{Criterion, targets_on};
use super::learner::{Learner, copy_to_host};
use super::optimiser::clip_gradient;
use crate::{Labels, Objective};

fn tensor_of(case: &cases::Tensor) -> Tensor {
    let shape: Vec<i64> = case.shape.iter().map(|&size| size as i64).collect();
    Tensor::from_slice(&case.values).view(shape.as_slice())
}

fn check_network(case: &NetworkCase) {
    let network = case.network();
    let learner = Learner::new(&network, &flat(&case.parameters), Device::Cpu).unwrap();
    let inputs = tensor_of(&case.inputs).flatten(1, -1);

    let scores = learner.forward(&inputs, &flat(&case.masks)).unwrap();
    let values = copy_to_host(&scores).unwrap();
    assert_all_close(&values, &case.scores.values, CLOSE, "score");

    let sum = (scores * tensor_of(&case.score_gradients)).sum(Kind::Float);
    let gradient = copy_to_host(&learner.gradient_of(&sum).unwrap()).unwrap();
    assert_all_close(&gradient, &flat(&case.gradients), CLOSE, "gradient");
}

#[test]
fn a_perceptron_has_the_scores_and_gradients_of_pytorch() {
    perceptrons().iter().for_each(check_network);
}

#[test]
fn lstm_and_gru_have_the_scores_and_gradients_of_pytorch() {
    recurrent_networks().iter().for_each(check_network);
}

#[test]
fn losses_have_the_values_and_gradients_of_pytorch() {
    for case in &losses() {
        let objective = case.objective();
        let criterion = Criterion::new(&objective, Device::Cpu).unwrap();
        let targets = targets_on(Device::Cpu, &objective, &case.labels()).unwrap();
        // A regression has one score per row.
        let scores = tensor_of(&case.scores).view([targets.numel() as i64, -1]);
        let scores = scores.set_requires_grad(true);

        let loss = criterion
            .loss_of(&scores, &targets, Reduction::Mean)
            .unwrap();

        assert_close(loss.double_value(&[]), case.value, CLOSE, &case.loss);
        let sum = criterion
            .loss_of(&scores, &targets, Reduction::Sum)
            .unwrap();
        let mean = sum / criterion.divisor_of(&targets).unwrap();
        assert_close(mean.double_value(&[]), case.value, CLOSE, &case.loss);
        let gradients = Tensor::run_backward(&[&loss], &[&scores], false, false);
        let gradient = copy_to_host(&gradients[0]).unwrap();
        assert_all_close(&gradient, &case.score_gradients.values, CLOSE, &case.loss);
    }
}

#[test]
fn clipping_shortens_a_gradient_as_pytorch_does() {
    for case in &clippings() {
        let mut gradient = Tensor::from_slice(&flat(&case.gradients));
        clip_gradient(&mut gradient, case.gradient_clip).unwrap();
        let values = copy_to_host(&gradient).unwrap();
        assert_all_close(&values, &flat(&case.after), CLOSE, "gradient");
    }
}
