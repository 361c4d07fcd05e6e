//! The `ktrdr` command: parse, submit, follow, print; `ktrdr up` supervises a local system.
//!
//! Its rooms, each of which imports only those below it: `commands` (one file or folder a command),
//! `up` (the local system), `watch` (following an operation), `inputs` (files, strategies and
//! stored series), `context` (settings and connections), `console` (what is written, and how a
//! command ends), `arguments` (shared flags and values).

mod arguments;
mod commands;
mod console;
mod context;
mod inputs;
mod up;
mod watch;

pub use commands::{CommandLine, parse_from, run};
