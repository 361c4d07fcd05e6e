//! Every random number of a training, as a function of its seed, its purpose and the epoch.
//!
//! No generator outlives an epoch, so a checkpoint needs no generator state: the seed and the
//! number of finished epochs are enough. ChaCha8 and the three formulas below are ours, so that an
//! upgrade of a library cannot change a seed's meaning.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use schemas::manifests::Network;

/// What numbers are drawn for; each purpose has a stream of its own.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Weights = 1,
    Order = 2,
    Dropout = 3,
}

fn generator(seed: u64, purpose: Purpose, epoch: u32) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream((u64::from(epoch) << 2) | purpose as u64);
    generator
}

/// First weights of `network`, flat, in file order: weights and biases uniform in ±1/√fan_in, as
/// PyTorch's `Linear`.
pub fn first_weights(network: &Network, seed: u64) -> Vec<f32> {
    let mut generator = generator(seed, Purpose::Weights, 0);
    let widths = network.widths();
    let mut values = Vec::with_capacity(network.parameter_count());
    for (&inputs, &outputs) in widths.iter().zip(widths.iter().skip(1)) {
        let bound = 1.0 / (inputs.max(1) as f32).sqrt();
        // 24 random bits are a float in [0, 1) without rounding.
        let uniform = |word: u32| (2.0 * ((word >> 8) as f32 / 16_777_216.0) - 1.0) * bound;
        values.extend((0..outputs * inputs + outputs).map(|_| uniform(generator.next_u32())));
    }
    values
}

/// The order of the `rows` training rows in `epoch` (from 1): a permutation by Fisher and Yates.
pub fn order(rows: usize, seed: u64, epoch: u32) -> Vec<i64> {
    let mut generator = generator(seed, Purpose::Order, epoch);
    let mut order: Vec<i64> = (0..rows as i64).collect();
    for last in (1..rows).rev() {
        // The high half of a 64 × 64 bit product: uniform in 0..=last, biased by less than rows /
        // 2^64.
        let chosen = (u128::from(generator.next_u64()) * (last as u128 + 1)) >> 64;
        order.swap(last, chosen as usize);
    }
    order
}

/// Rows to draw by weight, with replacement.
#[derive(Debug)]
pub struct Lottery {
    /// Sum of the weights up to and including each row.
    ends: Vec<f64>,
}

impl Lottery {
    /// Row i is drawn with probability weights[i] / Σ weights; weights are above 0.
    pub fn new(weights: &[f32]) -> Self {
        let mut sum = 0.0;
        let ends = weights.iter().map(|weight| {
            sum += f64::from(*weight);
            sum
        });
        Self {
            ends: ends.collect(),
        }
    }

    /// The rows of `epoch` (from 1): as many draws as there are rows.
    pub fn order(&self, seed: u64, epoch: u32) -> Vec<i64> {
        let mut generator = generator(seed, Purpose::Order, epoch);
        let (rows, sum) = (self.ends.len(), self.ends.last().copied().unwrap_or(0.0));
        let draw = |_| {
            // 53 random bits are a double in [0, 1) without rounding.
            let point = (generator.next_u64() >> 11) as f64 / 9_007_199_254_740_992.0 * sum;
            self.ends.partition_point(|end| *end <= point).min(rows - 1) as i64
        };
        (0..rows).map(draw).collect()
    }
}

/// Dropout masks of one epoch, drawn batch after batch.
#[derive(Debug)]
pub struct Dropout {
    generator: ChaCha8Rng,
    threshold: u64,
    kept: f32,
    words: Vec<u8>,
    mask: Vec<f32>,
}

impl Dropout {
    /// The masks of `epoch` (from 1) that drop a unit with `probability`; absent when nothing is
    /// dropped.
    pub fn new(probability: f64, seed: u64, epoch: u32) -> Option<Self> {
        (probability > 0.0).then(|| Self {
            generator: generator(seed, Purpose::Dropout, epoch),
            threshold: (probability * 4_294_967_296.0) as u64,
            kept: (1.0 / (1.0 - probability)) as f32,
            words: Vec::new(),
            mask: Vec::new(),
        })
    }

