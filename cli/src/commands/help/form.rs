//! What a help page has, and the exit codes that commands share.

use crate::console::Exit::{
    self, Cancelled, Done, Failed, NotFound, Partial, Refused, Terminated, TimedOut, Unreachable,
    Usage,
};

/// What the help of one command says beside its arguments.
pub(crate) struct Page {
    /// The words of the command, as in `data load`; empty for the program itself.
    pub(crate) path: &'static str,
    /// Its exit codes.
    pub(crate) exits: &'static [Exit],
    /// It prints a table, which may have other forms.
    pub(crate) has_table: bool,
    /// Lines to type.
    pub(crate) examples: &'static [&'static str],
}

/// Exit codes of a command that ends at once.
pub(super) const ASK: &[Exit] = &[Done, Failed, Usage, Unreachable, NotFound, Refused];
/// Exit codes of a command that waits for an operation.
pub(super) const RUN: &[Exit] = &[
    Done,
    Failed,
    Usage,
    Unreachable,
    NotFound,
    Refused,
    TimedOut,
    Cancelled,
    Terminated,
];

/// Exit codes of a command that waits for an operation, which may be a load.
pub(super) const LOAD: &[Exit] = &[
    Done,
    Failed,
    Usage,
    Unreachable,
    NotFound,
    Refused,
    TimedOut,
    Partial,
    Cancelled,
    Terminated,
];

/// Exit codes of a command that may look on until a signal.
pub(super) const LOOK: &[Exit] = &[
    Done,
    Failed,
    Usage,
    Unreachable,
    NotFound,
    Refused,
    Terminated,
];
/// Exit codes of a command that waits for the end of a system.
pub(super) const STOP: &[Exit] = &[
    Done,
    Failed,
    Usage,
    Unreachable,
    NotFound,
    Refused,
    TimedOut,
];

/// A command whose output is not a table.
pub(super) const fn page(
    path: &'static str,
    exits: &'static [Exit],
    examples: &'static [&'static str],
) -> Page {
    Page {
        path,
        exits,
        has_table: false,
        examples,
    }
}

/// A command that prints a table.
pub(super) const fn table_page(
    path: &'static str,
    exits: &'static [Exit],
    examples: &'static [&'static str],
) -> Page {
    Page {
        has_table: true,
        ..page(path, exits, examples)
    }
}
