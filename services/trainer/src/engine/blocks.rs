//! Blocks of a long batch: a cancel is looked for between them.

use schemas::manifests::Network;

/// Multiply-adds of a block forwards: some milliseconds forwards and back, after which a cancel is
/// looked for.
const BLOCK_OPERATIONS: usize = 40_000_000;
/// Rows of a block are a multiple of this: recurrent networks compute eight together.
const BLOCK_ROWS_STEP: usize = 8;

/// Rows of a block of `network` on a CPU. A batch that is not longer is computed as a whole.
pub(super) fn block_rows_of(network: &Network) -> usize {
    // Every parameter works once at each row of a window.
    let operations = network.parameter_count() * network.architecture.sequence_length();
    let rows = BLOCK_OPERATIONS / operations.max(1);
    (rows - rows % BLOCK_ROWS_STEP).max(BLOCK_ROWS_STEP)
}

#[cfg(test)]
mod tests {
    use schemas::manifests::{
        Activation, Architecture, FeatureColumn, MlpShape, OutputKind, RecurrentShape,
    };
    use schemas::training::TrainingSettings;

    use super::super::native::NativeEngine;
    use super::super::{Engine, EngineKind, EpochPlan};
    use super::*;
    use crate::data::{Labels, PartData, TrainingData};
    use crate::job::TrainJob;
    use crate::objective::Objective;
    use crate::random::initial_weights;
    use crate::state::TrainState;
    use crate::{ComputeDevice, TrainError};

    const ROWS: usize = 50;
    const SEED: u64 = 7;
    const ENGINES: &[EngineKind] = &[
        EngineKind::Native,
        #[cfg(feature = "libtorch")]
        EngineKind::Libtorch,
    ];

    fn part() -> PartData {
        let wave = |index: usize| (index as f32 * 0.7).sin();
        PartData {
            features: (0..ROWS * 2).map(wave).collect(),
            labels: Labels::Classes((0..ROWS as i64).map(|row| row * row % 3).collect()),
            windows: None,
        }
    }

    fn network() -> Network {
        let column = |name: &str| FeatureColumn {
            name: name.to_owned(),
            normalisation: None,
        };
        let shape = RecurrentShape {
            sequence_length: 1,
            hidden_size: 5,
            num_layers: 1,
            dropout: 0.0,
        };

        Network {
            architecture: Architecture::Lstm(shape),
            features: ["a", "b"].map(column).to_vec(),
            output: OutputKind::Classes {
                names: ["x", "y", "z"].map(str::to_owned).to_vec(),
            },
        }
    }

    /// The engine of `job`, which divides batches into blocks of `block_rows`.
    fn open<'a>(
        job: &'a TrainJob<'a>,
        state: &TrainState,
        block_rows: usize,
    ) -> Result<Box<dyn Engine + 'a>, TrainError> {
        let objective = Objective::of(job.settings, job.network, &job.data.train.labels);
        match job.engine {
            EngineKind::Native => {
                let mut engine = NativeEngine::new(job, &objective, state);
                engine.block_rows = block_rows;
                Ok(Box::new(engine))
            }

            #[cfg(feature = "libtorch")]
            EngineKind::Libtorch => {
                let engine = super::super::libtorch::LibtorchEngine::new(job, &objective, state);
                let mut engine = engine.map_err(|error| TrainError::Libtorch(error.into()))?;
                engine.block_rows = block_rows;
                Ok(Box::new(engine))
            }
            #[cfg(not(feature = "libtorch"))]
            EngineKind::Libtorch => Err(TrainError::WithoutLibtorch),
        }
    }

    /// The state after two batches of half of the rows, in blocks of `block_rows`, and the sums.
    fn state_in_blocks(
        engine: EngineKind,
        block_rows: usize,
        is_cancelled: &dyn Fn() -> bool,
    ) -> (TrainState, f64, u64) {
        let data = TrainingData {
            train: part(),
            validation: part(),
            test: part(),
            weights: None,
        };
        let settings = TrainingSettings::for_classes();
        let job = TrainJob {
            data: &data,
            network: &network(),
            settings: &settings,
            seed: SEED,
            device: ComputeDevice::Cpu,
            engine,
            decisions: None,
        };
        let mut state = job.initial_state();
        let mut engine = open(&job, &state, block_rows).unwrap();

        let plan = EpochPlan {
            rows_in_order: (0..ROWS as i64).collect(),
            dropout: None,
            learning_rate: 0.01,
        };
        engine.begin_epoch(plan).unwrap();
        for positions in [0..ROWS / 2, ROWS / 2..ROWS] {
            engine.train_batch(positions, is_cancelled).unwrap();
        }
        engine.copy_state_to(&mut state).unwrap();
        let sums = engine.read_sums().unwrap();
        (state, sums.loss, sums.right)
    }

    #[test]
    fn blocks_of_a_batch_give_the_step_of_the_batch() {
        for engine in ENGINES {
            let (whole, loss, right) = state_in_blocks(*engine, ROWS, &|| false);
            for block_rows in [1, 8, 24] {
                let (blocks, loss_of_blocks, right_of_blocks) =
                    state_in_blocks(*engine, block_rows, &|| false);
                for (weight, expected) in blocks.weights.iter().zip(&whole.weights) {
                    assert!((weight - expected).abs() < 1e-5, "{weight}, {expected}");
                }
                assert!(
                    (loss_of_blocks - loss).abs() < 1e-4,
                    "{loss_of_blocks}, {loss}"
                );
                assert_eq!(right_of_blocks, right, "{engine}");
            }
        }
    }

    #[test]
    fn a_batch_that_is_cancelled_between_blocks_makes_no_step() {
        for engine in ENGINES {
            let weights_of = |is_cancelled: &dyn Fn() -> bool| {
                state_in_blocks(*engine, 8, is_cancelled).0.weights
            };
            let untouched = weights_of(&|| true);
            assert_eq!(untouched, initial_weights(&network(), SEED));

            // A batch of 25 rows asks four times: the sixth question is one of the second batch.
            let questions = std::cell::Cell::new(0);
            let has_five_behind = || questions.replace(questions.get() + 1) >= 5;
            let after_one = weights_of(&has_five_behind);
            assert_ne!(after_one, untouched);
            assert_ne!(after_one, weights_of(&|| false));
        }
    }

    #[test]
    fn a_batch_of_windows_is_divided_and_one_of_a_perceptron_is_not() {
        let mut network = network();
        network.architecture = Architecture::Lstm(RecurrentShape {
            sequence_length: 20,
            hidden_size: 64,
            num_layers: 2,
            dropout: 0.0,
        });
        // (4·64·2 + 4·64·64 + 2·256) + (2·4·64·64 + 2·256) + 195 parameters, 20 times.
        assert_eq!(block_rows_of(&network), 32);

        network.architecture = Architecture::Mlp(MlpShape {
            hidden_layers: vec![64, 32],
            activation: Activation::Relu,
            dropout: 0.0,
        });
        // 2·64 + 64 + 64·32 + 32 + 32·3 + 3 = 2 371 parameters.
        assert_eq!(block_rows_of(&network), 16_864);
    }
}
