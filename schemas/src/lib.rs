//! The contract between processes: ids, subjects, codec, commands, events, operations, plans, progress, errors, manifests. No I/O.

pub mod manifests;
pub mod training;
