//! One object at a time: open a store, create, read, check, list. Everything above is made of
//! these.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use market::Utc;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use schemas::manifests::ObjectRef;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::backend::{
    AskStore, Environment, QueriedObjects, folder_of, names_no_bucket, observed, open_backend,
    process_environment,
};
use crate::{
    StoreError, StoredArtifacts, StoredCalendars, StoredCheckpoints, StoredConfirmations,
    StoredDataSets, StoredModels, StoredReports, StoredSeries,
};

/// Field of a JSON document that holds the hash of the rest of it.
const CHECKSUM: &str = "checksum";

/// How often a create is repeated whose object was refused as existing and then was absent.
const CREATES_MAX: usize = 5;

/// How often a create is sent in all when the connection breaks before its answer.
const CREATE_ATTEMPTS: usize = 3;

/// Access to one object store. Cloning is cheap and gives access to the same objects.
#[derive(Clone)]
pub struct Store {
    pub(crate) objects: Arc<dyn ObjectStore>,
    url: Arc<str>,
}

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedObject {
    pub(crate) key: String,
    pub(crate) size_bytes: u64,
    /// When it was written, by the clock of the store.
    pub(crate) modified: Utc,
}

/// The answer to a conditional create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Created {
    /// The object is ours.
    New,
    /// There was an object of that name before.
    Existed,
}

/// Whether the URL names a folder that does not exist; opening it would create it.
pub fn is_missing_folder(url: &str) -> bool {
    // A folder that may not be looked into is there.
    let is_missing = |folder: PathBuf| folder.try_exists().is_ok_and(|exists| !exists);
    folder_of(url).is_ok_and(|folder| folder.is_some_and(is_missing))
}

