//! p values of several tests at once.

/// The p values as if each test were the only one: the k-th lowest of m times m − k + 1, never
/// below one that was lower, and at most 1 (Holm: A simple sequentially rejective multiple test
/// procedure, Scandinavian Journal of Statistics, 1979). With all hypotheses true, any of them is
/// below α with a probability of at most α.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = p_values.iter().copied().enumerate().collect();
    order.sort_by(|one, other| one.1.total_cmp(&other.1));

    let mut remaining = p_values.len();
    let mut highest = 0.0_f64;
    let mut corrected = Vec::with_capacity(p_values.len());
    for (test, p) in order {
        highest = highest.max((remaining as f64 * p).min(1.0));
        corrected.push((test, highest));
        remaining -= 1;
    }

    corrected.sort_by_key(|(test, _)| *test);
    corrected.into_iter().map(|(_, p)| p).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{assert_near, sharpe};

    #[test]
    fn a_worked_example() {
        // 3 · 0.01, 2 · 0.04 and 0.05, which may not be below 0.08.
        let corrected = holm(&[0.04, 0.01, 0.05]);
        for (value, expected) in corrected.iter().zip([0.08, 0.03, 0.08]) {
            assert_near(*value, expected);
        }
        assert_eq!(holm(&[]), [0.0; 0]);
        assert_eq!(holm(&[0.6, 0.7]), [1.0, 1.0]);
    }

    #[test]
    fn two_independent_programs_find_the_same_p_values() {
        for case in sharpe().holm {
            let corrected = holm(&case.p);
            for (value, expected) in corrected.iter().zip(&case.holdout) {
                assert_near(*value, *expected);
            }
            for (value, expected) in corrected.iter().zip(&case.statsmodels) {
                assert_near(*value, *expected);
            }
        }
    }
}
