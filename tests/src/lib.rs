//! system-tests: to be written.
