//! trainer: to be written.
