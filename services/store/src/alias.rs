//! Aliases of model versions: which version plays which role, since when, and who said so.

use schemas::manifests::AliasChange;

use crate::StoreError;
use crate::chain::ChangeOutcome;
use crate::model::StoredModels;
use crate::object::checked_segment;

impl StoredModels<'_> {
    /// The newest change of each alias of every model, aliases without a version included.
    ///
    /// # Errors
    /// A failed read.
    pub async fn newest_aliases(self) -> Result<Vec<AliasChange>, StoreError> {
        self.newest_of(None).await
    }

    /// The newest change of each alias of one model, aliases without a version included.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn aliases(self, name: &str) -> Result<Vec<AliasChange>, StoreError> {
        self.newest_of(Some(name)).await
    }

    /// Every change of the aliases of a model, alias by alias, oldest first.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn alias_history(self, name: &str) -> Result<Vec<AliasChange>, StoreError> {
        let place = self.place_of(name).await?;
        let changes: Vec<AliasChange> = self.store.all_changes(&place.folder).await?;
        let changes = changes.into_iter();
        Ok(changes.map(|change| self.named(change, &place)).collect())
    }

    /// The newest change of one alias; none if nobody has ever made one.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn alias(self, name: &str, alias: &str) -> Result<Option<AliasChange>, StoreError> {
        let aliases = self.aliases(name).await?;
        Ok(aliases.into_iter().find(|change| change.alias == alias))
    }

    /// Makes `change`, which follows the change that its maker has seen: its revision is one
    /// higher. Of several changes that follow the same one only one is made.
    ///
    /// # Errors
    /// An invalid name, or a failed read or write.
    pub async fn change_alias(
        self,
        change: AliasChange,
    ) -> Result<ChangeOutcome<AliasChange>, StoreError> {
        checked_segment("an alias", &change.alias)?;
        self.make_of(change).await
    }
}
