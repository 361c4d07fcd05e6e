//! exp, ln, tanh and sigmoid in f32, with the same bits on every machine.
//!
//! The functions of `std` call the libm of the host, whose last bit differs from one system to the
//! next, and after a few hundred steps of training so do all digits. The crate `libm` gives equal
//! bits, but it branches and looks tables up, so the compiler cannot make vectors of it. These here
//! are polynomials without a branch: each operation is a correctly rounded one of IEEE 754, and
//! each fused one is asked for by name.
//!
//! Polynomials: S. L. Moshier, *Cephes Mathematical Library* 2.8 (`expf.c`, `logf.c`, `tanhf.c`).
//! The errors in the docs are distances from the true value in units in the last place (ulp), over
//! the whole range; every 61st of the 2³² arguments was tried.
//!
//! Results below the normal range, 2⁻¹²⁶, are 0. Processors take more than ten times as long for an
//! operation with a subnormal number, and a training comes upon them: a weight that only the L2
//! penalty moves, and every moment whose gradient has become 0, shrinks by a factor at each step.
//! So values below [`SMALLEST`] become 0 by a select ([`cut`]) wherever they are made. That gives
//! the same bits on every machine, unlike the flush-to-zero mode of a processor, and needs no
//! set-up on any thread.

/// The smallest value that a training goes on with: 2⁻⁶³, so that the product of two such values is
/// still a normal number. Beside a weight of usual size it is nothing.
pub const SMALLEST: f32 = 1.084_202_2e-19;

/// The binary logarithm of e.
const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// ln 2 rounded to 10 bits: its product with an exponent is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
/// ln 2 − [`LN_2_HIGH`].
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// 1.5 · 2²³: a small number added to it is rounded to an integer, which the low bits hold.
const ROUNDER: f32 = 12_582_912.0;
/// Bits of the fraction of an f32.
const FRACTION_BITS: u32 = 23;

/// The smallest f32 whose power is not below 2⁻¹²⁶: −126 ln 2, rounded up.
const EXP_FLOOR: f32 = -87.336_54;
/// The largest f32 whose power is finite: 128 ln 2, rounded down.
const EXP_CEILING: f32 = 88.722_83;

/// Coefficients of (eʳ − 1 − r) / r² for |r| ≤ ½ ln 2, highest power first.
const EXP_COEFFICIENTS: [f32; 6] = [
    1.987_569_1e-4,
    1.398_2e-3,
    8.333_452e-3,
    4.166_579_6e-2,
    1.666_666_5e-1,
    5e-1,
];

/// Coefficients of (ln(1 + f) − f + f²/2) / f³ for √½ ≤ 1 + f < √2, highest power first.
const LN_COEFFICIENTS: [f32; 9] = [
    7.037_683_6e-2,
    -1.151_461e-1,
    1.167_699_9e-1,
    -1.242_014_1e-1,
    1.424_932_3e-1,
    -1.666_805_8e-1,
    2.000_071_5e-1,
    -2.499_999_4e-1,
    3.333_333e-1,
];

/// Coefficients of (tanh x − x) / x³ in x² for |x| < 0.625, highest power first.
const TANH_COEFFICIENTS: [f32; 5] = [
    -5.704_988_7e-3,
    2.063_909e-2,
    -5.373_971_6e-2,
    1.333_144_3e-1,
    -3.333_328e-1,
];

/// 0 for a value below [`SMALLEST`].
#[inline(always)]
pub fn cut(value: f32) -> f32 {
    if value.abs() < SMALLEST { 0.0 } else { value }
}

/// e^x. Below −87.34, where the result is not a normal number, it is 0.
///
/// Error at most 1.1 ulp; exact for 0, ±∞ and NaN.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let Reduced {
        remainder,
        exponent_bits,
    } = reduce(x);
    let power = 1.0 + exp_minus_one(remainder);

    // Adding to the exponent multiplies by 2ⁿ; the selects replace what leaves the normal range.
    let scaled = f32::from_bits(power.to_bits().wrapping_add(exponent_bits));
    let upper = if x > EXP_CEILING {
        f32::INFINITY
    } else {
        scaled
    };
    let lower = if x < EXP_FLOOR { 0.0 } else { upper };
    if x.is_nan() { x } else { lower }
}

