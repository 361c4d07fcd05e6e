//! The training criteria in libtorch, for the gradient. Their values on the host are in
//! [`crate::metrics`], from the same formulas: see [`Loss`].

use schemas::training::Loss;
use tch::{Device, Kind, Reduction, TchError, Tensor};

use crate::data::Labels;
use crate::objective::Objective;

/// libtorch's number for "no class is ignored". No label is negative, so it never occurs.
const NO_IGNORED_CLASS: i64 = -100;

/// A loss with its class weights on the device.
#[derive(Debug)]
pub struct Criterion {
    /// Of labels that are scaled.
    loss: Loss,
    label_smoothing: f64,
    /// `[classes]`, float32; absent for a regression.
    class_weights: Option<Tensor>,
}

impl Criterion {
    /// The criterion of `objective` on `device`.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn new(objective: &Objective, device: Device) -> Result<Self, TchError> {
        let loss = objective.scaled_loss();
        let class_weights = if loss.is_for_classes() {
            let weights = objective.class_weights.iter();
            let values: Vec<f32> = weights.map(|&weight| weight as f32).collect();
            Some(Tensor::f_from_slice(&values)?.f_to_device(device)?)
        } else {
            None
        };

        Ok(Self {
            loss,
            label_smoothing: objective.label_smoothing,
            class_weights,
        })
    }

    /// The scalar loss of scores `[rows, outputs]` against targets `[rows]`: the mean over the
    /// rows, or the sum that [`Criterion::divisor_of`] divides.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn loss_of(
        &self,
        scores: &Tensor,
        targets: &Tensor,
        reduction: Reduction,
    ) -> Result<Tensor, TchError> {
        match self.loss {
            Loss::CrossEntropy => scores.f_cross_entropy_loss(
                targets,
                self.class_weights.as_ref(),
                reduction,
                NO_IGNORED_CLASS,
                self.label_smoothing,
            ),
            Loss::Focal { gamma } => {
                let losses = self.focal_losses(scores, targets, gamma)?;
                match reduction {
                    Reduction::Sum => losses.f_sum(Kind::Float),
                    _ => losses.f_mean(Kind::Float),
                }
            }

            // A regression has one score per row; the dimension goes so that shapes agree.
            Loss::Huber { delta } => scores
                .f_squeeze_dim(-1)?
                .f_huber_loss(targets, reduction, delta),
            Loss::Mse => scores.f_squeeze_dim(-1)?.f_mse_loss(targets, reduction),
        }
    }

    /// What the mean over these targets was divided by, as a scalar: their class weights together,
    /// or their number where the mean is one over rows.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn divisor_of(&self, targets: &Tensor) -> Result<Tensor, TchError> {
        match (self.loss, &self.class_weights) {
            (Loss::CrossEntropy, Some(weights)) => {
                weights.f_index_select(0, targets)?.f_sum(Kind::Float)
            }
            _ => Tensor::f_full(
                [0_i64; 0],
                targets.numel() as f64,
                (Kind::Float, targets.device()),
            ),
        }
    }

    /// w·(1 − p)^gamma·(−log p) of each row, p being the probability of the true class (Lin and
    /// others, 2017). Their mean is over rows, not over weights.
    fn focal_losses(
        &self,
        scores: &Tensor,
        targets: &Tensor,
        gamma: f64,
    ) -> Result<Tensor, TchError> {
        let log_probabilities = scores
            .f_log_softmax(-1, Kind::Float)?
            .f_gather(1, &targets.f_unsqueeze(1)?, false)?
            .f_squeeze_dim(1)?;
        // From the logarithm, since p itself may underflow to 0.
        let focus = log_probabilities
            .f_exp()?
            .f_neg()?
            .f_add_scalar(1.0)?
            .f_pow_tensor_scalar(gamma)?;

        let weighted = match &self.class_weights {
            Some(weights) => log_probabilities.f_mul(&weights.f_index_select(0, targets)?)?,
            None => log_probabilities,
        };
        focus.f_mul(&weighted)?.f_neg()
    }

    /// Number of rows whose class is right, or whose sign is right among targets other than 0, as a
    /// scalar tensor that stays on the device.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn count_right(&self, scores: &Tensor, targets: &Tensor) -> Result<Tensor, TchError> {
        let is_right = if self.loss.is_for_classes() {
            scores.f_argmax(-1, false)?.f_eq_tensor(targets)?
        } else {
            scores
                .f_squeeze_dim(-1)?
                .f_sign()?
                .f_mul(&targets.f_sign()?)?
                .f_gt(0.0)?
        };
        is_right.f_sum(Kind::Int64)
    }
}

/// Labels as a tensor `[rows]`: int64 classes, or float32 returns as `objective` scales them.
///
/// # Errors
/// When libtorch refuses.
pub fn targets_on(
    device: Device,
    objective: &Objective,
    labels: &Labels,
) -> Result<Tensor, TchError> {
    match labels {
        Labels::Classes(labels) => Tensor::f_from_slice(labels)?.f_to_device(device),
        Labels::Returns(labels) => {
            let labels = labels.iter();
            let scaled: Vec<f32> = labels.map(|&label| objective.scaled(label)).collect();
            Tensor::f_from_slice(&scaled)?.f_to_device(device)
        }
    }
}
