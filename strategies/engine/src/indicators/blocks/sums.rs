//! Sums over a slice, in four accumulators.
//!
//! An addition takes several cycles, and in a single chain each one waits for the one before. Four
//! accumulators, each of which takes every fourth value, keep the processor busy and fit one wide
//! register. The order of additions is part of a formula's bits: streams and series both sum here.

/// Sum of `term` over the values.
#[inline(always)]
pub(crate) fn sum_by<T>(values: &[T], term: impl Fn(&T) -> f64) -> f64 {
    let mut accumulators = [0.0; 4];
    let chunks = values.chunks_exact(4);
    let remainder: f64 = chunks.remainder().iter().map(&term).sum();

    for chunk in chunks {
        for (accumulator, value) in accumulators.iter_mut().zip(chunk) {
            *accumulator += term(value);
        }
    }

    let [one, two, three, four] = accumulators;
    (one + two) + (three + four) + remainder
}

/// Sum of the values.
#[inline(always)]
pub(crate) fn sum_of(values: &[f64]) -> f64 {
    sum_by(values, |value| *value)
}

/// Sum of the values times 1, 2, …, n, the last one having n.
pub(crate) fn sum_of_ramp(values: &[f64]) -> f64 {
    let mut weights = [1.0, 2.0, 3.0, 4.0];
    let mut accumulators = [0.0; 4];
    let chunks = values.chunks_exact(4);
    let remainder = chunks.remainder();

    for chunk in chunks {
        let slots = accumulators.iter_mut().zip(&mut weights);
        for ((accumulator, weight), value) in slots.zip(chunk) {
            *accumulator += *weight * value;
            *weight += 4.0;
        }
    }

    // The weights have already moved on to those of the values after the last whole chunk.
    let terms = remainder.iter().zip(weights);
    let rest: f64 = terms.map(|(value, weight)| weight * value).sum();
    let [one, two, three, four] = accumulators;
    (one + two) + (three + four) + rest
}
