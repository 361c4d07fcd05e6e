//! The exit codes of every command: each means the same everywhere.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; also: detached on request, cancel accepted.
    Done,
    /// The operation failed, or a general error.
    Failed,
    /// Wrong usage, parameters or settings.
    Usage,
    /// The server cannot be reached or refuses the connection.
    Unreachable,
    /// No such operation, model, data or strategy.
    NotFound,
    /// Refused in this state.
    Refused,
    /// Timed out waiting; the operation continues.
    TimedOut,
    /// The operation was cancelled and the stop is confirmed, or it was left to the worker with a
    /// second Ctrl+C.
    Cancelled,
    /// Ended by SIGTERM.
    Terminated,
    /// The command given to `ktrdr up` after `--` ended with this code.
    OfCommand(u8),
}

impl Exit {
    /// The code of the process.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::NotFound => 4,
            Self::Refused => 5,
            Self::TimedOut => 6,
            Self::Cancelled => 130,
            Self::Terminated => 143,
            Self::OfCommand(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
