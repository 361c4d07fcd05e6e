//! Every random number of a training, as a function of its seed, its purpose and the epoch.
//!
//! No generator outlives an epoch, so a checkpoint needs no generator state: the seed and the
//! number of finished epochs are enough. ChaCha8 and the formulas below are part of this program,
//! so that an upgrade of a library cannot change what a seed means.

use networks::learner_of;
use networks::tsk::initial_members;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use schemas::manifests::{Architecture, Network};

/// Values of the upper 24 bits of a random word: as many as a float holds without rounding.
const FLOAT_STEPS: f32 = 16_777_216.0;
/// Values of the upper 53 bits of a random word: as many as a double holds without rounding.
const DOUBLE_STEPS: f64 = 9_007_199_254_740_992.0;
/// Values of a random word of 32 bits.
const WORD_STEPS: f64 = 4_294_967_296.0;

/// What numbers are drawn for. Each purpose has a stream of its own, so that drawing more for one
/// changes nothing for the others. The numbers are part of a seed's meaning.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Measurement = 0,
    Weights = 1,
    Order = 2,
    Dropout = 3,
}

/// The generator of one purpose in one epoch.
fn generator_of(seed: u64, purpose: Purpose, epoch: u32) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    // The purpose takes the lowest two bits, so that no two pairs share a stream.
    generator.set_stream((u64::from(epoch) << 2) | purpose as u64);
    generator
}

/// The weights of `network` before training, flat, in file order, as PyTorch initialises them:
/// weights and biases of a linear layer uniform in ±1/√fan_in, those of recurrent layers in
/// ±1/√hidden. The members of rules begin where the rule base says.
pub fn initial_weights(network: &Network, seed: u64) -> Vec<f32> {
    let mut generator = generator_of(seed, Purpose::Weights, 0);
    let mut values = Vec::with_capacity(network.parameter_count());

    let mut fan_in = 1;
    for tensor in network.tensors() {
        // The bias of a linear layer has the bound of the weight before it.
        fan_in = match &network.architecture {
            Architecture::Mlp(_) => tensor.shape.get(1).copied().unwrap_or(fan_in),
            Architecture::Lstm(shape) | Architecture::Gru(shape) => shape.hidden_size,
            Architecture::Tsk(shape) => shape.base.inputs.len(),
        };
        let bound = 1.0 / (fan_in.max(1) as f32).sqrt();
        values.extend((0..tensor.count()).map(|_| uniform_within(bound, generator.next_u32())));
    }

    // Members come first in the file.
    for (value, place) in values.iter_mut().zip(initial_members(network)) {
        *value = place;
    }
    learner_of(network).constrain(&mut values);
    values
}

/// A random word as a number in [-bound, bound).
fn uniform_within(bound: f32, word: u32) -> f32 {
    let fraction = (word >> 8) as f32 / FLOAT_STEPS;
    (2.0 * fraction - 1.0) * bound
}

/// The order of the `rows` training rows in `epoch` (from 1): a permutation by Fisher and Yates.
pub fn shuffle_rows(rows: usize, seed: u64, epoch: u32) -> Vec<i64> {
    let mut generator = generator_of(seed, Purpose::Order, epoch);
    let mut order: Vec<i64> = (0..rows as i64).collect();

    shuffle(&mut order, &mut generator);

    order
}

/// A permutation by Fisher and Yates.
fn shuffle<T>(values: &mut [T], generator: &mut ChaCha8Rng) {
    for last in (1..values.len()).rev() {
        let chosen = below(last + 1, generator);
        values.swap(last, chosen);
    }
}

/// The high half of a 64 × 64 bit product: uniform in 0..count, with a bias below count / 2^64.
fn below(count: usize, generator: &mut ChaCha8Rng) -> usize {
    ((u128::from(generator.next_u64()) * count as u128) >> 64) as usize
}

/// Random numbers of a measurement of the finished network.
#[derive(Debug)]
pub struct Draws {
    generator: ChaCha8Rng,
}

impl Draws {
    /// Those of the bootstrap.
    pub fn for_bootstrap(seed: u64) -> Self {
        Self {
            generator: generator_of(seed, Purpose::Measurement, 0),
        }
    }

    /// Those of the importance of features.
    pub fn for_importance(seed: u64) -> Self {
        Self {
            generator: generator_of(seed, Purpose::Measurement, 1),
        }
    }

    /// A number in 0..count, all equally likely.
    pub fn below(&mut self, count: usize) -> usize {
        below(count, &mut self.generator)
    }

    /// Brings `values` into another order, all equally likely.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        shuffle(values, &mut self.generator);
    }
}

/// Draws rows by weight, with replacement.
#[derive(Debug)]
pub struct WeightedSampler {
    /// Sum of the weights up to and including each row.
    cumulative_weights: Vec<f64>,
}

impl WeightedSampler {
    /// Row i is drawn with probability weights[i] / Σ weights. Every weight must be above 0.
    pub fn new(weights: &[f32]) -> Self {
        let mut cumulative_weights = Vec::with_capacity(weights.len());
        let mut sum = 0.0;
        for weight in weights {
            sum += f64::from(*weight);
            cumulative_weights.push(sum);
        }

        Self { cumulative_weights }
    }

    /// The rows of `epoch` (from 1): as many draws as there are rows.
    pub fn draw_rows(&self, seed: u64, epoch: u32) -> Vec<i64> {
        let mut generator = generator_of(seed, Purpose::Order, epoch);
        let rows = self.cumulative_weights.len();

        (0..rows)
            .map(|_| self.row_at(generator.next_u64()))
            .collect()
    }

