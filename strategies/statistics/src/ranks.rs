//! Ranks with ties, their correlation, and what lies between the highest and the lowest tenth.

/// Groups of equal size that rows are put into by their signal.
const GROUPS: f64 = 10.0;

/// Rank of each value from 1 for the lowest; equal values share the mean of their ranks.
pub fn mean_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
    order.sort_by(|one, other| one.1.total_cmp(&other.1));

    let mut ranked = Vec::with_capacity(values.len());
    let mut before = 0.0;
    for equal in order.chunk_by(|one, other| one.1 == other.1) {
        // The mean of before + 1 to before + count.
        let count = equal.len() as f64;
        let rank = before + 0.5 * (count + 1.0);
        ranked.extend(equal.iter().map(|(row, _)| (*row, rank)));
        before += count;
    }

    ranked.sort_by_key(|(row, _)| *row);
    ranked.into_iter().map(|(_, rank)| rank).collect()
}

/// Ranks as distances from their mean, in deviations of the population; none where all are equal.
pub(crate) fn standard_ranks(values: &[f64]) -> Option<Vec<f64>> {
    let mut ranks = mean_ranks(values);
    let count = ranks.len() as f64;
    let mean = 0.5 * (count + 1.0);
    for rank in &mut ranks {
        *rank -= mean;
    }

    let deviation = (ranks.iter().map(|it| it * it).sum::<f64>() / count).sqrt();
    if deviation.is_nan() || deviation == 0.0 {
        return None;
    }
    for rank in &mut ranks {
        *rank /= deviation;
    }
    Some(ranks)
}

/// Spearman's correlation of `signal` and `outcome`: that of their ranks (Spearman, 1904). None of
/// other lengths, or where one of them does not vary.
pub fn rank_correlation(signal: &[f64], outcome: &[f64]) -> Option<f64> {
    if signal.len() != outcome.len() {
        return None;
    }

    let signal = standard_ranks(signal)?;
    let outcome = standard_ranks(outcome)?;
    Some(mean_product(&signal, &outcome))
}

pub(crate) fn mean_product(ones: &[f64], others: &[f64]) -> f64 {
    let products = ones.iter().zip(others).map(|pair| pair.0 * pair.1);
    products.sum::<f64>() / ones.len() as f64
}

/// The mean outcome of the rows with the highest tenth of the signal minus that of the lowest
/// tenth. A row is in tenth ⌊10 · (rank − ½) / rows⌋, so that equal signals are in one; none where
/// the first or the last tenth is empty.
pub fn decile_spread(signal: &[f64], outcome: &[f64]) -> Option<f64> {
    let rows = signal.len() as f64;
    let ranks = mean_ranks(signal);
    let mut lowest = Vec::new();
    let mut highest = Vec::new();
    for (rank, outcome) in ranks.iter().zip(outcome) {
        let group = libm::floor(GROUPS * (rank - 0.5) / rows);
        if group < 1.0 {
            lowest.push(*outcome);
        } else if group >= GROUPS - 1.0 {
            highest.push(*outcome);
        }
    }

    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let is_full = !lowest.is_empty() && !highest.is_empty();
    is_full.then(|| mean(&highest) - mean(&lowest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::golden::{assert_near, panels};

    #[test]
    fn equal_values_share_the_mean_of_their_ranks() {
        assert_eq!(mean_ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        assert_eq!(mean_ranks(&[]), [0.0; 0]);
    }

    #[test]
    fn correlations_with_ties_are_those_of_scipy() {
        for panel in panels() {
            let correlation = rank_correlation(&panel.signal, &panel.forward).unwrap();
            assert_near(correlation, panel.spearman);
        }
    }

    #[test]
    fn spreads_between_tenths_are_those_of_pandas() {
        for panel in panels() {
            let spread = decile_spread(&panel.signal, &panel.forward).unwrap();
            assert_near(spread, panel.decile_spread);
        }
    }

    #[test]
    fn twenty_rows_have_two_in_each_tenth() {
        let signal: Vec<f64> = (0..20).map(f64::from).collect();
        // The lowest have 0 and 1, the highest 18 and 19: 18.5 − 0.5.
        assert_eq!(decile_spread(&signal, &signal), Some(18.0));
    }

    #[test]
    fn a_signal_that_does_not_vary_says_nothing() {
        assert_eq!(
            rank_correlation(&[1.0; 5], &[1.0, 2.0, 3.0, 4.0, 5.0]),
            None
        );
        assert_eq!(decile_spread(&[1.0; 5], &[1.0, 2.0, 3.0, 4.0, 5.0]), None);
        assert_eq!(rank_correlation(&[], &[]), None);
    }

    proptest! {
        #[test]
        fn only_the_order_counts(values in prop::collection::vec((-100_i32..100, -100_i32..100), 3..50)) {
            let signal: Vec<f64> = values.iter().map(|pair| f64::from(pair.0)).collect();
            let outcome: Vec<f64> = values.iter().map(|pair| f64::from(pair.1)).collect();
            let cubes: Vec<f64> = signal.iter().map(|it| it * it * it).collect();
            let opposite: Vec<f64> = signal.iter().map(|it| -it).collect();

            let plain = rank_correlation(&signal, &outcome);
            prop_assert_eq!(rank_correlation(&cubes, &outcome), plain);
            if let Some(plain) = plain {
                let turned = rank_correlation(&opposite, &outcome).unwrap();
                prop_assert!((turned + plain).abs() < 1e-12);
                prop_assert!(plain.abs() <= 1.0 + 1e-12);
            }
        }
    }
}
