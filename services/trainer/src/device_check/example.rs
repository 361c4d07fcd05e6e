//! The example that every device trains: rows that a formula makes, so that it is the same
//! everywhere.
//!
//! A row has ten features, each uniform in −1..1. Its class follows from the score
//! `x0 + x1 · x2 + x3 / 2`: `BUY` above 0.4, `SELL` below −0.4, `HOLD` between. The other features
//! say nothing. All numbers come from one ChaCha8 generator with the seed 20 260 301, row after row
//! and feature after feature, for the training, the validation and the test part in this order.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use schemas::manifests::{Activation, Architecture, FeatureColumn, MlpShape, Network, OutputKind};
use schemas::training::TrainingSettings;

use crate::{ComputeDevice, EngineKind, Labels, PartData, TrainJob, TrainingData};

/// Seed of the rows, and of the training.
const SEED: u64 = 20_260_301;
/// Rows of the training part.
const TRAIN_ROWS: usize = 14_000;
/// Rows of the validation part, and of the test part.
const OTHER_ROWS: usize = 3_000;
const FEATURES: usize = 10;
/// The score above which a row is `BUY`, and below whose opposite it is `SELL`.
const THRESHOLD: f32 = 0.4;
const EPOCHS: u32 = 5;
/// Half of the values of a random word: it becomes a number in −1..1.
const HALF_WORD: f32 = 2_147_483_648.0;

/// Data, network and settings.
pub(super) struct Example {
    data: TrainingData,
    network: Network,
    settings: TrainingSettings,
}

impl Example {
    pub(super) fn make() -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(SEED);

        Self {
            data: TrainingData {
                train: make_part(TRAIN_ROWS, &mut generator),
                validation: make_part(OTHER_ROWS, &mut generator),
                test: make_part(OTHER_ROWS, &mut generator),
                weights: None,
            },
            network: network(),
            settings: TrainingSettings {
                epochs: EPOCHS,
                batch_size: 256,
                learning_rate: 0.003,
                ..TrainingSettings::for_classes()
            },
        }
    }

    /// The same training on any device.
    pub(super) fn job_on(&self, device: ComputeDevice, engine: EngineKind) -> TrainJob<'_> {
        TrainJob {
            data: &self.data,
            network: &self.network,
            settings: &self.settings,
            seed: SEED,
            device,
            engine,
            decisions: None,
        }
    }
}

/// Two hidden layers without dropout, which the engines draw in other orders.
fn network() -> Network {
    let column = |number| FeatureColumn {
        name: format!("x{number}"),
        normalisation: None,
    };

    Network {
        architecture: Architecture::Mlp(MlpShape {
            hidden_layers: vec![64, 32],
            activation: Activation::Relu,
            dropout: 0.0,
        }),
        features: (0..FEATURES).map(column).collect(),
        output: OutputKind::Classes {
            names: ["BUY", "HOLD", "SELL"].map(str::to_owned).to_vec(),
        },
    }
}

fn make_part(rows: usize, generator: &mut ChaCha8Rng) -> PartData {
    let mut features = Vec::with_capacity(rows * FEATURES);
    let mut labels = Vec::with_capacity(rows);

    for _ in 0..rows {
        let row: [f32; FEATURES] = std::array::from_fn(|_| uniform(generator.next_u32()));
        labels.push(class_of(&row));
        features.extend(row);
    }
    PartData {
        features,
        labels: Labels::Classes(labels),
        windows: None,
    }
}

/// A random word as a number in −1..1.
fn uniform(word: u32) -> f32 {
    word as f32 / HALF_WORD - 1.0
}

/// Position of the class among the names of the network.
fn class_of(row: &[f32; FEATURES]) -> i64 {
    let [first, second, third, fourth, ..] = row;
    let score = first + second * third + fourth / 2.0;

    if score > THRESHOLD {
        0
    } else if score < -THRESHOLD {
        2
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class_of_start(start: [f32; 4]) -> i64 {
        let mut row = [0.9; FEATURES];
        row[..4].copy_from_slice(&start);
        class_of(&row)
    }

    #[test]
    fn the_class_follows_from_four_features() {
        // 0.2 + 0.5 · 0.5 + 0 = 0.45 > 0.4.
        assert_eq!(class_of_start([0.2, 0.5, 0.5, 0.0]), 0);
        // 0.2 + 0.5 · 0.5 − 0.2 / 2 = 0.35.
        assert_eq!(class_of_start([0.2, 0.5, 0.5, -0.2]), 1);
        // −0.2 − 0.25 = −0.45 < −0.4.
        assert_eq!(class_of_start([-0.2, 0.5, -0.5, 0.0]), 2);
    }

    #[test]
    fn the_parts_are_as_large_as_they_say_and_have_every_class() {
        let example = Example::make();
        let parts = [
            &example.data.train,
            &example.data.validation,
            &example.data.test,
        ];

        for (part, rows) in parts.into_iter().zip([14_000, 3_000, 3_000]) {
            assert_eq!(part.labels.len(), rows);
            assert_eq!(part.features.len(), rows * 10);
            assert!(part.features.iter().all(|x| (-1.0..1.0).contains(x)));
            // Each class is at least a fifth of the rows.
            let counts = part.labels.counts(3);
            assert!(
                counts.iter().all(|count| count * 5 > rows as u64),
                "{counts:?}"
            );
        }
    }
}
