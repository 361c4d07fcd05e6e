//! Versions as lists show them: with their roles and what people say about them.

use schemas::queries::{ModelSummary, note_aliases, note_remarks};

use crate::StoreError;
use crate::model::StoredModels;

impl StoredModels<'_> {
    /// Every version of one model, or of all, with its aliases, its tags and its newest note.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn summaries(self, name: Option<&str>) -> Result<Vec<ModelSummary>, StoreError> {
        let manifests = match name {
            Some(name) => self.versions(name).await?,
            None => self.list().await?,
        };
        let mut models: Vec<ModelSummary> = manifests.into_iter().map(ModelSummary::from).collect();

        note_aliases(&mut models, &self.newest_aliases().await?);
        let tags = self.tags(None).await?;
        note_remarks(&mut models, &tags, &self.newest_notes().await?);
        Ok(models)
    }
}
