//! Why a local system does not come up.

use std::path::PathBuf;

use bus::BusError;
use schemas::codes::{self, Advice as _};
use store::StoreError;

use crate::console::{Exit, Failure};

/// One variant per failed operation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpError {
    /// The folder or a file in it.
    #[error("cannot use {}", path.display())]
    Folder {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another `ktrdr up` runs there.
    #[error("a system already runs in {}{}", dir.display(), owner.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    AlreadyRunning {
        /// The folder.
        dir: PathBuf,
        /// Process id of the other one, if known.
        owner: Option<u32>,
    },
    /// No server program.
    #[error("there is no nats-server in .deps/nats/bin nor on PATH")]
    NoServer,
    /// A program cannot be started.
    #[error("cannot start {program}")]
    Spawn {
        /// Its path.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server ended, or did not get ready in time.
    #[error("the NATS server did not get ready: {reason}")]
    ServerNotReady {
        /// Last line of its log, or what was waited for.
        reason: String,
        /// Its log.
        log: PathBuf,
    },
    /// The object store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Connecting or applying the topology.
    #[error("cannot set up the bus")]
    Bus(#[from] BusError),
}

impl UpError {
    /// What to do next.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Folder { .. } => "check the permissions and the space, or choose another place with --dir".to_owned(),
            Self::AlreadyRunning { .. } => {
                "use it from here (`ktrdr doctor`), stop it with Ctrl+C, or choose another place with --dir".to_owned()
            }
            Self::NoServer => {
                "run `infra/setup nats` in the checkout, or put nats-server 2.14 or newer on PATH".to_owned()
            }
            Self::Spawn { .. } => "build it with `make build` (the trainer with `make trainer`)".to_owned(),
            Self::ServerNotReady { log, .. } => format!("see {}; a port given with --port may be taken", log.display()),
            Self::Store(error) => error.hint().into_owned(),
            Self::Bus(error) => error.hint().into_owned(),
        }
    }
}

impl From<UpError> for Failure {
    fn from(error: UpError) -> Self {
        let (exit, code) = match &error {
            UpError::Store(_) => (Exit::Unreachable, codes::STORE_UNREACHABLE),
            UpError::Folder { .. } => (Exit::Failed, codes::UP_FOLDER),
            UpError::AlreadyRunning { .. } => (Exit::Refused, codes::UP_ALREADY_RUNNING),
            UpError::NoServer => (Exit::Usage, codes::UP_NO_SERVER),
            UpError::Spawn { .. } => (Exit::Failed, codes::UP_SPAWN),
            UpError::ServerNotReady { .. } => (Exit::Failed, codes::UP_SERVER_NOT_READY),
            UpError::Bus(_) => (Exit::Failed, codes::UP_BUS),
        };
        Self::of(exit, code, &error).with_hint(error.hint())
    }
}
