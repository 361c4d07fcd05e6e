//! The larger and the smaller of two numbers, as the one instruction that a processor has for it.
//!
//! `f64::max` ignores a NaN on either side, which takes more instructions; these return `right`
//! when either one is NaN.

/// The larger one; `right` if they are equal or one of them is NaN.
#[inline(always)]
pub(crate) fn larger_of(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// The smaller one; `right` if they are equal or one of them is NaN.
#[inline(always)]
pub(crate) fn smaller_of(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}
