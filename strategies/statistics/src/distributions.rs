//! Tails of the normal and of Student's distribution.
//!
//! By `erfc`, `exp`, `log` and `lgamma` of the crate `libm`, so that equal arguments give equal
//! bits on every machine.

use std::f64::consts::SQRT_2;

/// Halvings of an interval until its ends are neighbours.
const HALVINGS: u32 = 128;
/// No quantile that a double can hold a probability of is further from 0.
const QUANTILE_MAX: f64 = 40.0;
/// Terms of a continued fraction after which it has converged for any of our arguments.
const TERMS_MAX: u32 = 10_000;
/// Relative change of a continued fraction that is lost in rounding.
const NO_CHANGE: f64 = 1e-16;
/// In place of a divisor of 0 (Lentz).
const TINY: f64 = 1e-300;

/// Φ(x): the probability that a standard normal variable is at most `x`.
pub fn normal_below(x: f64) -> f64 {
    0.5 * libm::erfc(-x / SQRT_2)
}

/// The x that a standard normal variable exceeds with probability `tail`, within 0 and 1: Φ⁻¹(1 −
/// tail), by bisection.
pub fn normal_exceeded_by(tail: f64) -> f64 {
    let mut low = -QUANTILE_MAX;
    let mut high = QUANTILE_MAX;
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if normal_below(-middle) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The probability that a variable of Student's distribution with `degrees` of freedom is further
/// from 0 than `t`: I(ν / (ν + t²); ν/2, 1/2), the regularised incomplete beta function.
pub fn student_beyond(t: f64, degrees: f64) -> f64 {
    incomplete_beta(degrees / (degrees + t * t), 0.5 * degrees, 0.5)
}

/// I(x; a, b) by its continued fraction (Abramowitz and Stegun, 26.5.8).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }

    let gammas = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b);
    let front = libm::exp(gammas + a * libm::log(x) + b * libm::log1p(-x));
    // The fraction converges fast on this side of the mean only.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(x, a, b) / a
    } else {
        1.0 - front * beta_fraction(1.0 - x, b, a) / b
    }
}

/// The fraction from its front to its end, by the algorithm of Lentz as Thompson and Barnett
/// changed it.
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    let mut above = 1.0;
    let mut below = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = below;

    for term in 1..TERMS_MAX {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        below = 1.0 / not_zero(1.0 + even * below);
        above = not_zero(1.0 + even / above);
        value *= below * above;

        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        below = 1.0 / not_zero(1.0 + odd * below);
        above = not_zero(1.0 + odd / above);
        let change = below * above;
        value *= change;
        if (change - 1.0).abs() < NO_CHANGE {
            break;
        }
    }
    value
}

fn not_zero(value: f64) -> f64 {
    if value.abs() < TINY { TINY } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{assert_near, distributions};

    #[test]
    fn the_normal_distribution_is_that_of_scipy() {
        for case in distributions().normal {
            assert_near(normal_below(case.x), case.below);
            assert_near(normal_exceeded_by(case.tail), case.exceeded_by);
        }
    }

    #[test]
    fn the_distribution_of_student_is_that_of_scipy() {
        for case in distributions().student {
            assert_near(student_beyond(case.t, case.degrees), case.beyond);
        }
    }

    #[test]
    fn half_of_a_symmetric_distribution_is_below_its_middle() {
        assert_eq!(normal_below(0.0), 0.5);
        assert!(normal_exceeded_by(0.5).abs() < 1e-15);
        assert_eq!(student_beyond(0.0, 7.5), 1.0);
        assert_eq!(student_beyond(f64::INFINITY, 7.5), 0.0);
    }
}