/// x = n ln 2 + r.
struct Reduced {
    /// r, at most ½ ln 2 in size.
    remainder: f32,
    /// n where the exponent of an f32 stands.
    exponent_bits: u32,
}

#[inline(always)]
fn reduce(x: f32) -> Reduced {
    let shifted = x.mul_add(LOG2_E, ROUNDER);
    let count = shifted - ROUNDER;
    let high = count.mul_add(-LN_2_HIGH, x);

    Reduced {
        remainder: count.mul_add(-LN_2_LOW, high),
        exponent_bits: shifted.to_bits() << FRACTION_BITS,
    }
}

/// eʳ − 1 for |r| ≤ ½ ln 2.
#[inline(always)]
fn exp_minus_one(r: f32) -> f32 {
    let polynomial = evaluate(&EXP_COEFFICIENTS, r);
    polynomial.mul_add(r * r, r)
}

/// Horner's rule; highest power first.
#[inline(always)]
fn evaluate<const TERMS: usize>(coefficients: &[f32; TERMS], x: f32) -> f32 {
    let terms = coefficients.iter();
    terms.fold(0.0, |sum, &coefficient| sum.mul_add(x, coefficient))
}

/// The natural logarithm of x: −∞ of 0, NaN of a negative number.
///
/// Error at most 1 ulp; exact for 0, 1, ∞ and NaN.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    /// Bits of √½.
    const ROOT_OF_HALF: u32 = 0x3f35_04f3;
    /// 2²³, which lifts a subnormal number into the normal range.
    const LIFT: f32 = 8_388_608.0;

    let is_subnormal = x < f32::MIN_POSITIVE;
    let lifted = if is_subnormal { x * LIFT } else { x };
    let lift = if is_subnormal { -23.0 } else { 0.0 };

    // x = 2ⁿ (1 + f) with √½ ≤ 1 + f < √2: the difference of the bits holds n above the fraction.
    let distance = lifted.to_bits().wrapping_sub(ROOT_OF_HALF);
    let count = (distance.cast_signed() >> FRACTION_BITS) as f32 + lift;
    let fraction = distance & ((1 << FRACTION_BITS) - 1);
    let f = f32::from_bits(fraction + ROOT_OF_HALF) - 1.0;

    // ln(1 + f) = f − f²/2 + f³ P(f), small parts first.
    let square = f * f;
    let cube = square * f;
    let tail = evaluate(&LN_COEFFICIENTS, f).mul_add(cube, count * LN_2_LOW);
    let body = square.mul_add(-0.5, tail) + f;
    let sum = count.mul_add(LN_2_HIGH, body);

    let finite = if x == f32::INFINITY { x } else { sum };
    let positive = if x == 0.0 { f32::NEG_INFINITY } else { finite };
    if x >= 0.0 { positive } else { f32::NAN }
}

/// The hyperbolic tangent of x: x + x³ P(x²) near 0, else 1 − 2 / (e²ˣ + 1).
///
/// Error at most 1.5 ulp; exact for ±0, ±∞, NaN and subnormal numbers.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    /// Below, the second formula cancels; the polynomial is made for this range.
    const NEAR: f32 = 0.625;

    let size = x.abs();
    let square = size * size;
    let near = (evaluate(&TANH_COEFFICIENTS, square) * square).mul_add(size, size);
    let far = 1.0 - 2.0 / (exp(2.0 * size) + 1.0);

    let result = if size < NEAR { near } else { far };
    result.copysign(x)
}

/// 1 / (1 + e⁻ˣ), and eˣ / (1 + eˣ) below 0. Below −87.34, where the result is not a normal number,
/// it is 0.
///
/// Error at most 2.5 ulp; exact for 0, ±∞ and NaN.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let power = exp(-x.abs());
    let numerator = if x < 0.0 { power } else { 1.0 };
    numerator / (1.0 + power)
}

