//! Giving versions of a model: the number after the last, once for each operation.

use schemas::manifests::ModelManifest;

use crate::StoreError;
use crate::model::{StoredModels, model_key};
use crate::names::{ModelPlace, StoredVersion};
use crate::object::Created;

/// How often one version is tried in all that the store refuses as existing and does not have.
const ATTEMPTS_MAX: usize = 50;

/// Gives versions of one model, each the number after the last: see
/// [`StoredModels::begin_numbering`].
#[derive(Debug)]
pub struct VersionNumbering<'a> {
    models: StoredModels<'a>,
    place: ModelPlace,
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

        let mut refusals = 0;
        while refusals < ATTEMPTS_MAX {
            if let Some(model) = self.existing.iter().find(|model| is_ours(model)) {
                return Ok(model.clone());
            }

            let version = self.next;
            let manifest = ModelManifest {
                name: self.place.folder.clone(),
                version,
                operation: operation.to_owned(),
                training,
                ..make(version)
            };
            let store = self.models.store;
            let key = model_key(&self.place.folder, version);
            if store.create_document(&key, &manifest).await? == Created::New {
                self.next += 1;
                return Ok(self.models.called(manifest, &self.place));
            }

            match store.version_at(&self.place.folder, version).await? {
                // Created by an earlier request of ours, whose answer was lost.
                Some(StoredVersion::Model(other)) if is_ours(&other) => {
                    return Ok(self.models.called(*other, &self.place));
                }
                Some(StoredVersion::Model(_)) => {
                    self.next += 1;
                    refusals = 0;
                }
                // Another model got this name meanwhile, and its numbers go on.
                Some(StoredVersion::Moved(_)) => {
                    *self = self.models.begin_numbering(&self.place.name).await?;
                    refusals += 1;
                }
                // Refused for another create that then failed: the number is still free.
                None => refusals += 1,
            }
        }
        Err(StoreError::Refused {
            key: model_key(&self.place.folder, self.next),
            attempts: ATTEMPTS_MAX,
        })
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
    /// versions that are there are read once. Of a model that was renamed either name will do.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn begin_numbering(self, name: &str) -> Result<VersionNumbering<'a>, StoreError> {
        let place = self.place_of(name).await?;
        let existing = self.versions_with_deleted(&place).await?;
        Ok(VersionNumbering {
            models: self,
            place,
            next: existing.last().map_or(0, |newest| newest.version) + 1,
            existing,
        })
    }
}
