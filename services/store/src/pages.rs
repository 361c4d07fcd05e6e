//! Objects in pages that fit into one message: what a process with access to a store answers to
//! those without.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore as _, ObjectStoreExt as _};
use schemas::queries::{
    ListObjects, OBJECTS_MAX, ObjectHead, ObjectPage, ObjectSummary, PAGE_BYTES, ReadObject,
};

use crate::backend::names_no_bucket;
use crate::object::{list_error, object_path};
use crate::{Store, StoreError};

impl Store {
    /// A page of the objects below a prefix, in the order of their keys.
    ///
    /// # Errors
    /// A prefix or key that no object can have, or the store cannot be listed.
    pub async fn list_page(&self, query: &ListObjects) -> Result<ObjectPage, StoreError> {
        let prefix = object_path(&query.prefix)?;
        let listed = match &query.after {
            Some(key) => self
                .objects
                .list_with_offset(Some(&prefix), &object_path(key)?),
            None => self.objects.list(Some(&prefix)),
        };

        let listed: Result<Vec<ObjectMeta>, _> = listed.try_collect().await;
        let listed = listed.map_err(|source| list_error(&query.prefix, source))?;
        let mut objects: Vec<ObjectSummary> = listed.iter().map(summary).collect();

        // A folder lists its files in no order, and the next page begins after the last of these.
        objects.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        let more = objects.len() > OBJECTS_MAX;
        objects.truncate(OBJECTS_MAX);
        Ok(ObjectPage { objects, more })
    }

    /// A page of an object, and what it is as a whole; `None` if there is no such object.
    ///
    /// # Errors
    /// A key that no object can have, or the object cannot be read.
    pub async fn read_page(
        &self,
        query: &ReadObject,
    ) -> Result<Option<(ObjectHead, Bytes)>, StoreError> {
        let path = object_path(&query.key)?;
        let head = match self.objects.head(&path).await {
            Ok(meta) => head(&meta),
            Err(source) => return absence(&query.key, source),
        };
        if query.from >= head.size_bytes {
            return Ok(Some((head, Bytes::new())));
        }

        let end = query.from.saturating_add(PAGE_BYTES as u64);
        let options = GetOptions {
            range: Some(GetRange::Bounded(query.from..end.min(head.size_bytes))),
            ..GetOptions::default()
        };
        let page = match self.objects.get_opts(&path, options).await {
            Ok(object) => object.bytes().await,
            Err(source) => Err(source),
        };
        match page {
            Ok(page) => Ok(Some((head, page))),
            Err(source) => absence(&query.key, source),
        }
    }
}

/// Nothing where an object is absent. A missing bucket is reported in the same way, and must not
/// pass for an absent object.
fn absence<T>(key: &str, source: object_store::Error) -> Result<Option<T>, StoreError> {
    if matches!(source, object_store::Error::NotFound { .. }) && !names_no_bucket(&source) {
        return Ok(None);
    }
    Err(StoreError::Read {
        key: key.to_owned(),
        source: Box::new(source.into()),
    })
}

fn summary(meta: &ObjectMeta) -> ObjectSummary {
    ObjectSummary {
        key: meta.location.to_string(),
        size_bytes: meta.size,
        modified_at: meta.last_modified.timestamp_micros(),
    }
}

fn head(meta: &ObjectMeta) -> ObjectHead {
    ObjectHead {
        size_bytes: meta.size,
        modified_at: meta.last_modified.timestamp_micros(),
    }
}
