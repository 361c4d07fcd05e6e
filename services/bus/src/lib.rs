//! bus: to be written.
