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
    /// Completed, and a part of what was asked for has not come.
    Partial,
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
            Self::Partial => 7,
            Self::Cancelled => 130,
            Self::Terminated => 143,
            Self::OfCommand(code) => code,
        }
    }
}

impl Exit {
    /// What the code means, in a few words.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done; also detached on request, or cancel accepted",
            Self::Failed => "the operation failed, or a general error",
            Self::Usage => "wrong usage, parameters or settings",
            Self::Unreachable => "the server or the store cannot be reached",
            Self::NotFound => "no such operation, model, data or strategy",
            Self::Refused => "refused in this state",
            Self::TimedOut => "timed out waiting; what was waited for continues",
            Self::Partial => "completed in part: the result names what has not come",
            Self::Cancelled => "cancelled, by Ctrl+C or by somebody else",
            Self::Terminated => "ended by SIGTERM; operations continue",
            Self::OfCommand(_) => "the code of the command that was run",
        }
    }

    /// The one of two ends that counts for both: a failure before a wait without end, that before a
    /// cancel.
    pub(crate) const fn worse(self, other: Self) -> Self {
        if other.rank() > self.rank() {
            other
        } else {
            self
        }
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Partial => 1,
            Self::Cancelled | Self::Terminated => 2,
            Self::TimedOut => 3,
            _ => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
