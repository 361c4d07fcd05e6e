//! Why a backup cannot be made, read or restored, each with the next action.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use schemas::codes::{self, Advice, Code};

use crate::backup::BACKUP_VERSION;
use crate::error::BusError;

/// What can go wrong with a backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The folder of a new backup is there already.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// The folder holds something else.
    #[error("{} is not a backup of KTRDR: {reason}", path.display())]
    Foreign {
        /// Folder that was named.
        path: PathBuf,
        /// What is missing or cannot be read.
        reason: String,
    },
    /// A newer program made it.
    #[error(
        "the backup in {} has version {version}; this program reads up to {BACKUP_VERSION}",
        path.display()
    )]
    Newer {
        /// Folder that was named.
        path: PathBuf,
        /// The version that it says.
        version: u64,
    },
    /// A file is not as it was written.
    #[error("the backup is damaged: {} {reason}", path.display())]
    Damaged {
        /// File that has changed.
        path: PathBuf,
        /// How it differs.
        reason: &'static str,
    },
    /// The system that is to be replaced has something in it.
    #[error("the system is not empty: {}", .0.join(", "))]
    NotEmpty(Vec<String>),
    /// Workers run on the system.
    #[error("{0} workers run on the system")]
    WorkersRun(usize),
    /// The server cannot be asked, or refuses.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// A file cannot be read or written.
    #[error("a file of the backup cannot be read or written")]
    File(#[from] std::io::Error),
}

impl BackupError {
    pub(crate) fn foreign(path: &Path, reason: impl Into<String>) -> Self {
        Self::Foreign {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn damaged(path: &Path, reason: &'static str) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason,
        }
    }
}

impl Advice for BackupError {
    fn code(&self) -> Code {
        match self {
            Self::Exists(_) | Self::File(_) => codes::BACKUP_FILES,
            Self::Foreign { .. } | Self::Newer { .. } | Self::Damaged { .. } => {
                codes::BACKUP_UNUSABLE
            }
            Self::NotEmpty(_) | Self::WorkersRun(_) => codes::BACKUP_IN_USE,
            Self::Bus(error) => error.code(),
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        match self {
            Self::Exists(_) => "name a folder that does not exist yet".into(),
            Self::Foreign { .. } => "name the folder that `ktrdr infra backup` has written".into(),
            Self::Newer { .. } => {
                "upgrade this program; `ktrdr --version` shows which it is".into()
            }
            Self::Damaged { .. } => "use another backup; nothing was restored from this one".into(),
            Self::NotEmpty(_) => "`ktrdr infra backup FOLDER` keeps what is there; `ktrdr infra \
                 restore FOLDER --force` then replaces it"
                .into(),
            Self::WorkersRun(_) => {
                "stop the services first; `ktrdr workers list` shows them".into()
            }
            Self::File(_) => "make room on the disk and check who may write there".into(),
            Self::Bus(error) => error.hint(),
        }
    }
}
