//! Adam (Kingma and Ba, 2015) with L2 in the gradient, and clipping of the gradient, on one flat
//! tensor.
//!
//! Written here because libtorch's optimiser gives no access to its moments, and an exact resume
//! needs them.

use tch::{TchError, Tensor};

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The optimiser's state; all tensors are `[parameters]`.
#[derive(Debug)]
pub struct Adam {
    /// Running mean of the gradient.
    pub first: Tensor,
    /// Running mean of the squared gradient.
    pub second: Tensor,
    /// Steps made.
    pub step: u64,
    /// Step size.
    pub learning_rate: f64,
    /// Coupled L2 penalty.
    pub weight_decay: f64,
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
        if self.weight_decay > 0.0 {
            let _ = gradient.f_add_(&parameters.f_mul_scalar(self.weight_decay)?)?;
        }
        self.step += 1;
        let _ = self.first.f_lerp_(&gradient, 1.0 - BETA_1)?;
        let _ = self.second.f_lerp_(&gradient.f_square()?, 1.0 - BETA_2)?;
        // lr · (m/c1) / (√(v/c2) + ε)  =  (lr·√c2/c1) · m / (√v + ε·√c2)
        let steps = self.step as f64;
        let (correction_1, root_2) = (1.0 - BETA_1.powf(steps), (1.0 - BETA_2.powf(steps)).sqrt());
        let mut divisor = self.second.f_sqrt()?;
        let _ = divisor.f_add_scalar_(EPSILON * root_2)?;
        let scaled = self
            .first
            .f_mul_scalar(-self.learning_rate * root_2 / correction_1)?;
        let _ = parameters.f_addcdiv_(&scaled, &divisor)?;
        Ok(())
    }
}

/// Shrinks `gradient` to an L2 norm of at most `limit`, by min(1, limit / (norm + 1e-6)); a limit
/// of 0 changes nothing. The norm stays on the device.
///
/// # Errors
/// When libtorch refuses.
pub fn clip(gradient: &mut Tensor, limit: f64) -> Result<(), TchError> {
    if limit > 0.0 {
        let mut norm = gradient.f_norm()?;
        let _ = norm.f_add_scalar_(1e-6)?;
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

    fn gradients() -> Vec<Tensor> {
        let scale = [1.0_f32, -2.0, 0.5, 10.0, 1e-4, 0.0, 3.0, -1.0];
        scale
            .iter()
            .map(|s| Tensor::from_slice(&[0.1 * s, -0.2, 0.3 * s * s, 1e-6]))
            .collect()
    }

    #[test]
    fn eight_steps_agree_with_libtorchs_adam() {
        for weight_decay in [0.0, 1e-2] {
            let store = nn::VarStore::new(Device::Cpu);
            let mut theirs = store
                .root()
                .var_copy("w", &Tensor::from_slice(&[0.5_f32, -0.5, 2.0, 0.0]));
            let config = nn::Adam {
                wd: weight_decay,
                ..nn::Adam::default()
            };
            let mut optimizer = config.build(&store, 0.01).unwrap();
            let mut ours = theirs.detach().copy();
            let zeros = || Tensor::zeros([4], (Kind::Float, Device::Cpu));
            let mut adam = Adam {
                first: zeros(),
                second: zeros(),
                step: 0,
                learning_rate: 0.01,
                weight_decay,
            };
            for gradient in gradients() {
                theirs.zero_grad();
                (&theirs * &gradient).sum(Kind::Float).backward(); // its gradient by w is `gradient`
                optimizer.step();
                tch::no_grad(|| adam.update(&mut ours, gradient)).unwrap();
            }
            let distance = (theirs.detach() - &ours).abs().max().double_value(&[]);
            assert!(
                distance < 1e-6,
                "{distance} with weight decay {weight_decay}"
            );
        }
    }

    #[test]
    fn a_gradient_of_norm_five_is_clipped_to_one_and_a_short_one_is_left_alone() {
        let mut long = Tensor::from_slice(&[3.0_f32, 4.0]);
        clip(&mut long, 1.0).unwrap();
        assert!(
            (long.double_value(&[0]) - 0.6).abs() < 1e-6
                && (long.double_value(&[1]) - 0.8).abs() < 1e-6
        );
        for (values, limit) in [([0.3_f32, 0.4], 1.0), ([3.0, 4.0], 0.0)] {
            let mut short = Tensor::from_slice(&values);
            clip(&mut short, limit).unwrap();
            assert_eq!(short, Tensor::from_slice(&values));
        }
    }
}
