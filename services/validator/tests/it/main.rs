//! Specifications of the validator that need no server.

#[cfg(test)]
mod validating;
