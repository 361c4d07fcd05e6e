//! Names of models: which one a model has now, which ones it had, and giving it another.
//!
//! Nothing of a renamed model moves. A name that it had goes on meaning it, so that a training
//! under way that would register under the old name registers under the new one.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use schemas::manifests::{ModelManifest, NameReservation, RenameChange};
use serde_json::Value;

use crate::chain::{ChainedChange, ChangeOutcome};
use crate::model::{StoredModels, model_key};
use crate::object::{Created, checked_segment, form_error};
use crate::{Store, StoreError};

/// Reservations read at once.
const READS_MAX: usize = 16;

/// How often a name is reserved in all when the create is refused and nothing is there.
const ATTEMPTS_MAX: usize = 50;

/// Where the versions of a model lie, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelPlace {
    /// The first name of the model, which is that of its folders.
    pub(crate) folder: String,
    /// Its name now.
    pub(crate) name: String,
    /// Its names before, oldest first.
    pub(crate) former_names: Vec<String>,
}

impl ModelPlace {
    /// A model that was never renamed.
    fn of_first_name(name: &str) -> Self {
        Self {
            folder: name.to_owned(),
            name: name.to_owned(),
            former_names: Vec::new(),
        }
    }

    /// Takes the next name.
    fn take_name(&mut self, name: &str) {
        let before = std::mem::replace(&mut self.name, name.to_owned());
        self.former_names.push(before);

        // A model that got a name back does not have it as a former one.
        self.former_names.retain(|former| former != name);
        let mut names = Vec::new();
        for former in self.former_names.drain(..) {
            if !names.contains(&former) {
                names.push(former);
            }
        }
        self.former_names = names;
    }
}

/// The places of all models that were renamed.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModelNames {
    /// By the first name.
    places: BTreeMap<String, ModelPlace>,
}

impl ModelNames {
    /// The place of the model that has this name or had it.
    pub(crate) fn place_of(&self, name: &str) -> ModelPlace {
        let is_called = |place: &&ModelPlace| {
            place.name == name || place.former_names.iter().any(|former| former == name)
        };
        let place = self.places.values().find(is_called);
        place.cloned().unwrap_or_else(|| self.place_in(name))
    }

    /// The place of the model whose versions lie in this folder.
    pub(crate) fn place_in(&self, folder: &str) -> ModelPlace {
        let place = self.places.get(folder);
        place
            .cloned()
            .unwrap_or_else(|| ModelPlace::of_first_name(folder))
    }

    /// A stored change with the name that its model has now.
    pub(crate) fn renamed<C: ChainedChange>(&self, change: C) -> C {
        let name = self.place_in(change.model()).name;
        change.of_model(name)
    }
}

/// What lies where a version can lie.
pub(crate) enum StoredVersion {
    /// The manifest of a version.
    Model(Box<ModelManifest>),
    /// The name means another model, whose first name this is.
    Moved(String),
}

/// What became of giving a model another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RenameOutcome {
    /// It has it.
    Renamed(RenameChange),
    /// There is no model of the old name.
    Unknown,
    /// The new name means the model that is called this now.
    Taken(String),
    /// Somebody else renamed the model meanwhile, which counts.
    Overtaken(RenameChange),
}

