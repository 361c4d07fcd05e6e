//! Sharpe ratios, and how likely one is more than luck: the probabilistic one (Bailey and López de
//! Prado: The Sharpe ratio efficient frontier, Journal of Risk, 2012) and the deflated one (the
//! same: The deflated Sharpe ratio, Journal of Portfolio Management, 2014).
//!
//! All ratios are per observation; none is annualised.

use std::f64::consts::E;

use crate::distributions::{normal_below, normal_exceeded_by};

/// γ of Euler and Mascheroni.
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// Deviation of equal numbers in relation to them: what is left of them is rounding.
const ROUNDING: f64 = 1e-14;

/// A Sharpe ratio with what its error depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sharpe {
    /// Mean / deviation of a sample (divided by n − 1).
    pub ratio: f64,
    /// Number of returns.
    pub observations: usize,
    /// Third central moment / deviation³ of the population: 0 where both sides are alike.
    pub skewness: f64,
    /// Fourth central moment / variance² of the population: 3 of a normal distribution.
    pub kurtosis: f64,
}

impl Sharpe {
    /// That of `returns`; none for fewer than two, or where they do not vary.
    pub fn of(returns: &[f64]) -> Option<Self> {
        let count = returns.len() as f64;
        let mean = returns.iter().sum::<f64>() / count;
        let variance = central_moment(returns, mean, 2);
        let scale = returns
            .iter()
            .fold(0.0_f64, |max, value| max.max(value.abs()));
        let varies = variance.sqrt() > ROUNDING * scale;
        if returns.len() < 2 || !varies {
            return None;
        }

        Some(Self {
            ratio: mean / (variance * count / (count - 1.0)).sqrt(),
            observations: returns.len(),
            skewness: central_moment(returns, mean, 3) / (variance * variance.sqrt()),
            kurtosis: central_moment(returns, mean, 4) / (variance * variance),
        })
    }

    /// The probability that the true ratio is above `benchmark`:
    /// Φ((SR − SR*) · √(n − 1) / √(1 − γ₃ · SR + (γ₄ − 1) / 4 · SR²)).
    pub fn probability_above(&self, benchmark: f64) -> f64 {
        let ratio = self.ratio;
        let spread = 1.0 - self.skewness * ratio + 0.25 * (self.kurtosis - 1.0) * ratio * ratio;
        let distance = (ratio - benchmark) * (self.observations as f64 - 1.0).sqrt();
        if spread > 0.0 {
            normal_below(distance / spread.sqrt())
        } else if distance > 0.0 {
            1.0
        } else {
            0.0
        }
    }

    /// The probability that the best of several is more than the luck of the choice: that its true
    /// ratio is above what the best of `candidates` without any skill would reach, whose ratios
    /// vary as those of the candidates do.
    pub fn deflated(&self, candidates: usize, variance: f64) -> f64 {
        self.probability_above(expected_maximum(candidates, variance))
    }
}

/// The mean of (value − mean)^power.
fn central_moment(values: &[f64], mean: f64, power: i32) -> f64 {
    let powers = values.iter().map(|value| raised(value - mean, power));
    powers.sum::<f64>() / values.len() as f64
}

/// A product rather than `powi`, which the host computes.
fn raised(value: f64, power: i32) -> f64 {
    (0..power).fold(1.0, |product, _| product * value)
}

/// The highest ratio to expect of `candidates` without skill whose ratios have this variance:
/// √V · ((1 − γ) · Φ⁻¹(1 − 1/N) + γ · Φ⁻¹(1 − 1/(N · e))); 0 of one candidate.
pub fn expected_maximum(candidates: usize, variance: f64) -> f64 {
    if candidates < 2 {
        return 0.0;
    }

    let count = candidates as f64;
    let highest = normal_exceeded_by(1.0 / count);
    let next = normal_exceeded_by(1.0 / (count * E));
    variance.sqrt() * ((1.0 - EULER_GAMMA) * highest + EULER_GAMMA * next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{assert_near, sharpe};

    #[test]
    fn the_example_of_the_authors() {
        // 100 strategies with a variance of 1/2 a year, five years of 250 days, a ratio of 2.5 a
        // year, skewness −3, kurtosis 10.
        let variance = 0.5 / 250.0;
        let best = Sharpe {
            ratio: 2.5 / 250.0_f64.sqrt(),
            observations: 1_250,
            skewness: -3.0,
            kurtosis: 10.0,
        };

        assert!((expected_maximum(100, variance) - 0.1132).abs() < 5e-5);
        assert!((best.deflated(100, variance) - 0.9004).abs() < 5e-5);
    }

    #[test]
    fn the_package_holdout_finds_the_same() {
        for case in sharpe().holdout {
            let sharpe = Sharpe::of(&case.returns).unwrap();
            assert_near(sharpe.ratio, case.ratio);
            assert_near(sharpe.skewness, case.skewness);
            assert_near(sharpe.kurtosis, case.kurtosis);
            assert_near(sharpe.probability_above(case.benchmark), case.probability);
            assert_near(
                expected_maximum(case.candidates, case.variance),
                case.maximum,
            );
            assert_near(
                sharpe.deflated(case.candidates, case.variance),
                case.deflated,
            );
        }
    }

    #[test]
    fn the_package_purgedcv_finds_the_same() {
        // It divides the deviation by n, and corrects the moments for small samples.
        for case in sharpe().purgedcv {
            let sharpe = Sharpe {
                ratio: case.ratio,
                observations: case.observations,
                skewness: case.skewness,
                kurtosis: case.kurtosis,
            };
            assert_near(sharpe.probability_above(case.benchmark), case.probability);
            assert_near(
                sharpe.deflated(case.candidates, case.variance),
                case.deflated,
            );
        }
    }

    #[test]
    fn returns_that_do_not_vary_have_no_ratio() {
        assert_eq!(Sharpe::of(&[]), None);
        assert_eq!(Sharpe::of(&[0.01]), None);
        assert_eq!(Sharpe::of(&[0.1, 0.1, 0.1]), None);
    }

    #[test]
    fn one_candidate_has_no_luck_of_the_choice() {
        let sharpe = Sharpe::of(&[0.01, -0.02, 0.03]).unwrap();
        assert_eq!(expected_maximum(1, 0.3), 0.0);
        assert_eq!(sharpe.deflated(1, 0.3), sharpe.probability_above(0.0));
    }
}
