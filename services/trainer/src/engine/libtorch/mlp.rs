//! A multi-layer perceptron in libtorch whose parameters lie in one flat tensor.
//!
//! The layers are views into that tensor, so the optimiser, clipping, snapshots and checkpoints
//! each are a few operations on one tensor, however many layers there are.

use schemas::manifests::{Activation, Architecture, Network};
use tch::{Device, Kind, TchError, Tensor};

use crate::random::Dropout;

/// The weights and the forward pass of a network on a device.
#[derive(Debug)]
pub struct Mlp {
    /// All parameters, `[parameters]`, float32, in file order; layers see every change of it.
    pub flat: Tensor,
    /// Weight `[out, in]` and bias `[out]` of each layer in turn, views into `flat`.
    leaves: Vec<Tensor>,
    /// Width of each hidden layer.
    hidden: Vec<i64>,
    activation: Activation,
    device: Device,
}

impl Mlp {
    /// `network` with the given flat weights on `device`.
    ///
    /// # Errors
    /// When libtorch refuses, usually for lack of memory, or the weights are not those of the
    /// network.
    pub fn new(network: &Network, weights: &[f32], device: Device) -> Result<Self, TchError> {
        let Architecture::Mlp(shape) = &network.architecture else {
            let name = network.architecture.name();
            return Err(TchError::Shape(format!("{name} has other layers than mlp")));
        };
        let flat = Tensor::f_from_slice(weights)?.f_to_device(device)?;

        let mut leaves = Vec::new();
        let mut start = 0;
        for spec in network.tensors() {
            let sizes: Vec<i64> = spec.shape.iter().map(|&size| size as i64).collect();
            let length = sizes.iter().product();
            // Detached views share storage with `flat` and are leaves of the graph: the optimiser
            // changes `flat`, autograd sees the layers.
            let view = flat.f_narrow(0, start, length)?.f_view(sizes.as_slice())?;
            leaves.push(view.f_detach()?.f_set_requires_grad(true)?);
            start += length;
        }

        let hidden = shape.hidden_layers.iter().map(|&width| width as i64);
        Ok(Self {
            flat,
            leaves,
            hidden: hidden.collect(),
            activation: shape.activation,
            device,
        })
    }

    /// Raw scores `[rows, outputs]` of features `[rows, features]`. Each layer is x·Wᵀ + b; hidden
    /// ones are followed by the activation and, if `dropout` is present, by its mask.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn forward(
        &self,
        features: &Tensor,
        dropout: Option<&mut Dropout>,
    ) -> Result<Tensor, TchError> {
        let masks = match dropout {
            Some(dropout) => self.draw_masks(row_count(features), dropout)?,
            None => Vec::new(),
        };
        let mut masks = masks.iter();

        let mut values = features.shallow_clone();
        for (layer, pair) in self.leaves.chunks_exact(2).enumerate() {
            let [weight, bias] = pair else { continue };
            values = values.f_linear(weight, Some(bias))?;

            // The output layer gives raw scores: no activation, no dropout.
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
    pub fn gradient_of(&self, loss: &Tensor) -> Result<Tensor, TchError> {
        let gradients = Tensor::f_run_backward(&[loss], &self.leaves, false, false)?;
        let flat: Result<Vec<Tensor>, TchError> = gradients
            .iter()
            .map(|gradient| gradient.f_reshape([-1_i64]))
            .collect();
        Tensor::f_cat(&flat?, 0)
    }

    /// One mask `[rows, width]` per hidden layer, all drawn and moved to the device at once.
    fn draw_masks(&self, rows: i64, dropout: &mut Dropout) -> Result<Vec<Tensor>, TchError> {
        let units = rows * self.hidden.iter().sum::<i64>();
        let all =
            Tensor::f_from_slice(dropout.next_mask(units as usize))?.f_to_device(self.device)?;

        // Views into one tensor, in the order of the layers.
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
            // The slope of libtorch's default, 0.01, is that of `networks`.
            Activation::LeakyRelu => values.f_leaky_relu(),
        }
    }
}

/// Length of the first dimension of a table.
pub fn row_count(table: &Tensor) -> i64 {
    table.size().first().copied().unwrap_or(0)
}

