//! Specifications of the forward pass.

#[cfg(test)]
mod model;
