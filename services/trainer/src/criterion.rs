//! The training criteria in libtorch, for the gradient. Their values on the host are in
//! [`crate::metrics`].

use schemas::training::Loss;
use tch::{Device, Kind, Reduction, TchError, Tensor};

use crate::data::Labels;

/// A loss with its class weights on the device.
#[derive(Debug)]
pub struct Criterion {
    loss: Loss,
    class_weights: Option<Tensor>,
}

impl Criterion {
    /// `loss` with one weight a class, none for a regression.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn new(loss: Loss, class_weights: &[f64], device: Device) -> Result<Self, TchError> {
        let values: Vec<f32> = class_weights.iter().map(|&weight| weight as f32).collect();
        let tensor = || Tensor::f_from_slice(&values)?.f_to_device(device);
        Ok(Self {
            loss,
            class_weights: loss.is_for_classes().then(tensor).transpose()?,
        })
    }

    /// The scalar loss of scores `[rows, outputs]` against targets `[rows]`.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn loss(&self, scores: &Tensor, targets: &Tensor) -> Result<Tensor, TchError> {
        let weights = self.class_weights.as_ref();
        match self.loss {
            Loss::CrossEntropy => {
                scores.f_cross_entropy_loss(targets, weights, Reduction::Mean, -100, 0.0)
            }
            Loss::Focal { gamma } => {
                let logs = scores
                    .f_log_softmax(-1, Kind::Float)?
                    .f_gather(1, &targets.f_unsqueeze(1)?, false)?
                    .f_squeeze_dim(1)?;
                let focus = logs
                    .f_exp()?
                    .f_neg()?
                    .f_add_scalar(1.0)?
                    .f_pow_tensor_scalar(gamma)?;
                let weighted = match weights {
                    Some(weights) => logs.f_mul(&weights.f_index_select(0, targets)?)?,
                    None => logs,
                };
                focus.f_mul(&weighted)?.f_neg()?.f_mean(Kind::Float)
            }
            Loss::Huber { delta } => {
                scores
                    .f_squeeze_dim(-1)?
                    .f_huber_loss(targets, Reduction::Mean, delta)
            }
            Loss::Mse => scores
                .f_squeeze_dim(-1)?
                .f_mse_loss(targets, Reduction::Mean),
        }
    }

    /// Rows whose class is right, or whose sign is right among targets other than 0, as a scalar
    /// tensor.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn right(&self, scores: &Tensor, targets: &Tensor) -> Result<Tensor, TchError> {
        let right = if self.loss.is_for_classes() {
            scores.f_argmax(-1, false)?.f_eq_tensor(targets)?
        } else {
            scores
                .f_squeeze_dim(-1)?
                .f_sign()?
                .f_mul(&targets.f_sign()?)?
                .f_gt(0.0)?
        };
        right.f_sum(Kind::Int64)
    }
}

/// Labels as a tensor `[rows]`: int64 classes or float32 returns.
///
/// # Errors
/// When libtorch refuses.
pub fn targets(labels: &Labels, device: Device) -> Result<Tensor, TchError> {
    match labels {
        Labels::Classes(labels) => Tensor::f_from_slice(labels)?.f_to_device(device),
        Labels::Returns(labels) => Tensor::f_from_slice(labels)?.f_to_device(device),
    }
}
