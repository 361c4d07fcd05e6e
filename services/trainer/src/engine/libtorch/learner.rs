//! A network in libtorch whose parameters lie in one flat tensor.
//!
//! The layers read views into that tensor, so the optimiser, clipping, snapshots and checkpoints
//! each are a few operations on one tensor, however many layers there are.

use schemas::manifests::{Architecture, Network};
use tch::{Device, Kind, TchError, Tensor};

use super::mlp::Mlp;
use super::recurrent::{Cell, Recurrent};

/// The weights and the forward pass of a network on a device.
#[derive(Debug)]
pub struct Learner {
    /// All parameters, `[parameters]`, float32, in file order; layers see every change of it.
    pub flat: Tensor,
    /// The tensors of the file in turn, views into `flat`.
    leaves: Vec<Tensor>,
    layers: Layers,
    device: Device,
}

/// The forward pass of each family.
#[derive(Debug)]
enum Layers {
    Mlp(Mlp),
    Recurrent(Recurrent),
}

impl Learner {
    /// `network` with the given flat weights on `device`.
    ///
    /// # Errors
    /// When libtorch refuses, usually for lack of memory, the weights are not those of the network,
    /// or libtorch does not train its family.
    pub fn new(network: &Network, weights: &[f32], device: Device) -> Result<Self, TchError> {
        let layers = layers_of(network)?;
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

        Ok(Self {
            flat,
            leaves,
            layers,
            device,
        })
    }

    /// Units of a sample that dropout may switch off.
    pub fn dropout_count(&self) -> usize {
        let shapes = self.mask_shapes(1).into_iter();
        let units: i64 = shapes.map(|shape| shape.iter().product::<i64>()).sum();
        units as usize
    }

    /// Raw scores `[samples, outputs]` of `inputs`, `[samples, inputs]`. `masks` are those of
    /// [`networks::Learner::forward`]; empty means no dropout.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn forward(&self, inputs: &Tensor, masks: &[f32]) -> Result<Tensor, TchError> {
        let samples = inputs.size().first().copied().unwrap_or(0);
        let masks = self.masks_on_device(samples, masks)?;
        match &self.layers {
            Layers::Mlp(layers) => layers.forward(&self.leaves, inputs, &masks),
            Layers::Recurrent(layers) => layers.forward(&self.leaves, inputs, &masks),
        }
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
}

impl Learner {
    /// The masks of `samples` samples as tensors: all moved to the device at once, then views.
    fn masks_on_device(&self, samples: i64, masks: &[f32]) -> Result<Vec<Tensor>, TchError> {
        if masks.is_empty() {
            return Ok(Vec::new());
        }
        let all = Tensor::f_from_slice(masks)?.f_to_device(self.device)?;

        let mut start = 0;
        let mut views = Vec::new();
        for shape in self.mask_shapes(samples) {
            let length = shape.iter().product();
            views.push(all.f_narrow(0, start, length)?.f_view(shape.as_slice())?);
            start += length;
        }
        Ok(views)
    }

    /// The shape of each mask of `samples` samples, in the order in which they are drawn.
    fn mask_shapes(&self, samples: i64) -> Vec<Vec<i64>> {
        match &self.layers {
            Layers::Mlp(layers) => layers.mask_shapes(samples),
            Layers::Recurrent(layers) => layers.mask_shapes(samples),
        }
    }
}