/// ln Σ e^s, summed from the first score to the last; −∞ of none.
///
/// The largest score is taken out first: that keeps large scores from overflowing and changes
/// nothing else.
#[inline(always)]
pub fn log_sum_exp(scores: &[f32]) -> f32 {
    let shift = shift_of(scores);
    let sum: f32 = scores.iter().map(|score| exp(score - shift)).sum();
    shift + ln(sum)
}

/// Replaces scores by shares that sum to 1: e^s / Σ e^s.
#[inline(always)]
pub fn softmax(scores: &mut [f32]) {
    let shift = shift_of(scores);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = exp(*score - shift);
        sum += *score;
    }

    for share in scores {
        *share /= sum;
    }
}

/// Divides scores by a temperature, whose softmax is the less sure the higher it is.
pub fn divide_scores(scores: &mut [f32], temperature: f64) {
    for score in scores {
        *score = (f64::from(*score) / temperature) as f32;
    }
}

/// Replaces scores by the logarithms of their shares: s − ln Σ e^s.
#[inline(always)]
pub fn log_softmax(scores: &mut [f32]) {
    let sum = log_sum_exp(scores);
    for score in scores {
        *score -= sum;
    }
}

/// The largest score, or 0 when that is infinite: ∞ − ∞ would make every share NaN.
#[inline(always)]
fn shift_of(scores: &[f32]) -> f32 {
    let largest = scores.iter().fold(f32::NEG_INFINITY, |largest, &score| {
        if score > largest { score } else { largest }
    });
    if largest.is_finite() { largest } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use multiversion::multiversion;

    use super::*;

    /// A function of ours.
    struct Case {
        name: &'static str,
        ours: fn(f32) -> f32,
        /// The same in f64, by the host's libm.
        truth: fn(f64) -> f64,
        /// Largest error in ulp, as the doc states it.
        bound: f64,
        /// True where small results are 0.
        is_cut: bool,
    }

    const MAX: f32 = f32::INFINITY;

    const CASES: [Case; 4] = [
        Case {
            name: "exp",
            ours: exp,
            truth: f64::exp,
            bound: 1.1,
            is_cut: true,
        },
        Case {
            name: "ln",
            ours: ln,
            truth: f64::ln,
            bound: 1.0,
            is_cut: false,
        },
        Case {
            name: "tanh",
            ours: tanh,
            truth: f64::tanh,
            bound: 1.5,
            is_cut: false,
        },
        Case {
            name: "sigmoid",
            ours: sigmoid,
            truth: |x| 1.0 / (1.0 + (-x).exp()),
            bound: 2.5,
            is_cut: true,
        },
    ];

    /// Every 10 007th f32; the number is prime, so that all exponents and fractions occur.
    fn samples() -> impl Iterator<Item = f32> {
        (0..=u32::MAX).step_by(10_007).map(f32::from_bits)
    }

    /// Distance of `value` from `truth` in units of the last place of `truth` as an f32.
    fn ulps(value: f32, truth: f64) -> f64 {
        let rounded = (truth as f32).abs().max(f32::MIN_POSITIVE);
        let unit = f64::from(rounded.next_up()) - f64::from(rounded);
        (f64::from(value) - truth).abs() / unit
    }

    /// True if `value` is as good for f(x) = `truth` as `case` promises.
    fn is_within(case: &Case, value: f32, truth: f64) -> bool {
        if truth.is_nan() {
            value.is_nan()
        } else if (truth as f32).is_infinite() {
            value == truth as f32
        } else if case.is_cut && truth < f64::from(f32::MIN_POSITIVE) {
            value == 0.0
        } else {
            ulps(value, truth) <= case.bound
        }
    }

    #[test]
    fn errors_stay_within_the_documented_bounds() {
        for case in &CASES {
            for x in samples() {
                let value = (case.ours)(x);
                let truth = (case.truth)(f64::from(x));
                assert!(
                    is_within(case, value, truth),
                    "{}({x:e}) = {value:e}, not {truth:e}",
                    case.name
                );
            }
        }
    }

    #[test]
    fn products_of_the_smallest_values_are_normal() {
        assert_eq!(SMALLEST * SMALLEST, f32::MIN_POSITIVE);
        assert_eq!(cut(-SMALLEST), -SMALLEST);
        assert_eq!(cut(SMALLEST.next_down()), 0.0);
        assert!(cut(f32::NAN).is_nan());
    }

    #[test]
    fn special_values_are_exact() {
        assert_eq!([0.0, -0.0, -MAX, MAX].map(exp), [1.0, 1.0, 0.0, MAX]);
        assert!(exp(EXP_FLOOR) >= f32::MIN_POSITIVE && exp(EXP_CEILING) <= f32::MAX);
        assert_eq!(exp(EXP_FLOOR.next_down()), 0.0);
        assert_eq!(exp(EXP_CEILING.next_up()), MAX);

        assert_eq!([0.0, -0.0, 1.0, MAX].map(ln), [-MAX, -MAX, 0.0, MAX]);
        assert!([-1e-40, -1.0, -MAX].into_iter().all(|x| ln(x).is_nan()));

        // Signs of zeros are compared, too.
        let tiny = [0.0, -0.0, 1e-40, -1e-40];
        assert_eq!(tiny.map(tanh).map(f32::to_bits), tiny.map(f32::to_bits));
        assert_eq!([MAX, -MAX, 10.0, -10.0].map(tanh), [1.0, -1.0, 1.0, -1.0]);

        assert_eq!([0.0, MAX, 17.5].map(sigmoid), [0.5, 1.0, 1.0]);
        assert_eq!([-MAX, -87.4].map(sigmoid), [0.0, 0.0]);
        for case in &CASES {
            assert!((case.ours)(f32::NAN).is_nan(), "{}", case.name);
        }
    }

    #[multiversion(targets(
        "x86_64+avx+avx2+fma+bmi1+bmi2+avx512f+avx512vl+avx512dq+avx512bw",
        "x86_64+avx+avx2+fma+bmi1+bmi2"
    ))]
    fn fill_wide(inputs: &[f32], outputs: &mut [[f32; 4]]) {
        for (x, cells) in inputs.iter().zip(outputs) {
            *cells = [exp(*x), ln(*x), tanh(*x), sigmoid(*x)];
        }
    }

    #[test]
    fn wide_instructions_give_the_same_bits() {
        let inputs: Vec<f32> = samples().filter(|x| !x.is_nan()).collect();
        let mut outputs = vec![[0.0; 4]; inputs.len()];
        fill_wide(&inputs, &mut outputs);

        for (&x, cells) in inputs.iter().zip(outputs) {
            // A NaN, which ln gives of a negative number, has no bits that mean anything.
            let portable = [exp(x), ln(x).max(-MAX), tanh(x), sigmoid(x)];
            let [power, logarithm, tangent, share] = cells;
            let wide = [power, logarithm.max(-MAX), tangent, share];
            assert_eq!(wide.map(f32::to_bits), portable.map(f32::to_bits), "{x:e}");
        }
    }

    #[test]
    fn shares_of_huge_scores_agree_with_the_calculation_by_hand() {
        // e^0 : e^−1 : e^−∞ = 1 : 0.367 879 : 0, whatever is added to all of them.
        let mut shares = [1e4, 9_999.0, -1e30];
        softmax(&mut shares);
        let expected = [0.731_058_6, 0.268_941_43, 0.0];
        for (share, expected) in shares.iter().zip(expected) {
            assert!((share - expected).abs() < 1e-6, "{shares:?}");
        }

        // 10 000 + ln(1 + e^−1) = 10 000 + 0.313 262, to the precision of an f32 of that size.
        assert!((log_sum_exp(&[1e4, 9_999.0]) - 10_000.313).abs() < 1e-3);
        assert_eq!(log_sum_exp(&[]), f32::NEG_INFINITY);
        assert_eq!(log_sum_exp(&[f32::NEG_INFINITY; 2]), f32::NEG_INFINITY);

        let mut logarithms = [0.0, 0.0];
        log_softmax(&mut logarithms);
        assert!((logarithms[0] + std::f32::consts::LN_2).abs() < 1e-7);
        assert_eq!(logarithms[0], logarithms[1]);
    }
}
