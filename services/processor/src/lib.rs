//! processor: to be written.
