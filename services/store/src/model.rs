//! Named model versions, each the work of one operation.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use schemas::manifests::ModelManifest;

use crate::object::{Created, checked_segment, form_error};
use crate::{Store, StoreError};

/// Manifests read at once.
const READS_MAX: usize = 16;

/// Model versions by name: the handle that [`Store::models`] returns.
#[derive(Clone, Copy, Debug)]
pub struct StoredModels<'a> {
    pub(crate) store: &'a Store,
}

/// Gives versions of one model, each the number after the last: see
/// [`StoredModels::begin_numbering`].
#[derive(Debug)]
pub struct VersionNumbering<'a> {
    models: StoredModels<'a>,
    name: String,
    /// What was there at the beginning, by version.
    existing: Vec<ModelManifest>,
    next: u32,
}

impl VersionNumbering<'_> {
    /// Gives the next version to `operation`, or to this `training` of it, as
    /// [`StoredModels::assign_version`] does.
    ///
    /// # Errors
    /// A failed read or write.
    pub async fn assign(
        &mut self,
        operation: &str,
        training: Option<u32>,
        make: impl Fn(u32) -> ModelManifest + Send,
    ) -> Result<ModelManifest, StoreError> {
        // An attempt that was repeated must not become a second version.
        let is_ours =
            |model: &ModelManifest| model.operation == operation && model.training == training;
        if let Some(model) = self.existing.iter().find(|model| is_ours(model)) {
            return Ok(model.clone());
        }

        loop {
            let version = self.next;
            let manifest = ModelManifest {
                name: self.name.clone(),
                version,
                operation: operation.to_owned(),
                training,
                ..make(version)
            };
            let key = model_key(&self.name, version);
            let store = self.models.store;
            if store.create_document(&key, &manifest).await? == Created::New {
                self.next += 1;
                return Ok(manifest);
            }

            match self.models.read_version(&self.name, version).await? {
                // Created by an earlier request of ours, whose answer was lost.
                Some(other) if is_ours(&other) => return Ok(other),
                Some(_) => self.next += 1,
                // Refused for another create that then failed: the number is still free.
                None => {}
            }
        }
    }
}

impl<'a> StoredModels<'a> {
    /// Gives the next version of model `name` to `operation`. Creating the manifest is the
    /// assignment; if a version already names this operation, that one is returned and nothing is
    /// written. `make` is called with a version and may be called again with a higher one.
    ///
    /// # Errors
    /// An invalid name, or a failed read or write.
    pub async fn assign_version(
        self,
        name: &str,
        operation: &str,
        make: impl Fn(u32) -> ModelManifest + Send,
    ) -> Result<ModelManifest, StoreError> {
        let mut numbering = self.begin_numbering(name).await?;
        numbering.assign(operation, None, make).await
    }

    /// What gives several versions of model `name` to one operation, one after another: the
    /// versions that are there are read once.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn begin_numbering(self, name: &str) -> Result<VersionNumbering<'a>, StoreError> {
        let existing = self.versions_with_deleted(name).await?;
        Ok(VersionNumbering {
            models: self,
            name: name.to_owned(),
            next: existing.last().map_or(0, |newest| newest.version) + 1,
            existing,
        })
    }

    /// A version of a model, or its newest; `None` if there is none, or if it is deleted.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn find(
        self,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<ModelManifest>, StoreError> {
        let deleted = self.deleted_numbers(name).await?;
        let version = match version {
            Some(version) => Some(version),
            None => {
                let numbers = self.version_numbers(name).await?;
                numbers
                    .into_iter()
                    .rfind(|number| !deleted.contains(number))
            }
        };

        match version.filter(|version| !deleted.contains(version)) {
            Some(version) => self.read_version(name, version).await,
            None => Ok(None),
        }
    }

    /// A version, deleted or not.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn read_version(
        self,
        name: &str,
        version: u32,
    ) -> Result<Option<ModelManifest>, StoreError> {
        let key = model_key(checked_segment("a model name", name)?, version);
        let manifest: Option<ModelManifest> = self.store.document(&key).await?;

        match manifest {
            // A manifest that somebody copied to another place has a valid hash and is still wrong.
            Some(other) if other.name != name || other.version != version => {
                let reason = format!("it is version {} of {}", other.version, other.name);
                Err(form_error(&key, reason))
            }
            manifest => Ok(manifest),
        }
    }

    /// Every version of a model that is not deleted, oldest first.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn versions(self, name: &str) -> Result<Vec<ModelManifest>, StoreError> {
        let deleted = self.deleted_numbers(name).await?;
        let mut models = self.versions_with_deleted(name).await?;
        models.retain(|model| !deleted.contains(&model.version));
        Ok(models)
    }

    async fn versions_with_deleted(self, name: &str) -> Result<Vec<ModelManifest>, StoreError> {
        let numbers = self.version_numbers(name).await?;
        let reads = stream::iter(numbers)
            .map(|version| self.read_version(name, version))
            .buffered(READS_MAX);
        let models: Vec<_> = reads.try_collect().await?;
        Ok(models.into_iter().flatten().collect())
    }

    /// Every version of every model that is not deleted, by name, oldest first.
    ///
    /// # Errors
    /// A failed read.
    pub async fn list(self) -> Result<Vec<ModelManifest>, StoreError> {
        let deletions = self.deletions(None).await?;
        let deleted = deletions.iter().filter(|change| change.is_deleted);
        let deleted: BTreeSet<(&str, u32)> = deleted
            .map(|change| (change.model.as_str(), change.version))
            .collect();

        let mut models = self.list_with_deleted().await?;
        models.retain(|model| !deleted.contains(&(model.name.as_str(), model.version)));
        Ok(models)
    }

    /// Every version of every model, deleted ones included.
    pub(crate) async fn list_with_deleted(self) -> Result<Vec<ModelManifest>, StoreError> {
        let keys = self.store.keys("models").await?;
        // There is no list of models but that of their manifests.
        let names: BTreeSet<&str> = keys
            .iter()
            .filter_map(|key| key.split('/').nth(1))
            .collect();

        let mut models = Vec::new();
        for name in names {
            models.extend(self.versions_with_deleted(name).await?);
        }
        Ok(models)
    }

    /// Version numbers of a model, ascending.
    async fn version_numbers(self, name: &str) -> Result<Vec<u32>, StoreError> {
        let folder = format!("models/{}", checked_segment("a model name", name)?);
        let keys = self.store.keys(&folder).await?;
        let mut numbers: Vec<u32> = keys
            .iter()
            .filter_map(|key| version_of(key.strip_prefix(&folder)?))
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

fn model_key(name: &str, version: u32) -> String {
    format!("models/{name}/{version}/manifest.json")
}

/// The version in the part of a manifest's key after the model's name.
fn version_of(rest: &str) -> Option<u32> {
    let version = rest.strip_prefix('/')?.strip_suffix("/manifest.json")?;
    version.parse().ok()
}
