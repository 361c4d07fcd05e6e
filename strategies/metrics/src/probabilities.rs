//! From raw scores to probabilities of classes, in f64.

/// The logarithms of the probabilities of one row: s − max − ln Σ e^(s − max), which large scores
/// do not overflow. `scores` are divided by `temperature` first.
pub(super) fn log_probabilities(scores: &[f32], temperature: f64, logarithms: &mut Vec<f64>) {
    logarithms.clear();
    logarithms.extend(scores.iter().map(|&score| f64::from(score) / temperature));

    let max = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logarithms.iter().map(|score| libm::exp(score - max)).sum();
    let shift = max + libm::log(sum);
    for value in logarithms {
        *value -= shift;
    }
}

/// Index of the highest score, the first of equals.
pub(super) fn index_of_max(scores: &[f32]) -> usize {
    let mut best = 0;
    let mut best_score = f32::NEG_INFINITY;
    for (index, &score) in scores.iter().enumerate() {
        if score > best_score {
            best = index;
            best_score = score;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distance from the probabilities (1/4, 1/2, 1/4) of the scores 0, ln 2, 0 and a shift.
    fn distance(shift: f32) -> f64 {
        let mut logarithms = Vec::new();
        let scores = [shift, shift + std::f32::consts::LN_2, shift];
        log_probabilities(&scores, 1.0, &mut logarithms);

        let expected = [0.25, 0.5, 0.25];
        let pairs = logarithms.iter().zip(expected);
        pairs
            .map(|(one, other)| (libm::exp(*one) - other).abs())
            .fold(0.0, f64::max)
    }

    #[test]
    fn probabilities_do_not_depend_on_a_common_shift() {
        assert!(distance(0.0) < 1e-7);
        // Where a float32 resolves 1/131 072.
        assert!(distance(90.0) < 1e-5 && distance(-90.0) < 1e-5);
    }

    #[test]
    fn a_temperature_of_two_halves_the_scores() {
        let mut halved = Vec::new();
        let mut plain = Vec::new();
        log_probabilities(&[3.0, -1.0], 2.0, &mut halved);
        log_probabilities(&[1.5, -0.5], 1.0, &mut plain);
        assert_eq!(halved, plain);
    }

    #[test]
    fn the_first_of_equal_scores_is_the_answer() {
        assert_eq!(index_of_max(&[1.0, 3.0, 3.0]), 1);
        assert_eq!(index_of_max(&[f32::NAN, -1.0]), 1);
    }
}
