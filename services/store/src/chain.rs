//! Chains of changes: the highest revision counts, and creating the next one is the
//! compare-and-set. Of changes at the same time one is made, and none is forgotten.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use schemas::manifests::{AliasChange, DeletionChange, ModelNote, RenameChange, TagsChange};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::object::{Created, checked_segment};
use crate::{Store, StoreError};

/// Changes read at once.
const READS_MAX: usize = 16;

/// How often a change is sent in all whose create was refused as existing and then was absent.
const ATTEMPTS_MAX: usize = 50;

/// A change of something about a model, as `<folder>/<model>/<subject>.<revision>.json`.
pub(crate) trait ChainedChange:
    Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync
{
    /// The folder of all changes of this kind.
    const FOLDER: &'static str;

    /// Name of the model: where it is stored, the first one that it had.
    fn model(&self) -> &str;

    /// The same change of a model of another name.
    fn of_model(self, name: String) -> Self;

    /// What of the model is changed.
    fn subject(&self) -> String;

    /// 1 for the first change of the subject.
    fn revision(&self) -> u32;
}

/// A kind of change by its folder and what it changes; its model and revision are fields.
macro_rules! chained_change {
    ($change:ty, $folder:literal, $subject:expr) => {
        impl ChainedChange for $change {
            const FOLDER: &'static str = $folder;

            fn model(&self) -> &str {
                &self.model
            }

            fn of_model(mut self, name: String) -> Self {
                self.model = name;
                self
            }

            fn subject(&self) -> String {
                let subject: fn(&Self) -> String = $subject;
                subject(self)
            }

            fn revision(&self) -> u32 {
                self.revision
            }
        }
    };
}

chained_change!(AliasChange, "aliases", |change| change.alias.clone());
chained_change!(DeletionChange, "deletions", |change| change
    .version
    .to_string());
chained_change!(ModelNote, "notes", |change| change.version.to_string());
chained_change!(TagsChange, "tags", |change| change.version.to_string());
chained_change!(RenameChange, "renames", |_| "name".to_owned());

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeOutcome<C> {
    /// It counts now.
    Made(C),
    /// Somebody else made this one meanwhile, which counts.
    Overtaken(C),
}

/// The place of a change in the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ChangePlace {
    model: String,
    subject: String,
    revision: u32,
}

impl ChangePlace {
    fn of(change: &impl ChainedChange) -> Self {
        Self {
            model: change.model().to_owned(),
            subject: change.subject(),
            revision: change.revision(),
        }
    }

    fn read(folder: &str, key: &str) -> Option<Self> {
        let rest = key.strip_prefix(folder)?.strip_prefix('/')?;
        let (model, file) = rest.split_once('/')?;
        let (subject, revision) = file.strip_suffix(".json")?.split_once('.')?;
        Some(Self {
            model: model.to_owned(),
            subject: subject.to_owned(),
            revision: revision.parse().ok()?,
        })
    }

    fn key(&self, folder: &str) -> String {
        let Self {
            model,
            subject,
            revision,
        } = self;
        format!("{folder}/{model}/{subject}.{revision}.json")
    }
}

impl Store {
    /// The newest change of each subject of one model, or of all.
    pub(crate) async fn newest_changes<C: ChainedChange>(
        &self,
        model: Option<&str>,
    ) -> Result<Vec<C>, StoreError> {
        let mut newest: BTreeMap<(String, String), ChangePlace> = BTreeMap::new();
        for place in self.change_places(C::FOLDER, model).await? {
            let subject = (place.model.clone(), place.subject.clone());
            newest.insert(subject, place);
        }
        self.read_changes(newest.into_values().collect()).await
    }

    /// Every change of the subjects of a model, subject by subject, oldest first.
    pub(crate) async fn all_changes<C: ChainedChange>(
        &self,
        model: &str,
    ) -> Result<Vec<C>, StoreError> {
        let places = self.change_places(C::FOLDER, Some(model)).await?;
        self.read_changes(places).await
    }

    /// Every change of this kind, by model and subject, oldest first.
    pub(crate) async fn all_changes_of_models<C: ChainedChange>(
        &self,
    ) -> Result<Vec<C>, StoreError> {
        let places = self.change_places(C::FOLDER, None).await?;
        self.read_changes(places).await
    }

    /// Makes `change`, which follows the change that its maker has seen: its revision is one
    /// higher. Of several changes that follow the same one only one is made.
    pub(crate) async fn make_change<C: ChainedChange>(
        &self,
        change: C,
    ) -> Result<ChangeOutcome<C>, StoreError> {
        checked_segment("a model name", change.model())?;
        let place = ChangePlace::of(&change);
        let key = place.key(C::FOLDER);

        for _ in 0..ATTEMPTS_MAX {
            if self.create_document(&key, &change).await? == Created::New {
                return Ok(ChangeOutcome::Made(change));
            }

            let changes: Vec<C> = self.newest_changes(Some(change.model())).await?;
            let mut changes = changes.into_iter();
            match changes.find(|other| other.subject() == place.subject) {
                // Created by an earlier request of ours, whose answer was lost.
                Some(newest) if newest == change => return Ok(ChangeOutcome::Made(change)),
                Some(newest) if newest.revision() >= place.revision => {
                    return Ok(ChangeOutcome::Overtaken(newest));
                }
                // Refused for another create that then failed: the revision is still free.
                _ => {}
            }
        }
        Err(StoreError::Refused {
            key,
            attempts: ATTEMPTS_MAX,
        })
    }

    /// The places of all changes, by model and subject, oldest first.
    async fn change_places(
        &self,
        folder: &str,
        model: Option<&str>,
    ) -> Result<Vec<ChangePlace>, StoreError> {
        let prefix = match model {
            Some(model) => format!("{folder}/{}", checked_segment("a model name", model)?),
            None => folder.to_owned(),
        };
        let keys = self.keys(&prefix).await?;
        let places = keys.iter().filter_map(|key| ChangePlace::read(folder, key));

        let mut places: Vec<ChangePlace> = places.collect();
        places.sort();
        Ok(places)
    }

    async fn read_changes<C: ChainedChange>(
        &self,
        places: Vec<ChangePlace>,
    ) -> Result<Vec<C>, StoreError> {
        let reads = stream::iter(places)
            .map(|place| async move { self.document(&place.key(C::FOLDER)).await });
        let changes: Vec<Option<C>> = reads.buffered(READS_MAX).try_collect().await?;
        Ok(changes.into_iter().flatten().collect())
    }
}