    /// The row whose share of the summed weights holds the point that a random word chooses.
    fn row_at(&self, word: u64) -> i64 {
        let sum = self.cumulative_weights.last().copied().unwrap_or(0.0);
        let point = (word >> 11) as f64 / DOUBLE_STEPS * sum;
        let row = self.cumulative_weights.partition_point(|end| *end <= point);

        // Rounding may put the point on the very end of the last row.
        row.min(self.cumulative_weights.len() - 1) as i64
    }
}

/// Dropout masks of one epoch, drawn batch after batch.
#[derive(Debug)]
pub struct Dropout {
    generator: ChaCha8Rng,
    /// Words below it drop their unit.
    threshold: u64,
    /// Factor of a unit that is not dropped, so that the expected sum stays the same.
    scale: f32,
    words: Vec<u8>,
    mask: Vec<f32>,
}

impl Dropout {
    /// The masks of `epoch` (from 1) that drop a unit with `probability`; absent when nothing is
    /// dropped.
    pub fn new(probability: f64, seed: u64, epoch: u32) -> Option<Self> {
        (probability > 0.0).then(|| Self {
            generator: generator_of(seed, Purpose::Dropout, epoch),
            threshold: (probability * WORD_STEPS) as u64,
            scale: (1.0 / (1.0 - probability)) as f32,
            words: Vec::new(),
            mask: Vec::new(),
        })
    }

    /// The next `units` entries: 0 for a dropped unit, 1/(1 − probability) for another.
    pub fn next_mask(&mut self, units: usize) -> &[f32] {
        self.words.resize(4 * units, 0);
        self.generator.fill_bytes(&mut self.words);

        let (words, _) = self.words.as_chunks::<4>();
        let threshold = self.threshold;
        let scale = self.scale;
        // The buffers keep their room from batch to batch: this runs once per batch.
        self.mask.clear();
        self.mask.extend(words.iter().map(|word| {
            let is_dropped = u64::from(u32::from_le_bytes(*word)) < threshold;
            if is_dropped { 0.0 } else { scale }
        }));

        &self.mask
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_order_holds_every_row_once() {
        let mut order = shuffle_rows(1_000, 7, 1);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..1_000));
    }

    #[test]
    fn orders_differ_between_epochs_and_seeds_only() {
        let order = shuffle_rows(1_000, 7, 1);
        assert_eq!(order, shuffle_rows(1_000, 7, 1));
        assert_ne!(order, shuffle_rows(1_000, 7, 2));
        assert_ne!(order, shuffle_rows(1_000, 8, 1));
    }

    #[test]
    fn all_six_orders_of_three_rows_are_equally_likely() {
        let mut counts: BTreeMap<Vec<i64>, i32> = BTreeMap::new();
        for epoch in 1..=6_000 {
            *counts.entry(shuffle_rows(3, 1, epoch)).or_insert(0) += 1;
        }

        // 6 000 draws: 1 000 each, standard deviation √(6 000 · 1/6 · 5/6) = 29; 5 of them are 145.
        assert_eq!(counts.len(), 6);
        for count in counts.values() {
            assert!((count - 1_000).abs() < 145, "{counts:?}");
        }
    }

    #[test]
    fn rows_are_drawn_in_proportion_to_their_weights() {
        let sampler = WeightedSampler::new(&[0.25, 0.5, 1.0, 0.25]);
        let mut counts = [0.0_f64; 4];
        for epoch in 1..=10_000 {
            for row in sampler.draw_rows(9, epoch) {
                counts[row as usize] += 1.0;
            }
        }

        // Σ = 2: probabilities 1/8, 1/4, 1/2 and 1/8, over 10 000 epochs of 4 draws.
        let expected = [5_000.0, 10_000.0, 20_000.0, 5_000.0];
        let chi_square: f64 = counts
            .iter()
            .zip(expected)
            .map(|(count, mean)| (count - mean).powi(2) / mean)
            .sum();
        // The 99.9 % quantile of a chi-square with 3 degrees of freedom.
        assert!(chi_square < 16.27, "{chi_square}: {counts:?}");
    }

    #[test]
    fn draws_differ_between_epochs_and_seeds_only() {
        let draw = |seed, epoch| WeightedSampler::new(&[1.0; 99]).draw_rows(seed, epoch);
        assert_eq!(draw(9, 3), draw(9, 3));
        assert_ne!(draw(9, 3), draw(9, 4));
        assert_ne!(draw(9, 3), draw(8, 3));
    }

    #[test]
    fn draws_fall_where_the_sums_of_the_weights_say() {
        // Of 4: below 1 the first row, from 1 to 3 the second, from 3 the third.
        let sampler = WeightedSampler::new(&[1.0, 2.0, 1.0]);
        assert_eq!(sampler.cumulative_weights, [1.0, 3.0, 4.0]);

        // Weights that leave the whole sum to one row draw another one once in 10^38.
        let sampler = WeightedSampler::new(&[f32::MIN_POSITIVE, 1.0, f32::MIN_POSITIVE]);
        assert!(sampler.draw_rows(1, 1).iter().all(|row| *row == 1));

        assert!(WeightedSampler::new(&[]).draw_rows(1, 1).is_empty());
    }

    #[test]
    fn dropout_drops_its_share_and_scales_the_rest() {
        let mut dropout = Dropout::new(0.2, 3, 1).unwrap();

        let mask = dropout.next_mask(100_000);

        let dropped = mask.iter().filter(|&&value| value == 0.0).count();
        assert!((19_500..20_500).contains(&dropped), "{dropped}");
        assert!(mask.iter().all(|&value| value == 0.0 || value == 1.25));
        assert!(Dropout::new(0.0, 3, 1).is_none());
    }
}