    /// The next `units` entries: 0 for a dropped unit, 1/(1 − probability) for a kept one.
    pub fn next(&mut self, units: usize) -> &[f32] {
        self.words.resize(4 * units, 0);
        self.generator.fill_bytes(&mut self.words);
        let (words, _) = self.words.as_chunks::<4>();
        let (threshold, kept) = (self.threshold, self.kept);
        self.mask.clear();
        self.mask.extend(words.iter().map(|word| {
            if u64::from(u32::from_le_bytes(*word)) < threshold {
                0.0
            } else {
                kept
            }
        }));
        &self.mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_holds_every_row_once_and_differs_between_epochs_and_seeds() {
        let mut first = order(1_000, 7, 1);
        assert_eq!(first, order(1_000, 7, 1));
        assert_ne!(first, order(1_000, 7, 2));
        assert_ne!(first, order(1_000, 8, 1));
        first.sort_unstable();
        assert!(first.into_iter().eq(0..1_000));
    }

    #[test]
    fn every_one_of_the_six_orders_of_three_rows_is_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        (1..=6_000).for_each(|epoch| *counts.entry(order(3, 1, epoch)).or_insert(0) += 1);
        // 6 000 draws: 1 000 each, standard deviation √(6 000 · 1/6 · 5/6) = 29; 5 of them are 145.
        assert!(
            counts.len() == 6
                && counts
                    .values()
                    .all(|&count: &i32| (count - 1_000).abs() < 145),
            "{counts:?}"
        );
    }

    #[test]
    fn rows_are_drawn_as_often_as_they_weigh() {
        // Σ = 2: probabilities 1/8, 1/4, 1/2 and 1/8, over 10 000 epochs of 4 draws: 5 000, 10 000,
        // 20 000, 5 000.
        let lottery = Lottery::new(&[0.25, 0.5, 1.0, 0.25]);
        let mut counts = [0.0_f64; 4];
        for epoch in 1..=10_000 {
            lottery
                .order(9, epoch)
                .into_iter()
                .for_each(|row| counts[row as usize] += 1.0);
        }
        let expected = [5_000.0, 10_000.0, 20_000.0, 5_000.0];
        let chi_square: f64 = counts
            .iter()
            .zip(expected)
            .map(|(count, mean)| (count - mean).powi(2) / mean)
            .sum();
        // The 99.9 % quantile of a chi-square with 3 degrees of freedom.
        assert!(chi_square < 16.27, "{chi_square}: {counts:?}");
        assert_eq!(lottery.order(9, 3), lottery.order(9, 3));
        assert_ne!(
            Lottery::new(&[1.0; 99]).order(9, 3),
            Lottery::new(&[1.0; 99]).order(9, 4)
        );
        assert_ne!(
            Lottery::new(&[1.0; 99]).order(9, 3),
            Lottery::new(&[1.0; 99]).order(8, 3)
        );
    }

    #[test]
    fn draws_fall_where_the_sums_of_the_weights_say() {
        // Of 4: below 1 the first row, from 1 to 3 the second, from 3 the third.
        let ends = Lottery::new(&[1.0, 2.0, 1.0]).ends;
        assert_eq!(ends, [1.0, 3.0, 4.0]);
        // Weights that leave the whole sum to one row draw nothing else but once in 10^38.
        assert!(
            Lottery::new(&[f32::MIN_POSITIVE, 1.0, f32::MIN_POSITIVE])
                .order(1, 1)
                .iter()
                .all(|row| *row == 1)
        );
        assert!(Lottery::new(&[]).order(1, 1).is_empty());
    }

    #[test]
    fn dropout_drops_the_share_it_was_asked_for_and_scales_what_it_keeps() {
        let mut dropout = Dropout::new(0.2, 3, 1).unwrap();
        let mask = dropout.next(100_000);
        let dropped = mask.iter().filter(|&&value| value == 0.0).count();
        assert!((19_500..20_500).contains(&dropped), "{dropped}");
        assert!(mask.iter().all(|&value| value == 0.0 || value == 1.25));
        assert!(Dropout::new(0.0, 3, 1).is_none());
    }
}