/// The values of a float tensor on the host, row-major: a copy, never a view.
///
/// # Errors
/// When libtorch refuses.
pub fn copy_to_host(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    let length = tensor.numel();
    let mut values = vec![0.0; length];
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
    use schemas::manifests::{FeatureColumn, MlpShape, OutputKind};

    use super::*;
    use crate::{model_file, random::initial_weights};

    const WIDTH: usize = 9;
    const ROWS: usize = 200;

    fn column(index: usize) -> FeatureColumn {
        FeatureColumn {
            name: format!("f{index}"),
            normalisation: None,
        }
    }

    fn network(activation: Activation, hidden_layers: Vec<usize>, output: OutputKind) -> Network {
        let features = if output == OutputKind::Regression {
            1
        } else {
            WIDTH
        };

        Network {
            architecture: Architecture::Mlp(MlpShape {
                hidden_layers,
                activation,
                dropout: 0.2,
            }),
            features: (0..features).map(column).collect(),
            output,
        }
    }

    fn three_classes() -> OutputKind {
        OutputKind::Classes {
            names: ["BUY", "HOLD", "SELL"].map(str::to_owned).to_vec(),
        }
    }

    /// Rows of numbers in -3..3.
    fn rows() -> Vec<[f32; WIDTH]> {
        let mut generator = ChaCha8Rng::seed_from_u64(1);
        let mut uniform = || (f64::from(generator.next_u32()) / 2_147_483_648.0 - 1.0) as f32 * 3.0;
        (0..ROWS)
            .map(|_| std::array::from_fn(|_| uniform()))
            .collect()
    }

    /// Compares scores and probabilities of all rows in libtorch and in `networks`.
    fn compare_with_plain_rust(network: &Network) {
        let rows = rows();
        let weights = initial_weights(network, 5);
        let file = model_file(network, &weights).unwrap();
        let plain = networks::Model::from_safetensors(network, &file).unwrap();

        let table = Tensor::from_slice(&rows.concat()).view([ROWS as i64, WIDTH as i64]);
        let mlp = Mlp::new(network, &weights, Device::Cpu).unwrap();
        let scores = mlp.forward(&table, None).unwrap();

        let plain_scores: Vec<f32> = rows
            .iter()
            .flat_map(|row| plain.scores(row).unwrap())
            .collect();
        assert_close(&plain_scores, &copy_to_host(&scores).unwrap(), network);

        let probabilities = copy_to_host(&scores.softmax(-1, Kind::Float)).unwrap();
        let plain_probabilities = plain.predict(&rows).unwrap().concat();
        assert_close(&plain_probabilities, &probabilities, network);
    }

    fn assert_close(ours: &[f32], theirs: &[f32], network: &Network) {
        assert_eq!(ours.len(), 3 * ROWS);
        assert_eq!(theirs.len(), ours.len());
        for (one, other) in ours.iter().zip(theirs) {
            assert!(
                (one - other).abs() < 1e-5,
                "{one} is not {other}: {network:?}"
            );
        }
    }

    #[test]
    fn plain_rust_and_libtorch_agree_within_1e_5() {
        let activations = [
            Activation::Relu,
            Activation::Tanh,
            Activation::Sigmoid,
            Activation::LeakyRelu,
        ];

        for activation in activations {
            // Linear, shallow and deep.
            for hidden_layers in [vec![], vec![64, 32], vec![128, 64, 32, 16]] {
                compare_with_plain_rust(&network(activation, hidden_layers, three_classes()));
            }
        }
    }

    #[test]
    fn layers_see_a_change_of_the_flat_tensor() {
        let network = network(Activation::Relu, vec![], OutputKind::Regression);
        let mut mlp = Mlp::new(&network, &[2.0, 1.0], Device::Cpu).unwrap();
        let input = Tensor::from_slice(&[3.0_f32]).view([1, 1]);
        let score = |mlp: &Mlp| mlp.forward(&input, None).unwrap().double_value(&[0, 0]);
        assert_eq!(score(&mlp), 7.0);

        tch::no_grad(|| mlp.flat.copy_(&Tensor::from_slice(&[5.0_f32, -1.0])));
        assert_eq!(score(&mlp), 14.0);
    }

    #[test]
    fn the_gradient_is_in_the_order_of_the_flat_tensor() {
        let network = network(Activation::Relu, vec![], OutputKind::Regression);
        let mlp = Mlp::new(&network, &[5.0, -1.0], Device::Cpu).unwrap();
        let input = Tensor::from_slice(&[3.0_f32]).view([1, 1]);

        let loss = mlp.forward(&input, None).unwrap().sum(Kind::Float);
        let gradient = copy_to_host(&mlp.gradient_of(&loss).unwrap()).unwrap();

        // d(5·3 − 1)/dw = 3, /db = 1
        assert_eq!(gradient, [3.0, 1.0]);
    }
}
