//! The `ktrdr` command: parse, submit, follow, print; `ktrdr up` supervises a local system.

pub mod up;