impl Store {
    /// Opens a store by its URL:
    /// - `file:///folder`, created if missing, every write synced to disk;
    /// - `s3://bucket/prefix`, server and credentials from the `AWS_*` variables of this process;
    ///   no request is made yet;
    /// - `memory:///`, a new, empty store at every call.
    ///
    /// # Errors
    /// A URL or variables that cannot be used, or a folder that cannot be made.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_with(url, &process_environment()).await
    }

    /// [`open`](Self::open) with the given environment variables instead of those of this process.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(url: &str, environment: &Environment) -> Result<Self, StoreError> {
        if let Some(folder) = folder_of(url)? {
            let made = tokio::fs::create_dir_all(&folder).await;
            made.map_err(|source| StoreError::Open {
                url: url.to_owned(),
                source: Box::new(source),
            })?;
        }
        let backend = open_backend(url, environment)?;
        Ok(Self::over(observed(backend), url))
    }

    /// [`open`](Self::open) without creating anything: a folder that does not exist is an empty
    /// store, which forgets what is written to it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_existing(url: &str) -> Result<Self, StoreError> {
        if is_missing_folder(url) {
            return Ok(Self::over(Arc::new(InMemory::new()), url));
        }
        Self::open(url).await
    }

    /// A store over a given backend: for decorators that inject faults or delays.
    pub fn over(objects: Arc<dyn ObjectStore>, url: &str) -> Self {
        Self {
            objects,
            url: url.into(),
        }
    }

    /// A store that another process reads: every request is a query to it, and nothing can be
    /// written.
    pub fn over_queries(ask: AskStore, url: &str) -> Self {
        Self::over(Arc::new(QueriedObjects::new(ask)), url)
    }

    /// The URL it was opened with.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder that holds it, where it is one of this machine.
    pub fn folder(&self) -> Option<PathBuf> {
        folder_of(&self.url).ok().flatten()
    }

    /// Bars by series.
    pub fn series(&self) -> StoredSeries<'_> {
        StoredSeries { store: self }
    }

    /// Calendars that users added, by name.
    pub fn calendars(&self) -> StoredCalendars<'_> {
        StoredCalendars { store: self }
    }

    /// Data sets by the hash of their inputs.
    pub fn data_sets(&self) -> StoredDataSets<'_> {
        StoredDataSets { store: self }
    }

    /// Confirmations on sealed rows.
    pub fn confirmations(&self) -> StoredConfirmations<'_> {
        StoredConfirmations { store: self }
    }

    /// Checkpoints by step.
    pub fn checkpoints(&self) -> StoredCheckpoints<'_> {
        StoredCheckpoints { store: self }
    }

    /// Artifacts by their hash.
    pub fn artifacts(&self) -> StoredArtifacts<'_> {
        StoredArtifacts { store: self }
    }

    /// Model versions by name.
    pub fn models(&self) -> StoredModels<'_> {
        StoredModels { store: self }
    }

    /// Reports by the hash of their content.
    pub fn reports(&self) -> StoredReports<'_> {
        StoredReports { store: self }
    }

    /// True for a folder on this machine, false for a server.
    pub(crate) fn is_folder(&self) -> bool {
        self.url.starts_with("file:")
    }

    /// Creates `key`; if it exists already, checks that it holds exactly these bytes.
    pub(crate) async fn put_verified(
        &self,
        key: &str,
        written: &ObjectRef,
        bytes: Bytes,
    ) -> Result<(), StoreError> {
        for _ in 0..CREATES_MAX {
            if self.create(key, bytes.clone()).await? == Created::New {
                return Ok(());
            }

            // S3 may refuse a create because another one is under way, which then fails: the object
            // is absent and the next create succeeds.
            match self.get_checked(key, &written.sha256).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Missing {
            key: key.to_owned(),
        })
    }

    /// Reads an object and checks its hash (64 lowercase hex digits).
    pub(crate) async fn get_checked(&self, key: &str, sha256: &str) -> Result<Bytes, StoreError> {
        let bytes = self.get(key).await?.ok_or_else(|| StoreError::Missing {
            key: key.to_owned(),
        })?;

        let actual = sha256_hex(&bytes);
        if actual == sha256 {
            Ok(bytes)
        } else {
            Err(hash_error(key, sha256.to_owned(), actual))
        }
    }

    /// Bytes of an object, `None` if absent.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let source = match self.objects.get(&object_path(key)?).await {
            Ok(object) => match object.bytes().await {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(source) => source,
            },
            Err(source) => source,
        };

        // A missing bucket is reported in the same way, and must not pass for an empty store.
        if matches!(source, object_store::Error::NotFound { .. }) && !names_no_bucket(&source) {
            return Ok(None);
        }
        Err(StoreError::Read {
            key: key.to_owned(),
            source: Box::new(source.into()),
        })
    }

    /// Creates an object that must not exist yet; never overwrites.
    ///
    /// A connection that breaks leaves open whether the object was created, and the library does
    /// not ask again. This does: every caller recognises an object that it created itself.
    pub(crate) async fn create(&self, key: &str, bytes: Bytes) -> Result<Created, StoreError> {
        for _ in 1..CREATE_ATTEMPTS {
            match self.create_once(key, bytes.clone()).await {
                Err(error) if error.is_interrupted() => {
                    tracing::debug!(key, "creating again after a broken connection");
                }
                answer => return answer,
            }
        }
        self.create_once(key, bytes).await
    }

    async fn create_once(&self, key: &str, bytes: Bytes) -> Result<Created, StoreError> {
        use object_store::Error::{AlreadyExists, Precondition};

        // The condition is the server's to check: only there it is atomic.
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        let path = object_path(key)?;

        match self.objects.put_opts(&path, bytes.into(), options).await {
            Ok(_) => Ok(Created::New),
            Err(AlreadyExists { .. } | Precondition { .. }) => Ok(Created::Existed),
            Err(source) => Err(StoreError::Write {
                key: key.to_owned(),
                source: Box::new(source.into()),
            }),
        }
    }

    /// Creates a JSON document that carries the hash of its own content.
    pub(crate) async fn create_document(
        &self,
        key: &str,
        document: &impl Serialize,
    ) -> Result<Created, StoreError> {
        let mut value = serde_json::to_value(document).map_err(encode_error)?;

        // Keys are sorted in a value, so the text under the hash is the same wherever it is made.
        let checksum = sha256_hex(value.to_string().as_bytes());
        let fields = value
            .as_object_mut()
            .ok_or_else(|| encode_error("it is not a JSON object"))?;
        fields.insert(CHECKSUM.to_owned(), checksum.into());

        let bytes = serde_json::to_vec_pretty(&value).map_err(encode_error)?;
        self.create(key, bytes.into()).await
    }

    /// Reads a JSON document, `None` if absent, and checks the hash that it carries.
    pub(crate) async fn document<T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<T>, StoreError> {
        let Some(bytes) = self.get(key).await? else {
            return Ok(None);
        };

        let mut value: Value =
            serde_json::from_slice(&bytes).map_err(|error| form_error(key, error))?;

        // The hash is of the document without it.
        let checksum = value
            .as_object_mut()
            .and_then(|fields| fields.remove(CHECKSUM));
        let Some(Value::String(expected)) = checksum else {
            return Err(form_error(key, format!("it has no field `{CHECKSUM}`")));
        };
        let actual = sha256_hex(value.to_string().as_bytes());
        if actual != expected {
            return Err(hash_error(key, expected, actual));
        }

        // An intact document of another version may still lack what this one needs.
        let document = serde_json::from_value(value).map_err(|error| form_error(key, error))?;
        Ok(Some(document))
    }

    /// Keys of all objects below `prefix` (whole segments), in no order.
    pub(crate) async fn keys(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let listed = self.objects.list(Some(&object_path(prefix)?));
        let keys = listed
            .map_ok(|meta| meta.location.to_string())
            .try_collect();
        keys.await.map_err(|source| list_error(prefix, source))
    }

    /// All objects below `prefix` (whole segments) with size and time, in no order.
    pub(crate) async fn objects_below(
        &self,
        prefix: &str,
    ) -> Result<Vec<ListedObject>, StoreError> {
        let listed = self.objects.list(Some(&object_path(prefix)?));
        let objects = listed
            .map_ok(|meta| ListedObject {
                key: meta.location.to_string(),
                size_bytes: meta.size,
                modified: Utc(meta.last_modified.timestamp_micros()),
            })
            .try_collect();
        objects.await.map_err(|source| list_error(prefix, source))
    }

    /// Deletes an object; absence is fine.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        match self.objects.delete(&object_path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(StoreError::Delete {
                key: key.to_owned(),
                source: Box::new(source.into()),
            }),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Store")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

