//! What can go wrong with stored objects: one variant per failed operation, each with a next
//! action.

use std::borrow::Cow;
use std::error::Error as _;
use std::io;

use schemas::codes::{self, Advice, Code};

use crate::{BackendError, RemoteFault};

/// A failed operation on the object store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no store, or the settings of its backend cannot be used.
    #[error("cannot open the object store `{url}`: {reason}")]
    Url {
        /// The URL, without a password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder of the store cannot be made or read.
    #[error("cannot open the object store `{url}`")]
    Open {
        /// URL or path of the store.
        url: String,
        /// The answer of the file system.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The backend cannot be used at all, as a first request showed.
    #[error("cannot use the object store `{url}`")]
    Unusable {
        /// URL of the store.
        url: String,
        /// The answer of the backend.
        #[source]
        source: Box<BackendError>,
    },
    /// The store did not answer within the time that a check may take.
    #[error("the object store `{url}` did not answer within {seconds} s")]
    Silent {
        /// URL of the store.
        url: String,
        /// Time waited for an answer.
        seconds: u64,
    },
    /// The store replaced an object that should have been refused as existing.
    #[error("the object store `{url}` overwrites objects that exist: it has no conditional create")]
    Overwrites {
        /// URL of the store.
        url: String,
    },
    /// The store belongs to another system on the same server.
    #[error("the object store `{url}` belongs to the tenant `{owner}`, and our key is {ours}")]
    OtherTenant {
        /// URL of the store.
        url: String,
        /// The tenant whose objects these are.
        owner: String,
        /// What our key says.
        ours: String,
    },
    /// A name that cannot be part of an object key.
    #[error("`{text}` cannot be used as {what}")]
    Name {
        /// The use of the text, such as `a model name`.
        what: &'static str,
        /// The refused text.
        text: String,
    },
    /// Reading failed for another reason than absence.
    #[error("cannot read `{key}`")]
    Read {
        /// Key of the object.
        key: String,
        /// The answer of the backend.
        #[source]
        source: Box<BackendError>,
    },
    /// A file of somebody else's cannot be read.
    #[error("cannot read the file `{key}`")]
    LocalRead {
        /// Path of the file.
        key: String,
        /// The answer of the file system.
        #[source]
        source: io::Error,
    },
    /// An object that a manifest names, or that was asked for by name, is absent.
    #[error("`{key}` does not exist")]
    Missing {
        /// Key of the object.
        key: String,
    },
    /// An object could not be written.
    #[error("cannot write `{key}`")]
    Write {
        /// Key of the object.
        key: String,
        /// The answer of the backend.
        #[source]
        source: Box<BackendError>,
    },
    /// Keys could not be listed.
    #[error("cannot list `{prefix}`")]
    List {
        /// Prefix of the keys.
        prefix: String,
        /// The answer of the backend.
        #[source]
        source: Box<BackendError>,
    },
    /// An object could not be deleted.
    #[error("cannot delete `{key}`")]
    Delete {
        /// Key of the object.
        key: String,
        /// The answer of the backend.
        #[source]
        source: Box<BackendError>,
    },
    /// The bytes are not those that were written.
    #[error("`{key}` is damaged: its SHA-256 is {actual}, expected {expected}")]
    Hash {
        /// Key of the object.
        key: String,
        /// Hash in the manifest.
        expected: String,
        /// Hash of the bytes read.
        actual: String,
    },
    /// The bytes have the right hash, or carry none, and do not have the expected form.
    #[error("`{key}` cannot be understood: {reason}")]
    Form {
        /// Key of the object.
        key: String,
        /// The first deviation from the form.
        reason: String,
    },
    /// Values that cannot be turned into a file.
    #[error("cannot encode {what}: {reason}")]
    Encode {
        /// The kind of file, such as `a data set`.
        what: &'static str,
        /// The first value that has no place in it.
        reason: String,
    },
    /// The bars of an edit break the rules of a stored series.
    #[error("cannot commit to `{series}`: {reason}")]
    Edit {
        /// Key of the series.
        series: String,
        /// The broken rule, with the first bar that breaks it.
        reason: String,
    },
    /// No bars of a series were ever deleted.
    #[error("no bars of `{key}` were deleted")]
    NothingDeleted {
        /// Key of the series.
        key: String,
    },
    /// A revision that would be needed was removed as garbage.
    #[error("revision {revision} of `{key}` is gone")]
    Collected {
        /// Key of the series.
        key: String,
        /// Number of the revision.
        revision: u64,
    },
    /// An object of that name has other content.
    #[error("`{key}` already exists with other content")]
    Conflict {
        /// Key of the object.
        key: String,
    },
    /// Other writers kept winning.
    #[error("`{key}` is being written by others: gave up after {seconds} s")]
    Contended {
        /// The key that could not be created.
        key: String,
        /// Time spent on the commit.
        seconds: u64,
    },
    /// The store refuses to create an object as existing, and has no such object.
    #[error("the store refused {attempts} times to create `{key}` as existing, and it is absent")]
    Refused {
        /// Key of the object.
        key: String,
        /// How often it was tried.
        attempts: usize,
    },
    /// Computing in the background was stopped, as happens when the process ends.
    #[error("the work on `{key}` was stopped")]
    Stopped {
        /// Key of the object.
        key: String,
    },
    /// A bar's close could not be computed.
    #[error("cannot tell when the bars of `{series}` became known")]
    CloseTimes {
        /// Key of the series.
        series: String,
        /// The bar whose close is unknown.
        #[source]
        source: market::CloseTimeError,
    },
    /// The bars of a series do not make bars of another timeframe.
    #[error("cannot make {timeframe} bars of the bars of `{series}`")]
    Resample {
        /// Key of the series of the finer bars.
        series: String,
        /// Timeframe of the wanted bars.
        timeframe: market::Timeframe,
        /// The first bar that has no place.
        #[source]
        source: market::ResampleError,
    },
    /// A local file could not be written.
    #[error("cannot write the file `{path}`")]
    Export {
        /// Path of the file.
        path: String,
        /// The answer of the file system.
        #[source]
        source: io::Error,
    },
}

impl StoreError {
    /// True if the device or a quota is full, or a file grew beyond the size that this user may
    /// write: retrying does not help until somebody makes room.
    pub fn is_full(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};

        // The error of the system is at the bottom of the chain, below the library's own.
        let mut cause = self.source();
        while let Some(error) = cause {
            let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
            if matches!(kind, Some(StorageFull | QuotaExceeded | FileTooLarge)) {
                return true;
            }
            cause = error.source();
        }

        false
    }

    /// True if the same call may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self.backend() {
            Some(BackendError::Remote { fault, .. }) => fault.is_transient(),
            Some(BackendError::Local(source)) => !self.is_full() && !is_permanent(source),
            None => match self {
                Self::LocalRead { source, .. } => is_passing(source),
                _ => matches!(
                    self,
                    Self::Contended { .. }
                        | Self::Refused { .. }
                        | Self::Stopped { .. }
                        | Self::Silent { .. }
                ),
            },
        }
    }

    /// True if the server of the store gave no usable answer, so that nothing is known about its
    /// objects.
    pub fn is_unreachable(&self) -> bool {
        if let Some(BackendError::Remote { fault, .. }) = self.backend() {
            return !matches!(fault, RemoteFault::Refused | RemoteFault::ReadOnly);
        }
        matches!(
            self,
            Self::Open { .. } | Self::Unusable { .. } | Self::Silent { .. }
        )
    }

    /// True if the connection to a server broke before its answer.
    pub(crate) fn is_interrupted(&self) -> bool {
        match self.backend() {
            Some(BackendError::Remote { fault, .. }) => *fault == RemoteFault::Interrupted,
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

    /// The hint for an error of the store as a whole, `None` for one of an object.
    fn hint_on_store(&self) -> Option<&'static str> {
        let hint = match self {
            Self::Url { .. } => {
                "use file:///absolute/folder or s3://bucket/prefix; \
                 \"S3\" in docs/operating.md lists the variables"
            }
            Self::Open { .. } | Self::Unusable { .. } => {
                "check that the folder exists and that this user may write to it"
            }
            Self::Silent { .. } => RemoteFault::Timeout.hint(),
            Self::Overwrites { .. } => RemoteFault::Unsupported.hint(),
            Self::OtherTenant { .. } => {
                "name the prefix of our tenant in store.url, or a key of the store's tenant with \
                 --creds; `ktrdr doctor` shows both"
            }

            Self::Contended { .. } => {
                "run the command again when the other writers are done; nothing was lost"
            }
            Self::Refused { .. } => {
                "run the command again; if it goes on, `ktrdr doctor` checks whether the store \
                 answers conditional creates as it should"
            }
            Self::Stopped { .. } => "run the command again",
            _ => return None,
        };
        Some(hint)
    }

    /// The hint for an error of one object, file or edit.
    fn hint_on_object(&self) -> &'static str {
        match self {
            Self::Name { .. } => {
                "use letters, digits, `_`, `-` and `.`, at most 128 characters, \
                 not starting with a dot"
            }
            Self::Missing { .. } => {
                "check the name, and that every program uses the same store URL"
            }

            Self::LocalRead { .. } => {
                "put a regular file there that this user may read, or remove what is there"
            }
            Self::Read { .. } | Self::List { .. } => {
                "check that the store is reachable and that this user may read it"
            }
            Self::Write { .. } | Self::Delete { .. } | Self::Export { .. } => {
                "check that the place is reachable and that this user may write to it"
            }

            // Bars can be loaded again from their provider; other objects have to be made again.
            Self::Hash { key, .. } | Self::Form { key, .. } if key.starts_with("bars/") => {
                "the file was changed after it was written: restore it from a backup, or delete \
                 the folder it is in (`ktrdr doctor` shows where the store is) and load the bars \
                 again with `ktrdr data load`"
            }
            Self::Hash { .. } | Self::Form { .. } => {
                "the object was changed after it was written: restore it from a backup, or delete \
                 its folder (`ktrdr doctor` shows where the store is) and make it again"
            }

            Self::NothingDeleted { .. } => "`ktrdr data list` shows what is stored",
            Self::Collected { .. } => {
                "`ktrdr store gc` has deleted what was there: load or import the bars again"
            }
            Self::Edit { .. } => {
                "look at the named bar in the source; \
                 `ktrdr data check` explains what is wrong with it"
            }
            Self::Encode { .. } | Self::Conflict { .. } => {
                "this is a defect of the program that wrote: please report it"
            }
            _ => "",
        }
    }
}

