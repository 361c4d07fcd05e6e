//! Objects as they lie in the store, whatever they mean: listed, read and hashed for whoever judges
//! them and not for whoever uses them.

use bytes::Bytes;
use futures::TryStreamExt as _;
use market::Utc;
use object_store::ObjectStoreExt as _;
use sha2::{Digest as _, Sha256};

use crate::object::{list_error, object_path};
use crate::{Store, StoreError};

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawObject {
    /// Its key in the store.
    pub key: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// When it was written, by the clock of the store.
    pub written_at: Utc,
}

/// What the content of an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawContent {
    /// SHA-256 of it in 64 lowercase hex digits.
    pub sha256: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

impl Store {
    /// Every object below a folder, in no order.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub async fn raw_objects(&self, folder: &str) -> Result<Vec<RawObject>, StoreError> {
        let listed = self.objects.list(Some(&object_path(folder)?));
        let objects = listed.map_ok(|meta| RawObject {
            key: meta.location.to_string(),
            size_bytes: meta.size,
            written_at: Utc(meta.last_modified.timestamp_micros()),
        });
        let objects = objects.try_collect().await;
        objects.map_err(|source| list_error(folder, source))
    }

    /// The bytes of an object; none when there is none.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn raw_bytes(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.get(key).await
    }

    /// Hash and size of an object, a piece of it in memory at a time; none when there is none.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn raw_content(&self, key: &str) -> Result<Option<RawContent>, StoreError> {
        let failed = |source: object_store::Error| StoreError::Read {
            key: key.to_owned(),
            source: Box::new(source.into()),
        };
        let object = match self.objects.get(&object_path(key)?).await {
            Ok(object) => object,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(failed(source)),
        };

        let mut pieces = object.into_stream();
        let mut digest = Sha256::new();
        let mut size_bytes = 0;
        while let Some(piece) = pieces.try_next().await.map_err(failed)? {
            digest.update(&piece);
            size_bytes += piece.len() as u64;
        }
        let digest = digest.finalize();
        let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Some(RawContent { sha256, size_bytes }))
    }
}
