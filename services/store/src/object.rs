//! One object at a time: open a store, create, read, check, list. Everything above is made of
//! these.

use std::fmt;
use std::sync::Arc;

use crate::backend::{Environment, backend, local_folder, names_no_bucket, process_environment};
use crate::{
    BackendError, StoreError, StoredArtifacts, StoredCheckpoints, StoredDataSets, StoredModels,
    StoredReports, StoredSeries,
};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use schemas::manifests::ObjectRef;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// Field of a JSON document that holds the hash of the rest of it.
const CHECKSUM: &str = "checksum";

/// How often an object is created that is refused as existing and then found absent.
const CREATES_MAX: usize = 5;

/// Access to one object store. Cloning is cheap and gives access to the same objects.
#[derive(Clone)]
pub struct Store {
    pub(crate) objects: Arc<dyn ObjectStore>,
    url: Arc<str>,
}

/// What became of a conditional create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Created {
    /// The object is ours.
    New,
    /// Somebody was there before.
    Stood,
}

impl Store {
    /// Opens `file:///folder` (created if missing, every write synced to disk), `s3://bucket/prefix`
    /// (server and credentials from the `AWS_*` variables of this process; nothing is asked yet), or
    /// `memory:///` (a new, empty store at every call).
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
        if let Some(folder) = local_folder(url)? {
            tokio::fs::create_dir_all(&folder)
                .await
                .map_err(|source| StoreError::Open {
                    url: url.to_owned(),
                    source: Box::new(source),
                })?;
        }
        Ok(Self::over(backend(url, environment)?, url))
    }

    /// A store over a given backend: for decorators that inject faults or delays.
    pub fn over(objects: Arc<dyn ObjectStore>, url: &str) -> Self {
        Self {
            objects,
            url: url.into(),
        }
    }

    /// The URL it was opened with.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Bars by series.
    pub fn series(&self) -> StoredSeries<'_> {
        StoredSeries { store: self }
    }

    /// Data sets by the hash of their inputs.
    pub fn data_sets(&self) -> StoredDataSets<'_> {
        StoredDataSets { store: self }
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

    /// True for a folder on this machine, false for a service.
    pub(crate) fn is_folder(&self) -> bool {
        self.url.starts_with("file:")
    }

    /// Stores bytes under `<prefix><sha256>.<extension>`; `prefix` ends in a separator, as in
    /// `reports/` or `bars/…/2018.`. Storing the same bytes twice is one object.
    ///
    /// # Errors
    /// Writing fails, or damaged bytes already stand under that name.
    pub(crate) async fn put_content(
        &self,
        prefix: &str,
        extension: &str,
        bytes: Bytes,
    ) -> Result<(String, ObjectRef), StoreError> {
        let reference = reference(&bytes);
        let key = format!("{prefix}{}.{extension}", reference.sha256);
        self.put_verified(&key, &reference, bytes).await?;
        Ok((key, reference))
    }

    /// Creates `key`; if it exists already, checks that it holds exactly these bytes.
    pub(crate) async fn put_verified(
        &self,
        key: &str,
        what: &ObjectRef,
        bytes: Bytes,
    ) -> Result<(), StoreError> {
        // S3 may refuse a create because another one is under way, which then fails: the object is
        // absent and the next create succeeds.
        for _ in 1..CREATES_MAX {
            if self.create(key, bytes.clone()).await? == Created::New {
                return Ok(());
            }
            match self.get_checked(key, &what.sha256).await {
                Err(StoreError::Missing { .. }) => {}
                checked => return checked.map(|_| ()),
            }
        }
        Err(StoreError::Missing {
            key: key.to_owned(),
        })
    }

    /// Reads an object and checks its hash (64 lowercase hex digits).
    ///
    /// # Errors
    /// It is absent, cannot be read, or its bytes have another hash.
    pub(crate) async fn get_checked(&self, key: &str, sha256: &str) -> Result<Bytes, StoreError> {
        let bytes = self.get(key).await?.ok_or_else(|| StoreError::Missing {
            key: key.to_owned(),
        })?;
        let found = sha256_hex(&bytes);
        if found == sha256 {
            Ok(bytes)
        } else {
            Err(StoreError::Hash {
                key: key.to_owned(),
                expected: sha256.to_owned(),
                found,
            })
        }
    }

    /// Bytes of an object, `None` if absent.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let read = |source| StoreError::Read {
            key: key.to_owned(),
            source: Box::new(BackendError::from(source)),
        };
        match self.objects.get(&path(key)?).await {
            Ok(object) => Ok(Some(object.bytes().await.map_err(read)?)),
            // A missing bucket is reported in the same way, and must not pass for an empty store.
            Err(source @ object_store::Error::NotFound { .. }) if names_no_bucket(&source) => {
                Err(read(source))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(read(source)),
        }
    }

    /// Creates an object that must not exist yet; never overwrites.
    pub(crate) async fn create(&self, key: &str, bytes: Bytes) -> Result<Created, StoreError> {
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        match self
            .objects
            .put_opts(&path(key)?, bytes.into(), options)
            .await
        {
            Ok(_) => Ok(Created::New),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Ok(Created::Stood),
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
        let encode = |reason: String| StoreError::Encode {
            what: "a manifest",
            reason,
        };
        let mut value =
            serde_json::to_value(document).map_err(|error| encode(error.to_string()))?;
        let checksum = sha256_hex(value.to_string().as_bytes());
        let fields = value
            .as_object_mut()
            .ok_or_else(|| encode("it is no JSON object".to_owned()))?;
        fields.insert(CHECKSUM.to_owned(), checksum.into());
        let bytes = serde_json::to_vec_pretty(&value).map_err(|error| encode(error.to_string()))?;
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
        let mut value: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|error| form(key, error))?;
        let expected = value
            .as_object_mut()
            .and_then(|fields| fields.remove(CHECKSUM));
        let Some(serde_json::Value::String(expected)) = expected else {
            return Err(form(key, format!("it has no field `{CHECKSUM}`")));
        };
        let found = sha256_hex(value.to_string().as_bytes());
        if found != expected {
            return Err(StoreError::Hash {
                key: key.to_owned(),
                expected,
                found,
            });
        }
        serde_json::from_value(value)
            .map(Some)
            .map_err(|error| form(key, error))
    }

    /// Keys of all objects below `prefix` (whole segments), in no order.
    pub(crate) async fn keys(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let list = self.objects.list(Some(&path(prefix)?));
        list.map_ok(|meta| meta.location.to_string())
            .try_collect()
            .await
            .map_err(|source| StoreError::List {
                prefix: prefix.to_owned(),
                source: Box::new(source.into()),
            })
    }

    /// Deletes an object; absence is fine.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        match self.objects.delete(&path(key)?).await {
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

