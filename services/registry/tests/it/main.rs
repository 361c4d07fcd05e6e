//! Specifications of the registry, one module per subject.

#[cfg(test)]
mod trial;
