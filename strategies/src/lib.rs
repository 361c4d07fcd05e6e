//! strategies: to be written.

pub mod fuzzy;
pub mod indicators;
pub mod labels;
pub mod splits;
