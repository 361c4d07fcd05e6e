//! Aliases of model versions: which version plays which role, since when, and who said so.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use schemas::manifests::AliasChange;

use crate::StoreError;
use crate::model::StoredModels;
use crate::object::{Created, checked_segment};

/// Changes read at once.
const READS_MAX: usize = 16;

/// The place of a change in the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ChangePlace {
    model: String,
    alias: String,
    revision: u32,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliasOutcome {
    /// It counts now.
    Made(AliasChange),
    /// Somebody else made this one meanwhile, which counts.
    Overtaken(AliasChange),
}

impl StoredModels<'_> {
    /// The newest change of each alias of every model, aliases without a version included.
    ///
    /// # Errors
    /// A failed read.
    pub async fn newest_aliases(self) -> Result<Vec<AliasChange>, StoreError> {
        self.newest_below("aliases".to_owned()).await
    }

    /// The newest change of each alias of one model, aliases without a version included.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn aliases(self, name: &str) -> Result<Vec<AliasChange>, StoreError> {
        let name = checked_segment("a model name", name)?;
        self.newest_below(format!("aliases/{name}")).await
    }

    async fn newest_below(self, prefix: String) -> Result<Vec<AliasChange>, StoreError> {
        let mut newest: BTreeMap<(String, String), ChangePlace> = BTreeMap::new();
        for place in self.places_below(&prefix).await? {
            let role = (place.model.clone(), place.alias.clone());
            newest.insert(role, place);
        }
        self.read_changes(newest.into_values().collect()).await
    }

    /// Every change of the aliases of a model, alias by alias, oldest first.
    ///
    /// # Errors
    /// An invalid name, or a failed read.
    pub async fn alias_history(self, name: &str) -> Result<Vec<AliasChange>, StoreError> {
        let name = checked_segment("a model name", name)?;
        let places = self.places_below(&format!("aliases/{name}")).await?;
        self.read_changes(places).await
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
    pub async fn change_alias(self, change: AliasChange) -> Result<AliasOutcome, StoreError> {
        checked_segment("a model name", &change.model)?;
        checked_segment("an alias", &change.alias)?;
        let key = change_key(&change.model, &change.alias, change.revision);

        loop {
            if self.store.create_document(&key, &change).await? == Created::New {
                return Ok(AliasOutcome::Made(change));
            }
            match self.alias(&change.model, &change.alias).await? {
                // Created by an earlier request of ours, whose answer was lost.
                Some(newest) if newest == change => return Ok(AliasOutcome::Made(change)),
                Some(newest) if newest.revision >= change.revision => {
                    return Ok(AliasOutcome::Overtaken(newest));
                }
                // Refused for another create that then failed: the revision is still free.
                _ => {}
            }
        }
    }

    /// The places of all changes below `prefix`, by model and alias, oldest first.
    async fn places_below(self, prefix: &str) -> Result<Vec<ChangePlace>, StoreError> {
        let keys = self.store.keys(prefix).await?;
        let mut places: Vec<ChangePlace> = keys.iter().filter_map(|key| place_of(key)).collect();
        places.sort();
        Ok(places)
    }

    async fn read_changes(self, places: Vec<ChangePlace>) -> Result<Vec<AliasChange>, StoreError> {
        let reads = stream::iter(places).map(|place| async move {
            let key = change_key(&place.model, &place.alias, place.revision);
            self.store.document(&key).await
        });
        let changes: Vec<Option<AliasChange>> = reads.buffered(READS_MAX).try_collect().await?;
        Ok(changes.into_iter().flatten().collect())
    }
}

fn change_key(model: &str, alias: &str, revision: u32) -> String {
    format!("aliases/{model}/{alias}.{revision}.json")
}

fn place_of(key: &str) -> Option<ChangePlace> {
    let (model, file) = key.strip_prefix("aliases/")?.split_once('/')?;
    let (alias, revision) = file.strip_suffix(".json")?.split_once('.')?;
    Some(ChangePlace {
        model: model.to_owned(),
        alias: alias.to_owned(),
        revision: revision.parse().ok()?,
    })
}
