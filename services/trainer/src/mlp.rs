//! A multi-layer perceptron in libtorch whose parameters lie in one flat tensor.
//!
//! The layers are views into that tensor, so the optimiser, clipping, snapshots and checkpoints
//! each are a few operations on one tensor, however many layers there are.

use schemas::manifests::{Activation, Network};
use tch::{Device, Kind, TchError, Tensor};

use crate::random::Dropout;

/// The weights and the forward pass of a network on a device.
#[derive(Debug)]
pub struct Mlp {
    /// All parameters, `[parameters]`, float32, in file order; layers see every change of it.
    pub flat: Tensor,
    leaves: Vec<Tensor>,
    hidden: Vec<i64>,
    activation: Activation,
    device: Device,
}

impl Mlp {
    /// `network` with the given flat weights on `device`.
    ///
    /// # Errors
    /// When libtorch refuses, usually for want of memory, or the weights are not those of the
    /// network.
    pub fn new(network: &Network, weights: &[f32], device: Device) -> Result<Self, TchError> {
        let flat = Tensor::f_from_slice(weights)?.f_to_device(device)?;
        let mut leaves = Vec::new();
        let mut start = 0;
        for spec in network.tensors() {
            let shape: Vec<i64> = spec.shape.iter().map(|&size| size as i64).collect();
            let length = shape.iter().product();
            // Detached views share storage with `flat` and are leaves of the graph.
            let view = flat.f_narrow(0, start, length)?.f_view(shape.as_slice())?;
            leaves.push(view.f_detach()?.f_set_requires_grad(true)?);
            start += length;
        }
        let hidden = network
            .hidden_layers
            .iter()
            .map(|&width| width as i64)
            .collect();
        Ok(Self {
            flat,
            leaves,
            hidden,
            activation: network.activation,
            device,
        })
    }

    /// Raw scores `[rows, outputs]` of features `[rows, features]`, with dropout where it is given.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn forward(
        &self,
        features: &Tensor,
        dropout: Option<&mut Dropout>,
    ) -> Result<Tensor, TchError> {
        let rows = features.size().first().copied().unwrap_or(0);
        let masks = dropout
            .map(|dropout| self.masks(rows, dropout))
            .transpose()?
            .unwrap_or_default();
        let mut masks = masks.iter();
        let mut values = features.shallow_clone();
        for (layer, pair) in self.leaves.chunks_exact(2).enumerate() {
            let [weight, bias] = pair else { continue };
            values = values.f_linear(weight, Some(bias))?;
            if layer < self.hidden.len() {
                values = self.activate(&values)?;
                if let Some(mask) = masks.next() {
                    values = values.f_mul(mask)?;
                }
            }
        }
        Ok(values)
    }

    /// Gradient of `loss` by every parameter, `[parameters]`, in the order of `flat`.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn gradient(&self, loss: &Tensor) -> Result<Tensor, TchError> {
        let gradients = Tensor::f_run_backward(&[loss], &self.leaves, false, false)?;
        let flat: Result<Vec<Tensor>, TchError> = gradients
            .iter()
            .map(|gradient| gradient.f_reshape([-1_i64]))
            .collect();
        Tensor::f_cat(&flat?, 0)
    }

    /// One mask `[rows, width]` a hidden layer.
    fn masks(&self, rows: i64, dropout: &mut Dropout) -> Result<Vec<Tensor>, TchError> {
        let units = rows * self.hidden.iter().sum::<i64>();
        let all = Tensor::f_from_slice(dropout.next(units as usize))?.f_to_device(self.device)?;
        let mut start = 0;
        let mut masks = Vec::with_capacity(self.hidden.len());
        for &width in &self.hidden {
            masks.push(
                all.f_narrow(0, start, rows * width)?
                    .f_view([rows, width])?,
            );
            start += rows * width;
        }
        Ok(masks)
    }

    fn activate(&self, values: &Tensor) -> Result<Tensor, TchError> {
        match self.activation {
            Activation::Relu => values.f_relu(),
            Activation::Tanh => values.f_tanh(),
            Activation::Sigmoid => values.f_sigmoid(),
            Activation::LeakyRelu => values.f_leaky_relu(), // slope 0.01
        }
    }
}

