//! Steps of the optimisers, with L2 in the gradient or apart from it, and clipping of the gradient,
//! on one flat tensor. Formulas are in the docs of [`Method`].
//!
//! Written here because libtorch's optimisers give no access to their moments, and an exact resume
//! needs them.

use schemas::training::Optimizer as Method;
use tch::{TchError, Tensor};

/// Decay of the mean of the gradient, in Adam.
const BETA_1: f64 = 0.9;
/// Decay of the mean of the squared gradient, in Adam.
const BETA_2: f64 = 0.999;
/// Decay of the mean of the squared gradient, in RMSprop.
const ALPHA: f64 = 0.99;
/// Added to the root of the second moment, so that a parameter without gradient stays where it is.
const EPSILON: f64 = 1e-8;
/// Added to a gradient's norm before dividing by it, as PyTorch's `clip_grad_norm_` does.
const NORM_EPSILON: f64 = 1e-6;

/// A method with its state; all tensors are `[parameters]`.
#[derive(Debug)]
pub struct Optimiser {
    /// How a step follows from gradients.
    pub method: Method,
    /// Running mean of the gradient (Adam) or the last step (SGD); 0 for RMSprop.
    pub first_moment: Tensor,
    /// Running mean of the squared gradient; 0 for SGD.
    pub second_moment: Tensor,
    /// Steps made so far, over all attempts.
    pub step: u64,
    /// Step size, above 0.
    pub learning_rate: f64,
    /// L2 penalty of each parameter: 0 for biases. Absent when nothing is penalised.
    pub penalties: Option<Tensor>,
}

impl Optimiser {
    /// One step of `parameters` against `gradient`, which is used up. No graph may be recorded.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn update(
        &mut self,
        parameters: &mut Tensor,
        mut gradient: Tensor,
    ) -> Result<(), TchError> {
        self.penalise(parameters, &mut gradient)?;

        self.step += 1;
        match self.method {
            Method::Adam | Method::Adamw => self.step_of_adam(parameters, &gradient),
            Method::Sgd { momentum } => {
                let _ = self.first_moment.f_mul_scalar_(momentum)?;
                let _ = self.first_moment.f_add_(&gradient)?;
                let step = self.first_moment.f_mul_scalar(-self.learning_rate)?;
                let _ = parameters.f_add_(&step)?;
                Ok(())
            }
            Method::Rmsprop => {
                let square = gradient.f_square()?;
                let _ = self.second_moment.f_lerp_(&square, 1.0 - ALPHA)?;
                let divisor = self.second_moment.f_sqrt()?.f_add_scalar(EPSILON)?;
                let scaled = gradient.f_mul_scalar(-self.learning_rate)?;
                let _ = parameters.f_addcdiv_(&scaled, &divisor)?;
                Ok(())
            }
        }
    }

    /// Adds the penalty to the gradient; AdamW shrinks the parameters in its place.
    fn penalise(&self, parameters: &mut Tensor, gradient: &mut Tensor) -> Result<(), TchError> {
        let Some(penalties) = &self.penalties else {
            return Ok(());
        };

        if matches!(self.method, Method::Adamw) {
            let shares = penalties.f_mul_scalar(-self.learning_rate)?;
            let decay = parameters.f_mul(&shares)?;
            let _ = parameters.f_add_(&decay)?;
        } else {
            let _ = gradient.f_addcmul_(parameters, penalties)?;
        }
        Ok(())
    }

    fn step_of_adam(&mut self, parameters: &mut Tensor, gradient: &Tensor) -> Result<(), TchError> {
        let _ = self.first_moment.f_lerp_(gradient, 1.0 - BETA_1)?;
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
    use serde::Deserialize;
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

    fn adam(weight_decay: f64) -> Optimiser {
        let zeros = || Tensor::zeros([4], (Kind::Float, Device::Cpu));
        Optimiser {
            method: Method::Adam,
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

    #[derive(Deserialize)]
    struct Case {
        optimiser: String,
        learning_rate: f64,
        weight_decay: f64,
        parameters: Vec<Values>,
        gradients: Vec<Vec<Values>>,
        after: Vec<Vec<Values>>,
    }

    /// Of the weight, then of the bias.
    #[derive(Deserialize)]
    struct Values {
        name: String,
        values: Vec<f32>,
    }

    fn flat(tensors: &[Values]) -> Tensor {
        let values: Vec<f32> = tensors.iter().flat_map(|it| &it.values).copied().collect();
        Tensor::from_slice(&values)
    }

    #[test]
    fn three_steps_agree_with_the_optimisers_of_pytorch() {
        let text = include_str!("../../../tests/golden/optimisers.json");
        let cases: Vec<Case> = serde_json::from_str(text).unwrap();
        assert_eq!(cases.len(), 8);

        for case in cases {
            let mut penalties = Vec::new();
            for tensor in &case.parameters {
                let is_bias = tensor.name.ends_with("bias");
                let penalty = if is_bias { 0.0 } else { case.weight_decay };
                penalties.resize(penalties.len() + tensor.values.len(), penalty as f32);
            }
            let mut parameters = flat(&case.parameters);
            let mut optimiser = Optimiser {
                method: match case.optimiser.as_str() {
                    "adam" => Method::Adam,
                    "adamw" => Method::Adamw,
                    "sgd" => Method::Sgd { momentum: 0.9 },
                    _ => Method::Rmsprop,
                },
                first_moment: parameters.zeros_like(),
                second_moment: parameters.zeros_like(),
                step: 0,
                learning_rate: case.learning_rate,
                penalties: Some(Tensor::from_slice(&penalties)),
            };

            for (gradients, after) in case.gradients.iter().zip(&case.after) {
                let gradients = flat(gradients);
                tch::no_grad(|| optimiser.update(&mut parameters, gradients)).unwrap();
                let distance = (&parameters - flat(after)).abs().max().double_value(&[]);
                assert!(distance < 1e-5, "{} is off by {distance}", case.optimiser);
            }
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
