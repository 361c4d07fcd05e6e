//! The interval of a mean, as of the differences between two models row by row.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use schemas::metrics::Interval;

use crate::bootstrap::{DRAWS, ROWS_MIN, draw_rows, interval_of};

/// The mean of `values` with its interval of 95 %: what lies between the 26th lowest and the 26th
/// highest mean of 1 000 draws in blocks of `block` neighbours. Equal arguments give equal bits.
/// None for fewer than 30 values.
pub fn mean_interval(values: &[f64], block: usize, seed: u64) -> Option<Interval> {
    if values.len() < ROWS_MIN {
        return None;
    }

    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let count = values.len() as f64;
    let mut means = Vec::with_capacity(DRAWS as usize);
    for _ in 0..DRAWS {
        let drawn = draw_rows(values, block, |count| below(count, &mut generator));
        means.push(drawn.sum::<f64>() / count);
    }
    Some(interval_of(values.iter().sum::<f64>() / count, means))
}

/// The high half of a 64 × 64 bit product: uniform in 0..count, with a bias below count / 2^64.
fn below(count: usize, generator: &mut ChaCha8Rng) -> usize {
    ((u128::from(generator.next_u64()) * count as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn independent_values_have_the_interval_of_the_normal_law() {
        // 400 values of ±1 in an order without pattern: deviation of the mean 1 / √400 = 0.05, so
        // that the interval is ±1.96 · 0.05.
        let mut state = 1_u32;
        let mut values = Vec::new();
        for _ in 0..400 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            values.push(if state >> 31 == 0 { 1.0 } else { -1.0 });
        }

        let interval = mean_interval(&values, 1, 3).unwrap();

        let half = (interval.high - interval.low) / 2.0;
        assert!((half - 0.098).abs() < 0.012, "{half}");
        assert!(interval.low < interval.value && interval.value < interval.high);
    }

    fn width(values: &[f64], block: usize) -> f64 {
        let interval = mean_interval(values, block, 3).unwrap();
        interval.high - interval.low
    }

    #[test]
    fn neighbours_that_are_alike_widen_the_interval() {
        let runs: Vec<f64> = (0..400).map(|row| f64::from(row / 20 % 2) - 0.5).collect();
        assert!(width(&runs, 20) > 1.5 * width(&runs, 1));
    }

    #[test]
    fn few_values_have_no_interval() {
        assert_eq!(mean_interval(&[1.0; 29], 3, 1), None);
    }

    proptest! {
        #[test]
        fn a_constant_has_itself_as_interval(value in -1e6_f64..1e6, rows in 30_usize..100) {
            let interval = mean_interval(&vec![value; rows], 5, 1).unwrap();
            prop_assert!((interval.low - value).abs() <= 1e-9 * value.abs());
            prop_assert!((interval.high - value).abs() <= 1e-9 * value.abs());
        }
    }
}