/// The values of a float tensor on the host, row-major: a copy, never a view.
///
/// # Errors
/// When libtorch refuses.
pub fn to_host(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    let mut values = vec![0.0; tensor.numel()];
    let length = values.len();
    tensor
        .f_to_device(Device::Cpu)?
        .f_to_kind(Kind::Float)?
        .f_contiguous()?
        .f_copy_data(&mut values, length)?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use rand_chacha::{
        ChaCha8Rng,
        rand_core::{Rng, SeedableRng},
    };
    use schemas::manifests::{FeatureColumn, NetworkKind, OutputKind};

    use super::*;
    use crate::{model_file, random::first_weights};

    #[test]
    fn plain_rust_and_libtorch_agree_within_1e_5_for_every_activation_and_depth() {
        let mut generator = ChaCha8Rng::seed_from_u64(1);
        let mut uniform = || (f64::from(generator.next_u32()) / 2_147_483_648.0 - 1.0) as f32 * 3.0;
        for activation in [
            Activation::Relu,
            Activation::Tanh,
            Activation::Sigmoid,
            Activation::LeakyRelu,
        ] {
            for hidden_layers in [vec![], vec![64, 32], vec![128, 64, 32, 16]] {
                let features = (0..9)
                    .map(|i| FeatureColumn {
                        name: format!("f{i}"),
                        normalisation: None,
                    })
                    .collect();
                let names = ["BUY", "HOLD", "SELL"].map(str::to_owned).to_vec();
                let output = OutputKind::Classes { names };
                let network = Network {
                    kind: NetworkKind::Mlp,
                    hidden_layers,
                    activation,
                    dropout: 0.2,
                    features,
                    output,
                };
                let weights = first_weights(&network, 5);
                let model = networks::Model::from_safetensors(
                    &network,
                    &model_file(&network, &weights).unwrap(),
                )
                .unwrap();
                let rows: Vec<[f32; 9]> = (0..200)
                    .map(|_| std::array::from_fn(|_| uniform()))
                    .collect();
                let table = Tensor::from_slice(&rows.concat()).view([200, 9]);
                let scores = Mlp::new(&network, &weights, Device::Cpu)
                    .unwrap()
                    .forward(&table, None)
                    .unwrap();
                let theirs = to_host(&scores.softmax(-1, Kind::Float)).unwrap();
                let raw: Vec<f32> = rows
                    .iter()
                    .flat_map(|row| model.scores(row).unwrap())
                    .collect();
                for (ours, theirs) in [
                    (model.predict(&rows).unwrap().concat(), theirs),
                    (raw, to_host(&scores).unwrap()),
                ] {
                    let distances = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
                    let distance = distances.fold(0.0, f32::max);
                    assert!(
                        ours.len() == 600 && distance < 1e-5,
                        "{activation:?}: {distance}"
                    );
                }
            }
        }
    }

    #[test]
    fn layers_see_a_change_of_the_flat_tensor() {
        let features = vec![FeatureColumn {
            name: "a".to_owned(),
            normalisation: None,
        }];
        let (kind, activation, output) =
            (NetworkKind::Mlp, Activation::Relu, OutputKind::Regression);
        let network = Network {
            kind,
            hidden_layers: vec![],
            activation,
            dropout: 0.0,
            features,
            output,
        };
        let mut mlp = Mlp::new(&network, &[2.0, 1.0], Device::Cpu).unwrap();
        let input = Tensor::from_slice(&[3.0_f32]).view([1, 1]);
        let score = |mlp: &Mlp| mlp.forward(&input, None).unwrap().double_value(&[0, 0]);
        assert_eq!(score(&mlp), 7.0);
        tch::no_grad(|| mlp.flat.copy_(&Tensor::from_slice(&[5.0_f32, -1.0])));
        assert_eq!(score(&mlp), 14.0);
        // d(5·3 − 1)/dw = 3, /db = 1
        let loss = mlp.forward(&input, None).unwrap().sum(Kind::Float);
        assert_eq!(to_host(&mlp.gradient(&loss).unwrap()).unwrap(), [3.0, 1.0]);
    }
}
