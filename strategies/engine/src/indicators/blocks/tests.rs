//! Every block part equals its definition, computed from the whole window.

use proptest::prelude::*;

use super::*;

const LENGTH_MAX: usize = 12;

/// Values of two sizes: rounding matters for large ones, equal ones occur among small ones.
fn values() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![-1e3..1e3, -3.0..3.0], 1..80)
}

/// The last `length` values at each row; nothing while there are fewer.
fn windows(values: &[f64], length: usize) -> impl Iterator<Item = Option<&[f64]>> {
    (1..=values.len()).map(move |rows| (rows >= length).then(|| &values[rows - length..rows]))
}

proptest! {
    #[test]
    fn a_rolling_sum_is_the_sum_of_its_window(values in values(), length in 1..LENGTH_MAX) {
        let mut sum = RollingSum::new(length);

        for (value, window) in values.iter().zip(windows(&values, length)) {
            let actual = sum.push(*value);
            match window {
                Some(window) => prop_assert!((actual - window.iter().sum::<f64>()).abs() < 1e-9),
                None => prop_assert!(actual.is_nan()),
            }
        }
    }

    #[test]
    fn a_ramp_sum_weights_its_window_from_one_on(values in values(), length in 1..LENGTH_MAX) {
        let mut sum = RampSum::new(length, 0.0, 1.0);

        for (value, window) in values.iter().zip(windows(&values, length)) {
            let actual = sum.push(*value);
            let Some(window) = window else {
                prop_assert!(actual.is_nan());
                continue;
            };
            let terms = window.iter().zip(1..).map(|(value, weight)| value * f64::from(weight));
            prop_assert!((actual - terms.sum::<f64>()).abs() < 1e-7);
        }
    }

    #[test]
    fn rolling_moments_are_those_of_their_window(values in values(), length in 1..LENGTH_MAX) {
        let mut moments = RollingMoments::new(length, 0.0);

        for (value, window) in values.iter().zip(windows(&values, length)) {
            let MeanAndDeviation { mean, deviation } = moments.push(*value);
            let Some(window) = window else {
                prop_assert!(mean.is_nan() && deviation.is_nan());
                continue;
            };
            let count = length as f64;
            let expected_mean = window.iter().sum::<f64>() / count;
            let squares = window.iter().map(|value| (value - expected_mean).powi(2));
            let variance = squares.sum::<f64>() / count;
            prop_assert!((mean - expected_mean).abs() < 1e-9);
            prop_assert!((deviation * deviation - variance).abs() < 1e-6);
        }
    }

    #[test]
    fn a_rolling_range_holds_the_extremes_of_its_window(
        values in values(),
        length in 1..LENGTH_MAX,
    ) {
        let mut range = RollingRange::new(length);

        for (value, window) in values.iter().zip(windows(&values, length)) {
            let actual = range.push(*value, *value);
            let Some(window) = window else {
                prop_assert!(actual.highest.is_nan() && actual.lowest.is_nan());
                continue;
            };
            let highest = window.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let lowest = window.iter().copied().fold(f64::INFINITY, f64::min);
            prop_assert_eq!(actual.highest, highest);
            prop_assert_eq!(actual.lowest, lowest);
        }
    }

    #[test]
    fn the_newest_of_equal_maxima_counts(values in values(), length in 1..LENGTH_MAX) {
        // Whole numbers, so that maxima repeat.
        let values: Vec<f64> = values.iter().map(|value| value.round()).collect();
        let mut since = SinceMaximum::new(length);

        for (value, window) in values.iter().zip(windows(&values, length)) {
            let actual = since.push(*value);
            let Some(window) = window else {
                prop_assert!(actual.is_nan());
                continue;
            };
            let maximum = window.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let expected = window.iter().rev().position(|value| *value == maximum);
            prop_assert_eq!(Some(actual as usize), expected);
        }
    }
}
