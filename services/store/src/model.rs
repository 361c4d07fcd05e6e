//! Named model versions, each the work of one operation.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use schemas::manifests::ModelManifest;

use crate::chain::{ChainedChange, ChangeOutcome};
use crate::names::{ModelPlace, StoredVersion};
use crate::object::{checked_segment, form_error};
use crate::{Store, StoreError};

/// Manifests read at once.
const READS_MAX: usize = 16;

/// Model versions by name: the handle that [`Store::models`] returns.
#[derive(Clone, Copy, Debug)]
pub struct StoredModels<'a> {
    pub(crate) store: &'a Store,
}

impl StoredModels<'_> {
    /// A version of a model, or its newest; `None` if there is none, or if it is deleted. Of a
    /// model that was renamed either name will do.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn find(
        self,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<ModelManifest>, StoreError> {
        let place = self.place_of(name).await?;
        let deleted = self.deleted_in(&place.folder).await?;
        let version = match version {
            Some(version) => Some(version),
            None => {
                let numbers = self.version_numbers(&place.folder).await?;
                numbers
                    .into_iter()
                    .rfind(|number| !deleted.contains(number))
            }
        };

        match version.filter(|version| !deleted.contains(version)) {
            Some(version) => self.read_in(&place, version).await,
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
        let place = self.place_of(name).await?;
        self.read_in(&place, version).await
    }

    async fn read_in(
        self,
        place: &ModelPlace,
        version: u32,
    ) -> Result<Option<ModelManifest>, StoreError> {
        match self.store.version_at(&place.folder, version).await? {
            // A manifest that somebody copied to another place has a valid hash and is still wrong.
            Some(StoredVersion::Model(other))
                if other.name != place.folder || other.version != version =>
            {
                let key = model_key(&place.folder, version);
                let reason = format!("it is version {} of {}", other.version, other.name);
                Err(form_error(&key, reason))
            }
            Some(StoredVersion::Model(model)) => Ok(Some(self.called(*model, place))),
            Some(StoredVersion::Moved(_)) | None => Ok(None),
        }
    }

    /// A stored manifest with the name that its model has now.
    pub(crate) fn called(self, model: ModelManifest, place: &ModelPlace) -> ModelManifest {
        ModelManifest {
            name: place.name.clone(),
            former_names: place.former_names.clone(),
            ..model
        }
    }

    /// Every version of a model that is not deleted, oldest first.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn versions(self, name: &str) -> Result<Vec<ModelManifest>, StoreError> {
        let place = self.place_of(name).await?;
        let deleted = self.deleted_in(&place.folder).await?;
        let mut models = self.versions_with_deleted(&place).await?;
        models.retain(|model| !deleted.contains(&model.version));
        Ok(models)
    }

    pub(crate) async fn versions_with_deleted(
        self,
        place: &ModelPlace,
    ) -> Result<Vec<ModelManifest>, StoreError> {
        let numbers = self.version_numbers(&place.folder).await?;
        let reads = stream::iter(numbers)
            .map(|version| self.read_in(place, version))
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
        let names = self.names().await?;
        let keys = self.store.keys("models").await?;
        // There is no list of models but that of their manifests.
        let folders: BTreeSet<&str> = keys
            .iter()
            .filter_map(|key| key.split('/').nth(1))
            .collect();

        let mut places: Vec<ModelPlace> = folders.iter().map(|it| names.place_in(it)).collect();
        places.sort_by(|one, other| one.name.cmp(&other.name));
        let mut models = Vec::new();
        for place in places {
            models.extend(self.versions_with_deleted(&place).await?);
        }
        Ok(models)
    }

    /// Version numbers in the folder of a model, ascending; a name that means another model has one
    /// too.
    pub(crate) async fn version_numbers(self, folder: &str) -> Result<Vec<u32>, StoreError> {
        let folder = format!("models/{folder}");
        let keys = self.store.keys(&folder).await?;
        let mut numbers: Vec<u32> = keys
            .iter()
            .filter_map(|key| version_of(key.strip_prefix(&folder)?))
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The newest change of each subject of one model, or of all, under the name of now.
    pub(crate) async fn newest_of<C: ChainedChange>(
        self,
        name: Option<&str>,
    ) -> Result<Vec<C>, StoreError> {
        let names = self.names().await?;
        let folder = match name {
            Some(name) => Some(
                names
                    .place_of(checked_segment("a model name", name)?)
                    .folder,
            ),
            None => None,
        };

        let changes: Vec<C> = self.store.newest_changes(folder.as_deref()).await?;
        let changes = changes.into_iter();
        Ok(changes.map(|change| names.renamed(change)).collect())
    }

    /// Makes a change of the model that has or had the name in it.
    pub(crate) async fn make_of<C: ChainedChange>(
        self,
        change: C,
    ) -> Result<ChangeOutcome<C>, StoreError> {
        let place = self.place_of(change.model()).await?;
        let change = change.of_model(place.folder.clone());
        Ok(match self.store.make_change(change).await? {
            ChangeOutcome::Made(made) => ChangeOutcome::Made(self.named(made, &place)),
            ChangeOutcome::Overtaken(by) => ChangeOutcome::Overtaken(self.named(by, &place)),
        })
    }

    /// A stored change with the name that its model has now.
    pub(crate) fn named<C: ChainedChange>(self, change: C, place: &ModelPlace) -> C {
        change.of_model(place.name.clone())
    }
}

pub(crate) fn model_key(folder: &str, version: u32) -> String {
    format!("models/{folder}/{version}/manifest.json")
}

/// The version in the part of a manifest's key after the model's name.
fn version_of(rest: &str) -> Option<u32> {
    let version = rest.strip_prefix('/')?.strip_suffix("/manifest.json")?;
    version.parse().ok()
}
