//! Adam (Kingma and Ba, 2015) with L2 in the gradient, and clipping of the gradient, on one flat
//! tensor.
//!
//! Written here because libtorch's optimiser gives no access to its moments, and an exact resume
//! needs them.

use tch::{TchError, Tensor};

/// Decay of the mean of the gradient.
const BETA_1: f64 = 0.9;
/// Decay of the mean of the squared gradient.
const BETA_2: f64 = 0.999;
/// Added to the root of the second moment, so that a parameter without gradient stays where it is.
const EPSILON: f64 = 1e-8;
/// Added to a gradient's norm before dividing by it, as PyTorch's `clip_grad_norm_` does.
const NORM_EPSILON: f64 = 1e-6;

/// The optimiser's state; all tensors are `[parameters]`.
#[derive(Debug)]
pub struct Adam {
    /// Running mean of the gradient.
    pub first_moment: Tensor,
    /// Running mean of the squared gradient.
    pub second_moment: Tensor,
    /// Steps made so far, over all attempts.
    pub step: u64,
    /// Step size, above 0.
    pub learning_rate: f64,
    /// L2 penalty of each parameter, added to the gradient and not to the step (coupled, not
    /// AdamW): 0 for biases. Absent when nothing is penalised.
    pub penalties: Option<Tensor>,
}

impl Adam {
    /// One step of `parameters` against `gradient`, which is used up. No graph may be recorded.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn update(
        &mut self,
        parameters: &mut Tensor,
        mut gradient: Tensor,
    ) -> Result<(), TchError> {
        if let Some(penalties) = &self.penalties {
            let _ = gradient.f_addcmul_(parameters, penalties)?;
        }

        self.step += 1;
        let _ = self.first_moment.f_lerp_(&gradient, 1.0 - BETA_1)?;
        let _ = self
            .second_moment
            .f_lerp_(&gradient.f_square()?, 1.0 - BETA_2)?;

        // Both moments start at 0 and are too small at first: c1 and c2 correct that. With them on
        // the scalars, no tensor is divided twice:
        // lr · (m/c1) / (√(v/c2) + ε)  =  (lr·√c2/c1) · m / (√v + ε·√c2)
        let steps = self.step as f64;
        let correction_1 = 1.0 - BETA_1.powf(steps);
        let root_of_correction_2 = (1.0 - BETA_2.powf(steps)).sqrt();

        let mut divisor = self.second_moment.f_sqrt()?;
        let _ = divisor.f_add_scalar_(EPSILON * root_of_correction_2)?;
        let scaled = self
            .first_moment
            .f_mul_scalar(-self.learning_rate * root_of_correction_2 / correction_1)?;
        let _ = parameters.f_addcdiv_(&scaled, &divisor)?;
        Ok(())
    }
}

/// Shrinks `gradient` to an L2 norm of at most `limit`, by the factor min(1, limit / (norm +
/// 1e-6)); a limit of 0 changes nothing. The norm stays on the device, so that nothing waits for
/// it.
///
/// # Errors
/// When libtorch refuses.
pub fn clip_gradient(gradient: &mut Tensor, limit: f64) -> Result<(), TchError> {
    if limit > 0.0 {
        let mut norm = gradient.f_norm()?;
        let _ = norm.f_add_scalar_(NORM_EPSILON)?;
        let factor = norm.f_reciprocal()?.f_mul_scalar(limit)?.f_clamp_max(1.0)?;
        let _ = gradient.f_mul_(&factor)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tch::{
        Device, Kind,
        nn::{self, OptimizerConfig},
    };

    use super::*;

    /// Gradients of very different sizes, zeros among them.
    fn gradients() -> Vec<Tensor> {
        let scales = [1.0_f32, -2.0, 0.5, 10.0, 1e-4, 0.0, 3.0, -1.0];
        scales
            .iter()
            .map(|scale| Tensor::from_slice(&[0.1 * scale, -0.2, 0.3 * scale * scale, 1e-6]))
            .collect()
    }

    fn adam(weight_decay: f64) -> Adam {
        let zeros = || Tensor::zeros([4], (Kind::Float, Device::Cpu));
        Adam {
            first_moment: zeros(),
            second_moment: zeros(),
            step: 0,
            learning_rate: 0.01,
            penalties: Some(Tensor::full([4], weight_decay, (Kind::Float, Device::Cpu))),
        }
    }

    /// The largest distance from libtorch's own Adam after all gradients.
    fn distance_from_libtorch(weight_decay: f64) -> f64 {
        let store = nn::VarStore::new(Device::Cpu);
        let start = Tensor::from_slice(&[0.5_f32, -0.5, 2.0, 0.0]);
        let mut theirs = store.root().var_copy("w", &start);
        let config = nn::Adam {
            wd: weight_decay,
            ..nn::Adam::default()
        };
        let mut optimizer = config.build(&store, 0.01).unwrap();
        let mut ours = theirs.detach().copy();
        let mut adam = adam(weight_decay);

        for gradient in gradients() {
            // The gradient of this sum by the weights is `gradient` itself.
            theirs.zero_grad();
            (&theirs * &gradient).sum(Kind::Float).backward();
            optimizer.step();
            tch::no_grad(|| adam.update(&mut ours, gradient)).unwrap();
        }

        (theirs.detach() - &ours).abs().max().double_value(&[])
    }

    #[test]
    fn eight_steps_agree_with_the_adam_of_libtorch() {
        for weight_decay in [0.0, 1e-2] {
            let distance = distance_from_libtorch(weight_decay);
            assert!(distance < 1e-6, "{distance} with decay {weight_decay}");
        }
    }

    #[test]
    fn a_gradient_of_norm_five_is_clipped_to_one() {
        let mut gradient = Tensor::from_slice(&[3.0_f32, 4.0]);
        clip_gradient(&mut gradient, 1.0).unwrap();
        assert!((gradient.double_value(&[0]) - 0.6).abs() < 1e-6);
        assert!((gradient.double_value(&[1]) - 0.8).abs() < 1e-6);
    }

    #[test]
    fn a_short_gradient_or_no_limit_changes_nothing() {
        for (values, limit) in [([0.3_f32, 0.4], 1.0), ([3.0, 4.0], 0.0)] {
            let mut gradient = Tensor::from_slice(&values);
            clip_gradient(&mut gradient, limit).unwrap();
            assert_eq!(gradient, Tensor::from_slice(&values));
        }
    }
}
