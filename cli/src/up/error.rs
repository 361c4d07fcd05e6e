//! Why a local system does not come up.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use bus::BusError;
use schemas::codes::{self, Advice, Code};
use store::StoreError;

use crate::console::{Exit, Failure};
use crate::context::{KeyError, lock_of};

/// Why a local system does not come up: one variant for each operation that can fail.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpError {
    /// The folder or a file in it cannot be used.
    #[error("cannot use {}", path.display())]
    Folder {
        /// The folder or file that cannot be used.
        path: PathBuf,
        /// The answer of the operating system.
        source: std::io::Error,
    },
    /// The path of the folder cannot be written as text.
    #[error("the path {} is not UTF-8", path.display())]
    FolderName {
        /// The folder that was asked for.
        path: PathBuf,
    },
    /// Another `ktrdr up` runs in the folder.
    #[error("a system already runs in {}{}", dir.display(), process_text(*owner))]
    AlreadyRunning {
        /// The folder of the other system.
        dir: PathBuf,
        /// Process id of the other `ktrdr up`, if it is known.
        owner: Option<u32>,
    },
    /// A `ktrdr up` runs in a folder above this one.
    #[error("a system runs in {}{}, above this folder", dir.display(), process_text(*owner))]
    Above {
        /// The folder of the other system.
        dir: PathBuf,
        /// Process id of the other `ktrdr up`, if it is known.
        owner: Option<u32>,
    },
    /// The port that a person named is taken.
    #[error("another program listens on port {port}")]
    PortTaken {
        /// The port that `--port` names.
        port: u16,
    },
    /// The command after `--` does not exist.
    #[error("there is no command `{command}`")]
    NoCommand {
        /// The first word after `--`.
        command: String,
    },
    /// A system did not end in time.
    #[error(
        "the system of {} did not end within {} s (process {pid})",
        dir.display(),
        waited.as_secs()
    )]
    StillRunning {
        /// The folder of the system.
        dir: PathBuf,
        /// Process id of its `ktrdr up`.
        pid: u32,
        /// How long was waited.
        waited: Duration,
    },
    /// Another process holds the folder, and which one is not known.
    #[error("another process holds {}, and its lock does not say which", dir.display())]
    UnknownHolder {
        /// The folder of the system.
        dir: PathBuf,
    },
    /// The process that holds a folder cannot be asked to end.
    #[error("the `ktrdr up` of {} cannot be asked to end", dir.display())]
    CannotStop {
        /// The folder of the system.
        dir: PathBuf,
        /// The answer of the operating system.
        source: std::io::Error,
    },
    /// The program nats-server was not found.
    #[error("there is no nats-server beside ktrdr, in .deps/nats/bin or on PATH")]
    NoServer,
    /// A program cannot be started.
    #[error("cannot start {program}")]
    Spawn {
        /// Path of the program.
        program: PathBuf,
        /// The answer of the operating system.
        source: std::io::Error,
    },
    /// The server ended, or did not become ready in time.
    #[error("the NATS server did not become ready: {reason}")]
    ServerNotReady {
        /// Last line of its log, or what was waited for.
        reason: String,
        /// The log file of the server.
        log: PathBuf,
    },
    /// The keys of the system cannot be made or read.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The object store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Connecting to the server failed, or applying the topology.
    #[error("cannot set up the bus")]
    Bus(#[from] BusError),
}

fn process_text(owner: Option<u32>) -> String {
    match owner {
        Some(pid) => format!(" (process {pid})"),
        None => String::new(),
    }
}

impl Advice for UpError {
    fn code(&self) -> Code {
        match self {
            Self::Folder { .. } | Self::FolderName { .. } => codes::UP_FOLDER,
            Self::AlreadyRunning { .. } => codes::UP_ALREADY_RUNNING,
            Self::Above { .. } => codes::UP_ABOVE,
            Self::PortTaken { .. } => codes::UP_PORT_TAKEN,
            Self::NoCommand { .. } => codes::UP_NO_COMMAND,
            Self::StillRunning { .. } | Self::UnknownHolder { .. } | Self::CannotStop { .. } => {
                codes::UP_STOP
            }
            Self::NoServer => codes::UP_NO_SERVER,
            Self::Spawn { .. } => codes::UP_SPAWN,
            Self::ServerNotReady { .. } => codes::UP_SERVER_NOT_READY,
            Self::Keys(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Bus(_) => codes::UP_BUS,
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        let hint = match self {
            Self::Folder { .. } => {
                "check the permissions and the space, or choose another place with --dir"
            }
            Self::FolderName { .. } => "rename the folder, or choose another place with --dir",
            Self::AlreadyRunning { .. } => {
                "use it from here (`ktrdr status`), stop it with `ktrdr down`, or choose another \
                 place with --dir"
            }
            Self::Above { .. } => {
                "use it from here (`ktrdr status`) or stop it with `ktrdr down`; `ktrdr up --dir \
                 .ktrdr` starts one of its own in this folder"
            }
            Self::PortTaken { .. } => {
                "leave out --port, which takes a free one and keeps it over restarts, or name \
                 another"
            }
            Self::NoCommand { .. } => {
                "check its spelling and PATH; as in `ktrdr up -- ktrdr doctor`"
            }
            Self::StillRunning { pid, .. } => {
                return format!(
                    "it goes on stopping; wait longer with --timeout, or `kill -9 {pid}` and \
                     `ktrdr down` again"
                )
                .into();
            }
            Self::UnknownHolder { dir } => {
                let lock = lock_of(dir);
                return format!(
                    "it may be another `ktrdr down`: try again; `fuser {}` names the process",
                    lock.display()
                )
                .into();
            }
            Self::CannotStop { .. } => "stop it as the user who started it",
            Self::NoServer => {
                "run `infra/setup nats` in the checkout, or put nats-server 2.14 or newer on PATH"
            }
            Self::Spawn { .. } => "build it with `make build`",
            Self::ServerNotReady { log, .. } => {
                let log = log.display();
                return format!("see {log}, or `ktrdr logs nats-server`").into();
            }
            // The cause knows better than this place what helps.
            Self::Keys(error) => return error.hint(),
            Self::Store(error) => return error.hint(),
            Self::Bus(error) => return error.hint(),
        };

        hint.into()
    }
}

impl From<UpError> for Failure {
    fn from(error: UpError) -> Self {
        let exit = match &error {
            UpError::AlreadyRunning { .. } | UpError::Above { .. } => Exit::Refused,
            UpError::NoServer | UpError::PortTaken { .. } | UpError::NoCommand { .. } => {
                Exit::Usage
            }
            UpError::StillRunning { .. } => Exit::TimedOut,
            UpError::Store(_) => Exit::Unreachable,
            _ => Exit::Failed,
        };
        Self::advised(exit, &error)
    }
}
