//! What can go wrong with stored objects: one variant per failed operation, each with a next
//! action.

use std::error::Error as _;
use std::io;

use crate::{BackendError, RemoteFault};

/// A failed operation on the object store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no store.
    #[error("cannot open the object store `{url}`: {reason}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The backend could not be reached or created.
    #[error("cannot open the object store `{url}`")]
    Open {
        /// What was given.
        url: String,
        /// Cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The backend cannot be used at all, as a first request showed.
    #[error("cannot use the object store `{url}`")]
    Unusable {
        /// URL of the store.
        url: String,
        /// What the backend answered.
        #[source]
        source: Box<BackendError>,
    },
    /// A name that cannot be part of an object key.
    #[error("`{text}` cannot be used as {what}")]
    Name {
        /// What the text was for.
        what: &'static str,
        /// The text.
        text: String,
    },
    /// Reading failed for another reason than absence.
    #[error("cannot read `{key}`")]
    Read {
        /// Object key.
        key: String,
        /// Cause.
        #[source]
        source: Box<BackendError>,
    },
    /// An object that a manifest names, or that was asked for by name, is absent.
    #[error("`{key}` does not exist")]
    Missing {
        /// Object key.
        key: String,
    },
    /// Writing failed.
    #[error("cannot write `{key}`")]
    Write {
        /// Object key.
        key: String,
        /// Cause.
        #[source]
        source: Box<BackendError>,
    },
    /// Listing failed.
    #[error("cannot list `{prefix}`")]
    List {
        /// Key prefix.
        prefix: String,
        /// Cause.
        #[source]
        source: Box<BackendError>,
    },
    /// Deleting failed.
    #[error("cannot delete `{key}`")]
    Delete {
        /// Object key.
        key: String,
        /// Cause.
        #[source]
        source: Box<BackendError>,
    },
    /// The bytes are not those that were written.
    #[error("`{key}` is damaged: its SHA-256 is {found}, expected {expected}")]
    Hash {
        /// Object key.
        key: String,
        /// Hash in the manifest.
        expected: String,
        /// Hash of the bytes read.
        found: String,
    },
    /// The bytes have the right hash, or carry none, and do not have the expected form.
    #[error("`{key}` cannot be understood: {reason}")]
    Form {
        /// Object key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// Values that cannot be turned into a file.
    #[error("cannot encode {what}: {reason}")]
    Encode {
        /// Which kind of file.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The bars of an edit break the rules of a stored series.
    #[error("cannot commit to `{series}`: {reason}")]
    Edit {
        /// Series key.
        series: String,
        /// What is wrong, with the first bar that it concerns.
        reason: String,
    },
    /// An object of that name has other content.
    #[error("`{key}` already exists with other content")]
    Conflict {
        /// Object key.
        key: String,
    },
    /// Other writers kept winning.
    #[error("`{key}` is being written by others: gave up after {seconds} s")]
    Contended {
        /// The key that could not be created.
        key: String,
        /// Time spent.
        seconds: u64,
    },
    /// Computing in the background was stopped, as happens when the process ends.
    #[error("the work on `{key}` was stopped")]
    Stopped {
        /// Object key.
        key: String,
    },
    /// A bar's close could not be computed.
    #[error("cannot tell when the bars of `{series}` became known")]
    CloseTimes {
        /// Series key.
        series: String,
        /// Cause.
        #[source]
        source: market::CloseTimeError,
    },
    /// The store did not answer within the time that a check may take.
    #[error("the object store `{url}` did not answer within {seconds} s")]
    Silent {
        /// URL of the store.
        url: String,
        /// Time waited.
        seconds: u64,
    },
    /// The store replaced an object that should have been refused as existing.
    #[error("the object store `{url}` overwrites objects that exist: it has no conditional create")]
    Overwrites {
        /// URL of the store.
        url: String,
    },
    /// A local file could not be written.
    #[error("cannot write the file `{path}`")]
    Export {
        /// File path.
        path: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
}

impl StoreError {
    /// True if the device or a quota is full, or a file grew beyond what this user may write:
    /// retrying does not help until somebody makes room.
    pub fn is_full(&self) -> bool {
        let mut cause = self.source();
        while let Some(error) = cause {
            let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
            use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
            if matches!(kind, Some(StorageFull | QuotaExceeded | FileTooLarge)) {
                return true;
            }
            cause = error.source();
        }
        false
    }

    /// True if the same call may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match (self, self.backend()) {
            (_, Some(BackendError::Remote { fault, .. })) => fault.is_transient(),
            (_, Some(BackendError::Local(source))) => {
                !self.is_full()
                    && !matches!(
                        source,
                        object_store::Error::PermissionDenied { .. }
                            | object_store::Error::Unauthenticated { .. }
                            | object_store::Error::InvalidPath { .. }
                            | object_store::Error::NotSupported { .. }
                            | object_store::Error::NotImplemented { .. }
                    )
            }
            (Self::Contended { .. } | Self::Stopped { .. } | Self::Silent { .. }, None) => true,
            _ => false,
        }
    }

    /// True if the server of the store gave no usable answer, so that nothing is known of what it
    /// holds.
    pub fn is_unreachable(&self) -> bool {
        match (self, self.backend()) {
            (Self::Open { .. } | Self::Unusable { .. } | Self::Silent { .. }, _) => true,
            (_, Some(BackendError::Remote { fault, .. })) => *fault != RemoteFault::Refused,
            _ => false,
        }
    }

    /// The backend's own error, for failures of single objects.
    fn backend(&self) -> Option<&BackendError> {
        match self {
            Self::Read { source, .. }
            | Self::Write { source, .. }
            | Self::List { source, .. }
            | Self::Delete { source, .. }
            | Self::Unusable { source, .. } => Some(source),
            _ => None,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        if let Some(BackendError::Remote { fault, .. }) = self.backend() {
            return fault.hint();
        }
        if self.is_full() {
            return "the store is full (disk, quota or file-size limit): make room, then run the command again; nothing half-written is visible";
        }
        match self {
            Self::Url { .. } => {
                "use file:///absolute/folder or s3://bucket/prefix; docs/operating.md, \"S3\", lists the variables"
            }
            Self::Open { .. } | Self::Unusable { .. } => {
                "check that the folder or bucket exists and that this user may write to it"
            }
            Self::Name { .. } => {
                "use letters, digits, `_`, `-` and `.`, at most 128 characters, not starting with a dot"
            }
            Self::Read { .. } | Self::List { .. } => {
                "check that the store is reachable and that this user may read it"
            }
            Self::Missing { .. } => {
                "check the name, and that every program uses the same store URL"
            }
            Self::Write { .. } | Self::Delete { .. } | Self::Export { .. } => {
                "check that the place is reachable and that this user may write to it"
            }
            Self::Hash { key, .. } | Self::Form { key, .. } if key.starts_with("bars/") => {
                "the file was changed after it was written: restore it from a backup, or delete the folder it is in (`ktrdr doctor` shows where the store is) and load the bars again with `ktrdr data load`"
            }
            Self::Hash { .. } | Self::Form { .. } => {
                "the object was changed after it was written: restore it from a backup, or delete its folder (`ktrdr doctor` shows where the store is) and make it again"
            }
            Self::Encode { .. } | Self::Conflict { .. } => {
                "this is a defect of the program that wrote: please report it"
            }
            Self::Edit { .. } => {
                "look at the named bar in the source; `ktrdr data check` explains what is wrong with it"
            }
            Self::Contended { .. } => {
                "run the command again when the other writers are done; nothing was lost"
            }
            Self::Stopped { .. } => "run the command again",
            Self::Silent { .. } => RemoteFault::Timeout.hint(),
            Self::Overwrites { .. } => RemoteFault::Unsupported.hint(),
            Self::CloseTimes { source, .. } => source.hint(),
        }
    }
}
