//! Notes and tags of model versions: what people say about them after the training.

use schemas::manifests::{ModelNote, TagsChange};

use crate::StoreError;
use crate::chain::ChangeOutcome;
use crate::model::StoredModels;

/// How often a note is written again, each time after one that somebody else has written.
const OVERTAKINGS_MAX: usize = 50;

impl StoredModels<'_> {
    /// Every note about the versions of one model, version by version, oldest first.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn notes(self, name: &str) -> Result<Vec<ModelNote>, StoreError> {
        let place = self.place_of(name).await?;
        let mut notes: Vec<ModelNote> = self.store.all_changes(&place.folder).await?;
        notes.sort_by_key(|note| (note.version, note.revision));
        let notes = notes.into_iter();
        Ok(notes.map(|note| self.named(note, &place)).collect())
    }

    /// The newest note about each version of every model that has one.
    ///
    /// # Errors
    /// A failed read.
    pub async fn newest_notes(self) -> Result<Vec<ModelNote>, StoreError> {
        self.newest_of(None).await
    }

    /// Adds a note after those that there are; its `revision` is filled in. Of several notes at the
    /// same time each is kept.
    ///
    /// # Errors
    /// An invalid name, or a failed read or write.
    pub async fn add_note(self, note: ModelNote) -> Result<ModelNote, StoreError> {
        let place = self.place_of(&note.model).await?;
        let before: Vec<ModelNote> = self.store.newest_changes(Some(&place.folder)).await?;
        let newest = before.iter().find(|other| other.version == note.version);
        let mut note = ModelNote {
            model: place.folder.clone(),
            revision: newest.map_or(1, |newest| newest.revision + 1),
            ..note
        };

        for _ in 0..OVERTAKINGS_MAX {
            match self.store.make_change(note.clone()).await? {
                ChangeOutcome::Made(note) => return Ok(self.named(note, &place)),
                ChangeOutcome::Overtaken(other) => note.revision = other.revision + 1,
            }
        }
        Err(StoreError::Refused {
            key: format!("notes/{}/{}", place.folder, note.version),
            attempts: OVERTAKINGS_MAX,
        })
    }

    /// The newest change of the tags of each version of one model, or of all.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn tags(self, name: Option<&str>) -> Result<Vec<TagsChange>, StoreError> {
        self.newest_of(name).await
    }

    /// Makes `change`, which follows the change that its maker has seen: its revision is one
    /// higher. Of several changes that follow the same one only one is made.
    ///
    /// # Errors
    /// An invalid name, or a failed read or write.
    pub async fn change_tags(
        self,
        change: TagsChange,
    ) -> Result<ChangeOutcome<TagsChange>, StoreError> {
        self.make_of(change).await
    }
}