impl Advice for StoreError {
    fn code(&self) -> Code {
        match self {
            _ if self.is_full() => codes::STORE_FULL,
            Self::Missing { .. } | Self::NothingDeleted { .. } | Self::Collected { .. } => {
                codes::STORE_MISSING
            }
            Self::Url { .. } => codes::STORE_URL,
            Self::OtherTenant { .. } => codes::STORE_OTHER_TENANT,
            Self::Name { .. } => codes::STORE_NAME,
            _ if self.is_unreachable() => codes::STORE_UNREACHABLE,
            _ => codes::STORE_FAILED,
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        // Whatever was being written, room is what is missing.
        if self.is_full() {
            return Cow::Borrowed(
                "the store is full (disk, quota or file-size limit): make room, then run the \
                 command again; nothing half-written is visible",
            );
        }

        match (self, self.backend()) {
            (_, Some(BackendError::Remote { fault, .. })) => Cow::Borrowed(fault.hint()),
            (Self::CloseTimes { source, .. }, _) => source.hint().into(),
            (Self::Resample { source, .. }, _) => source.hint().into(),
            _ => Cow::Borrowed(
                self.hint_on_store()
                    .unwrap_or_else(|| self.hint_on_object()),
            ),
        }
    }
}

/// True for an answer of the system that another try may not get. What cannot be read for any other
/// reason, such as a bad sector, is the matter of its own file.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{StaleNetworkFileHandle, TimedOut};
    matches!(error.kind(), StaleNetworkFileHandle | TimedOut)
}

/// True for failures on this machine that stay until a person changes something.
fn is_permanent(error: &object_store::Error) -> bool {
    use object_store::Error::{
        InvalidPath, NotImplemented, NotSupported, PermissionDenied, Unauthenticated,
    };
    matches!(
        error,
        PermissionDenied { .. }
            | Unauthenticated { .. }
            | InvalidPath { .. }
            | NotSupported { .. }
            | NotImplemented { .. }
    )
}
