//! dummy: to be written.
