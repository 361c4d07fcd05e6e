//! When two computed prices are equal.
//!
//! Prices are decimals, but are computed with as doubles: (1.6693 + 1.6657 + 1.6671)/3 and another
//! mean of the same value may differ in their last digits. A comparison that takes this for a rise
//! is decided by rounding. One rule holds for indicators and labels, over whole series and in
//! streams: **what differs by less than [`ROUNDING`] of the price is equal.** That is 64 times the
//! precision of a double, more than the computations here lose, and 1/1000 of the smallest step
//! between prices of 10 digits.
//!
//! A mean of prices that indicators read as a column is rounded to the decimal that it stands for
//! ([`as_decimal`]), so that equal ones are the same double wherever they meet. Prices as they were
//! read need neither: equal decimals are equal doubles.

/// The share of a price that rounding may take, 2⁻⁴⁶ or 1.4e-14.
const ROUNDING: f64 = 1.0 / (1_u64 << 46) as f64;

/// True if `a` is above `b` by more than rounding. `scale` is the size of the prices that both were
/// computed from, of either sign; false where one of the three is NaN.
#[inline(always)]
pub(crate) fn is_above(a: f64, b: f64, scale: f64) -> bool {
    a - b > ROUNDING * scale.abs()
}

/// True if `a` is above `b` or equal to it but for rounding; otherwise as [`is_above`].
#[inline(always)]
pub(crate) fn reaches(a: f64, b: f64, scale: f64) -> bool {
    a - b >= -ROUNDING * scale.abs()
}

/// Exponents of two for which [`as_decimal`] has a power of ten: from 1e-20 to 1e14.
const EXPONENTS: usize = 113;
/// The exponent of the first entry, as the bits of a double hold it.
const FIRST_EXPONENT: usize = 1023 - 66;

/// By exponent of two, the power of ten that leaves 13 digits or 14 before the point.
const SCALES: [f64; EXPONENTS] = scales();

/// 1.5 · 2⁵²: what is added to it and taken off again has no digits behind the point.
const WHOLE: f64 = 6_755_399_441_055_744.0;

/// A sum of prices rounded to 13 digits: the sum as the decimals give it, for prices of up to 12
/// digits. A number outside of 1e-20 to 1e14 stays as it is.
///
/// Sums of the same decimals in another order, or of other decimals with the same sum, give the
/// same double.
#[inline(always)]
pub(crate) fn as_decimal(sum: f64) -> f64 {
    let exponent = (sum.to_bits() >> 52) as usize & 0x7ff;
    let entry = exponent.wrapping_sub(FIRST_EXPONENT);
    match SCALES.get(entry) {
        Some(scale) => ((sum * scale + WHOLE) - WHOLE) / scale,
        None => sum,
    }
}

/// Powers of ten: a number below 2^(e + 1) becomes one below 4e14, which a double holds with room
/// for the rounding of a sum.
const fn scales() -> [f64; EXPONENTS] {
    let mut scales = [1.0; EXPONENTS];
    let mut entry = 0;
    while entry < EXPONENTS {
        let mut upper_end = 1.0;
        let mut doublings = 0;
        // 2^(e + 1) for e = entry − 66, by doubling 2^-66.
        while doublings < 66 {
            upper_end /= 2.0;
            doublings += 1;
        }
        doublings = 0;
        while doublings <= entry {
            upper_end *= 2.0;
            doublings += 1;
        }

        let mut scale = 1.0;
        while upper_end * scale * 10.0 <= 4e14 {
            scale *= 10.0;
        }
        #[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
        {
            scales[entry] = scale;
        }
        entry += 1;
    }
    scales
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_differs_by_rounding_is_neither_above_nor_below() {
        let one = (1.6693 + 1.6657 + 1.6671) / 3.0;
        let other = (1.6695 + 1.6637 + 1.6689) / 3.0;

        assert_ne!(one, other, "these are the prices of the example");
        assert!(!is_above(one, other, one) && !is_above(other, one, one));
        assert!(reaches(one, other, one) && reaches(other, one, one));
        assert!(is_above(1.6671, 1.6670, 1.6671));
        assert!(!reaches(1.6670, 1.6671, 1.6671));
    }

    #[test]
    fn nothing_is_above_or_reaches_what_is_not_known() {
        for [a, b] in [[f64::NAN, 1.0], [1.0, f64::NAN]] {
            assert!(!is_above(a, b, 1.0));
            assert!(!reaches(a, b, 1.0));
        }
        assert!(as_decimal(f64::NAN).is_nan());
        assert_eq!(as_decimal(f64::INFINITY), f64::INFINITY);
    }

    proptest! {
        /// The sum of integers over a power of ten, read as a decimal, is what the sum of the
        /// decimals is rounded to.
        #[test]
        fn a_sum_is_rounded_to_its_decimal(
            digits in prop::array::uniform4(100_000_i64..=999_999_999_999),
            places in 0_u32..=12,
            sign in prop::sample::select(vec![1, -1]),
        ) {
            let price = |ticks: i64| format!("{}e-{places}", sign * ticks).parse::<f64>().unwrap();
            let [a, b, c, d] = digits.map(price);

            prop_assert_eq!(as_decimal(a + b + c + d), price(digits.iter().sum()));
        }
    }
}
