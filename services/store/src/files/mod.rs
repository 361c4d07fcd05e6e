//! Readers of bar files that others wrote.
