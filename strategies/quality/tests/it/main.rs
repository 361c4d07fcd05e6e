//! The specifications of the crate `quality`, in one binary.

#[cfg(test)]
mod findings;
#[cfg(test)]
mod real_series;
