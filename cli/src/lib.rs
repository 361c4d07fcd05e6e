//! The `ktrdr` command: parse, submit, follow, print; `ktrdr up` supervises a local system.

pub mod args;
pub mod context;
pub mod data;
pub mod data_file;
pub mod decode;
pub mod doctor;
pub mod dummy;
pub mod exit;
mod failures;
pub mod follow;
pub mod infra;
pub mod interrupts;
pub mod logs;
pub mod models;
pub mod ops;
pub mod outcome;
pub mod output;
pub mod progress_line;
pub mod run;
pub mod screen;
pub mod spans;
pub mod status;
pub mod train;
pub mod up;
pub mod why;
pub mod workers;