impl StoredModels<'_> {
    /// Every change of the names of one model, oldest first, by any name that it has or had.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn rename_history(self, name: &str) -> Result<Vec<RenameChange>, StoreError> {
        let place = self.place_of(name).await?;
        let changes = self.store.all_changes(&place.folder).await?;
        self.reserved_of(changes).await
    }

    /// The name that the model has now which has or had this one; the same name where no model was
    /// ever called so.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn name_now(self, name: &str) -> Result<String, StoreError> {
        Ok(self.place_of(name).await?.name)
    }

    /// Gives a model another name, with all its versions, aliases, notes and tags. `change` says
    /// from which name to which, by whom and when; its `model` and `revision` are filled in.
    ///
    /// Of several renames at the same time, of one model or to one name, one is made. A process
    /// that dies on the way leaves the old name as it was; repeating the rename completes it.
    ///
    /// # Errors
    /// An invalid name, or a failed read or write.
    pub async fn rename(self, change: RenameChange) -> Result<RenameOutcome, StoreError> {
        checked_segment("a model name", &change.to)?;
        let names = self.names().await?;
        let place = names.place_of(checked_segment("a model name", &change.from)?);
        if self.version_numbers(&place.folder).await?.is_empty() {
            return Ok(RenameOutcome::Unknown);
        }

        let target = names.place_of(&change.to);
        let is_own = target.folder == place.folder;
        if !is_own && !self.version_numbers(&target.folder).await?.is_empty() {
            return Ok(RenameOutcome::Taken(target.name));
        }

        let before: Vec<RenameChange> = self.store.all_changes(&place.folder).await?;
        if is_own && place.name == change.to {
            // The last rename made it so, or nobody ever renamed it.
            let made = before.into_iter().rfind(|made| made.to == change.to);
            return Ok(made.map_or(RenameOutcome::Taken(target.name), RenameOutcome::Renamed));
        }
        let change = RenameChange {
            revision: before.last().map_or(1, |newest| newest.revision + 1),
            model: place.folder,
            from: place.name,
            ..change
        };
        self.make_rename(change).await
    }

    async fn make_rename(self, change: RenameChange) -> Result<RenameOutcome, StoreError> {
        let change = match self.store.make_change(change).await? {
            ChangeOutcome::Made(change) => change,
            ChangeOutcome::Overtaken(other) => return Ok(RenameOutcome::Overtaken(other)),
        };

        // Until the name is reserved the change does not count.
        if !self.reserve_name(&change.to, &change.model).await? {
            return Ok(RenameOutcome::Taken(self.name_now(&change.to).await?));
        }
        let now = self.names().await?.place_in(&change.model);
        if now.name == change.to {
            return Ok(RenameOutcome::Renamed(change));
        }
        let changes: Vec<RenameChange> = self.store.all_changes(&change.model).await?;
        let other = changes.into_iter().rfind(|other| other.to == now.name);
        Ok(other.map_or(RenameOutcome::Renamed(change), RenameOutcome::Overtaken))
    }

    /// Makes `name` mean the model whose versions lie in `folder`; false if it means another one.
    async fn reserve_name(self, name: &str, folder: &str) -> Result<bool, StoreError> {
        if name == folder {
            return Ok(true);
        }

        let reservation = NameReservation {
            v: NameReservation::VERSION,
            moved_to: folder.to_owned(),
        };
        let key = model_key(name, 1);
        for _ in 0..ATTEMPTS_MAX {
            if self.store.create_document(&key, &reservation).await? == Created::New {
                return Ok(true);
            }
            match self.store.version_at(name, 1).await? {
                Some(StoredVersion::Moved(other)) => return Ok(other == folder),
                Some(StoredVersion::Model(_)) => return Ok(false),
                // Refused for another create that then failed: the name is still free.
                None => {}
            }
        }
        Err(StoreError::Refused {
            key,
            attempts: ATTEMPTS_MAX,
        })
    }

    /// The names of all models that were renamed.
    pub(crate) async fn names(self) -> Result<ModelNames, StoreError> {
        let changes = self.store.all_changes_of_models().await?;
        let mut names = ModelNames::default();
        for change in self.reserved_of(changes).await? {
            let place = names
                .places
                .entry(change.model.clone())
                .or_insert_with(|| ModelPlace::of_first_name(&change.model));
            place.take_name(&change.to);
        }
        Ok(names)
    }

    /// The place of the model that has this name or had it.
    pub(crate) async fn place_of(self, name: &str) -> Result<ModelPlace, StoreError> {
        let name = checked_segment("a model name", name)?;
        Ok(self.names().await?.place_of(name))
    }

    /// The changes whose name is reserved: the others were begun and never made.
    async fn reserved_of(
        self,
        changes: Vec<RenameChange>,
    ) -> Result<Vec<RenameChange>, StoreError> {
        let reads = stream::iter(changes).map(|change| async move {
            let is_made = change.to == change.model
                || matches!(
                    self.store.version_at(&change.to, 1).await?,
                    Some(StoredVersion::Moved(folder)) if folder == change.model
                );
            Ok::<_, StoreError>(is_made.then_some(change))
        });

        let changes: Vec<Option<RenameChange>> = reads.buffered(READS_MAX).try_collect().await?;
        Ok(changes.into_iter().flatten().collect())
    }
}

impl Store {
    /// What lies where this version of a model that was never renamed would lie.
    pub(crate) async fn version_at(
        &self,
        folder: &str,
        version: u32,
    ) -> Result<Option<StoredVersion>, StoreError> {
        let key = model_key(folder, version);
        let Some(document) = self.document::<Value>(&key).await? else {
            return Ok(None);
        };

        let version = if document.get("moved_to").is_some() {
            serde_json::from_value(document)
                .map(|moved: NameReservation| StoredVersion::Moved(moved.moved_to))
        } else {
            serde_json::from_value(document).map(|model| StoredVersion::Model(Box::new(model)))
        };
        version.map(Some).map_err(|error| form_error(&key, error))
    }
}