pub(crate) fn list_error(prefix: &str, source: object_store::Error) -> StoreError {
    StoreError::List {
        prefix: prefix.to_owned(),
        source: Box::new(source.into()),
    }
}

/// SHA-256 in 64 lowercase hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hash and size of bytes.
pub(crate) fn reference_to(bytes: &Bytes) -> ObjectRef {
    ObjectRef {
        sha256: sha256_hex(bytes),
        size_bytes: bytes.len() as u64,
    }
}

/// An object that reads as something else than expected.
pub(crate) fn form_error(key: &str, reason: impl fmt::Display) -> StoreError {
    StoreError::Form {
        key: key.to_owned(),
        reason: reason.to_string(),
    }
}

fn hash_error(key: &str, expected: String, actual: String) -> StoreError {
    StoreError::Hash {
        key: key.to_owned(),
        expected,
        actual,
    }
}

fn encode_error(reason: impl fmt::Display) -> StoreError {
    StoreError::Encode {
        what: "a manifest",
        reason: reason.to_string(),
    }
}

/// `text` if it can be one segment of a key: `[A-Za-z0-9_.-]{1,128}`, not starting with a dot.
pub(crate) fn checked_segment<'a>(
    what: &'static str,
    text: &'a str,
) -> Result<&'a str, StoreError> {
    let is_long_enough = (1..=128).contains(&text.len());
    let is_legal = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));

    // A leading dot covers `.` and `..`, which would leave the folder.
    if is_long_enough && is_legal && !text.starts_with('.') {
        Ok(text)
    } else {
        Err(StoreError::Name {
            what,
            text: text.to_owned(),
        })
    }
}

/// Runs a computation that takes longer than a few milliseconds on a thread for blocking work.
pub(crate) async fn run_blocking<T: Send + 'static>(
    key: &str,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::Stopped {
            key: key.to_owned(),
        }),
    }
}

pub(crate) fn object_path(key: &str) -> Result<Path, StoreError> {
    Path::parse(key).map_err(|_| StoreError::Name {
        what: "an object key",
        text: key.to_owned(),
    })
}
