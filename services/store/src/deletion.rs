//! Deleted versions of models: out of sight at once, and their files gone after some days.

use std::collections::BTreeSet;

use market::Utc;
use schemas::manifests::{DeletionChange, ModelManifest};

use crate::StoreError;
use crate::chain::ChangeOutcome;
use crate::model::StoredModels;

impl StoredModels<'_> {
    /// The newest deletion, or undoing of one, of each version of one model, or of all.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn deletions(self, name: Option<&str>) -> Result<Vec<DeletionChange>, StoreError> {
        self.newest_of(name).await
    }

    /// Deletes a version or undoes its deletion. Of several changes that follow the same one only
    /// one is made. The number of a deleted version is not given again.
    ///
    /// # Errors
    /// An invalid name, or a failed read or write.
    pub async fn change_deletion(
        self,
        change: DeletionChange,
    ) -> Result<ChangeOutcome<DeletionChange>, StoreError> {
        self.make_of(change).await
    }

    /// The numbers of the deleted versions in the folder of a model.
    pub(crate) async fn deleted_in(self, folder: &str) -> Result<BTreeSet<u32>, StoreError> {
        let changes: Vec<DeletionChange> = self.store.newest_changes(Some(folder)).await?;
        let deleted = changes.iter().filter(|change| change.is_deleted);
        Ok(deleted.map(|change| change.version).collect())
    }

    /// The hashes of the artifacts that only versions use which were deleted before `before`.
    pub(crate) async fn artifacts_of_deleted(
        self,
        before: Utc,
    ) -> Result<BTreeSet<String>, StoreError> {
        let mut deleted = self.deletions(None).await?;
        deleted.retain(|change| change.is_deleted && change.at < before.0);
        if deleted.is_empty() {
            return Ok(BTreeSet::new());
        }

        // Versions with the same weights share an artifact.
        let mut gone = BTreeSet::new();
        let mut needed = BTreeSet::new();
        for model in self.list_with_deleted().await? {
            match deleted.iter().any(|change| is_of(change, &model)) {
                true => gone.insert(model.artifact),
                false => needed.insert(model.artifact),
            };
        }
        gone.retain(|artifact| !needed.contains(artifact));
        Ok(gone)
    }
}

fn is_of(change: &DeletionChange, model: &ModelManifest) -> bool {
    change.model == model.name && change.version == model.version
}