/// SHA-256 in 64 lowercase hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Hash and size of bytes.
pub(crate) fn reference(bytes: &Bytes) -> ObjectRef {
    ObjectRef {
        sha256: sha256_hex(bytes),
        size_bytes: bytes.len() as u64,
    }
}

/// An object that reads as something else than expected.
pub(crate) fn form(key: &str, reason: impl fmt::Display) -> StoreError {
    StoreError::Form {
        key: key.to_owned(),
        reason: reason.to_string(),
    }
}

/// `text` if it can be one segment of a key: `[A-Za-z0-9_.-]{1,128}`, not starting with a dot.
pub(crate) fn segment<'a>(what: &'static str, text: &'a str) -> Result<&'a str, StoreError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if !text.is_empty() && text.len() <= 128 && !text.starts_with('.') && text.chars().all(legal) {
        Ok(text)
    } else {
        Err(StoreError::Name {
            what,
            text: text.to_owned(),
        })
    }
}

/// Runs a computation that takes longer than a few milliseconds on a thread for blocking work.
pub(crate) async fn computed<T: Send + 'static>(
    key: &str,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(StoreError::Stopped {
            key: key.to_owned(),
        })
    })
}

pub(crate) fn path(key: &str) -> Result<Path, StoreError> {
    Path::parse(key).map_err(|_| StoreError::Name {
        what: "an object key",
        text: key.to_owned(),
    })
}
