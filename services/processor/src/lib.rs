//! processor: stored series and a strategy in, a data set out.
//!
//! | | |
//! |---|---|
//! | Takes | `ktrdr.cmd.processor.<lane>.<op>.<n>`, verb `process` |
//! | Reads | the operation's train request (strategy text and overrides); series under `bars/` |
//! | Writes | `datasets/<hash of inputs>/<sha256>.parquet`, then its `manifest.json` |
//! | Shows | symbol i/N, indicator i/N |
//!
//! The key of a data set is the hash of everything that decides its rows, and of nothing else, so a
//! sweep over learning rates builds one. If there is one already, nothing is computed. Every rule
//! about rows (features visible from the close, labels by row, purged splits, the leak test) is in
//! `strategies`; this crate only reads, names and writes.
//!
//! | Failure | What happens |
//! |---|---|
//! | strategy or overrides are wrong | permanent, with every finding |
//! | a series is missing, or too short | permanent, names the series and the command that loads it |
//! | a part is too small or lacks a class | permanent, with the counts |
//! | a feature depends on later bars | permanent; nothing is published |
//! | killed anywhere | the next attempt starts from the beginning; a half-written data set is unreachable |
//! | the store is away or full | retried |
//!
//! It deliberately does not fetch, repair, or change series, and keeps no state of its own.

mod build;
mod error;
mod handler;
mod job;
mod source;

pub use build::{BuiltDataSet, build_data_set};
pub use error::ProcessError;
pub use handler::{Processor, ProcessorSettings};
pub use job::{NeededSeries, ProcessJob};