fn layers_of(network: &Network) -> Result<Layers, TchError> {
    let inputs = network.features.len();
    match &network.architecture {
        Architecture::Mlp(shape) => Ok(Layers::Mlp(Mlp::new(shape))),
        Architecture::Lstm(shape) => {
            let layers = Recurrent::new(Cell::Lstm, shape, inputs);
            Ok(Layers::Recurrent(layers))
        }
        Architecture::Gru(shape) => {
            let layers = Recurrent::new(Cell::Gru, shape, inputs);
            Ok(Layers::Recurrent(layers))
        }

        // The check of the job has refused it before.
        Architecture::Tsk(_) => Err(TchError::Shape("libtorch has no layers of rules".into())),
    }
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
    use networks::learner_of;
    use rand_chacha::{
        ChaCha8Rng,
        rand_core::{Rng, SeedableRng},
    };
    use schemas::manifests::{Activation, FeatureColumn, MlpShape, OutputKind, RecurrentShape};

    use super::*;
    use crate::model_file;
    use crate::random::{Dropout, initial_weights};

    const WIDTH: usize = 9;
    const ROWS: usize = 200;
    /// Rows of a batch whose gradients are compared: sums of few terms.
    const BATCH_ROWS: usize = 16;

    const FAMILIES: [fn(RecurrentShape) -> Architecture; 2] =
        [Architecture::Lstm, Architecture::Gru];

    fn column(index: usize) -> FeatureColumn {
        FeatureColumn {
            name: format!("f{index}"),
            normalisation: None,
        }
    }

    fn network(architecture: Architecture) -> Network {
        Network {
            architecture,
            features: (0..WIDTH).map(column).collect(),
            output: OutputKind::Classes {
                names: ["BUY", "HOLD", "SELL"].map(str::to_owned).to_vec(),
            },
        }
    }

    fn mlp(activation: Activation, hidden_layers: Vec<usize>) -> Network {
        network(Architecture::Mlp(MlpShape {
            hidden_layers,
            activation,
            dropout: 0.2,
        }))
    }

    fn recurrent(family: fn(RecurrentShape) -> Architecture, num_layers: usize) -> Network {
        network(family(RecurrentShape {
            sequence_length: 12,
            hidden_size: 20,
            num_layers,
            dropout: 0.2,
        }))
    }

    /// Numbers in -3..3.
    fn numbers(count: usize) -> Vec<f32> {
        let mut generator = ChaCha8Rng::seed_from_u64(1);
        let mut uniform = || (f64::from(generator.next_u32()) / 2_147_483_648.0 - 1.0) as f32 * 3.0;
        (0..count).map(|_| uniform()).collect()
    }

    fn table_of(rows: usize, values: &[f32]) -> Tensor {
        Tensor::from_slice(values).view([rows as i64, -1])
    }

    /// Compares scores and probabilities of all rows in libtorch and in `networks`.
    fn compare_with_plain_rust(network: &Network) {
        let values = numbers(ROWS * network.input_count());
        let rows: Vec<&[f32]> = values.chunks(network.input_count()).collect();
        let weights = initial_weights(network, 5);
        let file = model_file(network, &weights).unwrap();
        let plain = networks::Model::from_safetensors(network, &file).unwrap();

        let learner = Learner::new(network, &weights, Device::Cpu).unwrap();
        let scores = learner.forward(&table_of(ROWS, &values), &[]).unwrap();

        let plain_scores = rows.iter().flat_map(|row| plain.scores(row).unwrap());
        let plain_scores: Vec<f32> = plain_scores.collect();
        assert_eq!(plain_scores.len(), 3 * ROWS);
        assert_close(&plain_scores, &copy_to_host(&scores).unwrap(), network);

        let probabilities = copy_to_host(&scores.softmax(-1, Kind::Float)).unwrap();
        let plain_probabilities = plain.predict(&rows).unwrap().concat();
        assert_close(&plain_probabilities, &probabilities, network);
    }

    fn assert_close(ours: &[f32], theirs: &[f32], network: &Network) {
        assert_eq!(theirs.len(), ours.len());
        for (one, other) in ours.iter().zip(theirs) {
            assert!(
                (one - other).abs() < 1e-5,
                "{one} is not {other}: {network:?}"
            );
        }
    }

    /// Compares the gradients of a batch with masks in libtorch and in `networks`.
    fn compare_gradients_with_plain_rust(network: &Network) {
        let mut plain = learner_of(network);
        let weights = initial_weights(network, 5);
        let learner = Learner::new(network, &weights, Device::Cpu).unwrap();
        let inputs = numbers(BATCH_ROWS * network.input_count());
        assert_eq!(learner.dropout_count(), plain.dropout_count());
        let mut dropout = Dropout::new(0.2, 3, 1).unwrap();
        let masks = dropout.next_mask(BATCH_ROWS * plain.dropout_count());

        // The mean over rows of the sum of all scores.
        let by_scores = vec![1.0 / BATCH_ROWS as f32; 3 * BATCH_ROWS];
        let mut scores = Vec::new();
        let mut gradients = vec![0.0; weights.len()];
        plain.forward(&weights, &inputs, masks, &mut scores);
        plain.backward(&weights, &inputs, masks, &by_scores, &mut gradients);

        let table = table_of(BATCH_ROWS, &inputs);
        let sum = learner.forward(&table, masks).unwrap().sum(Kind::Float);
        let loss = sum / BATCH_ROWS as f64;
        let gradient = copy_to_host(&learner.gradient_of(&loss).unwrap()).unwrap();
        assert!(gradients.iter().any(|gradient| gradient.abs() > 0.1));
        assert_close(&gradients, &gradient, network);
    }

    #[test]
    fn perceptrons_of_plain_rust_and_libtorch_agree_within_1e_5() {
        let activations = [
            Activation::Relu,
            Activation::Tanh,
            Activation::Sigmoid,
            Activation::LeakyRelu,
        ];

        for activation in activations {
            // Linear, shallow and deep.
            for hidden_layers in [vec![], vec![64, 32], vec![128, 64, 32, 16]] {
                compare_with_plain_rust(&mlp(activation, hidden_layers));
            }
            compare_gradients_with_plain_rust(&mlp(activation, vec![32, 16]));
        }
    }

    #[test]
    fn lstm_and_gru_of_plain_rust_and_libtorch_agree_within_1e_5() {
        for family in FAMILIES {
            for num_layers in [1, 2, 3] {
                let network = recurrent(family, num_layers);
                compare_with_plain_rust(&network);
                compare_gradients_with_plain_rust(&network);
            }
        }
    }

    /// One input, one number as output, no hidden layer: the score is weight · input + bias.
    fn line() -> Network {
        Network {
            features: vec![column(0)],
            output: OutputKind::Regression,
            ..mlp(Activation::Relu, vec![])
        }
    }

    #[test]
    fn layers_see_a_change_of_the_flat_tensor() {
        let mut learner = Learner::new(&line(), &[2.0, 1.0], Device::Cpu).unwrap();
        let input = table_of(1, &[3.0]);
        let score = |learner: &Learner| learner.forward(&input, &[]).unwrap().double_value(&[0, 0]);
        assert_eq!(score(&learner), 7.0);

        tch::no_grad(|| learner.flat.copy_(&Tensor::from_slice(&[5.0_f32, -1.0])));
        assert_eq!(score(&learner), 14.0);
    }

    #[test]
    fn the_gradient_is_in_the_order_of_the_flat_tensor() {
        let learner = Learner::new(&line(), &[5.0, -1.0], Device::Cpu).unwrap();

        let scores = learner.forward(&table_of(1, &[3.0]), &[]).unwrap();
        let gradient = learner.gradient_of(&scores.sum(Kind::Float)).unwrap();

        // d(5·3 − 1)/dw = 3, /db = 1
        assert_eq!(copy_to_host(&gradient).unwrap(), [3.0, 1.0]);
    }
}
