//! validator: to be written.
